"""The beginnings of a recipe's files and a shortened recipe, for a dry run of ``reproduce``."""

from __future__ import annotations

import datetime
import gzip
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import get_args

import msgspec

from cybersecqwen.core.atomic_folder import atomic_folder
from cybersecqwen.core.jsonl import write_rows
from cybersecqwen.core.records import Advisory, Labeller
from cybersecqwen.core.rows import read_chat_rows
from cybersecqwen.corpus.chat.recipe import ChatRecipe, Draw
from cybersecqwen.corpus.cleaning.pipeline import with_files
from cybersecqwen.corpus.records.recipe import RecordSource
from cybersecqwen.sources import read_advisories
from cybersecqwen.training.recipes.lora import LoraRecipe

_RECORDS = 600
_ITEMS = 40
_ROWS = 24
_MARK = "sample.txt"


def shortened(corpus: ChatRecipe, lora: LoraRecipe) -> tuple[ChatRecipe, LoraRecipe]:
    """Return the recipes with few rows of any year, one epoch and CWE's catalogue alone."""

    def few(rows: int) -> int:
        return min(rows, _ROWS)

    change = msgspec.structs.replace
    # A file's first records may be of any year.
    mapping = change(corpus.mapping, rows=few(corpus.mapping.rows), draw=Draw())
    split = change(corpus.split, validation_since=datetime.date(1999, 1, 1))
    statements = corpus.statements
    limits = change(corpus.limits, stock=1.0)  # one sentence in few rows is a large share of them
    corpus = change(
        corpus,
        sources=tuple(map(_sampled, corpus.sources)),
        split=split,
        knowledge=change(corpus.knowledge, stix=()),
        mapping=mapping,
        quiz=None,
        statements=change(statements, rows=few(statements.rows)) if statements else None,
        validation=few(corpus.validation),
        limits=limits,
    )
    fit = change(lora.fit, epochs=1, batch=min(lora.fit.batch, 8))
    adapter = lora.adapter and change(lora.adapter, rank=min(lora.adapter.rank, 8))
    return corpus, change(lora, fit=fit, adapter=adapter, max_tokens=min(lora.max_tokens, 2048))


def write_sample(corpus: ChatRecipe, data: Path, out: Path) -> None:
    """Write the first of the recipe's records and benchmark items, and its catalogue, whole.

    Args:
        corpus: The recipe, not shortened.
        data: Folder of raw data.
        out: Folder to appear, laid out alike.

    Raises:
        InputError: Records cannot be read.
        OSError: A file cannot be read.
    """
    with atomic_folder(out, _MARK) as part:
        for source in with_files(corpus, data).sources:
            if _has_lines(source):
                _head(data / source.path, part / source.path, _RECORDS)
            else:
                _write_records(source, data, part)
        for name in corpus.benchmarks:
            _head(data / name, part / name, _ITEMS)
        whole = part / corpus.knowledge.cwe
        whole.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / corpus.knowledge.cwe, whole)
        (part / _MARK).write_text("the first records of each file, for a dry run\n")


def texts_of(corpus: Path) -> Iterator[str]:
    """Yield the texts of a corpus of conversations."""
    for _, row in read_chat_rows(corpus / "train.jsonl"):
        yield f"{row.prompt}\n{row.response}"


def _has_lines(source: RecordSource) -> bool:
    """Whether a file has a record on each line, so that its first lines are its first records."""
    return source.path.endswith((".jsonl", ".jsonl.gz"))


def _sampled(source: RecordSource) -> RecordSource:
    """Return where the sample has a source."""
    return source if _has_lines(source) else RecordSource(f"{source.path}.jsonl", "jsonl")


def _write_records(source: RecordSource, data: Path, out: Path) -> None:
    """Write the first records of a feed or an archive as lines, with the labels of each party."""
    copy = out / _sampled(source).path
    copy.parent.mkdir(parents=True, exist_ok=True)
    read = read_advisories(data / source.path, source.format, labels_from=source.labels_from)
    records = islice((record for record in read if isinstance(record, Advisory)), _RECORDS)
    write_rows(
        copy,
        (
            {
                "id": record.id,
                "description": record.description,
                "published": record.published,
                "labels": {party: record.cwes(party) for party in get_args(Labeller)},
            }
            for record in records
        ),
    )


def _head(source: Path, copy: Path, lines: int) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    opened = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rb") as read, opened(copy, "wb") as write:
        write.writelines(islice(read, lines))
