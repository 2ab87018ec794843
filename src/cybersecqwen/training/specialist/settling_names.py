"""What names of the catalogue settle: old rows are taught what recent rows with the name are told.

Conventions drift, names do not: before 2019 NVD called four in five stack-based buffer overflows
CWE-119, since 2021 three in a hundred. A text that uses one of the catalogue's own names, in the
wording of long ago, is to be answered as such texts are answered now.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.taxonomy import Taxonomy
from cybersecqwen.core.text.settled_names import names_in, words_of
from cybersecqwen.training.specialist.rows import NO_LABEL
from cybersecqwen.training.specialist.supervision import SoftLabels

_AT_ONCE = 8192
_FEWEST_TEXTS = 20
_FEWEST_LABELS = 15
_DECISIVE = 0.5
_STILL_USED = 0.05
_QUOTED = re.compile(r"\('([^')]+)'\)")
_ASIDE = re.compile(r"\s*\(.*")
_EITHER = re.compile(r"\s+or\s+|/")
_KINDS = ("class", "base", "variant", "compound")


@dataclass(frozen=True)
class SettledRows:
    """Rows of which one name settles what they are.

    Attributes:
        rows: (M,), numbers of the rows.
        used: (M,), which of T names each uses.
        names: The T names, the longest first.
        told: (T, L, C), how common each id is among recent rows with a name.
        asked: (M, L), whether that settles a labeller's answer, and its own label does not agree.
    """

    rows: NDArray[np.int64]
    used: NDArray[np.int64]
    names: tuple[str, ...]
    told: NDArray[np.float32]
    asked: NDArray[np.bool_]


def catalogue_names(taxonomy: Taxonomy) -> dict[str, str]:
    """Return names of two words or more, as ``words_of`` writes them, and whose they are.

    A weakness has its name, its common name in quotation marks, and the sides of an ``or``; what
    is stack-based is a stack's too.
    """
    names: dict[str, str] = {}
    for entry in taxonomy:
        if entry.deprecated or entry.kind not in _KINDS:
            continue
        whole = [*_QUOTED.findall(entry.name), _ASIDE.sub("", entry.name)]
        for name in [*whole, *(side for one in whole for side in _EITHER.split(one))]:
            words = words_of(name).strip()
            for written in (words, words.replace(" based ", " ")):
                if " " in written:
                    names.setdefault(written, entry.id)
    return names


def settled_rows(
    texts: Sequence[str],
    labels: NDArray[np.int64],
    recent: NDArray[np.bool_],
    names: dict[str, str],
    ids: int,
) -> SettledRows:
    """Return the rows of long before that recent rows settle.

    A name settles a labeller's answer if enough recent rows have it and half of their labels or
    more are one id. A row with names of several weaknesses is settled by none of them.

    Args:
        texts: N descriptions.
        labels: (N, L) numbers.
        recent: (N,), whether a row's labels are as of the assumed year.
        names: Of ``catalogue_names``.
        ids: How many ids there are, C.
    """
    worded = [words_of(text) for text in texts]
    found: dict[str, list[int]] = {}
    for row in np.flatnonzero(recent):
        for name in names:
            if f" {name} " in worded[row]:
                found.setdefault(name, []).append(int(row))
    told: dict[str, NDArray[np.float32]] = {}
    for name, having in found.items():
        if len(having) >= _FEWEST_TEXTS:
            shares = np.stack([_shares(column, ids) for column in labels[having].T])  # (L, C)
            if shares.any():
                told[name] = shares
    longest_first = sorted(told, key=lambda name: (-len(name), name))
    rows, used, asked = [], [], []
    for row in np.flatnonzero(~recent):
        seen = names_in(worded[row], longest_first)
        if len({names[name] for name in seen}) == 1:
            shares = told[seen[0]]
            own = np.maximum(labels[row], 0)
            agreed = (labels[row] != NO_LABEL) & (shares[range(len(own)), own] >= _STILL_USED)
            rows.append(row)
            used.append(longest_first.index(seen[0]))
            asked.append(shares.any(-1) & ~agreed)
    shape = (len(longest_first), labels.shape[1], ids)
    return SettledRows(
        np.array(rows, np.int64),
        np.array(used, np.int64),
        tuple(longest_first),
        np.array([told[name] for name in longest_first], np.float32).reshape(shape),
        np.array(asked, bool).reshape(len(rows), labels.shape[1]),
    )


def _shares(labels: NDArray[np.int64], ids: int) -> NDArray[np.float32]:
    """Return how common each id is, (C,): zeros where they are too few or none is decisive."""
    given = labels[labels != NO_LABEL]
    counts = np.bincount(given, minlength=ids).astype(np.float32)
    shares: NDArray[np.float32] = counts / np.float32(max(len(given), 1))
    settles = len(given) >= _FEWEST_LABELS and shares.max() >= _DECISIVE
    return shares if settles else np.zeros_like(shares)


def settle(soft: SoftLabels, settled: SettledRows, share: float) -> SoftLabels:
    """Return soft labels in which ``share`` of what settled rows teach is settled."""
    ids, shares = soft.ids.copy(), soft.probabilities.copy()
    kept = ids.shape[-1]
    for start in range(0, len(settled.rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        rows, told = settled.rows[part], settled.told[settled.used[part]]  # told: (n, L, C)
        mixed = share * told
        places = ids[rows].astype(np.int64)
        now = np.take_along_axis(mixed, places, axis=-1) + (1 - share) * shares[rows]
        np.put_along_axis(mixed, places, now, axis=-1)
        best = np.argpartition(-mixed, kept - 1, axis=-1)[..., :kept]
        found = np.take_along_axis(mixed, best, axis=-1)
        found /= found.sum(-1, keepdims=True)
        asked = settled.asked[part][:, :, None]
        ids[rows] = np.where(asked, best, places)
        shares[rows] = np.where(asked, found, shares[rows])
    return SoftLabels(ids, shares)
