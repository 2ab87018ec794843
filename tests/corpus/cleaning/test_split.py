from __future__ import annotations

import datetime
from itertools import pairwise

from cybersecqwen.core.rows import CorpusRow, labels_of
from cybersecqwen.corpus.cleaning.split import is_held_out, split_rows
from cybersecqwen.corpus.records.recipe import Split
from small_corpus import HELD_OUT_DAY, TRAINING_DAY

SPLIT = Split(validation_since=datetime.date(2024, 1, 1), validation_every=5)


def _row(published: str, record_id: str = "CVE-2024-0001") -> CorpusRow:
    return CorpusRow(record_id, "text", published, labels_of(nvd=("CWE-79",)))


def test_whole_iso_weeks_are_held_out_one_in_five_across_years() -> None:
    first = datetime.date(2024, 1, 1)
    held = {}
    for offset in range(7 * 120):
        day = first + datetime.timedelta(days=offset)
        held.setdefault(day.isocalendar()[:2], set()).add(is_held_out(_row(str(day)), SPLIT))
    assert all(len(answers) == 1 for answers in held.values())
    chosen = [place for place, answers in enumerate(held.values()) if answers == {True}]
    assert len(chosen) == 24
    assert {b - a for a, b in pairwise(chosen)} == {5}


def test_nothing_before_the_date_is_held_out() -> None:
    days = (datetime.date(2023, 1, 1) + datetime.timedelta(days=d) for d in range(365))
    assert not any(is_held_out(_row(str(day)), SPLIT) for day in days)


def test_a_record_without_a_date_goes_by_its_id() -> None:
    held = [is_held_out(_row("", f"CVE-2025-{n:04d}"), SPLIT) for n in range(1, 5001)]
    assert 0.18 < sum(held) / len(held) < 0.22
    assert held == [is_held_out(_row("", f"CVE-2025-{n:04d}"), SPLIT) for n in range(1, 5001)]
    assert not any(is_held_out(_row("", f"CVE-2023-{n:04d}"), SPLIT) for n in range(1, 500))
    assert not is_held_out(_row("", "note-7"), SPLIT)


def test_rows_without_labels_are_a_part_of_their_own() -> None:
    bare = CorpusRow("CVE-2024-0009", "text", HELD_OUT_DAY, labels_of())
    parts = split_rows([_row(HELD_OUT_DAY), _row(TRAINING_DAY), bare], SPLIT)
    assert [row.published for row in parts.validation] == [HELD_OUT_DAY]
    assert [row.published for row in parts.train] == [TRAINING_DAY]
    assert parts.unlabelled == [bare]
