"""``demo``: map a small feed that ships, and say what to do next."""

from __future__ import annotations

import argparse
import sys

from cybersecqwen.cli.common import warn

HELP = "map a small sample feed that ships with the package"
EXAMPLES = ("demo",)

_NEXT = """
A feed of your own:     cybersecqwen map --input FILE --output answers.csv
A question:             cybersecqwen ask "How can password spraying be mitigated?"
A page for the browser: cybersecqwen serve"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Map the sample feed as ``map --input`` does, to a table."""
    from cybersecqwen.apps.sample import sample_feed
    from cybersecqwen.cli import map as map_verb

    parser = argparse.ArgumentParser()
    map_verb.configure(parser)
    words = ["--input", str(sample_feed()), *(["--json"] if arguments.json else ["--to", "table"])]
    code = map_verb.run(parser.parse_args(words))
    if not arguments.json and sys.stderr.isatty():
        warn(_NEXT)
    return code
