"""A LoRA adapter as a GGUF file, which llama.cpp adds to a base's file when it loads it.

The layout is that of llama.cpp's own adapters: ``general.type`` is ``adapter``, and beside each
adapted matrix's name stand ``.lora_a`` (R, I) and ``.lora_b`` (O, R); what is added is
``alpha / R * B A``, with one alpha for all and R by matrix.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import msgspec
import numpy as np
from gguf import GGUFWriter
from numpy.typing import NDArray
from safetensors.torch import load_file

from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.files import atomic_path
from cybersecqwen.core.model_files import check_stated_files
from cybersecqwen.training.export.gguf.write import architecture, as_llama_rotates, rotated_heads
from cybersecqwen.training.export.low_rank import module_of, of_module
from cybersecqwen.training.export.merge import ADAPTER_CONFIG, ADAPTER_WEIGHTS

_PREFIX = "base_model.model."
_PARTS = {".lora_A.weight": ".weight.lora_a", ".lora_B.weight": ".weight.lora_b"}


class _Settings(msgspec.Struct):
    r: int
    lora_alpha: float
    peft_type: str = "LORA"
    use_dora: bool = False
    use_rslora: bool = False
    alpha_pattern: dict[str, float] = {}


def write_gguf_adapter(adapter: Path, config: Any, out: Path) -> int:
    """Write an adapter's matrices in float16; the file appears whole or not at all.

    Args:
        adapter: Folder of ``train lora``.
        config: The base's configuration.
        out: The file.

    Returns:
        How many matrices were written.

    Raises:
        InputError: The folder holds no adapter.
        ModelError: A family or a kind of adapter that this export does not know, or a file that
            is not the one that its folder states.
    """
    check_stated_files(adapter)
    settings, weights = _read(adapter)
    family = architecture(config, adapter)
    names = gguf.get_tensor_name_map(family, config.num_hidden_layers)
    with atomic_path(out) as part:
        writer = GGUFWriter(str(part), gguf.MODEL_ARCH_NAMES[family])
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_name(adapter.name)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, settings.lora_alpha)
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
        for source, matrix in sorted(weights.items()):
            own = of_module(settings.alpha_pattern, module_of(source), settings.lora_alpha)
            share = own / settings.lora_alpha if source.endswith(".lora_B.weight") else 1.0
            name, values = _placed(source, matrix.float() * share, names, config)
            writer.add_tensor(name, values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return len(weights)


def _read(adapter: Path) -> tuple[_Settings, dict[str, Any]]:
    try:
        raw = (adapter / ADAPTER_CONFIG).read_bytes()
        settings = msgspec.json.decode(raw, type=_Settings)
        weights = load_file(adapter / ADAPTER_WEIGHTS)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"{adapter}: no adapter: {error}") from error
    special = settings.use_dora or settings.use_rslora
    if settings.peft_type != "LORA" or special:
        raise ModelError(f"{adapter}: not a plain LoRA adapter")
    return settings, weights


def _placed(
    source: str, matrix: Any, names: gguf.TensorNameMap, config: Any
) -> tuple[str, NDArray[np.float16]]:
    """Return a matrix's name in the file, and its values as llama.cpp wants them."""
    end = next((end for end in _PARTS if source.endswith(end)), None)
    adapted = source.removeprefix(_PREFIX).removesuffix(end or "")
    name = names.get_name(adapted)
    if end is None or name is None:
        raise ModelError(f"no place in a GGUF adapter for tensor {source}")
    values: NDArray[np.float32] = matrix.float().numpy()
    heads = rotated_heads(config, f"{adapted}.weight")
    if heads and end == ".lora_B.weight":
        values = as_llama_rotates(values, heads)
    return name + _PARTS[end], values.astype(np.float16)
