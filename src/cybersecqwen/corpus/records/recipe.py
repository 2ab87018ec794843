"""The recipe of a corpus: every choice that makes it."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from msgspec import Meta

from cybersecqwen.core.config import Recipe
from cybersecqwen.core.records import LabelSource

Share = Annotated[float, Meta(gt=0, le=1)]


class RecordSource(Recipe, frozen=True):
    """A file or folder of advisories.

    Attributes:
        path: Relative to the data folder; with ``*`` in it, every file that matches, by name.
        format: As ``cybersecqwen.sources.read_advisories`` names it.
        labels_from: Who assigned the labels, for formats that do not say so themselves.
    """

    path: str
    format: str = "auto"
    labels_from: LabelSource = "nvd"


class LabelPolicy(Recipe, frozen=True):
    """Which ids may be taught, beyond what MITRE prohibits.

    Attributes:
        min_count: Records that must carry an id, whoever assigned it, for it to be kept.
    """

    min_count: Annotated[int, Meta(ge=1)] = 1


class Split(Recipe, frozen=True):
    """Which records are held out for validation.

    Attributes:
        validation_since: First publication date of records that may be held out.
        validation_every: Every how many ISO weeks from then on are held out whole.
        guard: What to do about duplicates and near-duplicates on both sides of the split.
            ``validation`` takes them out there, which leaves only texts that are new to the
            model; ``train`` takes them out of training; ``mark`` takes repeated texts out of
            validation and sets ``near_train_duplicate`` on near-duplicates there, so that both
            can be counted.
    """

    validation_since: datetime.date = datetime.date(2024, 1, 1)
    validation_every: Annotated[int, Meta(ge=2)] = 5
    guard: Literal["validation", "train", "mark"] = "validation"


class NearDuplicate(Recipe, frozen=True):
    """Thresholds from which two texts count as near-duplicates.

    Attributes:
        ngram: Words in a row that make one piece.
        containment: Share of a benchmark item's distinct pieces that one row holds.
        cosine: Cosine of the two texts' TF-IDF vectors, over words and pairs of words or over words
            alone.
    """

    ngram: Annotated[int, Meta(ge=1)] = 8
    containment: Share = 0.5
    cosine: Share = 0.8


class RecordsRecipe(Recipe, frozen=True):
    """What every kind of corpus begins with: records, clean and split.

    Attributes:
        name: Name of the corpus.
        sources: Where records come from; of two descriptions of one id the earlier source's wins.
        benchmarks: Files, relative to the data folder, that no row may overlap.
        labels: Label policy.
        split: Validation.
        near_duplicate: Thresholds.
    """

    name: str
    sources: Annotated[tuple[RecordSource, ...], Meta(min_length=1)]
    benchmarks: tuple[str, ...] = ()
    labels: LabelPolicy = LabelPolicy()
    split: Split = Split()
    near_duplicate: NearDuplicate = NearDuplicate()


class CorpusRecipe(RecordsRecipe, frozen=True):
    """A corpus of labelled descriptions, from raw records to training files.

    Attributes:
        kind: Tells it from other kinds of corpora.
    """

    kind: Literal["records"] = "records"
