"""``cybersecqwen train``: a specialist from a recipe and a corpus."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cybersecqwen.cli.common import EXIT_DONE, print_json, warn
from cybersecqwen.core.config import load_recipe
from cybersecqwen.core.errors import InputError

if TYPE_CHECKING:
    from cybersecqwen.training.lora.trainer import Progress

HELP = "train a model from a recipe"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    specialist = kinds.add_parser("specialist", help="the embedded CWE classifier")
    specialist.add_argument("recipe", type=Path, help="YAML recipe")
    specialist.add_argument("--corpus", type=Path, required=True, help="folder of a built corpus")
    specialist.add_argument("--out", type=Path, required=True, help="folder for the model")
    _add_shared(specialist)
    lora = kinds.add_parser("lora", help="an adapter for an instruction-tuned language model")
    lora.add_argument("recipe", type=Path, help="YAML recipe")
    lora.add_argument(
        "--corpus",
        type=Path,
        required=True,
        help="JSONL of prompts and responses, or a folder with train.jsonl (and validation.jsonl)",
    )
    lora.add_argument("--out", type=Path, required=True, help="folder for the adapter")
    lora.add_argument(
        "--profile",
        choices=("consumer-16gb", "consumer-24gb", "datacenter"),
        help="keep to the memory of such a card (what this machine has)",
    )
    lora.add_argument(
        "--against",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="benchmark files; a corpus that overlaps one is refused",
    )
    _add_shared(lora)


def _add_shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--resume", action="store_true", help="go on with what a killed run left beside --out"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Train and report."""
    return {"specialist": _specialist, "lora": _lora}[arguments.kind](arguments)


def _specialist(arguments: argparse.Namespace) -> int:
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


def _lora(arguments: argparse.Namespace) -> int:
    from cybersecqwen.training.lora.recipe import LoraRecipe

    recipe = load_recipe(arguments.recipe, LoraRecipe)
    _checked_paths(arguments)
    against = _prove_clean(arguments.corpus, arguments.against)
    from cybersecqwen.training.lora.run import prepare, train_lora

    job = prepare(recipe, arguments.corpus, arguments.profile)
    way = job.plan.way
    if sys.stderr.isatty():
        warn(
            f"{len(job.train.rows):,} rows ({job.train.too_long:,} examples too long), "
            f"{way.tokens_at_once:,} tokens at once, checkpointing "
            f"{'on' if way.checkpointing else 'off'}, about {job.plan.estimate / 2**30:.1f} GiB"
        )
    report = _show_progress if sys.stderr.isatty() else None
    results = train_lora(job, arguments.out, against, resume=arguments.resume, report=report)
    if results is None:  # another process of the same launch reports
        return EXIT_DONE
    if arguments.json:
        print_json(results)
        return EXIT_DONE
    print(
        f"{results.steps:,} steps in {results.seconds / 60:.1f} minutes, "
        f"{results.tokens_per_second:,.0f} tokens/s, peak {results.peak_bytes / 2**30:.2f} GiB, "
        f"loss {results.loss:.4f}"
    )
    for name, value in results.validation.items():
        print(f"validation {name.replace('_', ' ')}: {value:.4f}")
    print(f"{arguments.out}: the adapter, training.json and README.md")
    return EXIT_DONE


def _checked_paths(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be meant before a large package is imported."""
    if arguments.out.exists():
        raise InputError(f"{arguments.out}: is there already; give another folder, or remove it")
    if not arguments.corpus.exists():
        raise InputError(
            f"{arguments.corpus}: no such corpus; give a JSONL file of prompts and responses, or a "
            "folder that `cybersecqwen corpus build` made"
        )


def _prove_clean(corpus: Path, benchmarks: Sequence[Path]) -> dict[str, str]:
    """Return the benchmark files' hashes once no row of the corpus overlaps an item of them."""
    if not benchmarks:
        return {}
    from cybersecqwen.core.files import sha256_file
    from cybersecqwen.corpus.check import check_corpus

    found = check_corpus(corpus, benchmarks)
    if not found.clean:
        raise InputError(
            f"{corpus}: {found.overlapping_rows:,} rows overlap a benchmark; see `cybersecqwen "
            f"corpus check {corpus} --against ...`, and take them out"
        )
    return {file.name: sha256_file(file) for file in benchmarks}


def _show_progress(done: Progress) -> None:
    print(
        f"\rstep {done.step:,} of {done.steps:,}  loss {done.loss:.4f}  "
        f"{done.tokens_per_second:,.0f} tokens/s ",
        end="\n" if done.step == done.steps else "",
        file=sys.stderr,
        flush=True,
    )
