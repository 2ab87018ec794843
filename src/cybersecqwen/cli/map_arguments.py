"""The arguments of ``map``, in the groups that its help shows."""

from __future__ import annotations

import argparse

from cybersecqwen.cli.arguments import LABELLERS
from cybersecqwen.cli.engine import SEVERAL, add_engine
from cybersecqwen.cli.places import place
from cybersecqwen.cli.record_job import add_quiet, add_records, add_resumption, add_text

# Named here too, so that --help imports nothing; a test compares them.
OUTPUT_FORMATS = (
    *("table", "jsonl", "json", "csv", "xlsx", "sarif", "html", "markdown"),
    *("cve5", "csaf", "osv", "cyclonedx"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.usage = "cybersecqwen map [OPTION ...] TEXT | ID ... | --input FILE"
    add_text(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_quiet(parser)
    _add_input(parser.add_argument_group("what is read"))
    _add_output(parser.add_argument_group("what is written"))
    _add_answer(parser.add_argument_group("how it is answered"))
    _add_language_model(parser.add_argument_group("with a language model"))
    add_engine(parser.add_argument_group(SEVERAL))


def _add_input(group: argparse._ArgumentGroup) -> None:
    add_records(group)
    group.add_argument(
        "--only-unlabelled",
        action="store_true",
        help="map only records without a weakness of their own",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--to",
        choices=OUTPUT_FORMATS,
        metavar="FORMAT",
        help=f"what to write: {', '.join(OUTPUT_FORMATS)} (by --output's ending; else table on a "
        "terminal, jsonl elsewhere)",
    )
    group.add_argument(
        "--output",
        metavar="FILE",
        help="write here, all or nothing; its ending (.jsonl, .csv, .csv.gz ...) says the format; "
        "- is standard output",
    )
    group.add_argument(
        "--report",
        metavar="FILE",
        type=place,
        action="append",
        default=[],
        help="write a report on the rows too: a page to send on (.html) or Markdown (.md)",
    )
    group.add_argument(
        "--disagreements",
        action="store_true",
        help="write the rows alone whose answer is not among the record's own labels",
    )
    group.add_argument("--org-id", metavar="UUID", default="", help="who publishes, for --to cve5")
    add_resumption(group)


def _add_answer(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--labeller",
        choices=LABELLERS,
        default="nvd",
        help="whose labelling convention to follow: NVD's analysts or the CVE's CNA (nvd)",
    )
    group.add_argument(
        "--top-k", metavar="N", type=int, default=5, help="candidates for each text (5)"
    )
    group.add_argument(
        "--precision",
        metavar="P",
        type=float,
        help="abstain where fewer than P of such answers were right on held-out weeks (0.9)",
    )
    group.add_argument(
        "--threshold",
        metavar="P",
        type=float,
        help="abstain under this confidence, 0 to 1 (the model's own)",
    )
    group.add_argument(
        "--allowed-only",
        action="store_true",
        help="propose only ids that MITRE allows for mapping",
    )
    group.add_argument(
        "--model",
        metavar="SPEC",
        default="embedded",
        help="embedded, a specialist's folder, or a language model (hf:ID_OR_DIR, gguf:FILE) that "
        "chooses from the embedded one's shortlist (embedded)",
    )


def _add_language_model(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--shortlist", metavar="N", type=int, help="ids that a language model chooses from (10)"
    )
    group.add_argument(
        "--shortlist-weight",
        metavar="W",
        type=float,
        help="exponent of the embedded model's own probabilities; 0: the language model's alone",
    )
    group.add_argument(
        "--explain", action="store_true", help="let a language model write why, after its choice"
    )
    group.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an option of the language model's backend, such as threads=4",
    )
