"""The beginnings of a recipe's files and a shortened recipe, for a dry run of ``reproduce``."""

from __future__ import annotations

import datetime
import gzip
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from cybersecqwen.core.atomic_folder import atomic_folder
from cybersecqwen.core.rows import read_chat_rows
from cybersecqwen.corpus.chat.recipe import ChatRecipe, Draw
from cybersecqwen.corpus.cleaning.pipeline import with_files
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
    """Copy the first lines of the recipe's records and benchmarks, and its catalogue, whole.

    Args:
        corpus: A shortened recipe.
        data: Folder of raw data.
        out: Folder to appear, laid out alike.

    Raises:
        OSError: A file cannot be read.
    """
    with atomic_folder(out, _MARK) as part:
        for source in with_files(corpus, data).sources:
            _head(data / source.path, part / source.path, _RECORDS)
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


def _head(source: Path, copy: Path, lines: int) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    opened = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rb") as read, opened(copy, "wb") as write:
        write.writelines(islice(read, lines))
