"""``audit``: where records' own weaknesses and vectors differ from the specialists'."""

from __future__ import annotations

import argparse

from cybersecqwen.cli.arguments import LABELLERS
from cybersecqwen.cli.assess import add_input, load_assessor, run_job
from cybersecqwen.core.errors import InputError

HELP = "a second opinion on records' own CWE and CVSS: the surest differences first"
EXAMPLES = ("audit --input records.json --output differences.jsonl",)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_input(parser)
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

    if arguments.input is None:
        raise InputError("give --input FILE")
    assessor = load_assessor(knowledge=False)
    return run_job(
        arguments, assessor, Differences(arguments.labeller, advisory_store_file()), "differ"
    )
