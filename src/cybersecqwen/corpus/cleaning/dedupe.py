"""Repeated texts: one row of each stays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.core.text.clean import normalised
from cybersecqwen.corpus.cleaning.similarity import masked
from cybersecqwen.corpus.records.rows import LABELLERS, Filtered, Match, Removal, age_order


def remove_duplicates(rows: Sequence[CorpusRow], part: str) -> Filtered:
    """Keep the newest of the rows that say the same but for their numbers.

    The kept row takes over the labels of a labeller that it lacks from the newest of the others
    that has them; where it has its own, the others' are dropped with them.

    Args:
        rows: Rows of one part.
        part: Its name, for the evidence.
    """
    groups: dict[str, list[CorpusRow]] = {}
    for row in rows:
        groups.setdefault(masked(row.text), []).append(row)
    kept_of: dict[str, CorpusRow] = {}
    for key, group in groups.items():
        newest_first = sorted(group, key=age_order, reverse=True)
        kept_of[key] = _union(newest_first) if len(group) > 1 else group[0]
    kept, removed = [], []
    for row in rows:
        stays = kept_of[masked(row.text)]
        if stays.id == row.id:
            kept.append(stays)
        else:
            removed.append(_removal(row, stays, part))
    return Filtered(kept, removed)


def remove_known(rows: Sequence[CorpusRow], known: Iterable[CorpusRow], part: str) -> Filtered:
    """Take out rows that say the same, but for their numbers, as a row of another part.

    Args:
        rows: Rows to filter.
        known: Rows of the other part.
        part: The other part's name, for the evidence.
    """
    holders: dict[str, CorpusRow] = {}
    for row in known:
        holders.setdefault(masked(row.text), row)
    kept, removed = [], []
    for row in rows:
        other = holders.get(masked(row.text))
        if other is None:
            kept.append(row)
        else:
            removed.append(_removal(row, other, part))
    return Filtered(kept, removed)


def conflicting(rows: Sequence[CorpusRow], removed: Collection[Removal]) -> int:
    """Return how many removed duplicates had another main label than the row that stayed.

    Args:
        rows: The rows before the filter.
        removed: What the filter took out of them.
    """
    by_id = {row.id: row for row in rows}
    count = 0
    for removal in removed:
        mine, theirs = by_id[removal.id], by_id[removal.matches[0].item]
        count += any(
            mine.ids(who)[0] != theirs.ids(who)[0]
            for who in LABELLERS
            if mine.ids(who) and theirs.ids(who)
        )
    return count


def _union(newest_first: Sequence[CorpusRow]) -> CorpusRow:
    labels = {
        who: next((row.ids(who) for row in newest_first if row.ids(who)), ()) for who in LABELLERS
    }
    scorers = {who for row in newest_first for who in row.vectors}
    vectors = {
        who: next(found for row in newest_first if (found := row.vectors.get(who)))
        for who in LABELLERS
        if who in scorers
    }
    return msgspec.structs.replace(newest_first[0], labels=labels, vectors=vectors)


def _removal(row: CorpusRow, other: CorpusRow, part: str) -> Removal:
    same = normalised(row.text) == normalised(other.text)
    return Removal(row.id, "duplicate", (Match("text" if same else "digits", part, other.id, 1.0),))
