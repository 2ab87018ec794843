"""What the verbs over files of records share: how to go on, what to refuse, what to show."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from cybersecqwen.cli.common import printable, printable_lines, warn
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import RecordProblem

if TYPE_CHECKING:
    from cybersecqwen.apps.staging import Staging
    from cybersecqwen.cli.progress import ProgressLine

_UNDESCRIBED_NAMED = 100

SummaryT = TypeVar("SummaryT", bound=msgspec.Struct)


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


def check_job(arguments: argparse.Namespace, outputs: Sequence[Path]) -> None:
    """Refuse a job that cannot be meant.

    Args:
        arguments: What was typed: ``input``, ``output`` and the options of ``add_resumption``.
        outputs: The files to write.

    Raises:
        InputError: It cannot be gone on with, or would write over its input or what is no file.
    """
    if arguments.resume and (not arguments.output or arguments.input in {None, "-"}):
        raise InputError("--resume needs an --output FILE and an --input FILE that it can re-read")
    if arguments.resume and arguments.restart:
        raise InputError("--resume and --restart exclude each other")
    for output in outputs:
        if output.exists() and not output.is_file():
            raise InputError(
                f"{output}: no regular file, so it cannot be replaced by one; "
                "without --output rows go to standard output"
            )
        source = Path(arguments.input or "-")
        if output.exists() and source.exists() and output.samefile(source):
            raise InputError(f"{output}: would overwrite --input")


@contextmanager
def shown(output: Path | None, *, quiet: bool) -> Iterator[ProgressLine]:
    """Show a job's progress and let Ctrl-C end it with a line that says how to go on.

    Args:
        output: The file that is written; None where rows go to standard output, which say
            themselves how far it is where that is a terminal.
        quiet: Show nothing.
    """
    from cybersecqwen.cli.interrupt import ends_at_once, how_far
    from cybersecqwen.cli.progress import ProgressLine

    line = ProgressLine(quiet=quiet or (not output and sys.stdout.isatty()))
    with line, ends_at_once(lambda: f"cybersecqwen: {how_far(line.last, output)}"):
        yield line


class ProblemLines:
    """Names the records that failed, over the progress line.

    Of ids that nothing describes only the first are named, and the others counted at the end: a
    table of scores by id holds 300,000 of them.

    Args:
        line: The progress line.
    """

    def __init__(self, line: ProgressLine) -> None:
        self._line = line
        self._undescribed = 0

    def show(self, problem: RecordProblem) -> None:
        """Name a record that failed."""
        self._undescribed += problem.kind == "no_description"
        if problem.kind != "no_description" or self._undescribed <= _UNDESCRIBED_NAMED:
            # Untrusted: what a file calls its records must not reach the terminal as a command.
            self._line.print_line(printable(str(problem)))

    def close(self) -> None:
        """Count what was not named."""
        if (more := self._undescribed - _UNDESCRIBED_NAMED) > 0:
            self._line.print_line(f"{more:,} more without a description; --json lists each")


def notice_on(line: ProgressLine, staging: Staging | None) -> Callable[[str], None]:
    """Return what prints a job's remarks over the progress line, files by their given names."""

    def notice(text: str) -> None:
        line.print_line(staging.told(text) if staging else text)

    return notice


def named(summary: SummaryT, output: Path | None, staging: Staging | None) -> SummaryT:
    """Return a summary whose ``output`` is called as it was given."""
    name = staging.name_of(output) if staging else ""
    return msgspec.structs.replace(summary, output=name) if name else summary


def show_summary(text: str, *, quiet: bool) -> None:
    """Print a job's closing lines."""
    sys.stdout.flush()
    if not quiet:
        warn(printable_lines(text))
