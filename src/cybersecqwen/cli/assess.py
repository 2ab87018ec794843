"""``assess``: weakness, severity and technique of vulnerabilities, offline."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, get_args

from cybersecqwen.cli.common import EXIT_DONE, EXIT_SOME_FAILED, print_json, printable, warn
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Labeller, RecordProblem

if TYPE_CHECKING:
    from cybersecqwen.apps.assess import Assessor

HELP = "weakness, severity and techniques of vulnerabilities, each with its probability"
EXAMPLES = (
    'assess "SQL injection in the id parameter of list.php"',
    "assess --input records.json --output assessed.jsonl",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("text", nargs="?", help="a vulnerability description, in quotes")
    add_input(parser)
    parser.add_argument(
        "--labeller", choices=get_args(Labeller), default="nvd", help="whose practice (nvd)"
    )
    parser.add_argument(
        "--precision",
        type=float,
        metavar="P",
        help="call a weakness unsure where fewer than P of such answers were right (0.9)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_input(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what to read and where to write."""
    parser.add_argument("--input", metavar="FILE", help="records; - is standard input")
    parser.add_argument(
        "--format", metavar="NAME", default="auto", help="what --input holds (auto)"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write JSON lines here")


def run(arguments: argparse.Namespace) -> int:
    """Assess a text, or every record of a file."""
    from cybersecqwen.apps.assess import assess_rows, parse_precision

    if (arguments.text is None) == (arguments.input is None):
        raise InputError("give a text or --input FILE, one of the two")
    assessor = load_assessor(knowledge=True)
    threshold = parse_precision(assessor, arguments.precision, arguments.labeller)
    if arguments.text is not None:
        (found,) = assessor.assess_many(
            [arguments.text], labeller=arguments.labeller, threshold=threshold
        )
        row = assessor.row(found)
        if arguments.json:
            print_json(row)
        else:
            _show(row)
        return EXIT_DONE
    failures: list[RecordProblem] = []
    rows = assess_rows(
        assessor,
        read_input(arguments),
        reporter(failures),
        labeller=arguments.labeller,
        threshold=threshold,
    )
    write_rows(rows, arguments.output)
    return EXIT_SOME_FAILED if failures else EXIT_DONE


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


def read_input(arguments: argparse.Namespace) -> Iterable[Any]:
    """Return the records of ``--input``."""
    from cybersecqwen.sources import read_advisories

    source = None if arguments.input == "-" else Path(arguments.input)
    return read_advisories(source, arguments.format)


def reporter(failures: list[RecordProblem]) -> Any:
    """Return what names each record that failed and keeps it in ``failures``."""

    def report(problem: RecordProblem) -> None:
        if problem.is_failure:
            failures.append(problem)
            warn(str(problem))

    return report


def write_rows(rows: Iterable[dict[str, Any]], output: Path | None) -> None:
    """Write rows as JSON lines, into a file whole or not at all, or to standard output.

    Raises:
        InputError: The file cannot be written.
    """
    from cybersecqwen.core.files import atomic_write

    if output is None:
        _write(rows, sys.stdout.buffer)
        return
    try:
        with atomic_write(output) as stream:
            _write(rows, stream)
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror}") from error


def _write(rows: Iterable[dict[str, Any]], stream: IO[bytes]) -> None:
    for row in rows:
        stream.write(
            json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        )


def _show(row: dict[str, Any]) -> None:
    """Print an assessment for a person, at 80 columns."""
    print(f"{row['cwe']}  {printable(row['name'])[:64]}")
    print(f"  {row['confidence']:.2f}  {row['band']}")
    for other in row["weaknesses"][1:]:
        print(f"  also {other['cwe']} ({other['probability']:.2f})")
    cvss = row["cvss"]
    print(f"{cvss['vector']}  {cvss['score']} {cvss['severity']}")
    for name, metric in cvss["metrics"].items():
        because = ", ".join(metric["because"])
        print(
            f"  {name:2} {metric['value']}  {metric['probability']:.2f}  {printable(because)[:60]}"
        )
    for found in row["techniques"]:
        name = printable(found["name"])[:40]
        print(f"{found['id']:10} {found['probability']:.2f}  {name}  {found['role']}")
    for mitigation in row["mitigations"]:
        print(f"[{mitigation['citation']}] {printable(mitigation['text'])[:200]}")
