"""``cybersecqwen train``: a specialist from a recipe and a corpus."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from cybersecqwen.cli.common import EXIT_DONE, print_json, warn
from cybersecqwen.core.config import load_recipe

HELP = "train a model from a recipe"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    specialist = kinds.add_parser("specialist", help="the embedded CWE classifier")
    specialist.add_argument("recipe", type=Path, help="YAML recipe")
    specialist.add_argument("--corpus", type=Path, required=True, help="folder of a built corpus")
    specialist.add_argument("--out", type=Path, required=True, help="folder for the model")
    specialist.add_argument(
        "--resume", action="store_true", help="go on with what a killed run left beside --out"
    )
    specialist.add_argument("--json", action="store_true", help="print the results as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Train and report."""
    from cybersecqwen.training.recipe import SpecialistRecipe
    from cybersecqwen.training.run import train_specialist

    if sys.stderr.isatty():
        logging.basicConfig(format="%(message)s", stream=sys.stderr)
        logging.getLogger("cybersecqwen").setLevel(logging.INFO)
    recipe = load_recipe(arguments.recipe, SpecialistRecipe)
    results = train_specialist(
        recipe,
        arguments.corpus,
        arguments.out,
        resume=arguments.resume,
        report=lambda stage, minutes: warn(f"{stage}: {minutes:.1f} minutes"),
    )
    if results is None:  # another process of the same launch reports
        return EXIT_DONE
    if arguments.json:
        print_json(results)
    else:
        for labeller, result in results.int8.items():
            print(
                f"{labeller}: {result.accuracy:.3f} of {result.rows:,} validation rows right, "
                f"top-5 {result.top5:.3f}, ECE {result.ece:.3f}, "
                f"answers {result.coverage:.0%} at {result.threshold:.2f} or more"
            )
        print(f"{arguments.out}: {results.model_bytes / 1e6:.1f} MB")
    return EXIT_DONE
