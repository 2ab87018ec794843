"""Arguments that several verbs take, each written once."""

from __future__ import annotations

import argparse
from pathlib import Path

LABELLERS = ("nvd", "cna")
"""Whose labelling conventions there are; named here too, so that --help imports nothing."""

CARDS = ("consumer-16gb", "consumer-24gb", "datacenter")
"""Memory profiles; named here too, so that --help imports nothing."""


def add_json(parser: argparse._ActionsContainer) -> None:
    """Add the option that prints JSON and nothing else on standard output."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_actors(parser: argparse._ActionsContainer) -> None:
    """Add the option that names more threat actors, for the tasks about them."""
    parser.add_argument(
        "--actors",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="more names of threat actors: YAML, or an ATT&CK bundle",
    )


def add_profile(parser: argparse._ActionsContainer) -> None:
    """Add the option that keeps a training to the memory of a kind of card."""
    parser.add_argument(
        "--profile",
        choices=CARDS,
        metavar="CARD",
        help=f"keep to the memory of such a card: {', '.join(CARDS)} (what this machine has)",
    )


def add_layer_compilation(parser: argparse._ActionsContainer) -> None:
    """Add the options that let PyTorch compile a model's layers, or forbid it."""
    parser.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="compile the layers: slow to start, faster after (where it pays)",
    )
