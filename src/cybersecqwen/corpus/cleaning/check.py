"""Proves finished training files free of benchmark items, or names what overlaps."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from cybersecqwen.core.engine import Engine
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.jsonl import read_lines
from cybersecqwen.core.rows import REPLAY_FILE
from cybersecqwen.core.text.clean import normalised
from cybersecqwen.corpus.chat.rows import TrainingText, read_example
from cybersecqwen.corpus.cleaning.decontaminate import BenchmarkFilter, Overlap
from cybersecqwen.corpus.records.recipe import NearDuplicate
from cybersecqwen.corpus.records.rows import PARTS, REWORDED


class CheckReport(msgspec.Struct, frozen=True):
    """What a check found.

    Attributes:
        clean: Whether no row overlaps any benchmark by any measure.
        rows: Rows read.
        overlapping_rows: Rows that overlap some benchmark by some measure.
        duplicate_texts: Rows whose text (case, spacing and punctuation aside) an earlier row had.
        duplicate_rows: Those of them whose answer is the earlier row's too.
        near_duplicate: Thresholds that held.
        overlaps: Number of overlapping rows by benchmark and measure.
    """

    clean: bool
    rows: int
    overlapping_rows: int
    duplicate_texts: int
    duplicate_rows: int
    near_duplicate: NearDuplicate
    overlaps: list[Overlap]


class _Duplicates:
    """Counts repeated texts, and repeated texts with the same answer, from 16 bytes of each."""

    def __init__(self) -> None:
        self._texts: set[bytes] = set()
        self._rows: set[bytes] = set()
        self.total = 0

    def add(self, example: TrainingText) -> None:
        text = normalised(example.text)
        self._texts.add(_digest(text))
        self._rows.add(_digest(f"{text}\n{example.answer}"))
        self.total += 1

    @property
    def texts(self) -> int:
        return self.total - len(self._texts)

    @property
    def rows(self) -> int:
        return self.total - len(self._rows)


def check_corpus(
    path: Path,
    benchmarks: Sequence[Path],
    limits: NearDuplicate | None = None,
    engine: Engine | None = None,
    *,
    answered: bool = False,
) -> CheckReport:
    """Compare a corpus folder, or one JSONL file of rows or conversations, with benchmarks.

    Rows are streamed; memory grows with the benchmarks (and by some bytes a row).

    Args:
        path: Folder that ``corpus build`` made, or a file.
        benchmarks: Files whose items must not occur.
        limits: From where on two texts count as alike.
        engine: Where texts are compared; None for this process.
        answered: Whether items are also known by their question and right option together. What
            a builder filtered so is to be checked so: which words are rare among the items decides
            how much alike two texts are.

    Raises:
        InputError: A file is missing, a line cannot be read, or there is nothing to check.
    """
    limits = limits or NearDuplicate()
    check = BenchmarkFilter(benchmarks, limits, answered=answered, engine=engine)
    duplicates = _Duplicates()
    owners: deque[int] = deque()
    overlapping = set()
    for matches in check.find(_examples(_files(path), duplicates, owners)):
        owner = owners.popleft()
        if matches:
            overlapping.add(owner)
    if not duplicates.total:
        raise InputError(f"{path}: no rows to check")
    return CheckReport(
        clean=not overlapping,
        rows=duplicates.total,
        overlapping_rows=len(overlapping),
        duplicate_texts=duplicates.texts,
        duplicate_rows=duplicates.rows,
        near_duplicate=limits,
        overlaps=check.overlaps,
    )


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = [path / f"{part}.jsonl" for part in PARTS if (path / f"{part}.jsonl").is_file()]
    if not files:
        names = ", ".join(f"{part}.jsonl" for part in PARTS)
        raise InputError(f"{path}: no corpus: it has none of {names}")
    more = [path / f"{REWORDED}.jsonl", path / REPLAY_FILE]  # which are trained on, too
    return [*files, *(file for file in more if file.is_file())]


def _examples(
    files: Sequence[Path], duplicates: _Duplicates, owners: deque[int]
) -> Iterator[tuple[str, str, str]]:
    """Yield every text of every row, and note whose it is: a row may have several."""
    for file in files:
        for number, example in read_lines(file, read_example, "not a row of a corpus"):
            duplicates.add(example)
            for text in (example.text, *example.also):
                owners.append(duplicates.total)
                yield example.cve or f"{file.name}:{number}", example.cve, text


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
