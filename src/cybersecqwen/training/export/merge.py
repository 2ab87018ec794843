"""What a fine-tuning made: an adapter alone, or one model with its base."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
from cybersecqwen.core.hub import require_reachable
from cybersecqwen.core.lenient_json import DECODE_ERRORS
from cybersecqwen.core.model_files import NO_CODE, check_stated_files, write_sums
from cybersecqwen.core.model_folder import CARD_FILE
from cybersecqwen.core.progress_bars import silent_without_terminal
from cybersecqwen.training.export.full import (
    RECORD_FILE,
    AdapterOfDifference,
    adapter_of_difference,
    average,
    base_of,
)
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


class _AdapterConfig(msgspec.Struct):
    base_model_name_or_path: str


def adapter_base(folder: Path) -> str:
    """Return the base that an adapter's folder names.

    Raises:
        InputError: The folder holds no adapter.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no adapter: no such folder; give one that `train lora` made")
    if is_whole_model(folder):
        raise InputError(
            f"{folder}: no adapter but a whole model; `export adapter --rank` makes one of what "
            "full fine-tuning changed"
        )
    try:
        raw = (folder / ADAPTER_CONFIG).read_bytes()
        return msgspec.json.decode(raw, type=_AdapterConfig).base_model_name_or_path
    except (OSError, *DECODE_ERRORS) as error:
        raise InputError(f"{folder}: no adapter: {error}") from error


def is_whole_model(folder: Path) -> bool:
    """Whether a folder holds a model of its own, as full fine-tuning makes, and no adapter."""
    return (folder / "config.json").is_file() and not (folder / ADAPTER_CONFIG).is_file()


def merge(tuned: Path, out: Path, base: str | None = None, scale: float = 1.0) -> None:
    """Write what a fine-tuning made and its base as one model, in the base's own number type.

    What was learnt is added in float32 and rounded once.

    Args:
        tuned: Folder that ``train lora`` made: an adapter's, or a model's.
        out: Folder to appear.
        base: Hub id or folder, where it is not where the folder says.
        scale: How often what was learnt counts; under 1 averages with the base's weights.

    Raises:
        InputError: ``out`` is taken, one of them cannot be used, or there is nothing to merge.
        ModelError: A file is not the one that its folder states.
    """
    whole = is_whole_model(tuned)
    if whole and scale == 1:
        raise InputError(
            f"{tuned}: no adapter but a whole model; --scale averages it with its base"
        )
    named = base or (base_of(tuned) if whole else adapter_base(tuned))
    model = average(tuned, named, scale) if whole else _adapted(tuned, named, scale)
    with atomic_folder(out) as part:
        with silent_without_terminal():
            model.save_pretrained(part)
        _tokenizer(tuned, named).save_pretrained(part)
        times = "" if scale == 1 else f", counting {scale:g} times"
        note = f"This folder is a whole model: {named} with what was learnt{times}."
        for name, content in _beside(tuned, note, library="transformers").items():
            (part / name).write_bytes(content)
        facts = {"base": named, "scale": scale, **_origin(tuned)}
        write_json(part / MERGE_FILE, facts)
        write_sums(part)


def _beside(tuned: Path, note: str, library: str = "") -> dict[str, bytes]:
    """Return the files that go beside the weights, the card with a note on how they differ.

    Args:
        tuned: Folder of the training.
        note: What the new folder is; empty where it is as it was trained.
        library: What loads it, where that is another.
    """
    found = {name: tuned / name for name in (CARD_FILE, RECORD_FILE)}
    read = {name: file.read_bytes() for name, file in found.items() if file.is_file()}
    if not note or CARD_FILE not in read:
        return read
    card = read[CARD_FILE].decode("utf-8", "replace")
    head, rule, rest = card.partition("\n---\n") if card.startswith("---\n") else ("", "", card)
    if library:
        head = re.sub(r"(?m)^library_name: .*$", f"library_name: {library}", head)
    noted = f"{head}{rule}\n> {note} What follows is the card of the training.\n\n{rest.lstrip()}"
    return {**read, CARD_FILE: noted.lstrip("\n").encode()}


def _origin(tuned: Path) -> dict[str, str]:
    """Return the digests of what was merged."""
    file = tuned / ADAPTER_WEIGHTS
    if file.is_file():
        return {"adapter_sha256": sha256_file(file)}
    return {f"{file.name}_sha256": sha256_file(file) for file in tuned.glob("*.safetensors")}


def _adapted(adapter: Path, named: str, scale: float) -> Any:
    """Return a base with an adapter's products added to its weights."""
    check_stated_files(adapter)
    check_stated_files(named)
    require_reachable(named)
    try:
        with silent_without_terminal():
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
            whole = weight.float() + scale * layer.get_delta_weight("default").float()
            weight.copy_(whole.to(weight.dtype))
    return adapted.unload()


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
    parts = [_scaled_adapter(*part) for part in ((adapter, scale), *add)]
    weights, settings = summed(parts) if add else parts[0]
    kept = 1.0
    if rank is not None:
        weights, settings, kept = cut_to_rank(weights, settings, rank)
    changes = [f"its product counts {scale:g} times"] if scale != 1 else []
    changes += [f"{times:g} times the product of {other.name} are added" for other, times in add]
    changes += [f"it is cut to the size of rank {rank}"] if rank is not None else []
    note = f"A changed copy of an adapter: {', '.join(changes)}." if changes else ""
    settings = {**settings, "base_model_name_or_path": named}
    _write_adapter(out, weights, settings, kind, _beside(adapter, note))
    return kept


def export_difference(
    tuned: Path,
    out: Path,
    kind: Literal["f32", "bf16"],
    rank: int,
    base: str | None = None,
    *,
    scale: float = 1.0,
) -> AdapterOfDifference:
    """Write what full fine-tuning changed as an adapter, as near as one of its size comes.

    Args:
        tuned: Folder of the fully fine-tuned model.
        out: Folder to appear.
        kind: Type of its numbers.
        rank: Columns on average.
        base: Hub id or folder, where it is not where the model says.
        scale: Its product counts so many times as much.

    Returns:
        The adapter, and what share of the difference it holds.

    Raises:
        InputError: ``out`` is taken, or a model cannot be used.
        ModelError: A file is not the one that its folder states.
    """
    named = base or base_of(tuned)
    made = adapter_of_difference(tuned, named, rank)
    settings = {**scaled(made.settings, scale), "base_model_name_or_path": named}
    card = (
        f"A LoRA adapter for {named}, of the size of rank {rank}: the nearest to what full "
        f"fine-tuning changed (`{RECORD_FILE}`). {made.kept:.1%} of the change's squared norm are "
        f"kept; {made.projections:.1%} of it lie where an adapter can be.\n"
    )
    read = {"README.md": card.encode()}
    if (tuned / RECORD_FILE).is_file():
        read[RECORD_FILE] = (tuned / RECORD_FILE).read_bytes()
    _write_adapter(out, made.weights, settings, kind, read)
    return made


def _write_adapter(
    out: Path,
    weights: Weights,
    settings: Settings,
    kind: Literal["f32", "bf16"],
    beside: Mapping[str, bytes],
) -> None:
    """Write an adapter's folder, with other files by their name; it appears whole or not at all."""
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[kind]
    with atomic_folder(out) as part:
        save_file({k: v.to(dtype) for k, v in weights.items()}, part / ADAPTER_WEIGHTS)
        write_json(part / ADAPTER_CONFIG, settings)
        for name, content in beside.items():
            with atomic_write(part / name) as stream:
                stream.write(content)
        write_sums(part)


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
