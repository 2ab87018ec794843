"""``eval mix``: what mixing in the embedded reader's opinion does to a language model's choices."""

from __future__ import annotations

import argparse
from pathlib import Path

from cybersecqwen.cli.common import EXIT_DONE, print_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    parser.add_argument("log", type=Path, metavar="LOG", help="the language model's, unmixed")
    parser.add_argument("reader", type=Path, metavar="READER", help="the embedded reader's")
    parser.add_argument(
        "--weight", type=float, metavar="X", help="fit nothing: this ranker_weight and no other"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="MIXED",
        help="write the log that a run with this weight, or the one fitted, would have written",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Mix two logs, print what comes of it, and write it if asked to."""
    from cybersecqwen.apps.evaluation import fit_ensemble

    mix = fit_ensemble(
        arguments.log, arguments.reader, weight=arguments.weight, output=arguments.output
    )
    if arguments.json:
        print_json(mix)
        return EXIT_DONE
    print(f"{mix.n:,} questions; the option ranker alone is right on {mix.reader:.4f}\n")
    for weight, accuracy in mix.accuracy.items():
        mark = "*" if weight == mix.weight else " "
        print(
            f"{mark} ranker_weight {weight:4.2f}  right {accuracy:.4f}  loss {mix.loss[weight]:.4f}"
        )
    return EXIT_DONE
