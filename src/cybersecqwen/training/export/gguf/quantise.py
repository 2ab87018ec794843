"""Which tensor gets which type, and llama.cpp's own routine that writes it.

xllamacpp carries llama.cpp as a whole, whose C function ``ggml_quantize_chunk`` is among the
symbols that its library exports; it is called here through ctypes. That it does what is expected is
tested on every run, by reading a small tensor back with the ``gguf`` package.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Literal

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from numpy.typing import NDArray

from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.resources import usable_cores

Quantisation = Literal["f16", "q8_0", "q4_k_m"]

_SUPER_BLOCK = 256  # weights that a k-quant describes together
_ROWS_AT_ONCE = 256
# What a k-quant becomes where a row is no multiple of a super-block, as in llama.cpp.
_NARROW = {Type.Q4_K: Type.Q5_0, Type.Q6_K: Type.Q8_0}


def tensor_type(
    name: str, shape: tuple[int, ...], kind: Quantisation, layers: int, *, tied: bool
) -> Type:
    """Return the type that llama.cpp's quantiser gives a tensor.

    Vectors stay as they are. Q4_K_M spends six bits on the output matrix and, in the first and
    last eighth of the layers and every third one between, on ``attn_v`` and ``ffn_down``; four
    elsewhere.

    Args:
        name: GGUF name, such as ``blk.0.attn_v.weight``.
        shape: (rows, columns), or (elements,).
        kind: What was asked for.
        layers: Number of layers of the model.
        tied: Whether the input embedding is the output matrix too.
    """
    if len(shape) == 1:
        return Type.F32
    if kind == "f16":
        return Type.F16
    if kind == "q8_0":
        return _fitting(Type.Q8_0, shape[-1])
    is_output = name == "output.weight" or (tied and name == "token_embd.weight")
    wanted = Type.Q6_K if is_output or _gets_more(name, layers) else Type.Q4_K
    return _fitting(wanted, shape[-1])


def _gets_more(name: str, layers: int) -> bool:
    if not name.endswith(("attn_v.weight", "ffn_down.weight")):
        return False
    layer = int(name.split(".")[1])
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def _fitting(wanted: Type, columns: int) -> Type:
    if columns % _SUPER_BLOCK and wanted in _NARROW:
        wanted = _NARROW[wanted]
    block, _ = gguf.GGML_QUANT_SIZES[wanted]
    return Type.F16 if columns % block else wanted


def quantise(
    values: NDArray[np.float32], kind: Type, importance: NDArray[np.float32] | None = None
) -> NDArray[Any]:
    """Return a tensor's bytes in a type.

    Args:
        values: (rows, columns) or (elements,).
        kind: The type.
        importance: (columns,), how much an error in each column matters; None for evenly.

    Raises:
        ModelError: The installed llama.cpp has no such routine, or it writes something else.
    """
    if kind == Type.F32:
        return values
    if kind == Type.F16:
        limit = np.finfo(np.float16).max
        return np.clip(values, -limit, limit).astype(np.float16)
    _check(kind)
    return _run(np.ascontiguousarray(values, dtype=np.float32), kind, importance)


def _run(
    values: NDArray[np.float32], kind: Type, importance: NDArray[np.float32] | None
) -> NDArray[np.uint8]:
    rows, columns = values.shape
    block, size = gguf.GGML_QUANT_SIZES[kind]
    out = np.empty((rows, columns // block * size), dtype=np.uint8)
    weights = None
    if importance is not None:
        weights = np.ascontiguousarray(importance, dtype=np.float32)
    routine = _routine()

    def part(first: int) -> None:
        count = min(_ROWS_AT_ONCE, rows - first)
        written = routine(
            int(kind),
            values[first:].ctypes.data,
            out[first:].ctypes.data,
            0,
            count,
            columns,
            None if weights is None else weights.ctypes.data,
        )
        if written != count * out.shape[1]:
            raise ModelError(f"llama.cpp wrote {written} bytes of {kind.name}, not as expected")

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(part, range(0, rows, _ROWS_AT_ONCE)))
    return out


@lru_cache(maxsize=1)
def _routine() -> Any:
    import xllamacpp.xllamacpp as library  # noqa: PLC0415 - a hundred megabytes

    try:
        routine = ctypes.CDLL(library.__file__).ggml_quantize_chunk
    except (OSError, AttributeError) as error:
        raise ModelError(f"the installed xllamacpp offers no quantiser: {error}") from error
    # size_t (enum type, const float * src, void * dst, start, rows, columns, const float * imatrix)
    whole = ctypes.c_int64
    pointer = ctypes.c_void_p
    routine.argtypes = [ctypes.c_int, pointer, pointer, whole, whole, whole, pointer]
    routine.restype = ctypes.c_size_t
    return routine


@lru_cache(maxsize=8)
def _check(kind: Type) -> None:
    """See that a tensor comes back nearly as it went in, so that a changed routine is noticed."""
    values = np.random.default_rng(0).normal(size=(4, 2 * _SUPER_BLOCK)).astype(np.float32)
    back = gguf.quants.dequantize(_run(values, kind, None), kind)
    if float(np.sqrt(np.mean((back - values) ** 2))) > 0.15:
        raise ModelError(
            f"the installed xllamacpp writes {kind.name} in a way that gguf cannot read"
        )
