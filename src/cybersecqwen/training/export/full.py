"""A fully fine-tuned model beside its base: averaged with it, or their difference as an adapter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch
from peft import LoraConfig
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import sha256_file
from cybersecqwen.core.hub import require_reachable
from cybersecqwen.core.lenient_json import DECODE_ERRORS
from cybersecqwen.core.model_files import NO_CODE, check_stated_files
from cybersecqwen.core.progress_bars import silent_without_terminal
from cybersecqwen.training.export.low_rank import Settings, assembled, leading_factors

RECORD_FILE = "training.json"

_MOST_RANKS = 8  # times the rank asked for: as many columns as one product may get


class AdapterOfDifference(msgspec.Struct, frozen=True):
    """An adapter made of what full fine-tuning changed.

    Attributes:
        weights: By name, float32.
        settings: Its ``adapter_config.json``.
        kept: Share of the whole difference's squared norm that its products have.
        projections: Share of it that lies in the matrices that can have an adapter; the rest, of
            embeddings, norms and biases, no adapter holds.
    """

    weights: dict[str, Tensor]
    settings: Settings
    kept: float
    projections: float


class _TrainingBase(msgspec.Struct):
    source: str
    files: dict[str, str]


class _TrainingRecord(msgspec.Struct):
    base: _TrainingBase


def base_of(tuned: Path) -> str:
    """Return the base that a fully fine-tuned model says it was trained from.

    Raises:
        InputError: It does not say.
    """
    record = _record(tuned)
    if record is None:
        raise InputError(f"{tuned}: does not say what it was trained from; name it with --base")
    return record.source


def average(tuned: Path, base: str, scale: float) -> Any:
    """Return the average of a fully fine-tuned model and its base, in the base's number type.

    Each weight is computed in float32 and rounded once (WiSE-FT: Wortsman et al., CVPR 2022, arXiv
    2109.01903).

    Args:
        tuned: Folder of the fine-tuned model.
        base: Hub id or folder.
        scale: How often what was learnt counts: under 1, the rest is the base's.

    Raises:
        InputError: One of them cannot be loaded, or they are not alike.
        ModelError: A file is not the one that its folder states.
    """
    before, after = _opened(tuned, base)
    with torch.no_grad():
        for weights, change in _changes(before, after):
            weights.copy_((weights.float() + scale * change).to(weights.dtype))
    return before


def adapter_of_difference(tuned: Path, base: str, rank: int) -> AdapterOfDifference:
    """Return the adapter whose products are nearest to what full fine-tuning changed.

    Args:
        tuned: Folder of the fine-tuned model.
        base: Hub id or folder.
        rank: Columns on average; the singular values of all matrices compete for them.

    Raises:
        InputError: One of them cannot be loaded, they are not alike, or the rank is below 1.
        ModelError: A file is not the one that its folder states.
    """
    if rank < 1:
        raise InputError(f"--rank: 1 at least, not {rank}")
    before, after = _opened(tuned, base)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    head = before.get_output_embeddings()
    matrices = {
        id(module.weight): name
        for name, module in before.named_modules()
        if isinstance(module, nn.Linear) and module is not head
    }
    parts = {}
    whole = within = 0.0
    with torch.no_grad():
        for weights, change in _changes(before, after):
            squared = float(change.square().sum())
            whole += squared
            if id(weights) in matrices:
                within += squared
                found = leading_factors(change.to(device), _MOST_RANKS * rank)
                parts[matrices[id(weights)]] = tuple(part.cpu() for part in found)
    if whole == 0:
        raise InputError(f"{tuned}: its weights are those of {base}: there is no difference")
    targets = sorted({name.rpartition(".")[2] for name in parts})
    config = LoraConfig(task_type="CAUSAL_LM", target_modules=targets, inference_mode=True)
    made, settings, kept = assembled(parts, config.to_dict(), rank)
    return AdapterOfDifference(made, settings, kept / whole, within / whole)


def _record(tuned: Path) -> _TrainingBase | None:
    try:
        return msgspec.json.decode((tuned / RECORD_FILE).read_bytes(), type=_TrainingRecord).base
    except (OSError, *DECODE_ERRORS):
        return None


def _opened(tuned: Path, base: str) -> tuple[Any, Any]:
    """Return base and fine-tuned model."""
    check_stated_files(tuned)
    check_stated_files(base)
    record = _record(tuned)
    for name, digest in (record.files if record else {}).items():
        file = Path(base) / name
        if name.endswith(".safetensors") and file.is_file() and sha256_file(file) != digest:
            raise InputError(f"{file}: is not what {tuned} was trained from")
    models = []
    require_reachable(base)
    for place in (base, str(tuned)):
        try:
            with silent_without_terminal():
                models.append(AutoModelForCausalLM.from_pretrained(place, dtype="auto", **NO_CODE))
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise InputError(f"{place}: cannot be loaded as a model: {error}") from error
    return models[0], models[1]


def _changes(before: Any, after: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield each of the base's weights, and what fine-tuning added to it, float32.

    Raises:
        InputError: The two models have unlike weights.
    """
    others = dict(after.named_parameters())
    for name, weights in before.named_parameters():
        other = others.pop(name, None)
        if other is None or other.shape != weights.shape:
            raise InputError(f"base and fine-tuned model do not fit each other: {name}")
        yield weights, other.detach().float() - weights.detach().float()
    if others:
        raise InputError(f"base and fine-tuned model do not fit each other: {min(others)}")
