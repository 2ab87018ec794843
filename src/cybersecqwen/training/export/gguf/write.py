"""A Hugging Face folder to one GGUF file, a tensor at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter
from numpy.typing import NDArray
from safetensors import safe_open
from transformers import AutoConfig, AutoTokenizer, GenerationConfig

from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.files import atomic_path
from cybersecqwen.core.model_files import NO_CODE, check_stated_files
from cybersecqwen.training.export.gguf.quantise import Quantisation, quantise, tensor_type
from cybersecqwen.training.export.gguf.vocabulary import write_vocabulary

_FAMILIES = {
    "llama": gguf.MODEL_ARCH.LLAMA,
    "qwen2": gguf.MODEL_ARCH.QWEN2,
    "qwen3": gguf.MODEL_ARCH.QWEN3,
}
_FILE_TYPES = {
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "q4_k_m": gguf.LlamaFileType.MOSTLY_Q4_K_M,
}


def architecture(config: Any, source: Path) -> gguf.MODEL_ARCH:
    """Return llama.cpp's architecture of a model's family.

    Args:
        config: The model's configuration; for an adapter its base's.
        source: What is to be written, for the message.

    Raises:
        ModelError: The family cannot be written.
    """
    found = _FAMILIES.get(config.model_type)
    if found is None:
        known = ", ".join(_FAMILIES)
        raise ModelError(
            f"{source}: of the family {config.model_type}; GGUF files can be written of {known}"
        )
    return found


def write_gguf(
    folder: Path,
    out: Path,
    kind: Quantisation,
    importance: Mapping[str, NDArray[np.float32]] | None = None,
    importance_source: str = "",
) -> dict[str, int]:
    """Write a model folder as one file, which appears whole or not at all.

    Args:
        folder: Configuration, tokenizer and safetensors of a Llama, Qwen 2 or Qwen 3.
        out: The file.
        kind: Type of its matrices.
        importance: By the projection's Hugging Face name, (columns,); see ``importance.measure``.
        importance_source: What the file should say the importance was measured on.

    Returns:
        How many tensors got each type.

    Raises:
        InputError: The folder holds no model.
        ModelError: A family, tokenizer or position scaling that this export does not know.
    """
    config, tokenizer = _open(folder)
    family = architecture(config, folder)
    names = gguf.get_tensor_name_map(family, config.num_hidden_layers)
    with atomic_path(out) as part:
        writer = GGUFWriter(str(part), gguf.MODEL_ARCH_NAMES[family])
        _write_facts(writer, config, kind, folder.name)
        if importance is not None:
            writer.add_string("quantize.imatrix.dataset", importance_source)
            writer.add_uint32("quantize.imatrix.entries_count", len(importance))
        write_vocabulary(writer, tokenizer, config.vocab_size, _end(folder, tokenizer))
        tensors = list(_plan(folder, config, names, kind))
        for tensor in tensors:
            writer.add_tensor_info(
                tensor.name,
                tensor.stored_shape,
                np.dtype(np.uint8),
                tensor.bytes,
                raw_dtype=tensor.kind,
            )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in tensors:
            weights = (importance or {}).get(tensor.source.removesuffix(".weight"))
            writer.write_tensor_data(quantise(tensor.read(), tensor.kind, weights))
        writer.close()
    kinds = [tensor.kind.name for tensor in tensors]
    return {name: kinds.count(name) for name in sorted(set(kinds))}


class _Tensor:
    """A tensor on its way: where it is read and how it is written."""

    def __init__(
        self, file: Path, source: str, name: str, shape: tuple[int, ...], kind: Type, heads: int
    ) -> None:
        self.source = source
        self.name = name
        self.kind = kind
        self._file = file
        self._heads = heads
        block, size = gguf.GGML_QUANT_SIZES[kind]
        self.bytes = int(np.prod(shape)) // block * size
        self.stored_shape = (*shape[:-1], shape[-1] // block * size)  # in bytes

    def read(self) -> NDArray[np.float32]:
        with safe_open(self._file, framework="pt") as tensors:
            value: torch.Tensor = tensors.get_tensor(self.source)
        array: NDArray[np.float32] = value.float().numpy()
        if self._heads:
            array = as_llama_rotates(array, self._heads)
        return array


def _plan(
    folder: Path, config: Any, names: gguf.TensorNameMap, kind: Quantisation
) -> Iterator[_Tensor]:
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            for source in tensors.keys():  # noqa: SIM118 - not a mapping
                if source == "lm_head.weight" and config.tie_word_embeddings:
                    continue
                name = names.get_name(source, try_suffixes=(".weight", ".bias"))
                if name is None:
                    raise ModelError(f"{folder}: no place in a GGUF file for tensor {source}")
                shape = tuple(tensors.get_slice(source).get_shape())
                of = tensor_type(
                    name, shape, kind, config.num_hidden_layers, tied=config.tie_word_embeddings
                )
                yield _Tensor(file, source, name, shape, of, rotated_heads(config, source))


def as_llama_rotates(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return (O, ...) rows with the halves of each head's rotary pairs made neighbours."""
    split = rows.reshape(heads, 2, -1, *rows.shape[1:])
    return split.swapaxes(1, 2).reshape(rows.shape)


def rotated_heads(config: Any, source: str) -> int:
    """Return how many heads a tensor's rows belong to, if llama.cpp wants them in another order.

    Args:
        config: The model's configuration.
        source: The tensor's name in transformers.
    """
    if config.model_type != "llama":
        return 0
    if ".q_proj." in source:
        return int(config.num_attention_heads)
    return int(config.num_key_value_heads) if ".k_proj." in source else 0


def _open(folder: Path) -> tuple[Any, Any]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give a model's (`export merge` makes one)")
    check_stated_files(folder)
    if (folder / "adapter_config.json").exists():
        raise InputError(
            f"{folder}: an adapter; `export merge` makes a model of it, `export gguf-adapter` a "
            "file of its own"
        )
    try:
        config = AutoConfig.from_pretrained(folder, **NO_CODE)
        tokenizer = AutoTokenizer.from_pretrained(folder, **NO_CODE)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: no model folder: {error}") from error
    if not list(folder.glob("*.safetensors")) or (folder / "adapter_config.json").exists():
        raise InputError(
            f"{folder}: no whole model with safetensors; `cybersecqwen export merge` makes one "
            "from an adapter"
        )
    architecture(config, folder)
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type", "default") != "default":
        raise ModelError(f"{folder}: positions scaled by {rope['rope_type']}, which is not known")
    return config, tokenizer


def _end(folder: Path, tokenizer: Any) -> int | None:
    """Return the token at which a model stops; its tokenizer may name another, of whole texts."""
    try:
        stops: Any = GenerationConfig.from_pretrained(folder).eos_token_id
    except OSError:  # it has no such file
        stops = None
    if isinstance(stops, list):
        stops = stops[0]
    end: int | None = tokenizer.eos_token_id if stops is None else stops
    return end


def _write_facts(writer: GGUFWriter, config: Any, kind: Quantisation, name: str) -> None:
    heads = config.num_attention_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    rope = getattr(config, "rope_parameters", None) or {}
    writer.add_name(name)
    writer.add_file_type(_FILE_TYPES[kind])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.rope_theta))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
