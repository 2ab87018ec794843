"""``audit``: where records' own weaknesses and vectors differ from the specialists'."""

from __future__ import annotations

import argparse

from cybersecqwen.cli.arguments import LABELLERS
from cybersecqwen.cli.assess import add_input, check_records, load_assessor, run_job
from cybersecqwen.cli.given import what_was_given
from cybersecqwen.core.errors import InputError

HELP = "a second opinion on records' own CWE and CVSS: the surest differences first"
OUTPUT_FORMATS = ("text", "table", "jsonl", "json", "csv")  # named here too, as for ``assess``
EXAMPLES = ("audit --input records.json --output differences.jsonl",)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.usage = "cybersecqwen audit [OPTION ...] RECORD | ID ... | --input FILE"
    add_input(parser, OUTPUT_FORMATS)
    parser.set_defaults(report=[])
    parser.add_argument(
        "--labeller",
        choices=LABELLERS,
        default="cna",
        help="whose weakness and vector to look at; they are not read for the opinion (cna)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the differences as JSON lines."""
    from cybersecqwen.apps.audit import Differences
    from cybersecqwen.core.paths import advisory_store_file

    given = what_was_given(arguments.text, arguments.input, arguments.format, verb="audit")
    if given.text is not None:
        raise InputError("a bare text has no weakness of its own: give a record, an id or --input")
    check_records(arguments, given)
    assessor = load_assessor(knowledge=False)
    return run_job(
        arguments, given, assessor, Differences(arguments.labeller, advisory_store_file())
    )
