"""``assess``: weakness, severity and technique of vulnerabilities, offline."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from cybersecqwen.cli.arguments import LABELLERS
from cybersecqwen.cli.common import (
    EXIT_DONE,
    EXIT_SOME_FAILED,
    print_json,
    warn,
)
from cybersecqwen.cli.engine import SEVERAL, add_engine
from cybersecqwen.cli.given import Given, what_was_given
from cybersecqwen.cli.places import place
from cybersecqwen.cli.record_job import (
    add_quiet,
    add_records,
    add_resumption,
    add_text,
    check_resumption,
    printed_format,
    shown,
    terminal_width,
)
from cybersecqwen.core.errors import InputError

if TYPE_CHECKING:
    from cybersecqwen.apps.assess import Assessor
    from cybersecqwen.apps.assess_stream import AssessmentRows

HELP = "weakness, severity and techniques of vulnerabilities, each with its probability"
EXAMPLES = (
    'assess "SQL injection in the id parameter of list.php"',
    "assess --input records.json --output assessed.jsonl",
)


# Named here too, so that --help imports nothing; a test compares them.
OUTPUT_FORMATS = ("text", "table", "jsonl", "json", "csv", "xlsx", "sarif", "html", "markdown")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.usage = "cybersecqwen assess [OPTION ...] TEXT | ID ... | --input FILE"
    add_input(parser, OUTPUT_FORMATS)
    parser.add_argument(
        "--report",
        metavar="FILE",
        type=place,
        action="append",
        default=[],
        help="write a report on the rows too: a page to send on (.html) or Markdown (.md)",
    )
    parser.add_argument("--labeller", choices=LABELLERS, default="nvd", help="whose practice (nvd)")
    parser.add_argument(
        "--precision",
        type=float,
        metavar="P",
        help="call a weakness unsure where fewer than P of such answers were right (0.9)",
    )


def add_input(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    """Add the arguments that say what to read, where and as what to write, where to assess."""
    add_text(parser)
    add_records(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--to",
        choices=formats,
        metavar="FORMAT",
        help=f"what to write: {', '.join(formats)} (by --output's ending; else a table, of "
        "records typed the text, on a terminal, and jsonl elsewhere)",
    )
    parser.add_argument(
        "--output", type=place, metavar="FILE", help="write here, all or nothing; - is stdout"
    )
    add_resumption(parser)
    add_quiet(parser)
    add_engine(parser.add_argument_group(SEVERAL))


def run(arguments: argparse.Namespace) -> int:
    """Assess a text, or every record of a file."""
    from cybersecqwen.apps.assess import parse_precision
    from cybersecqwen.apps.assess_stream import WholeRows

    given = what_was_given(arguments.text, arguments.input, arguments.format, verb="assess")
    if given.text is not None:
        for option in ("output", "report"):
            if getattr(arguments, option):
                raise InputError(f"--{option} goes with --input; a single text's answer is printed")
    check_records(arguments, given)
    assessor = load_assessor(knowledge=True)
    threshold = parse_precision(assessor, arguments.precision, arguments.labeller)
    if given.text is None:
        return run_job(arguments, given, assessor, WholeRows(arguments.labeller), threshold)
    if arguments.to and arguments.to not in {"text", "jsonl", "json"}:
        raise InputError(f"--to {arguments.to} goes with records: --input FILE")
    _print_text(arguments, assessor, given.text, threshold)
    return EXIT_DONE


def _printed(arguments: argparse.Namespace, given: Given) -> str:
    """Return the format of records that are printed where none was named."""
    printed = printed_format(arguments.json)
    return "text" if printed == "table" and given.typed else printed


def check_records(arguments: argparse.Namespace, given: Given) -> None:
    """Refuse calls that cannot be meant, before anything is loaded or written.

    Raises:
        InputError: Options exclude each other.
    """
    if str(arguments.output) == "-":
        arguments.output = None
    if arguments.json and not arguments.output and arguments.to not in {None, "json", "jsonl"}:
        raise InputError(f"--json prints one JSON object, so it cannot print {arguments.to}")
    check_resumption(arguments, rereadable=given.source is not None)


def _print_text(
    arguments: argparse.Namespace, assessor: Assessor, text: str, threshold: float | None
) -> None:
    """Print the assessment of a single text: for a person in both parties' practice."""
    from cybersecqwen.apps.outputs.assessment_text import assessment_text
    from cybersecqwen.core.records import Labeller

    def assessed(labeller: Labeller) -> dict[str, Any]:
        # A threshold goes with the labeller for whom its precision was measured.
        least = threshold if labeller == arguments.labeller else None
        (found,) = assessor.assess_many([text], labeller=labeller, threshold=least)
        return assessor.row(found)

    row = assessed(arguments.labeller)
    if arguments.json or arguments.to in {"json", "jsonl"}:
        print_json(row)
        return
    rows = {who: row if who == arguments.labeller else assessed(who) for who in get_args(Labeller)}
    width = min(shutil.get_terminal_size().columns, 100)
    print(assessment_text(row, rows, width), end="")


def load_assessor(*, knowledge: bool) -> Assessor:
    """Return the shipped specialists, with the knowledge base where one is to be had."""
    from cybersecqwen.apps.assess import Assessor
    from cybersecqwen.core.errors import CyberSecQwenError

    if not knowledge:
        return Assessor.from_pretrained()
    from cybersecqwen.knowledge.base import KnowledgeBase

    try:
        base = KnowledgeBase.load()
    except CyberSecQwenError as error:
        warn(f"no mitigations: {error}")
        return Assessor.from_pretrained()
    return Assessor.from_pretrained(knowledge=base)


def run_job(
    arguments: argparse.Namespace,
    given: Given,
    assessor: Assessor,
    rows: AssessmentRows,
    threshold: float | None = None,
) -> int:
    """Assess the records that were given, with progress and a summary on standard error.

    Args:
        arguments: What was typed; see ``add_input``.
        given: What is to be assessed.
        assessor: The specialists.
        rows: What is made of what they say.
        threshold: As for ``Assessor.assess_many``.
    """
    from cybersecqwen.apps.assess_job import AssessJob, run_assess_job

    job = AssessJob(
        source=given.source,
        stdin=given.records,
        format=given.format,
        text_column=arguments.text_column,
        id_column=arguments.id_column,
        assessor=assessor,
        rows=rows,
        threshold=threshold,
        to=arguments.to or ("" if arguments.output else _printed(arguments, given)),
        width=terminal_width(),
        reports=tuple(arguments.report),
        output=arguments.output,
        resume=arguments.resume,
        restart=arguments.restart,
        engine=arguments.engine,
        workers=arguments.workers,
    )
    # Records typed are few, and their rows say it all.
    with shown(job, quiet=arguments.quiet or given.typed) as screen:
        summary = run_assess_job(
            job,
            sink=sys.stdout.buffer,
            progress=screen.progress,
            report=screen.report,
            notice=screen.notice,
        )
    if job.output and arguments.json:
        print_json({"output": summary.output, "rows": summary.rows, "summary": summary})
    screen.show_summary(summary.describe())
    if given.typed and not arguments.quiet and not (summary.rows or summary.problems):
        warn(summary.describe())  # what an audit agrees with has no row
    return EXIT_SOME_FAILED if summary.problems else EXIT_DONE
