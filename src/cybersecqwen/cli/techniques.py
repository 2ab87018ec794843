"""``techniques``: what attackers do in a sentence, a scenario or a report, by ATT&CK's ids."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cybersecqwen.cli.common import EXIT_DONE, EXIT_SOME_FAILED, print_json, printable, warn
from cybersecqwen.cli.description_argument import check_description
from cybersecqwen.core.errors import InputError

if TYPE_CHECKING:
    from cybersecqwen.core.records import RecordProblem
    from cybersecqwen.specialists.technique import TechniqueClassifier

HELP = "ATT&CK techniques of a sentence, a scenario or a report, with the words that tell of each"
EXAMPLES = (
    'techniques "The intruders dumped LSASS memory with procdump."',
    "techniques --input report.txt",
    "techniques --input scenarios.jsonl --output techniques.jsonl",
)


_LEAST_SHOWN = 0.02  # a technique less likely is not shown to a person


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "text", nargs="?", help="what happened, in quotes; - is a report on standard input"
    )
    parser.add_argument(
        "--input",
        type=Path,
        metavar="FILE",
        help="a report (.txt, .md), or records of which each has a text (JSON lines, CSV ...)",
    )
    parser.add_argument(
        "--format", metavar="NAME", default="auto", help="what --input holds (auto)"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write JSON lines here")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Name the techniques of a text, or of every text of a file."""
    from cybersecqwen.apps.techniques import technique_row
    from cybersecqwen.specialists.technique import TechniqueClassifier

    text = _report(arguments)
    classifier = TechniqueClassifier.from_pretrained()
    if text is not None:
        row = technique_row(classifier, text)
        if arguments.json or not sys.stdout.isatty():
            print_json(row)
        else:
            print("\n".join(_lines(row, shutil.get_terminal_size().columns)))
        return EXIT_DONE
    return _answer_records(arguments, classifier)


def _answer_records(arguments: argparse.Namespace, classifier: TechniqueClassifier) -> int:
    """Answer the records of a file: JSON lines, or one object with all of them."""
    from cybersecqwen.apps.techniques import technique_rows, write_technique_rows

    problems: list[RecordProblem] = []

    def report(problem: RecordProblem) -> None:
        problems.append(problem)
        warn(printable(str(problem)))

    source, form, output = arguments.input, arguments.format, arguments.output
    said: dict[str, Any] = {"model": classifier.name}
    if output or not arguments.json:
        sink = output or sys.stdout.buffer
        said["rows"] = write_technique_rows(classifier, source, sink, report, format=form)
    else:
        said["items"] = list(technique_rows(classifier, source, report, format=form))
    if arguments.json:
        said |= {"output": str(output)} if output else {}
        print_json(said | {"problems": [problem.row() for problem in problems]})
    return EXIT_SOME_FAILED if problems else EXIT_DONE


def _report(arguments: argparse.Namespace) -> str | None:
    """Return the one text that was given; None for records."""
    from cybersecqwen.apps.techniques import is_report, report_text

    text, source = arguments.text, arguments.input
    if text is not None and source is not None:
        raise InputError("give a text or --input FILE, one of the two")
    if source is not None and not is_report(source):
        return None
    if arguments.output:
        raise InputError("--output goes with --input of records; one text's answer is printed")
    if source is not None:
        try:
            return report_text(source.read_bytes(), str(source))
        except OSError as error:
            raise InputError(f"{source}: {error.strerror}") from error
    if text is None and sys.stdin.isatty():
        raise InputError("give a text in quotes, --input FILE, or a report on standard input")
    if text in {None, "-"}:
        return report_text(sys.stdin.buffer.read(), "standard input")
    check_description(
        text,
        "techniques",
        wanted="what attackers did",
        of_id="ask says what it is, assess what is done with a CVE's flaw",
    )
    return str(text)


def _lines(row: dict[str, Any], width: int) -> Iterator[str]:
    """Yield a row for a person: what the text is on as a whole, and all that it tells of."""
    from cybersecqwen.apps.outputs.table import short_name

    def named(found: dict[str, Any]) -> str:
        name = short_name(found["name"], width - 17)
        return f"{found['id']:<9}  {found['probability']:>4.0%}  {name}"

    yield f"Likeliest on the whole{' (unsure)' if row['abstained'] else ''}"
    yield from (named(one) for one in row["about"] if one["probability"] >= _LEAST_SHOWN)
    yield ""
    yield "Told of" if row["tells"] else "No technique is told of with enough certainty."
    for one in row["tells"]:
        yield named(one)
        yield f"  {short_name(printable(one['sentence']), width - 2)}"
