"""What the verbs over files of records share: how to go on, what to refuse, what to show."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cybersecqwen.cli.common import one_line, printable, printable_lines, warn
from cybersecqwen.core.errors import InputError

if TYPE_CHECKING:
    from cybersecqwen.apps.record_job import RecordJob
    from cybersecqwen.cli.progress import ProgressLine
    from cybersecqwen.core.records import RecordProblem


def add_text(parser: argparse._ActionsContainer) -> None:
    """Add what is typed besides options: a description or ids."""
    parser.add_argument(
        "text",
        nargs="*",
        help="a vulnerability description, in quotes, or ids to look up in the local store; "
        "- is standard input",
    )


def add_records(parser: argparse._ActionsContainer) -> None:
    """Add the options that say which records are read, and as what."""
    parser.add_argument(
        "--input", metavar="FILE", help="records to read (.gz and .zip are read too); - is stdin"
    )
    parser.add_argument(
        "--format",
        metavar="NAME",
        default="auto",
        help="what --input holds, where its content does not tell: csv, jsonl, nvd, cve5, osv ... "
        "(auto)",
    )
    parser.add_argument(
        "--text-column", metavar="NAME", default="", help="the column or key that holds the text"
    )
    parser.add_argument(
        "--id-column", metavar="NAME", default="", help="the column or key that holds the id"
    )


def add_resumption(parser: argparse._ActionsContainer) -> None:
    """Add the options that say what becomes of an interrupted run."""
    parser.add_argument(
        "--resume",
        action="store_true",
        help="insist on going on with an --output that was interrupted",
    )
    parser.add_argument(
        "--restart", action="store_true", help="begin anew where an interrupted run could go on"
    )


def add_quiet(parser: argparse._ActionsContainer) -> None:
    """Add the option that leaves progress and summary out."""
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="no progress and no summary on standard error"
    )


def check_resumption(arguments: argparse.Namespace, *, rereadable: bool) -> None:
    """Refuse to go on with what cannot be gone on with.

    Args:
        arguments: What was typed: ``output`` and the options of ``add_resumption``.
        rereadable: Whether the input is one that another run can read again.

    Raises:
        InputError: There is no such output or input, or the options exclude each other.
    """
    if arguments.resume and (arguments.output in {None, "-"} or not rereadable):
        raise InputError("--resume needs an --output FILE and an --input FILE that it can re-read")
    if arguments.resume and arguments.restart:
        raise InputError("--resume and --restart exclude each other")


_WIDTH = 120
"""Columns of a table that no terminal shows."""


def terminal_width() -> int:
    """Return how many columns what is printed may have."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH


def printed_format(json: bool) -> str:
    """Return the format of what is printed where none was named.

    Args:
        json: Whether one JSON object is asked for.
    """
    if json:
        return "json"
    return "table" if sys.stdout.isatty() else "jsonl"


_UNDESCRIBED_NAMED = 100
"""Ids that nothing describes which are named; the others are counted."""


class JobScreen:
    """What a person sees of a job over records, on standard error.

    Of ids that nothing describes only the first are named, and the others counted at the end: a
    table of scores by id holds 300,000 of them.

    Args:
        line: Shows how far it is.
        quiet: Whether to leave the summary out.
        keeps_problems: Whether to keep problems besides naming them.
    """

    def __init__(self, line: ProgressLine, *, quiet: bool, keeps_problems: bool = False) -> None:
        self.progress = line
        self.problems: list[RecordProblem] = []
        self._quiet = quiet
        self._keeps_problems = keeps_problems
        self._undescribed = 0

    def report(self, problem: RecordProblem) -> None:
        """Name a record that failed, over the progress line."""
        self._undescribed += problem.kind == "no_description"
        if problem.kind != "no_description" or self._undescribed <= _UNDESCRIBED_NAMED:
            # Untrusted: what a file calls its records must not reach the terminal as a command.
            self.progress.print_line(printable(str(problem)))
        if self._keeps_problems:
            self.problems.append(problem)

    def notice(self, text: str) -> None:
        """Print a remark over the progress line."""
        self.progress.print_line(one_line(text))

    def show_summary(self, text: str) -> None:
        """Print the closing lines, after a count of what was not named."""
        if (more := self._undescribed - _UNDESCRIBED_NAMED) > 0:
            warn(f"{more:,} more without a description; --json lists each")
        sys.stdout.flush()
        if not self._quiet:
            warn(printable_lines(text))


@contextmanager
def shown(job: RecordJob, *, quiet: bool, keeps_problems: bool = False) -> Iterator[JobScreen]:
    """Show a job's progress and let Ctrl-C end it with a line that says how to go on.

    Args:
        job: The job. Where it writes to standard output and that is a terminal, its rows say
            themselves how far it is.
        quiet: Show no progress and no summary.
        keeps_problems: See ``JobScreen``.
    """
    from cybersecqwen.cli.interrupt import ends_at_once, how_far
    from cybersecqwen.cli.progress import ProgressLine

    line = ProgressLine(quiet=quiet or (not job.output and sys.stdout.isatty()))
    with (
        line,
        ends_at_once(lambda: f"cybersecqwen: {how_far(line.last, to_file=bool(job.output))}"),
    ):
        yield JobScreen(line, quiet=quiet, keeps_problems=keeps_problems)
