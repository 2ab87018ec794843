"""What was typed after ``map``, checked, as one job of the application layer."""

from __future__ import annotations

import argparse
from pathlib import Path

from cybersecqwen.apps.classifier import ClassifierSpec
from cybersecqwen.apps.map_job import MapJob, MapOptions
from cybersecqwen.cli.common import backend_options
from cybersecqwen.cli.given import Given, what_was_given
from cybersecqwen.cli.places import place
from cybersecqwen.cli.record_job import check_resumption, printed_format, terminal_width
from cybersecqwen.core.errors import InputError


def job_of(arguments: argparse.Namespace) -> MapJob:
    """Return the job that was asked for.

    Raises:
        InputError: The call cannot be meant; nothing has been loaded or written.
    """
    given = what_was_given(arguments.text, arguments.input, arguments.format, verb="map")
    _check(arguments, given)
    output = _output(arguments)
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
        to=arguments.to or ("" if output else printed_format(arguments.json)),
        output=output,
        width=terminal_width(),
        org_id=arguments.org_id,
        disagreements=arguments.disagreements,
        reports=tuple(arguments.report),
        resume=arguments.resume,
        restart=arguments.restart,
        engine=arguments.engine,
        workers=arguments.workers,
    )


def _check(arguments: argparse.Namespace, given: Given) -> None:
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
