"""``assess``: weakness, severity and technique of vulnerabilities, offline."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from cybersecqwen.cli.arguments import LABELLERS
from cybersecqwen.cli.common import (
    EXIT_DONE,
    EXIT_SOME_FAILED,
    print_json,
    printable,
    warn,
)
from cybersecqwen.cli.engine import SEVERAL, add_engine
from cybersecqwen.cli.places import place
from cybersecqwen.cli.record_job import (
    add_quiet,
    add_resumption,
    check_resumption,
    shown,
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


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("text", nargs="?", help="a vulnerability description, in quotes")
    add_input(parser)
    parser.add_argument("--labeller", choices=LABELLERS, default="nvd", help="whose practice (nvd)")
    parser.add_argument(
        "--precision",
        type=float,
        metavar="P",
        help="call a weakness unsure where fewer than P of such answers were right (0.9)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_input(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what to read, where to write and where to assess."""
    parser.add_argument("--input", metavar="FILE", help="records; - is standard input")
    parser.add_argument(
        "--format", metavar="NAME", default="auto", help="what --input holds (auto)"
    )
    parser.add_argument(
        "--output", type=place, metavar="FILE", help="write JSON lines here, all or nothing"
    )
    add_resumption(parser)
    add_quiet(parser)
    add_engine(parser.add_argument_group(SEVERAL))


def run(arguments: argparse.Namespace) -> int:
    """Assess a text, or every record of a file."""
    from cybersecqwen.apps.assess import parse_precision
    from cybersecqwen.apps.assess_stream import WholeRows

    if (arguments.text is None) == (arguments.input is None):
        raise InputError("give a text or --input FILE, one of the two")
    assessor = load_assessor(knowledge=True)
    threshold = parse_precision(assessor, arguments.precision, arguments.labeller)
    if arguments.text is None:
        rows = WholeRows(arguments.labeller)
        return run_job(arguments, assessor, rows, "assessed", threshold)
    (found,) = assessor.assess_many(
        [arguments.text], labeller=arguments.labeller, threshold=threshold
    )
    row = assessor.row(found)
    if arguments.json:
        print_json(row)
    else:
        _show(row)
    return EXIT_DONE


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
    assessor: Assessor,
    rows: AssessmentRows,
    noun: str,
    threshold: float | None = None,
) -> int:
    """Assess the records of ``--input``, with progress and a summary on standard error.

    Args:
        arguments: What was typed; see ``add_input``.
        assessor: The specialists.
        rows: What is made of what they say.
        noun: What the summary calls the rows.
        threshold: As for ``Assessor.assess_many``.
    """
    from cybersecqwen.apps.assess_job import AssessJob, run_assess_job

    source = None if arguments.input == "-" else place(arguments.input)
    check_resumption(arguments, rereadable=source is not None)
    job = AssessJob(
        source=source,
        assessor=assessor,
        rows=rows,
        threshold=threshold,
        format=arguments.format,
        output=arguments.output,
        resume=arguments.resume,
        restart=arguments.restart,
        engine=arguments.engine,
        workers=arguments.workers,
    )
    with shown(job, quiet=arguments.quiet) as screen:
        summary = run_assess_job(
            job,
            sink=sys.stdout.buffer,
            progress=screen.progress,
            report=screen.report,
            notice=screen.notice,
        )
    screen.show_summary(summary.describe(noun))
    return EXIT_SOME_FAILED if summary.problems else EXIT_DONE


def _show(row: dict[str, Any]) -> None:
    """Print an assessment for a person, no line longer than the terminal."""
    from cybersecqwen.apps.outputs.table import short_name
    from cybersecqwen.core.cvss_metrics import METRIC_NAMES, VALUE_NAMES

    width = min(shutil.get_terminal_size().columns, 100)
    note = "" if row["band"] == "sure" else f"  ({row['band']})"
    name = short_name(printable(row["name"]), width - 16 - len(note))
    print(f"{row['cwe']:<8}  {row['confidence']:>4.0%}  {name}{note}")
    for other in row["weaknesses"][1:]:
        name = short_name(printable(other["name"]), width - 22)
        print(f"{other['cwe']:<8}  {other['probability']:>4.0%}  also: {name}")
    cvss = row["cvss"]
    print(f"\nSeverity {cvss['score']} {cvss['severity']}: {cvss['vector']}")
    for metric, found in cvss["metrics"].items():
        value = VALUE_NAMES[metric][found["value"]]
        line = f"  {METRIC_NAMES[metric]:<19}  {value:<9}  {found['probability']:>4.0%}"
        words = printable(", ".join(found["because"]))
        print(
            f"{line}  {textwrap.shorten(words, width - len(line) - 2, placeholder=' …')}".rstrip()
        )
    if row["techniques"]:
        print("\nTechniques")
    for found in row["techniques"]:
        tail = f"  ({found['role']})"
        name = short_name(printable(found["name"]), width - 19 - len(tail))
        print(f"  {found['id']:<9}  {found['probability']:>4.0%}  {name}{tail}")
    if row["mitigations"]:
        print("\nMitigations")
    for mitigation in row["mitigations"]:
        text = f"{printable(mitigation['text'])} [{mitigation['citation']}]"
        print(textwrap.fill(text, width, initial_indent="- ", subsequent_indent="  "))
