"""The arguments of ``eval``, those of ``eval run`` in the groups that its help shows."""

from __future__ import annotations

import argparse
from pathlib import Path

from cybersecqwen.cli import eval_batch, eval_mix
from cybersecqwen.cli.arguments import LABELLERS, add_actors, add_json
from cybersecqwen.cli.engine import SEVERAL, add_engine
from cybersecqwen.cli.places import place


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    run = actions.add_parser("run", help="put a task's questions to a system")
    run.add_argument("task", metavar="TASK", help="cti-rcm, cti-mcq, cti-vsp, cti-ate, ...")
    run.add_argument(
        "--output", type=place, metavar="LOG", required=True, help="log of every prompt and answer"
    )
    _add_shared(run)
    _add_questions(run.add_argument_group("which questions"))
    _add_system(run.add_argument_group("which system"))
    _add_protocol(run.add_argument_group("how they are put"))
    add_engine(run.add_argument_group(SEVERAL))
    eval_batch.configure(
        actions.add_parser("batch", help="many systems on many tasks: logs and one report")
    )
    score = actions.add_parser("score", help="score a log again, by every protocol's reader")
    score.add_argument("log", type=Path, metavar="LOG", help="of a run")
    _add_shared(score)
    compare = actions.add_parser("compare", help="test the differences between logs of one task")
    compare.add_argument("logs", type=Path, metavar="LOG", nargs="+", help="two runs or more")
    compare.add_argument("--first", action="store_true", help="test the first LOG's pairs alone")
    _add_shared(compare)
    _add_divergence(
        actions.add_parser("divergence", help="how far a fine-tuned model has moved from its base")
    )
    load = actions.add_parser("import", help="bring others' saved predictions into logs")
    load.add_argument("file", type=Path, metavar="FILE", help="answers that others saved")
    load.add_argument(
        "--from",
        dest="origin",
        required=True,
        choices=("reference", "cti-bench", "athenabench"),
        help="whose format it has",
    )
    load.add_argument("--output", type=Path, metavar="DIR", required=True, help="for the logs")
    load.add_argument("--task", metavar="TASK", help="where the file leaves it open")
    load.add_argument(
        "--questions",
        metavar="TASK=FILE",
        action="append",
        default=[],
        help="the questions answered, to bring prompts and source pages into the logs",
    )
    load.add_argument("--gold", type=Path, metavar="FILE", help="expected answers, for cti-taa")
    load.add_argument("--name", metavar="MODEL", help="what to call the model")
    add_json(load)
    eval_mix.configure(
        actions.add_parser(
            "mix",
            help="fit the weight of the option ranker beside a language model's choices",
        )
    )
    report = actions.add_parser("report", help="write one HTML page and one Markdown file")
    report.add_argument("logs", type=Path, metavar="LOG", nargs="+", help="of any tasks")
    report.add_argument(
        "--output", type=Path, metavar="DIR", required=True, help="for report.html and report.md"
    )
    report.add_argument("--title", default="Evaluation report", help="heading of the report")
    _add_shared(report)


def _add_questions(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--data",
        type=place,
        metavar="FILE",
        help="the questions (of a task of ours: the shipped ones)",
    )
    group.add_argument("--gold", type=Path, metavar="FILE", help="expected answers, for cti-taa")
    group.add_argument("--limit", type=int, metavar="N", help="questions at most")
    group.add_argument(
        "--labeller",
        choices=LABELLERS,
        default="nvd",
        help="whose labels a specialist follows and a hold-out expects (nvd)",
    )
    group.add_argument("--since", metavar="DATE", default="", help="earliest, for cwe-holdout")
    group.add_argument(
        "--without-near-duplicates",
        "--unfamiliar",  # the option's name up to version 0.1
        action="store_true",
        help="leave out hold-out rows that are near-duplicates of training rows",
    )
    group.add_argument("--train", type=Path, metavar="FILE", help="rows for the SVM baseline")


def _add_system(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--model",
        metavar="SPEC",
        default="embedded",
        help="embedded[:DIR], hf:ID_OR_DIR, gguf:FILE, openai:URL#MODEL, mock:FILE, "
        "baseline:majority|svm|retrieval (embedded)",
    )
    group.add_argument("--base", action="store_true", help="the model is no chat model")
    group.add_argument("--kb", type=Path, metavar="DIR", help="knowledge base: the open book")
    group.add_argument(
        "--shortlist",
        type=int,
        metavar="N",
        help="constrained: let a language model choose from the embedded specialist's N likeliest",
    )
    group.add_argument(
        "--shortlist-weight",
        type=float,
        metavar="W",
        help="exponent of the specialist's own probabilities; 0: the language model's alone",
    )
    group.add_argument(
        "--reading",
        metavar="NAME=VALUE",
        action="append",
        help="constrained, multiple choice: passages, words (of each), rotations (all), "
        "ranker_weight, closed_weight (both 0: the language model with its passages alone)",
    )
    group.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an option of the language model's backend, such as batch_size=8",
    )


def _add_divergence(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base", required=True, metavar="SPEC", help="before fine-tuning")
    parser.add_argument("--model", required=True, metavar="SPEC", help="after it")
    parser.add_argument("--limit", type=int, metavar="N", help="neutral prompts at most (all)")
    parser.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an option of both models' backends, such as batch_size=8",
    )
    add_json(parser)


def _add_protocol(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--protocol", metavar="NAME", help="ref, faith, paper-2025 or constrained")
    group.add_argument("--trials", type=int, metavar="N", help="passes (the protocol's own)")
    group.add_argument("--seed", type=int, metavar="N", default=42, help="of the first trial")
    group.add_argument(
        "--max-tokens", type=int, metavar="N", help="new tokens at most (the protocol's own)"
    )


def _add_shared(parser: argparse.ArgumentParser) -> None:
    add_actors(parser)
    add_json(parser)
