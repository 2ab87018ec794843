"""``cybersecqwen train``: a specialist, a LoRA adapter or the option ranker from a recipe."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cybersecqwen.cli.arguments import add_json, add_layer_compilation, add_profile
from cybersecqwen.cli.common import EXIT_DONE, print_json, show_progress, warn
from cybersecqwen.core.errors import InputError

HELP = "train a model from a recipe"
EXAMPLES = (
    "train specialist recipes/specialist/embedded.yaml --corpus corpus --out model",
    "train lora recipes/lora/cybersecqwen.yaml --corpus chat --out adapter",
)

# Written out, since the recipe's own type is not to be imported for a help text.
_LORA_KEYS = (
    "name, base, method (lora, full), adapter (rank, alpha, dropout, targets, layers), fit "
    "(epochs, batch, learning_rate, warmup, weight_decay, clip), max_tokens, packing, "
    "stratify_by_length, loss, final_weight, repeat, first, replay, replay_loss, scale, logits, "
    "checkpoint_every, validate_every, validation_rows, seed"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    for kind, what in (
        ("specialist", "the embedded CWE classifier"),
        ("severity", "the embedded scorer of CVSS metrics"),
        ("technique", "the embedded classifier of ATT&CK techniques"),
    ):
        _configure_specialist(kinds.add_parser(kind, help=what))
    _configure_mapped(
        kinds.add_parser(
            "cve-technique", help="the ATT&CK techniques of CVEs, from analysts' mappings"
        )
    )
    _configure_lora(
        kinds.add_parser(
            "lora",
            help="an instruction-tuned language model: an adapter for it, or all its weights",
        )
    )
    _configure_ranker(
        kinds.add_parser(
            "ranker",
            aliases=["reader"],  # its name up to version 0.1
            help="the option ranker of open-book multiple choice",
        )
    )
    _configure_benchmark(
        kinds.add_parser("benchmark", help="time a lora recipe's steps, with random weights")
    )


def _configure_specialist(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, help="YAML recipe")
    parser.add_argument("--corpus", type=Path, required=True, help="folder of its built corpus")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    _add_shared(parser)


def _configure_mapped(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="folder of a weakness specialist with the others")
    parser.add_argument(
        "--mappings",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with attack_to_cve.csv.gz and kev_to_attack.json.gz",
    )
    parser.add_argument(
        "--records",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        metavar="FILE",
        help="records of any format that map reads, for the CVEs' descriptions",
    )
    parser.add_argument(
        "--attack", type=Path, required=True, metavar="FILE", help="ATT&CK's STIX bundle"
    )
    add_json(parser)


def _configure_lora(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, help=f"YAML recipe of {_LORA_KEYS}: see docs/lora.md")
    parser.add_argument(
        "--corpus",
        type=Path,
        required=True,
        help="JSONL of prompts and responses, or a folder with train.jsonl (and validation.jsonl)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the adapter or model")
    add_profile(parser)
    parser.add_argument(
        "--against",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="benchmark files; a corpus that overlaps one is refused",
    )
    add_layer_compilation(parser)
    parser.add_argument(
        "--deterministic",
        action="store_true",
        help="on a GPU: the same numbers in every run, at some cost in speed",
    )
    parser.add_argument(
        "--general",
        action="store_true",
        help="put the general check to the base and to the result, and print it in the card",
    )
    _add_shared(parser)


def _configure_ranker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, help="YAML recipe")
    parser.add_argument("--quiz", type=Path, required=True, help="folder that corpus quiz made")
    parser.add_argument("--kb", type=Path, required=True, help="folder of a knowledge base")
    parser.add_argument("--out", type=Path, required=True, help="file for the ranker (.npz)")
    parser.add_argument(
        "--outside",
        type=Path,
        metavar="FILE",
        help="YAML questions that the pages do not answer: also fit whether they do (.held.json)",
    )
    add_json(parser)


def _configure_benchmark(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, help="YAML recipe; its base is not read")
    parser.add_argument(
        "--shape",
        choices=("qwen3-4b", "qwen3-0.6b", "tiny"),
        default="qwen3-4b",
        help="size of a model with random weights (qwen3-4b)",
    )
    parser.add_argument("--steps", type=int, default=5, metavar="N", help="steps to count (5)")
    parser.add_argument(
        "--example-tokens", type=int, default=230, metavar="N", help="mean of an example (230)"
    )
    add_profile(parser)
    parser.add_argument(
        "--tokens-at-once", type=int, metavar="N", help="of a micro-batch (as the memory allows)"
    )
    parser.add_argument(
        "--checkpointing", action="store_true", help="with --tokens-at-once: compute states again"
    )
    parser.add_argument(
        "--plain", action="store_true", help="adapters as PEFT computes them, to compare with"
    )
    add_layer_compilation(parser)
    add_json(parser)


def _add_shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--resume", action="store_true", help="go on with what a killed run left beside --out"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train and report."""
    return {
        "specialist": _specialist,
        "severity": _specialist,
        "technique": _specialist,
        "cve-technique": _cve_technique,
        "lora": _lora,
        "ranker": _ranker,
        "reader": _ranker,
        "benchmark": _benchmark,
    }[arguments.kind](arguments)


def _ranker(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.training import train_ranker

    results = train_ranker(
        arguments.recipe,
        arguments.quiz,
        arguments.kb,
        arguments.out,
        outside=arguments.outside,
        on_progress=show_progress(),
    )
    if arguments.json:
        print_json(results)
    else:
        print(f"{'validation':24} {'questions':>9} ranker  retrieval  ECE")
        for name, score in results.scores.items():
            print(
                f"{name:24} {score.questions:9,} {score.accuracy:6.3f}  {score.first_input:9.3f}  "
                f"{score.ece:.3f}"
            )
        if results.truth:
            truth = results.truth
            print(f"options that speak of others: {truth.accuracy:.3f} of {truth.questions:,}")
        if results.held:
            held = results.held
            print(
                f"told apart: {held.inside:.3f} of the answered, {held.outside:.3f} of the others"
            )
        print(f"{arguments.out}: {arguments.out.stat().st_size / 1e3:.0f} kB")
    return EXIT_DONE


def _specialist(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.training import train_specialist

    if sys.stderr.isatty():
        import logging

        logging.basicConfig(format="%(message)s", stream=sys.stderr)
        logging.getLogger("cybersecqwen").setLevel(logging.INFO)
    results = train_specialist(
        arguments.recipe,
        arguments.corpus,
        arguments.out,
        kind=arguments.kind,
        resume=arguments.resume,
        on_progress=lambda progress: warn(progress.stage),
    )
    if results is None:  # another process of the same launch reports
        return EXIT_DONE
    if arguments.json:
        print_json(results)
    elif isinstance(results, dict):
        print(f"{arguments.out}: what it reaches is in README.md there")
    else:
        for labeller, result in results.int8.items():
            print(
                f"{labeller}: {result.accuracy:.3f} of {result.rows:,} validation rows right, "
                f"top-5 {result.top5:.3f}, ECE {result.ece:.3f}, "
                f"answers {result.coverage:.0%} at {result.threshold:.2f} or more"
            )
            if result.threshold == 1:
                print(
                    f"{labeller}: every answer is called unsure: fewer than 100 rows to calibrate "
                    "by, or the target accuracy is out of reach"
                )
        print(f"{arguments.out}: {results.model_bytes / 1e6:.1f} MB")
    return EXIT_DONE


def _cve_technique(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.mapping_training import train_vulnerability_technique

    results = train_vulnerability_technique(
        arguments.mappings,
        arguments.records,
        arguments.attack,
        arguments.model,
        on_progress=lambda progress: warn(progress.stage),
    )
    if arguments.json:
        print_json(results)
    else:
        print(
            f"{results['techniques']} techniques from {results['cves']:,} CVEs, "
            f"recall at 5 {results['recall_at_5']:.3f} in five folds"
        )
    return EXIT_DONE


def _lora(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.training import train_lora

    results = train_lora(
        arguments.recipe,
        arguments.corpus,
        arguments.out,
        profile=arguments.profile,
        against=arguments.against,
        resume=arguments.resume,
        compiled=arguments.compile,
        deterministic=arguments.deterministic,
        general=arguments.general,
        on_progress=show_progress(),
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
    made = "adapter" if (arguments.out / "adapter_config.json").is_file() else "model"
    print(f"{arguments.out}: the {made}, training.json and README.md")
    return EXIT_DONE


def _benchmark(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.training import time_lora_steps
    from cybersecqwen.training.lora.memory_plan import MemoryStrategy

    strategy = None
    if arguments.tokens_at_once is not None:
        if arguments.tokens_at_once < 1:
            raise InputError(f"--tokens-at-once must be at least 1, not {arguments.tokens_at_once}")
        strategy = MemoryStrategy(arguments.tokens_at_once, checkpointing=arguments.checkpointing)
    found = time_lora_steps(
        arguments.recipe,
        arguments.shape,
        steps=arguments.steps,
        example_tokens=arguments.example_tokens,
        profile=arguments.profile,
        strategy=strategy,
        fused_adapters=not arguments.plain,
        compiled=bool(arguments.compile),
    )
    if arguments.json:
        print_json(found)
    else:
        peak, predicted = found.peak_bytes / 2**30, found.estimate_bytes / 2**30
        print(
            f"{arguments.shape}, {found.device}, {found.attention}: {found.step_seconds:.3f} s a "
            f"step of {found.tokens_per_step:,.0f} tokens, mean of {found.steps} after "
            f"{found.warm_up} of warm-up; {found.tokens_per_second:,.0f} tokens/s, peak "
            f"{peak:.2f} GiB (predicted {predicted:.2f})"
        )
    return EXIT_DONE
