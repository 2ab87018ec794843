"""``ask``: a question in, an answer with citations out, from the knowledge base on disk."""

from __future__ import annotations

import argparse
import sys
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
from cybersecqwen.core.prompts import LETTERS
from cybersecqwen.core.text.clean import clean

if TYPE_CHECKING:
    from cybersecqwen.core.records import Answer, ChoiceAnswer
    from cybersecqwen.llm.answering import Answerer

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
    if not clean(arguments.question):
        raise InputError("the question is empty")
    if arguments.choices and not 2 <= len(arguments.choices) <= len(LETTERS):
        raise InputError(f"--choices takes 2 to {len(LETTERS)} options")
    if arguments.option and not arguments.model:
        raise InputError("--option goes with --model")
    answerer = _open(arguments)
    warning = _warning(arguments)
    if warning and not arguments.json:
        warn(printable(f"warning: {warning}"))
    name = arguments.model or "none"
    if arguments.choices:
        chosen = answerer.choose(arguments.question, arguments.choices)
        _print_choice(chosen, arguments, name)
    else:
        _print_answer(_ask(answerer, arguments), arguments, name)
    return EXIT_DONE


def _open(arguments: argparse.Namespace) -> Answerer:
    from cybersecqwen.apps.ask import open_answerer
    from cybersecqwen.cli.kb import knowledge_at

    options = backend_options(arguments.option)
    return open_answerer(knowledge_at(arguments.kb), arguments.model or "", options)


def _ask(answerer: Answerer, arguments: argparse.Namespace) -> Answer:
    """Return the answer; on a terminal, show what a language model writes while it does."""
    from cybersecqwen.core.records import Answer

    shown = bool(arguments.model) and not arguments.json and sys.stderr.isatty()
    for piece in answerer.stream(arguments.question):
        if isinstance(piece, Answer):
            if shown:
                print("\n", file=sys.stderr)
            return piece
        if shown:
            print(printable_lines(piece), end="", file=sys.stderr, flush=True)
    raise AssertionError("an answer ends with the whole")


def _warning(arguments: argparse.Namespace) -> str:
    """Return the warning of a knowledge base past the site's age; empty where there is none."""
    from cybersecqwen.apps.freshness import knowledge_warning

    return knowledge_warning(arguments.kb)


def _warned(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the warning as a field of an answer, where there is one."""
    told = _warning(arguments)
    return {"warning": told} if told else {}


def _print_choice(chosen: ChoiceAnswer, arguments: argparse.Namespace, name: str) -> None:
    from cybersecqwen.apps.ask import choice_fields
    from cybersecqwen.knowledge.held import LEAST_HELD

    if arguments.json:
        print_json(choice_fields(chosen, name) | _warned(arguments))
        return
    for place, (text, share) in enumerate(
        zip(arguments.choices, chosen.probabilities, strict=True)
    ):
        mark = "*" if place == chosen.best else " "
        print(f"{mark} {LETTERS[place]}  {share:5.2f}  {printable(text)}")
    if chosen.passage:
        passage = chosen.passage
        print(printable_lines(f"\n[{passage.id}] {passage.title}: {passage.text}"))
    else:
        print("\nnot in the knowledge base: this is a guess")
        return
    if name == "none" and chosen.held < LEAST_HELD:
        print("\nthe knowledge base hardly answers this: take it as a guess")


def _print_answer(answer: Answer, arguments: argparse.Namespace, name: str) -> None:
    from cybersecqwen.apps.ask import answer_fields

    if arguments.json:
        print_json(answer_fields(answer, name) | _warned(arguments))
        return
    for correction in answer.corrections:
        print(printable(f"({correction})"))
    print(printable_lines(answer.text))
