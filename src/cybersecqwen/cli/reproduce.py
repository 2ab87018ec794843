"""``reproduce``: from raw data to a measured model and its card, in one resumable job."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cybersecqwen.cli.arguments import add_json, add_layer_compilation, add_profile
from cybersecqwen.cli.common import EXIT_DONE, print_json, show_progress, warn

if TYPE_CHECKING:
    from cybersecqwen.apps.progress import JobProgress

HELP = "corpus, check, training, exports, scores and card of a language model, in one job"
EXAMPLES = (
    "reproduce --data data --out model",
    "reproduce --data data --out try --dry-run",
    "reproduce --recipe reference --base DIR --data data --out model",
    "reproduce --corpus cybersecqwen-public --data data --out model",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for all that is made"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="folder of raw data (CYBERSECQWEN_DATA)"
    )
    parser.add_argument(
        "--recipe",
        default="cybersecqwen",
        metavar="NAME",
        help="cybersecqwen or reference (cybersecqwen)",
    )
    parser.add_argument(
        "--corpus", metavar="NAME", help="corpus recipe, where it is another (the recipe's)"
    )
    parser.add_argument(
        "--recipes",
        type=Path,
        default=Path("recipes"),
        metavar="DIR",
        help="folder of corpus/NAME.yaml and lora/NAME.yaml (recipes)",
    )
    parser.add_argument("--base", metavar="ID|DIR", help="base model (the recipe's: 4B)")
    add_profile(parser)
    add_layer_compilation(parser)
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="questions of each evaluation at most, where time does not suffice for all",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="go through every stage with a few records and a tiny random model",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do the stages that are not done yet and say where the card is."""
    from cybersecqwen.apps.corpus import data_folder
    from cybersecqwen.apps.reproduce import reproduce
    from cybersecqwen.apps.reproduce_inputs import ReproduceOptions

    said = ""
    show = show_progress()

    def tell(progress: JobProgress) -> None:
        nonlocal said
        if progress.total is not None:
            show(progress)
        elif progress.stage != said:
            said = progress.stage
            warn(said)

    options = ReproduceOptions(
        out=arguments.out,
        data=arguments.data or data_folder(),
        recipe=arguments.recipe,
        recipes=arguments.recipes,
        base=arguments.base,
        profile=arguments.profile,
        compiled=arguments.compile,
        limit=arguments.limit,
        dry_run=arguments.dry_run,
        corpus=arguments.corpus,
    )
    try:
        card = reproduce(options, on_progress=tell)
    except KeyboardInterrupt:
        warn(f"{said}: stopped; the same command goes on from here")
        raise
    if arguments.json:
        print_json({"card": str(card), "folder": str(arguments.out)})
    else:
        print(card)
    return EXIT_DONE
