"""``ask``: a question in, an answer with citations out, from the knowledge base on disk."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cybersecqwen.cli.common import (
    EXIT_DONE,
    backend_options,
    print_json,
    printable,
    printable_lines,
    warn,
)
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.text.clean import clean

if TYPE_CHECKING:
    from cybersecqwen.apps.ask import AskJob, AskReply

HELP = "answer a question from the knowledge base, offline, with citations"
EXAMPLES = (
    'ask "Which tactic does T1003 belong to?"',
    'ask "Which port does SSH use?" --choices 22 80 443',
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("question", metavar="QUESTION", help="in quotes")
    parser.add_argument(
        "--choices",
        metavar="TEXT",
        nargs="+",
        action="extend",
        help="options of a multiple choice, 2 to 10",
    )
    parser.add_argument("--kb", type=Path, metavar="DIR", help="knowledge base (your own)")
    parser.add_argument(
        "--model",
        metavar="SPEC",
        help="language model that writes or chooses: hf:, gguf:, openai:, mock: (none)",
    )
    parser.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an option of the language model's backend; with --choices also passages=N, words=N "
        "(of each), rotations=N (as many as options), ranker_weight=X and closed_weight=X "
        "(both 0: the model with its passages alone)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Answer one question."""
    from cybersecqwen.apps.ask import run_ask_job

    as_json = arguments.json
    job = _job(arguments)
    # What a language model writes is shown to whoever waits for it.
    shows = bool(job.model) and not as_json and sys.stderr.isatty()
    reply = run_ask_job(job, _show_piece if shows else lambda _: None)
    if shows:
        warn("\n")
    if as_json:
        print_json(reply.fields())
        return EXIT_DONE
    if reply.warning:
        warn(printable(f"warning: {reply.warning}"))
    _print_reply(reply, job.choices)
    return EXIT_DONE


def _job(arguments: argparse.Namespace) -> AskJob:
    """Return the question that was asked."""
    from cybersecqwen.apps.ask import AskJob
    from cybersecqwen.core.prompts import LETTERS

    if not clean(arguments.question):
        raise InputError("the question is empty")
    if arguments.choices and not 2 <= len(arguments.choices) <= len(LETTERS):
        raise InputError(f"--choices takes 2 to {len(LETTERS)} options")
    if arguments.option and not arguments.model:
        raise InputError("--option goes with --model")
    return AskJob(
        question=arguments.question,
        choices=tuple(arguments.choices or ()),
        knowledge=arguments.kb,
        model=arguments.model or "",
        options=backend_options(arguments.option),
    )


def _show_piece(piece: str) -> None:
    print(printable_lines(piece), end="", file=sys.stderr, flush=True)


def _print_reply(reply: AskReply, choices: Sequence[str]) -> None:
    from cybersecqwen.core.prompts import LETTERS
    from cybersecqwen.core.records import Answer

    if isinstance(reply.answer, Answer):
        for correction in reply.answer.corrections:
            print(printable(f"({correction})"))
        print(printable_lines(reply.answer.text))
        return
    chosen = reply.answer
    for place, (text, share) in enumerate(zip(choices, chosen.probabilities, strict=True)):
        mark = "*" if place == chosen.best else " "
        print(f"{mark} {LETTERS[place]}  {share:5.2f}  {printable(text)}")
    if not chosen.passage:
        print("\nnot in the knowledge base: this is a guess")
        return
    passage = chosen.passage
    print(printable_lines(f"\n[{passage.id}] {passage.title}: {passage.text}"))
    if reply.is_guess:
        print("\nthe knowledge base hardly answers this: take it as a guess")
