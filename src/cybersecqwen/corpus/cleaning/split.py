"""Which rows train and which are held out: by publication week, never by chance."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.corpus.records.recipe import Split


@dataclass(frozen=True, slots=True)
class CorpusParts:
    """The rows of a corpus's files."""

    train: list[CorpusRow] = field(default_factory=list)
    validation: list[CorpusRow] = field(default_factory=list)
    unlabelled: list[CorpusRow] = field(default_factory=list)


def is_held_out(row: CorpusRow, split: Split) -> bool:
    """Whether a row's date (or, without one, its id) puts it into validation.

    Whole ISO weeks are held out, since what a vendor publishes on one day is often one template
    many times. A row without a date goes by its id's year, and one in ``validation_every`` of
    those by a hash of the id, which never changes.
    """
    if row.published:
        day = datetime.date.fromisoformat(row.published)
        # Day 1 of the proleptic calendar is a Monday, so this counts ISO weeks without a break.
        week = (day.toordinal() - 1) // 7
        return day >= split.validation_since and week % split.validation_every == 0
    if row.year is None or row.year < split.validation_since.year:
        return False
    digest = hashlib.sha256(row.id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % split.validation_every == 0


def split_rows(rows: Iterable[CorpusRow], split: Split) -> CorpusParts:
    """Deal rows out into train, validation and, with neither label nor vector, unlabelled."""
    parts = CorpusParts()
    for row in rows:
        if not row.labelled and not row.scored:
            parts.unlabelled.append(row)
        elif is_held_out(row, split):
            parts.validation.append(row)
        else:
            parts.train.append(row)
    return parts
