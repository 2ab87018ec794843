"""``cybersecqwen corpus``: build training files, report on them, prove them clean."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cybersecqwen.cli.common import (
    EXIT_DONE,
    EXIT_SOME_FAILED,
    backend_options,
    print_json,
    show_progress,
    warn,
)
from cybersecqwen.cli.engine import SEVERAL, add_engine, engine_of
from cybersecqwen.cli.places import place, staged

if TYPE_CHECKING:
    from cybersecqwen.apps.corpus import CorpusBuild
    from cybersecqwen.corpus.cleaning.check import CheckReport
    from cybersecqwen.corpus.cleaning.decontaminate import Overlap
    from cybersecqwen.corpus.quiz.recipe import QuizRecipe

HELP = "build training files from raw records, report on them, prove them free of benchmarks"
EXAMPLES = (
    "corpus build recipes/corpus/public.yaml --data data --out corpus",
    "corpus check corpus --against cti-rcm.tsv",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's commands."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _configure_build(commands.add_parser("build", help="make a corpus folder from a recipe"))
    _configure_quiz(
        commands.add_parser("quiz", help="make multiple-choice questions from CWE, CAPEC, ATT&CK")
    )
    _configure_techniques(
        commands.add_parser(
            "techniques", help="sentences with their ATT&CK technique, CTI-ATE's pages left out"
        )
    )
    _configure_replay(
        commands.add_parser(
            "replay", help="a base's own answers to neutral prompts, beside a corpus"
        )
    )
    report = commands.add_parser("report", help="print a finished corpus's report")
    report.add_argument("corpus", type=Path, metavar="DIR", help="a corpus that build made")
    report.add_argument("--json", action="store_true", help="print it as JSON")
    _configure_check(
        commands.add_parser("check", help="exit 1 if training files overlap a benchmark")
    )


def _configure_build(build: argparse.ArgumentParser) -> None:
    build.add_argument("recipe", type=Path, metavar="RECIPE", help="YAML file")
    build.add_argument("--out", type=place, required=True, metavar="DIR", help="folder to make")
    build.add_argument(
        "--data",
        type=place,
        metavar="DIR",
        help="folder that the recipe's paths are in (default: $CYBERSECQWEN_DATA, "
        "else the recipe's own folder)",
    )
    build.add_argument(
        "--teacher",
        metavar="SPEC",
        help="language model that puts a chat corpus's answers into other words "
        "(hf:, gguf:, openai: or mock:); each answer is checked, and kept as it was if that fails; "
        "for a corpus of records it tells some descriptions in plain words (reworded.jsonl)",
    )
    add_engine(build.add_argument_group(SEVERAL))
    build.add_argument("--json", action="store_true", help="print the report as JSON")


def _configure_quiz(quiz: argparse.ArgumentParser) -> None:
    quiz.add_argument("recipe", type=Path, metavar="RECIPE", help="YAML file")
    quiz.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to make")
    quiz.add_argument("--data", type=Path, metavar="DIR", help="as for build")
    quiz.add_argument(
        "--teacher",
        metavar="SPEC",
        help="language model that writes more questions from passages (hf:, gguf: or mock:)",
    )
    quiz.add_argument("--json", action="store_true", help="print the report as JSON")


def _configure_techniques(techniques: argparse.ArgumentParser) -> None:
    techniques.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to make")
    techniques.add_argument(
        "--data", type=Path, metavar="DIR", help="folder of the data (default: $CYBERSECQWEN_DATA)"
    )
    techniques.add_argument(
        "--teacher",
        metavar="SPEC",
        help="language model that writes scenarios, other wordings and reports to learn from, and "
        "held-out ones to fit the readings on (hf:, gguf:, openai: or mock:)",
    )


def _configure_replay(replay: argparse.ArgumentParser) -> None:
    replay.add_argument("corpus", type=Path, metavar="DIR", help="a corpus that build made")
    replay.add_argument(
        "--base", required=True, metavar="SPEC", help="model to be fine-tuned (hf:ID or hf:DIR)"
    )
    replay.add_argument(
        "--prompts", type=int, default=1000, metavar="N", help="to put to it (1000)"
    )
    replay.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an option of the model's backend, such as batch_size=64",
    )


def _configure_check(check: argparse.ArgumentParser) -> None:
    check.add_argument("path", type=Path, metavar="DIR|FILE", help="corpus folder or JSONL file")
    check.add_argument(
        "--against",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        metavar="FILE",
        help="benchmark files",
    )
    check.add_argument("--ngram", type=int, default=8, metavar="N", help="words in a piece (8)")
    check.add_argument(
        "--containment",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="share of an item's pieces in one row that makes them alike (0.5)",
    )
    check.add_argument(
        "--cosine",
        type=float,
        default=0.8,
        metavar="COSINE",
        help="TF-IDF cosine that makes them alike (0.8)",
    )
    check.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run one of the verb's commands."""
    commands = {
        "build": _build,
        "quiz": _quiz,
        "techniques": _techniques,
        "replay": _replay,
        "report": _report,
        "check": _check,
    }
    return commands[arguments.command](arguments)


def _replay(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.corpus import replay_base

    rows = replay_base(
        arguments.corpus,
        arguments.base,
        prompts=arguments.prompts,
        options=backend_options(arguments.option),
    )
    print(f"{arguments.corpus / 'replay.jsonl'}: {rows:,} answers of {arguments.base}")
    return EXIT_DONE


def _techniques(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.corpus import build_technique_corpus, data_folder

    built = build_technique_corpus(
        arguments.data or data_folder(), arguments.out, arguments.teacher
    )
    print_json(built)
    return EXIT_DONE


def _quiz(arguments: argparse.Namespace) -> int:
    from cybersecqwen.core.config import load_recipe
    from cybersecqwen.corpus.quiz.recipe import QuizRecipe

    return _build(arguments, load_recipe(arguments.recipe, QuizRecipe))


def _build(arguments: argparse.Namespace, quiz: QuizRecipe | None = None) -> int:
    with staged(arguments, ("data",), ("out",)):
        return _build_here(arguments, quiz)


def _build_here(arguments: argparse.Namespace, quiz: QuizRecipe | None) -> int:
    from cybersecqwen.apps.corpus import build_corpus, data_folder

    built = build_corpus(
        quiz or arguments.recipe,
        arguments.out,
        data=arguments.data or data_folder(arguments.recipe),
        teacher=getattr(arguments, "teacher", None),
        on_progress=show_progress(),
        engine=None if quiz else engine_of(arguments),
    )
    if arguments.json:
        print_json(built.report)
    else:
        _print_build(built)
    for problem in built.problems:
        warn(problem)
    if built.unreadable > len(built.problems):
        rest = built.unreadable - len(built.problems)
        warn(f"and {rest:,} more: {built.folder / 'removed.jsonl'}")
    return EXIT_SOME_FAILED if built.unreadable else EXIT_DONE


def _print_build(built: CorpusBuild) -> None:
    from cybersecqwen.corpus.chat.report import ChatReport
    from cybersecqwen.corpus.quiz.report import QuizReport

    report = built.report
    if isinstance(report, ChatReport):
        for name, rows in report.rows.items():
            print(f"{name:<12}{rows:>10,} rows")
        print(f"{'tokens':<12}{sum(report.tokens.values()):>10,} in train, estimated")
        for outcome, count in report.phrasing.items():
            print(f"{outcome:<12}{count:>10,} answers put to the teacher")
        print(f"{built.folder}: report.md has the numbers and samples of each kind")
        return
    if isinstance(report, QuizReport):
        for name, questions in report.parts.items():
            print(f"{name:<12}{questions.rows:>10,} questions about {questions.pages:,} pages")
        removed = sum(sum(kinds.values()) for kinds in report.removed.values())
        print(f"{'removed':<12}{removed:>10,} of {report.drafted:,}")
        print(f"{built.folder}: report.md has the numbers")
        return
    for name, part in report.parts.items():
        print(f"{name:<12}{part.rows:>10,} rows")
    print(f"{'removed':<12}{sum(report.removed.values()):>10,} records")
    print(f"{built.folder}: report.md has the numbers, removed.jsonl the evidence")


def _report(arguments: argparse.Namespace) -> int:
    from cybersecqwen.corpus.chat.report import read_report
    from cybersecqwen.corpus.records.report import read_markdown

    if arguments.json:
        print_json(read_report(arguments.corpus))
    else:
        print(read_markdown(arguments.corpus), end="")
    return EXIT_DONE


def _check(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.corpus import check
    from cybersecqwen.core.errors import InputError
    from cybersecqwen.corpus.records.recipe import NearDuplicate

    shares = (arguments.containment, arguments.cosine)
    if arguments.ngram < 1 or not all(0 < share <= 1 for share in shares):
        raise InputError("--ngram must be 1 or more, --containment and --cosine above 0, at most 1")
    limits = NearDuplicate(
        ngram=arguments.ngram, containment=arguments.containment, cosine=arguments.cosine
    )
    report = check(arguments.path, arguments.against, limits)
    if arguments.json:
        print_json(report)
    else:
        _print_check(report, arguments.path)
    return EXIT_DONE if report.clean else EXIT_SOME_FAILED


def _print_check(report: CheckReport, path: Path) -> None:
    print(f"{'benchmark':<24}{'items':>8}  {'measure':<8}{'items met':>10}{'rows':>10}")
    for overlap in report.overlaps:
        print(_check_line(overlap))
    for overlap in report.overlaps:
        for row, match in overlap.examples:
            print(f"  {row}: {match.measure} {match.score:.4f} with {match.item}, {match.against}")
    print(
        f"{report.duplicate_texts:,} of {report.rows:,} rows repeat an earlier text, "
        f"{report.duplicate_rows:,} of them with the same answer"
    )
    verdict = "clean" if report.clean else f"not clean: {report.overlapping_rows:,} rows overlap"
    print(f"{path}: {verdict}")


def _check_line(overlap: Overlap) -> str:
    return (
        f"{overlap.benchmark:<24}{overlap.size:>8,}  {overlap.measure:<8}"
        f"{overlap.items:>10,}{overlap.rows:>10,}"
    )
