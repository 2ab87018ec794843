"""``eval mix``: what mixing in the embedded reader's opinion does to a language model's choices."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from cybersecqwen.cli.common import EXIT_DONE, print_json
from cybersecqwen.core.errors import InputError


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
    from cybersecqwen.evaluation.ensemble_weight import WEIGHTS, fit_mix, write_mixed
    from cybersecqwen.evaluation.log import read_log

    given: float | None = arguments.weight
    if given is not None and not 0 <= given < math.inf:
        raise InputError(f"--weight must be 0 or more, not {given:g}")
    model, reader = read_log(arguments.log), read_log(arguments.reader)
    mix = fit_mix(model, reader, WEIGHTS if given is None else (given,))
    if arguments.output is not None:
        write_mixed(model, reader, mix.weight, arguments.output)
    if arguments.json:
        print_json(mix)
        return EXIT_DONE
    print(f"{mix.n:,} questions; the embedded reader alone is right on {mix.reader:.4f}\n")
    for weight, accuracy in mix.accuracy.items():
        mark = "*" if weight == mix.weight else " "
        print(
            f"{mark} ranker_weight {weight:4.2f}  right {accuracy:.4f}  loss {mix.loss[weight]:.4f}"
        )
    return EXIT_DONE
