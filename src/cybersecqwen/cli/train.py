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
    _add_compile(lora)
    lora.add_argument(
        "--deterministic",
        action="store_true",
        help="on a GPU: the same numbers in every run, at some cost in speed",
    )
    _add_shared(lora)
    reader = kinds.add_parser("reader", help="the embedded reader of multiple-choice questions")
    reader.add_argument("recipe", type=Path, help="YAML recipe")
    reader.add_argument("--quiz", type=Path, required=True, help="folder that corpus quiz made")
    reader.add_argument("--kb", type=Path, required=True, help="folder of a knowledge base")
    reader.add_argument("--out", type=Path, required=True, help="file for the reader (.npz)")
    reader.add_argument("--json", action="store_true", help="print the results as JSON")
    _configure_benchmark(
        kinds.add_parser("benchmark", help="time a lora recipe's steps, with random weights")
    )


def _configure_benchmark(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, help="YAML recipe; its base is not read")
    parser.add_argument("--shape", choices=("qwen3-4b", "qwen3-0.6b", "tiny"), default="qwen3-4b")
    parser.add_argument("--steps", type=int, default=5, metavar="N", help="steps to count (5)")
    parser.add_argument(
        "--example-tokens", type=int, default=230, metavar="N", help="mean of an example (230)"
    )
    parser.add_argument("--profile", choices=("consumer-16gb", "consumer-24gb", "datacenter"))
    parser.add_argument(
        "--tokens-at-once", type=int, metavar="N", help="of a micro-batch (as the memory allows)"
    )
    parser.add_argument(
        "--checkpointing", action="store_true", help="with --tokens-at-once: compute states again"
    )
    parser.add_argument(
        "--plain", action="store_true", help="adapters as PEFT computes them, to compare with"
    )
    _add_compile(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_compile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--compile", action="store_true", help="compile the layers: slow to start, faster after"
    )


def _add_shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--resume", action="store_true", help="go on with what a killed run left beside --out"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Train and report."""
    return {
        "specialist": _specialist,
        "lora": _lora,
        "reader": _reader,
        "benchmark": _benchmark,
    }[arguments.kind](arguments)


def _reader(arguments: argparse.Namespace) -> int:
    from cybersecqwen.cli.common import progress
    from cybersecqwen.knowledge.base import KnowledgeBase
    from cybersecqwen.knowledge.option_features import INPUTS
    from cybersecqwen.training.ranker.fit import RankerMetrics, RankerRecipe
    from cybersecqwen.training.ranker.run import blur, read_quiz, train_ranker

    recipe = load_recipe(arguments.recipe, RankerRecipe)
    whole = read_quiz(arguments.quiz / "train.jsonl", recipe.seed)
    held = arguments.quiz / "validation.jsonl"
    parts = {
        "train": whole[: recipe.questions or None],
        "validation": read_quiz(held, recipe.seed, recipe.validation_questions),
    }
    featurizer = KnowledgeBase(arguments.kb).featurizer
    words = [word for row in whole for word in row.question.split()]
    measured = {
        name: [
            RankerMetrics(
                featurizer.measure(*blur(row, words, recipe)).inputs,
                row.answer,
                row.kind,
                row.wording,
                row.paraphrase_level,
            )
            for row in progress(rows, f"{name} questions")
        ]
        for name, rows in parts.items()
    }
    results = train_ranker(measured["train"], measured["validation"], INPUTS, recipe, arguments.out)
    if arguments.json:
        print_json(results)
    else:
        print(f"{'validation':24} {'questions':>9} reader  retrieval  ECE")
        for name, score in results.scores.items():
            print(
                f"{name:24} {score.questions:9,} {score.accuracy:6.3f}  {score.first_input:9.3f}  "
                f"{score.ece:.3f}"
            )
        print(f"{arguments.out}: {arguments.out.stat().st_size / 1e3:.0f} kB")
    return EXIT_DONE


def _specialist(arguments: argparse.Namespace) -> int:
    from cybersecqwen.training.specialist.recipe import SpecialistRecipe
    from cybersecqwen.training.specialist.run import train_specialist

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
    results = train_lora(
        job,
        arguments.out,
        against,
        resume=arguments.resume,
        compiled=arguments.compile,
        deterministic=arguments.deterministic,
        report=report,
    )
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


def _benchmark(arguments: argparse.Namespace) -> int:
    from cybersecqwen.training.lora.benchmark import Load, benchmark
    from cybersecqwen.training.lora.memory_plan import MemoryStrategy
    from cybersecqwen.training.lora.recipe import LoraRecipe

    way = None
    if arguments.tokens_at_once is not None:
        if arguments.tokens_at_once < 1:
            raise InputError(f"--tokens-at-once must be at least 1, not {arguments.tokens_at_once}")
        way = MemoryStrategy(arguments.tokens_at_once, checkpointing=arguments.checkpointing)
    found = benchmark(
        load_recipe(arguments.recipe, LoraRecipe),
        arguments.shape,
        arguments.steps,
        load=Load(example_tokens=arguments.example_tokens),
        profile=arguments.profile,
        way=way,
        lean=not arguments.plain,
        compiled=arguments.compile,
    )
    if arguments.json:
        print_json(found)
    else:
        peak, told = found.peak_bytes / 2**30, found.estimate_bytes / 2**30
        print(
            f"{arguments.shape}, {found.device}, {found.attention}: {found.step_seconds:.3f} s a "
            f"step of {found.tokens_per_step:,.0f} tokens, {found.tokens_per_second:,.0f} "
            f"tokens/s, peak {peak:.2f} GiB (foretold {told:.2f})"
        )
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
    from cybersecqwen.corpus.cleaning.check import check_corpus

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
