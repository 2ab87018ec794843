"""Learning labels, from people and from teachers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cybersecqwen.core.errors import InputError
from cybersecqwen.training.specialist.encoder import CweEncoder
from cybersecqwen.training.specialist.rows import TokenisedTexts

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


def pad(texts: TokenisedTexts, rows: list[int]) -> dict[str, Tensor]:
    """Return (B, T) ``input_ids`` and ``attention_mask`` of some rows, padded on the right."""
    first = texts.starts[rows]
    lengths = texts.starts[np.asarray(rows) + 1] - first
    place = np.arange(lengths.max())  # (T,)
    mask = place < lengths[:, None]  # (B, T)
    ids = texts.tokens[np.where(mask, first[:, None] + place, 0)] * mask
    return {
        "input_ids": torch.from_numpy(ids.astype(np.int64)),
        "attention_mask": torch.from_numpy(mask.astype(np.int64)),
    }


def predict(model: CweEncoder, texts: TokenisedTexts) -> NDArray[np.float32]:
    """Return (N, L, C) logits, on whatever device the model is."""
    parts = [(rows, logits.cpu().numpy()) for rows, logits in _batches(model, texts)]
    if not parts:
        return np.zeros((0, model.labellers, 0), np.float32)
    result = np.empty((len(texts), *parts[0][1].shape[1:]), dtype=np.float32)
    for rows, logits in parts:
        result[rows] = logits
    return result


def soften(model: CweEncoder, texts: TokenisedTexts) -> SoftLabels:
    """Return a teacher's soft labels for every text."""
    ids: NDArray[np.int16] | None = None
    shares: NDArray[np.float16] | None = None
    for rows, logits in _batches(model, texts):
        likeliest = logits.topk(min(_SOFT_KEPT, logits.shape[-1]), dim=-1)
        if ids is None or shares is None:
            shape = (len(texts), *likeliest.indices.shape[1:])
            ids, shares = np.empty(shape, np.int16), np.empty(shape, np.float16)
        ids[rows] = likeliest.indices.cpu().numpy()
        shares[rows] = likeliest.values.softmax(-1).cpu().numpy()
    if ids is None or shares is None:
        raise InputError("there are no texts to label")
    return SoftLabels(ids, shares)


def _batches(
    model: CweEncoder, texts: TokenisedTexts
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Yield row numbers and their (B, L, C) logits, texts of like length together."""
    device = next(model.parameters()).device
    order = np.argsort(np.diff(texts.starts), kind="stable")
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, device.type == "cuda"):
        for start in range(0, len(order), _ROWS_AT_ONCE):
            rows = order[start : start + _ROWS_AT_ONCE]
            batch = {key: value.to(device) for key, value in pad(texts, rows.tolist()).items()}
            yield rows, model.logits(**batch).float()


def average(
    teachers: Sequence[SoftLabels], labels: int, weights: Sequence[float] = ()
) -> SoftLabels:
    """Average several teachers' soft labels over C ids, each weighing 1 or as ``weights`` says."""
    if len(teachers) == 1:
        return teachers[0]
    ids: list[NDArray[np.int16]] = []
    probabilities: list[NDArray[np.float16]] = []
    for start in range(0, len(teachers[0].ids), 20_000):
        part = slice(start, start + 20_000)
        shape = (*teachers[0].ids[part].shape[:2], labels)
        dense = np.zeros(shape, dtype=np.float32)  # (n, L, C)
        for teacher, weight in zip(teachers, weights or [1.0] * len(teachers), strict=True):
            places = teacher.ids[part].astype(np.int64)
            now = np.take_along_axis(dense, places, axis=-1)
            np.put_along_axis(dense, places, now + weight * teacher.probabilities[part], axis=-1)
        kept = min(_SOFT_KEPT, labels)
        best = np.argpartition(-dense, kept - 1, axis=-1)[..., :kept]
        shares = np.take_along_axis(dense, best, axis=-1)
        shares /= shares.sum(-1, keepdims=True)
        ids.append(best.astype(np.int16))
        probabilities.append(shares.astype(np.float16))
    return SoftLabels(np.concatenate(ids), np.concatenate(probabilities))


def choose_rows(first: SoftLabels, second: SoftLabels, taken: NDArray[np.bool_]) -> SoftLabels:
    """Return the first's soft labels of the rows in ``taken``, (N,), and the second's of others."""
    picked = taken[:, None, None]
    return SoftLabels(
        np.where(picked, first.ids, second.ids),
        np.where(picked, first.probabilities, second.probabilities),
    )


def to_device(model: nn.Module) -> None:
    """Move a model to the GPU where there is one."""
    model.to("cuda" if torch.cuda.is_available() else "cpu")
