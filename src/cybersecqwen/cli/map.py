"""``map``: vulnerability text in, CWE ids with calibrated confidence out."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from cybersecqwen.cli.common import (
    EXIT_DONE,
    EXIT_SOME_FAILED,
    backend_options,
    print_json,
    warn,
)
from cybersecqwen.cli.engine import engine_of
from cybersecqwen.cli.map_arguments import configure
from cybersecqwen.cli.places import staged
from cybersecqwen.cli.record_job import (
    ProblemLines,
    check_job,
    named,
    notice_on,
    show_summary,
    shown,
)
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.model_spec import ModelSpec
from cybersecqwen.core.paths import advisory_store_file
from cybersecqwen.core.records import Labeller, RecordProblem

if TYPE_CHECKING:
    from cybersecqwen.apps.map_job import MapJob
    from cybersecqwen.apps.map_stream import MapOptions
    from cybersecqwen.apps.staging import Staging
    from cybersecqwen.core.interfaces import CweClassifier

HELP = "map vulnerability texts to CWE ids, offline, with calibrated confidence"
EXAMPLES = (
    'map "The login form concatenates the user name into the SQL query."',
    "map --input nvdcve-2.0-2024.json.gz --output answers.xlsx --report report.html",
    "map CVE-2021-44228",
)

__all__ = ["EXAMPLES", "HELP", "configure", "run"]

TEXT_WIDTH = 120
"""Columns of a table that no terminal shows."""


def run(arguments: argparse.Namespace) -> int:
    """Map one text, or a file of records."""
    with staged(arguments, ("input",), ("output", "report")) as staging:
        return _run(arguments, staging)


def _run(arguments: argparse.Namespace, staging: Staging | None) -> int:
    pasted = _settle_input(arguments)
    _check(arguments)
    from cybersecqwen.apps.map_stream import MapOptions

    classifier = _open_model(arguments)
    threshold = _threshold(arguments, classifier)
    options = MapOptions(arguments.labeller, arguments.top_k, threshold)
    if arguments.text is None:
        return _map_records(arguments, classifier, options, pasted, staging)
    return _map_text(arguments, classifier, options)


def _threshold(arguments: argparse.Namespace, classifier: CweClassifier) -> float | None:
    """Return the confidence that --threshold or --precision asks for, or None."""
    if arguments.precision is None:
        threshold: float | None = arguments.threshold
        return threshold
    if arguments.threshold is not None:
        raise InputError("--precision and --threshold exclude each other")
    reached = getattr(classifier, "threshold_at", None)
    if reached is None:
        raise InputError("--precision goes with an embedded model")
    found: float = reached(arguments.precision, arguments.labeller)
    return found


def _settle_input(arguments: argparse.Namespace) -> bytes | None:
    """Find out what is to be mapped; return records that were given in place of a text."""
    from cybersecqwen.apps.map_text import check_description, ids_alone, pasted_records

    ids = ids_alone(arguments.text) if arguments.input is None else None
    if ids and advisory_store_file().is_file():
        arguments.text, arguments.input, arguments.format = None, "-", "text"
        return ids
    if len(arguments.text) > 1:
        first = next((word for word in arguments.text if Path(word).is_file()), "")
        raise InputError(
            f"{first} is a file: map --input {first}"
            if first
            else 'put the text in quotes: cybersecqwen map "..."'
        )
    arguments.text = arguments.text[0] if arguments.text else None
    if arguments.text is None and arguments.input is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise InputError("give a text in quotes, --input FILE, or records on standard input")
        arguments.input = "-"
    elif arguments.text == "-" and arguments.input is None:
        arguments.text, arguments.input = None, "-"
    elif arguments.text is not None and arguments.input is not None:
        raise InputError("give a text or --input FILE (- for standard input), one of the two")
    if arguments.text is None:
        return None
    # Arguments that are no UTF-8 arrive with their bytes as lone surrogates.
    arguments.text = os.fsencode(arguments.text).decode("utf-8", "replace")
    if pasted := pasted_records(arguments.text):
        arguments.text, arguments.input = None, "-"
        return pasted
    check_description(arguments.text)
    return None


def _check(arguments: argparse.Namespace) -> None:
    """Refuse calls that cannot be meant, before anything is loaded or written."""
    arguments.output = None if arguments.output in {None, "-"} else Path(arguments.output)
    if arguments.top_k < 1:
        raise InputError(f"--top-k must be at least 1, not {arguments.top_k}")
    if arguments.threshold is not None and not 0 <= arguments.threshold <= 1:
        raise InputError(f"--threshold must be from 0 to 1, not {arguments.threshold}")
    if arguments.json and not arguments.output and arguments.to not in {None, "jsonl", "json"}:
        raise InputError(f"--json prints one JSON object, so it cannot print {arguments.to}")
    _check_language_model(arguments)
    for option in ("output", "report", "disagreements", "only_unlabelled"):
        if arguments.text is not None and getattr(arguments, option):
            name = option.replace("_", "-")
            raise InputError(f"--{name} goes with --input; a single text's answer is printed")
    _check_outputs(arguments)


def _check_language_model(arguments: argparse.Namespace) -> None:
    listed = arguments.shortlist is not None or arguments.shortlist_weight is not None
    asked = listed or arguments.explain or arguments.option
    if asked and not ModelSpec.parse(arguments.model).is_language_model:
        raise InputError(
            "--shortlist, --shortlist-weight, --explain and --option go with a language model: "
            "--model hf:..., gguf:..."
        )
    if arguments.explain and _format(arguments) in {"csv", "sarif"}:
        raise InputError(f"{_format(arguments)} has no place for --explain; write jsonl or a table")


def _open_model(arguments: argparse.Namespace) -> CweClassifier:
    from cybersecqwen.specialists import CweMapper

    if not ModelSpec.parse(arguments.model).is_language_model:
        return CweMapper.load(arguments.model)
    from cybersecqwen.llm.rerank import SHORTLIST, SHORTLIST_WEIGHT, LlmReranker

    size, weight = arguments.shortlist, arguments.shortlist_weight
    return LlmReranker.open(
        arguments.model,
        CweMapper.load(),
        backend=backend_options(arguments.option),
        shortlist=SHORTLIST if size is None else size,
        weight=SHORTLIST_WEIGHT if weight is None else weight,
        explain=arguments.explain,
    )


def _check_outputs(arguments: argparse.Namespace) -> None:
    outputs = [*filter(None, [arguments.output]), *arguments.report]
    check_job(arguments, outputs)
    if not outputs:
        return
    from cybersecqwen.apps.report import report_format

    _format(arguments)
    for report in arguments.report:
        report_format(report)
    if len({output.absolute() for output in outputs}) < len(outputs):
        raise InputError("--output and each --report need a file of their own")


def _format(arguments: argparse.Namespace) -> str:
    """Return what to write: as told, else what the output's ending or the terminal suggests."""
    from cybersecqwen.apps.outputs.registry import format_named, format_of_file

    if arguments.output:
        return arguments.to or format_of_file(arguments.output).name
    if arguments.json:
        return "json"
    to: str = arguments.to or ("table" if sys.stdout.isatty() else "jsonl")
    if format_named(to).binary and sys.stdout.isatty():
        raise InputError(f"{to} is nothing for a terminal: give an --output FILE")
    return to


def _map_text(arguments: argparse.Namespace, classifier: CweClassifier, options: MapOptions) -> int:
    """Map one text and print the answer."""
    from cybersecqwen import __version__
    from cybersecqwen.apps.outputs.registry import OutputContext, format_named
    from cybersecqwen.apps.outputs.rows import MapRow, RowMaker
    from cybersecqwen.apps.outputs.table import TableWriter
    from cybersecqwen.core.taxonomy import shipped_taxonomy

    maker = RowMaker(shipped_taxonomy(), classifier.name, allowed_only=arguments.allowed_only)

    def row_of(labeller: Labeller) -> MapRow:
        prediction = classifier.map(
            arguments.text,
            labeller=labeller,
            top_k=options.top_k,
            threshold=options.threshold,
        )
        return maker.row("text", prediction)

    row = row_of(options.labeller)
    if row.warning:
        warn(f"cybersecqwen: {row.warning}")
    to = _format(arguments)
    width = shutil.get_terminal_size().columns
    if to == "json":
        print_json(row)
    elif to == "table":
        # A language model would take its time for the second convention.
        both = get_args(Labeller) if not ModelSpec.parse(arguments.model).is_language_model else ()
        conventions = {name: row if name == options.labeller else row_of(name) for name in both}
        sys.stdout.buffer.write(TableWriter(width).single(row, conventions).encode())
    else:
        context = OutputContext(taxonomy=shipped_taxonomy(), version=__version__, width=width)
        sys.stdout.buffer.writelines(format_named(to).open(context)([row]))
    return EXIT_DONE


def _map_records(
    arguments: argparse.Namespace,
    classifier: CweClassifier,
    options: MapOptions,
    pasted: bytes | None,
    staging: Staging | None,
) -> int:
    """Map the records of a file, of standard input, or of a text that holds them."""
    from cybersecqwen.apps.map_job import run_map_job

    job = _job(arguments, classifier, options, pasted, staging)
    problems: list[RecordProblem] = []
    with (
        shown(job.output, quiet=arguments.quiet) as line,
        closing(ProblemLines(line)) as lines,
    ):

        def report(problem: RecordProblem) -> None:
            lines.show(problem)
            if arguments.json:
                problems.append(problem)

        summary = run_map_job(
            job,
            sink=sys.stdout.buffer,
            progress=line,
            report=report,
            notice=notice_on(line, staging),
        )
    summary = named(summary, job.output, staging)
    if job.output and arguments.json:
        print_json(
            {
                "output": summary.output,
                "rows": summary.answered,
                "problems": [problem.row() for problem in problems],
                "model": summary.model,
                "summary": summary,
            }
        )
    show_summary(summary.describe(), quiet=arguments.quiet or pasted is not None)
    return EXIT_SOME_FAILED if summary.problems else EXIT_DONE


def _job(
    arguments: argparse.Namespace,
    classifier: CweClassifier,
    options: MapOptions,
    pasted: bytes | None,
    staging: Staging | None,
) -> MapJob:
    from cybersecqwen.apps.map_job import MapJob

    return MapJob(
        source=None if arguments.input == "-" else Path(arguments.input),
        source_name=staging.name_of(arguments.input) if staging else "",
        classifier=classifier,
        options=options,
        format=arguments.format,
        text_column=arguments.text_column,
        id_column=arguments.id_column,
        to=_format(arguments),
        output=arguments.output,
        width=shutil.get_terminal_size().columns if sys.stdout.isatty() else TEXT_WIDTH,
        allowed_only=arguments.allowed_only,
        org_id=arguments.org_id,
        only_unlabelled=arguments.only_unlabelled,
        disagreements=arguments.disagreements,
        reports=tuple(arguments.report),
        resume=arguments.resume,
        restart=arguments.restart,
        stdin=io.BytesIO(pasted) if pasted else None,
        engine=engine_of(arguments),
    )
