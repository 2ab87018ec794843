"""The options that say where a job's records are answered."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cybersecqwen.core.engine import Engine


SEVERAL = "on several processes or machines"
"""Heading of the engine's options in a verb's help."""


def add_engine(parser: argparse._ActionsContainer) -> None:
    """Add the engine's options."""
    parser.add_argument(
        "--engine",
        metavar="NAME",
        help="where records are answered: local, ray (a cluster on this machine) or ray:ADDRESS "
        "(CYBERSECQWEN_ENGINE, else local)",
    )
    parser.add_argument(
        "--workers", metavar="N", type=int, help="processes that answer, with --engine ray"
    )


def engine_of(arguments: argparse.Namespace) -> Engine:
    """Open the engine that was asked for.

    Raises:
        InputError: There is no such engine, or no cluster answers.
        MissingExtraError: Ray is not installed.
    """
    from cybersecqwen.apps.engine import open_engine

    return open_engine(arguments.engine, arguments.workers)
