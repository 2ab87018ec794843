"""Learning weaknesses from views of whole records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from cybersecqwen.core.cvss_metrics import METRICS_V3
from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.core.text.record import RecordParts, cwe_word, vector_words, year_word
from cybersecqwen.core.text.settled_names import SettledNameFinder
from cybersecqwen.training.hf_trainer import Indices, fit
from cybersecqwen.training.recipes.specialist import Fit, Views, Years
from cybersecqwen.training.specialist.encoder import CweEncoder
from cybersecqwen.training.specialist.neutral_sentences import made_sentences, mined_sentences
from cybersecqwen.training.specialist.record_views import (
    CWE_PART,
    PartTokens,
    RowYears,
    Tokens,
    View,
    When,
    join_texts,
)
from cybersecqwen.training.specialist.rows import NO_LABEL, TokenisedTexts, taught_rows
from cybersecqwen.training.specialist.supervision import SoftLabels, pad, soften

_NEUTRAL = 8000


def parts_of_row(row: CorpusRow, *, hint: bool = True) -> RecordParts:
    """Return what a corpus row's record says besides its description.

    Args:
        row: The row.
        hint: Whether the CNA's own answer, where there is one, is among it.
    """
    return RecordParts(
        assigner=row.assigner,
        product=row.product,
        title=row.title,
        vector=next(iter(row.vectors.get("cna", ())), ""),
        hosts=tuple(row.hosts),
        cwe=next(iter(row.labels.get("cna", ())), "") if hint else "",
    )


def added_words(labels: Sequence[str], years: Years | None = None) -> list[str]:
    """Return the words of our own that records are written with."""
    vector = "/".join(f"{metric}:{v}" for metric, values in METRICS_V3.items() for v in values)
    told = range(years.first, years.last + 1) if years is not None else ()
    return [*vector_words(vector), *map(cwe_word, labels), *map(year_word, told)]


def neutral_sentences(rows: Sequence[CorpusRow], seed: int) -> list[str]:
    """Return sentences that name no weakness: a quarter from the newest rows, the rest made up."""
    count = min(_NEUTRAL, len(rows))
    mined = mined_sentences((row.text for row in reversed(rows)), count)
    advisory = made_sentences(count, seed, "advisory")
    return [*mined, *advisory, *made_sentences(2 * count, seed, "product")]


def tokenize_rows(
    tokenizer: Tokenizer,
    rows: Sequence[CorpusRow],
    neutral: Sequence[str],
    max_tokens: int,
    years: Years | None = None,
    names: Sequence[str] = (),
) -> PartTokens:
    """Return rows as token ids, cut at the parts, with their years where these are told apart.

    ``names`` are those that are settled: they matter to views of which nobody says the year.
    """
    return PartTokens(
        tokenizer,
        [row.text for row in rows],
        list(map(parts_of_row, rows)),
        neutral,
        max_tokens,
        years_of(rows, years, names) if years is not None else None,
    )


def years_of(rows: Sequence[CorpusRow], years: Years, names: Sequence[str] = ()) -> RowYears:
    """Return as of which years rows are read."""
    uses_name = SettledNameFinder(names)
    own = [years.nearest(row.year) for row in rows]
    return RowYears(years, own, np.array([uses_name(row.text) for row in rows], bool))


@dataclass(frozen=True)
class ViewedRows:
    """N records with labels.

    Attributes:
        parts: Their token ids.
        labels: (N, L) numbers.
        weights: (N,), of the labels.
        cna: The CNA's place among the labellers.
        prior: (L, K) ids and (L, K) probabilities: what to say of a text that says nothing.
        soft: What teachers make of the whole records, if there are any.
        assumed: What they make of them as of the assumed year, where that differs.
    """

    parts: PartTokens
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]
    cna: int
    prior: tuple[NDArray[np.int64], NDArray[np.float32]]
    soft: SoftLabels | None = None
    assumed: SoftLabels | None = None


def learn_views(
    model: CweEncoder, data: ViewedRows, odds: Views, schedule: Fit, folder: Path, seed: int
) -> None:
    """Teach ``model``, in place, every record that has a label or a soft label."""
    taught = taught_rows(data.labels, soft=data.soft is not None)

    def collate(batch: list[int]) -> Mapping[str, Tensor]:
        rows = taught[batch]
        draw = np.random.default_rng([seed, *rows[:8].tolist()])
        views = [data.parts.draw(row, odds, draw, CWE_PART) for row in rows]
        return _batch(data, rows, views)

    lengths = np.asarray(data.parts.lengths)[taught].tolist()
    fit(model, Indices(lengths), collate, schedule, folder, seed)


def _batch(data: ViewedRows, rows: NDArray[np.int64], views: Sequence[View]) -> dict[str, Tensor]:
    texts = join_texts([view.tokens for view in views])
    made = pad(texts, list(range(len(rows))))
    labels = data.labels[rows].copy()  # (B, L)
    empty = np.array([view.empty for view in views])
    told = np.array([view.shown[CWE_PART] for view in views])
    labels[empty] = NO_LABEL
    labels[told, data.cna] = NO_LABEL
    as_assumed = np.array([view.assumed for view in views])
    if data.parts.years is not None:
        labels[as_assumed & ~data.parts.years.recent[rows]] = NO_LABEL
    made["labels"] = torch.from_numpy(labels)
    made["weight"] = torch.from_numpy(data.weights[rows])
    if data.soft is not None:
        ids = data.soft.ids[rows].astype(np.int64)
        shares = data.soft.probabilities[rows].astype(np.float32)
        if data.assumed is not None:
            ids[as_assumed] = data.assumed.ids[rows[as_assumed]]
            shares[as_assumed] = data.assumed.probabilities[rows[as_assumed]]
        ids[empty], shares[empty] = data.prior
        counted = np.ones(labels.shape, bool)
        counted[told, data.cna] = False  # told the answer, it need not learn to repeat it
        made["soft_ids"] = torch.from_numpy(ids)
        made["soft_probabilities"] = torch.from_numpy(shares)
        made["counted"] = torch.from_numpy(counted)
    return made


def soften_records(model: CweEncoder, parts: PartTokens, cna: int) -> SoftLabels:
    """Return a teacher's soft labels of whole records, as of the assumed year if it knows years.

    The CNA's own answer is shown for every other labeller's, since it says more of theirs than
    the text does; what a text is to be taken for on average is the mean over what is known of it.
    """
    with_hint = parts.present.copy()
    without = parts.present.copy()
    without[:, CWE_PART] = False
    plain = soften(model, whole_views(parts, without))
    told = np.flatnonzero(with_hint[:, CWE_PART])
    if not len(told):
        return plain
    hinted = soften(model, whole_views(parts, with_hint, told))
    ids, shares = plain.ids.copy(), plain.probabilities.copy()
    others = [place for place in range(ids.shape[1]) if place != cna]
    for place in others:
        ids[told, place] = hinted.ids[:, place]
        shares[told, place] = hinted.probabilities[:, place]
    return SoftLabels(ids, shares)


def whole_views(
    parts: PartTokens,
    shown: NDArray[np.bool_],
    rows: Sequence[int] | NDArray[np.int64] = (),
    *,
    when: When = "assumed",
) -> TokenisedTexts:
    """Return the views of some records (or all) with the parts that ``shown``, (N, P), says.

    ``when`` is as for ``PartTokens.show``.
    """
    chosen = rows if len(rows) else range(len(parts))
    views: list[Tokens] = [parts.show(row, shown[row], when=when) for row in chosen]
    return join_texts(views)


def label_prior(
    labels: NDArray[np.int64], weights: NDArray[np.float32], kept: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the ``kept`` commonest ids of each labeller, (L, K), and how common they are."""
    ids, shares = [], []
    for column in labels.T:
        given = column != NO_LABEL
        counts = np.bincount(column[given], weights[given], minlength=kept)
        best = np.argsort(-counts, kind="stable")[:kept]
        ids.append(best)
        shares.append(counts[best] / max(counts[best].sum(), 1e-9))
    return np.array(ids, np.int64), np.array(shares, np.float32)
