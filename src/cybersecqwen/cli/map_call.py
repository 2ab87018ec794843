"""What was typed after ``map``, checked, as one job of the application layer."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cybersecqwen.apps.classifier import ClassifierSpec
from cybersecqwen.apps.map_job import MapJob, MapOptions
from cybersecqwen.cli.common import backend_options
from cybersecqwen.cli.map_argument import check_description, ids_alone, pasted_records
from cybersecqwen.cli.places import place
from cybersecqwen.cli.record_job import check_resumption
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.paths import advisory_store_file

_WIDTH = 120
"""Columns of a table that no terminal shows."""


def job_of(arguments: argparse.Namespace) -> MapJob:
    """Return the job that was asked for.

    Raises:
        InputError: The call cannot be meant; nothing has been loaded or written.
    """
    given = _given(arguments.text, arguments.input, arguments.format)
    _check(arguments, given)
    output = _output(arguments)
    on_terminal = sys.stdout.isatty()
    return MapJob(
        text=given.text,
        source=given.source,
        stdin=given.records,
        format=given.format,
        text_column=arguments.text_column,
        id_column=arguments.id_column,
        only_unlabelled=arguments.only_unlabelled,
        classifier=_classifier(arguments),
        options=MapOptions(arguments.labeller, arguments.top_k, arguments.threshold),
        precision=arguments.precision,
        allowed_only=arguments.allowed_only,
        to=arguments.to or ("" if output else _printed(arguments, on_terminal)),
        output=output,
        width=shutil.get_terminal_size().columns if on_terminal else _WIDTH,
        org_id=arguments.org_id,
        disagreements=arguments.disagreements,
        reports=tuple(arguments.report),
        resume=arguments.resume,
        restart=arguments.restart,
        engine=arguments.engine,
        workers=arguments.workers,
    )


def _printed(arguments: argparse.Namespace, on_terminal: bool) -> str:
    """Return the format of what is printed where none was named."""
    if arguments.json:
        return "json"
    return "table" if on_terminal else "jsonl"


@dataclass(frozen=True, slots=True)
class _Given:
    """What is to be mapped: a text; else a file, folder or URL; else standard input.

    Attributes:
        text: A description; None for records.
        source: The records' place; None for standard input.
        records: What stands for standard input, where records were given in place of a text.
        format: What the records are.
    """

    text: str | None = None
    source: Path | str | None = None
    records: io.BytesIO | None = None
    format: str = "auto"


def _given(words: Sequence[str], source: str | None, form: str) -> _Given:
    """Find out what is to be mapped."""
    ids = ids_alone(words) if source is None else None
    if ids and advisory_store_file().is_file():
        return _Given(records=io.BytesIO(ids), format="text")
    if len(words) > 1:
        first = next((word for word in words if Path(word).is_file()), "")
        raise InputError(
            f"{first} is a file: map --input {first}"
            if first
            else 'put the text in quotes: cybersecqwen map "..."'
        )
    if words and source is not None:
        raise InputError("give a text or --input FILE (- for standard input), one of the two")
    if words and words[0] != "-":
        return _described(words[0], form)
    if not words and source is None and (sys.stdin is None or sys.stdin.isatty()):
        raise InputError("give a text in quotes, --input FILE, or records on standard input")
    if source in {None, "-"}:
        return _Given(format=form)
    assert source is not None
    return _Given(source=place(source), format=form)


def _described(word: str, form: str) -> _Given:
    # Arguments that are no UTF-8 arrive with their bytes as lone surrogates.
    text = os.fsencode(word).decode("utf-8", "replace")
    if pasted := pasted_records(text):
        return _Given(records=io.BytesIO(pasted), format=form)
    check_description(text)
    return _Given(text=text)


def _check(arguments: argparse.Namespace, given: _Given) -> None:
    """Refuse calls that cannot be meant, before anything is loaded or written."""
    if arguments.top_k < 1:
        raise InputError(f"--top-k must be at least 1, not {arguments.top_k}")
    if arguments.threshold is not None and not 0 <= arguments.threshold <= 1:
        raise InputError(f"--threshold must be from 0 to 1, not {arguments.threshold}")
    if arguments.json and not _output(arguments) and arguments.to not in {None, "jsonl", "json"}:
        raise InputError(f"--json prints one JSON object, so it cannot print {arguments.to}")
    for option in ("output", "report", "disagreements", "only_unlabelled"):
        value = _output(arguments) if option == "output" else getattr(arguments, option)
        if given.text is not None and value:
            name = option.replace("_", "-")
            raise InputError(f"--{name} goes with --input; a single text's answer is printed")
    check_resumption(arguments, rereadable=given.source is not None)


def _output(arguments: argparse.Namespace) -> Path | str | None:
    name: str | None = arguments.output
    if name in {None, "-"}:
        return None
    assert name is not None
    return place(name)


def _classifier(arguments: argparse.Namespace) -> ClassifierSpec:
    classifier = ClassifierSpec(
        model=arguments.model,
        shortlist=arguments.shortlist,
        shortlist_weight=arguments.shortlist_weight,
        explain=arguments.explain,
        options=backend_options(arguments.option),
    )
    listed = arguments.shortlist is not None or arguments.shortlist_weight is not None
    asked = listed or arguments.explain or arguments.option
    if asked and not classifier.is_language_model:
        raise InputError(
            "--shortlist, --shortlist-weight, --explain and --option go with a language model: "
            "--model hf:..., gguf:..."
        )
    return classifier
