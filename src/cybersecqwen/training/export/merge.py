"""An adapter's folder: alone, or merged into its base."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from cybersecqwen.core.atomic_folder import atomic_folder
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import atomic_write, sha256_file, write_json
from cybersecqwen.core.lenient_json import DECODE_ERRORS
from cybersecqwen.core.model_files import NO_CODE, check_stated_files, write_sums
from cybersecqwen.training.export.low_rank import (
    Settings,
    Weights,
    cut_to_rank,
    scaled,
    summed,
)

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
MERGE_FILE = "merge.json"
_BESIDE = ("README.md", "training.json")


class _AdapterConfig(msgspec.Struct):
    base_model_name_or_path: str


def adapter_base(folder: Path) -> str:
    """Return the base that an adapter's folder names.

    Raises:
        InputError: The folder holds no adapter.
    """
    try:
        raw = (folder / ADAPTER_CONFIG).read_bytes()
        return msgspec.json.decode(raw, type=_AdapterConfig).base_model_name_or_path
    except (OSError, *DECODE_ERRORS) as error:
        raise InputError(f"{folder}: no adapter: {error}") from error


def merge(adapter: Path, out: Path, base: str | None = None) -> None:
    """Write base and adapter as one model, in the base's own number type.

    Products are added in float32 and rounded once.

    Args:
        adapter: Folder that ``train lora`` made.
        out: Folder to appear.
        base: Hub id or folder, where it is not where the adapter says.

    Raises:
        InputError: ``out`` is taken, or adapter or base cannot be used.
        ModelError: A file is not the one that its folder states.
    """
    check_stated_files(adapter)
    named = base or adapter_base(adapter)
    check_stated_files(named)
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(named, dtype="auto", **NO_CODE)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(f"base {named}: cannot be loaded; name a folder with --base") from error
    try:
        adapted = PeftModel.from_pretrained(model, str(adapter))
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{adapter}: does not fit {named}: {error}") from error
    with torch.no_grad():
        for layer in (m for m in adapted.modules() if isinstance(m, LoraLayer)):
            weight = layer.get_base_layer().weight
            whole = weight.float() + layer.get_delta_weight("default").float()
            weight.copy_(whole.to(weight.dtype))
    plain = adapted.unload()
    with atomic_folder(out) as part:
        plain.save_pretrained(part)
        _tokenizer(adapter, named).save_pretrained(part)
        for name in _BESIDE:
            if (adapter / name).is_file():
                shutil.copyfile(adapter / name, part / name)
        facts = {"base": named, "adapter_sha256": sha256_file(adapter / ADAPTER_WEIGHTS)}
        write_json(part / MERGE_FILE, facts)
        write_sums(part)


def export_adapter(
    adapter: Path,
    out: Path,
    kind: Literal["f32", "bf16"],
    base: str | None = None,
    *,
    scale: float = 1.0,
    add: Sequence[tuple[Path, float]] = (),
    rank: int | None = None,
) -> float:
    """Write the adapter alone, without checkpoints or tokenizer.

    Args:
        adapter: Folder that ``train lora`` made.
        out: Folder to appear.
        kind: Type of its numbers; ``bf16`` is half as large, and what a GPU computes with.
        base: What the copy should name as its base; None for what the adapter says.
        scale: Its product counts so many times as much; under 1 averages with the base's weights.
        add: Folders of other adapters of the base whose products are added, so many times each.
        rank: Columns to cut it to, on average; None for as many as it has.

    Returns:
        Share of the products' squared norm that cutting kept.

    Raises:
        InputError: ``out`` is taken, there is no adapter, or it cannot be added to or cut so.
        ModelError: A file is not the one that its folder states.
    """
    named = base or adapter_base(adapter)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[kind]
    parts = [_scaled_adapter(*part) for part in ((adapter, scale), *add)]
    weights, settings = summed(parts) if add else parts[0]
    kept = 1.0
    if rank is not None:
        weights, settings, kept = cut_to_rank(weights, settings, rank)
    with atomic_folder(out) as part:
        save_file({k: v.to(dtype) for k, v in weights.items()}, part / ADAPTER_WEIGHTS)
        write_json(part / ADAPTER_CONFIG, {**settings, "base_model_name_or_path": named})
        for name in _BESIDE:
            if (adapter / name).is_file():
                with atomic_write(part / name) as stream:
                    stream.write((adapter / name).read_bytes())
        write_sums(part)
    return kept


def _scaled_adapter(folder: Path, factor: float) -> tuple[Weights, Settings]:
    check_stated_files(folder)
    try:
        weights = load_file(folder / ADAPTER_WEIGHTS)
        settings = msgspec.json.decode((folder / ADAPTER_CONFIG).read_bytes())
    except OSError as error:
        raise InputError(f"{folder}: no adapter's weights: {error}") from error
    return weights, settings if factor == 1.0 else scaled(settings, factor)


def _tokenizer(adapter: Path, base: str) -> Any:
    own = (adapter / "tokenizer_config.json").is_file()
    return AutoTokenizer.from_pretrained(str(adapter) if own else base, **NO_CODE)
