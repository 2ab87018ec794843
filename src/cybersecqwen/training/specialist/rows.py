"""Corpus files as arrays: token ids, label numbers and weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.core.text.clean import render

NO_LABEL = -100
"""The label number that losses skip; PyTorch's own default."""

_ENCODE_AT_ONCE = 4096


@dataclass(frozen=True)
class TokenisedTexts:
    """Token ids of N texts, end to end.

    Attributes:
        tokens: (total,) int32.
        starts: (N + 1,) int64; text i is ``tokens[starts[i]:starts[i + 1]]``.
    """

    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int | np.integer) -> NDArray[np.int32]:
        return self.tokens[self.starts[index] : self.starts[index + 1]]


def choose_labels(rows: Sequence[CorpusRow], labellers: Sequence[str], min_count: int) -> list[str]:
    """Return the ids that are some labeller's first label at least ``min_count`` times in all.

    Sorted by number, so that the same corpus always gives the same order.
    """
    counts = Counter(
        row.ids(labeller)[0] for row in rows for labeller in labellers if row.ids(labeller)
    )
    kept = [cwe for cwe, count in counts.items() if count >= min_count]
    return sorted(kept, key=lambda cwe: int(cwe.removeprefix("CWE-")))


def label_numbers(
    rows: Sequence[CorpusRow], labels: Sequence[str], labellers: Sequence[str]
) -> NDArray[np.int64]:
    """Return each row's label per labeller, (N, L), ``NO_LABEL`` where there is none.

    A labeller's first id that is among ``labels`` is its label: NVD and CNAs list the main
    weakness first.
    """
    number = {cwe: index for index, cwe in enumerate(labels)}
    table = np.full((len(rows), len(labellers)), NO_LABEL, dtype=np.int64)
    for row, record in enumerate(rows):
        for column, labeller in enumerate(labellers):
            known = (number[c] for c in record.ids(labeller) if c in number)
            table[row, column] = next(known, NO_LABEL)
    return table


def age_weights(
    rows: Sequence[CorpusRow], half_life_years: float, floor: float
) -> NDArray[np.float32]:
    """Return each row's weight, (N,), halving with every ``half_life_years`` of age."""
    years = np.array([_year(row) for row in rows])
    age = years.max(initial=0.0) - years
    weights: NDArray[np.float32] = np.maximum(0.5 ** (age / half_life_years), floor)
    return weights.astype(np.float32)


def _year(row: CorpusRow) -> float:
    if row.published:
        day = date.fromisoformat(row.published)
        return day.year + day.timetuple().tm_yday / 366
    # A CVE id's year is when it was reserved; publication is within the year for most.
    return int(row.id.split("-")[1]) + 0.5


def encode(tokenizer: Tokenizer, descriptions: Sequence[str], max_tokens: int) -> TokenisedTexts:
    """Render and tokenise descriptions, truncated to ``max_tokens`` with special tokens."""
    return encode_rendered(tokenizer, [render(text) for text in descriptions], max_tokens)


def encode_rendered(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> TokenisedTexts:
    """Tokenise rendered texts, truncated to ``max_tokens`` with special tokens."""
    tokenizer.enable_truncation(max_tokens)
    tokenizer.no_padding()
    pieces: list[NDArray[np.int32]] = []
    lengths: list[int] = []
    for start in range(0, len(texts), _ENCODE_AT_ONCE):
        part = list(texts[start : start + _ENCODE_AT_ONCE])
        ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(part)]
        lengths.extend(map(len, ids))
        pieces.append(np.array([i for text in ids for i in text], dtype=np.int32))
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    return TokenisedTexts(np.concatenate(pieces) if pieces else np.zeros(0, np.int32), starts)


def taught_rows(labels: NDArray[np.int64], *, soft: bool) -> NDArray[np.int64]:
    """Return the places of the records that a model is taught.

    Args:
        labels: Of N records, (N, ...), ``NO_LABEL`` where there is none.
        soft: Whether teachers have answered all of them; else those with a label are taught.
    """
    return np.arange(len(labels)) if soft else np.flatnonzero((labels != NO_LABEL).any(1))
