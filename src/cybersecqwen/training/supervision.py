"""Learning labels, from people and from teachers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cybersecqwen.training.encoder import CweEncoder
from cybersecqwen.training.fitting import Indices, fit
from cybersecqwen.training.recipe import Fit
from cybersecqwen.training.rows import NO_LABEL, Texts

_SOFT_KEPT = 16  # ids per row and labeller; what they leave out is under a percent in all
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class SoftLabels:
    """What teachers make of N rows.

    Attributes:
        ids: (N, L, K) int16, the likeliest ids.
        probabilities: (N, L, K) float16, adding up to 1 over K.
    """

    ids: NDArray[np.int16]
    probabilities: NDArray[np.float16]


@dataclass(frozen=True)
class Supervised:
    """N rows with labels: token ids, (N, L) label numbers, (N,) weights, perhaps soft labels."""

    texts: Texts
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]
    soft: SoftLabels | None = None


def pad(texts: Texts, rows: list[int]) -> dict[str, Tensor]:
    """Return (B, T) ``input_ids`` and ``attention_mask`` of some rows, padded on the right."""
    ids = [texts[row] for row in rows]
    width = max(map(len, ids))
    padded = np.zeros((len(ids), width), dtype=np.int64)
    mask = np.zeros((len(ids), width), dtype=np.int64)
    for line, text in enumerate(ids):
        padded[line, : len(text)] = text
        mask[line, : len(text)] = 1
    return {"input_ids": torch.from_numpy(padded), "attention_mask": torch.from_numpy(mask)}


def supervise(
    model: CweEncoder,
    data: Supervised,
    schedule: Fit,
    folder: Path,
    seed: int,
) -> None:
    """Teach ``model``, in place, every row that has a label or a soft label."""
    taught = (
        np.flatnonzero((data.labels != NO_LABEL).any(1))
        if data.soft is None
        else np.arange(len(data.texts))
    )

    def collate(batch: list[int]) -> Mapping[str, object]:
        rows = taught[batch]
        made: dict[str, object] = dict(pad(data.texts, rows.tolist()))
        made["labels"] = torch.from_numpy(data.labels[rows])
        made["weight"] = torch.from_numpy(data.weights[rows])
        if data.soft is not None:
            made["soft_ids"] = torch.from_numpy(data.soft.ids[rows].astype(np.int64))
            made["soft_probabilities"] = torch.from_numpy(
                data.soft.probabilities[rows].astype(np.float32)
            )
        return made

    lengths = np.diff(data.texts.starts)[taught].tolist()
    fit(model, Indices(lengths), collate, schedule, folder, seed)


def predict(model: CweEncoder, texts: Texts) -> NDArray[np.float32]:
    """Return (N, L, C) logits, on whatever device the model is."""
    device = next(model.parameters()).device
    order = np.argsort(np.diff(texts.starts), kind="stable")
    result: NDArray[np.float32] | None = None
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, device.type == "cuda"):
        for start in range(0, len(order), _ROWS_AT_ONCE):
            rows = order[start : start + _ROWS_AT_ONCE]
            batch = {key: value.to(device) for key, value in pad(texts, rows.tolist()).items()}
            logits = model.logits(**batch).float().cpu().numpy()
            if result is None:
                result = np.empty((len(order), *logits.shape[1:]), dtype=np.float32)
            result[rows] = logits
    return result if result is not None else np.zeros((0, model.labellers, 0), np.float32)


def soften(model: CweEncoder, texts: Texts) -> SoftLabels:
    """Return a teacher's soft labels for every text."""
    pieces = [
        _keep_likeliest(predict(model, _slice(texts, start, start + 50_000)))
        for start in range(0, len(texts), 50_000)
    ]
    return SoftLabels(
        np.concatenate([piece.ids for piece in pieces]),
        np.concatenate([piece.probabilities for piece in pieces]),
    )


def _slice(texts: Texts, start: int, stop: int) -> Texts:
    return Texts(texts.tokens, texts.starts[start : min(stop, len(texts)) + 1])


def _keep_likeliest(logits: NDArray[np.float32]) -> SoftLabels:
    kept = min(_SOFT_KEPT, logits.shape[-1])
    ids = np.argpartition(-logits, kept - 1, axis=-1)[..., :kept]
    chosen = np.take_along_axis(logits, ids, axis=-1)
    share = np.exp(chosen - chosen.max(-1, keepdims=True))
    share /= share.sum(-1, keepdims=True)
    return SoftLabels(ids.astype(np.int16), share.astype(np.float16))


def average(teachers: list[SoftLabels], labels: int) -> SoftLabels:
    """Average several teachers' soft labels over C ids."""
    if len(teachers) == 1:
        return teachers[0]
    pieces = []
    for start in range(0, len(teachers[0].ids), 20_000):
        part = slice(start, start + 20_000)
        shape = (*teachers[0].ids[part].shape[:2], labels)
        dense = np.zeros(shape, dtype=np.float32)  # (n, L, C)
        for teacher in teachers:
            ids = teacher.ids[part].astype(np.int64)
            now = np.take_along_axis(dense, ids, axis=-1)
            np.put_along_axis(dense, ids, now + teacher.probabilities[part], axis=-1)
        with np.errstate(divide="ignore"):
            pieces.append(_keep_likeliest(np.log(dense)))
    return SoftLabels(
        np.concatenate([piece.ids for piece in pieces]),
        np.concatenate([piece.probabilities for piece in pieces]),
    )


def to_device(model: nn.Module) -> None:
    """Move a model to the GPU where there is one."""
    model.to("cuda" if torch.cuda.is_available() else "cpu")
