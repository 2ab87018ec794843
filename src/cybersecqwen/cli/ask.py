"""``ask``: a question in, an answer with citations out, from the knowledge base on disk."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cybersecqwen.cli.common import EXIT_DONE, backend_options, print_json, printable
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.prompts import LETTERS
from cybersecqwen.core.text import clean

if TYPE_CHECKING:
    from cybersecqwen.core.records import Answer, ChoiceAnswer
    from cybersecqwen.llm.answering import Answerer

HELP = "answer a question from the knowledge base, offline, with citations"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("question", metavar="QUESTION")
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
        help="an option of the language model's backend, such as threads=2",
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
    name = arguments.model or "none"
    if arguments.choices:
        chosen = answerer.choose(arguments.question, arguments.choices)
        _print_choice(chosen, arguments, name)
    else:
        _print_answer(answerer.ask(arguments.question), arguments, name)
    return EXIT_DONE


def _open(arguments: argparse.Namespace) -> Answerer:
    from cybersecqwen.cli.kb import open_knowledge
    from cybersecqwen.llm import open_backend
    from cybersecqwen.llm.answering import Answerer
    from cybersecqwen.specialists import CweMapper

    knowledge = open_knowledge(arguments.kb)
    options = backend_options(arguments.option)
    backend = open_backend(arguments.model, **options) if arguments.model else None
    return Answerer(knowledge, backend=backend, specialist=CweMapper.load())


def _print_choice(chosen: ChoiceAnswer, arguments: argparse.Namespace, name: str) -> None:
    if arguments.json:
        print_json(
            {
                "best": chosen.best,
                "letter": LETTERS[chosen.best],
                "probabilities": chosen.probabilities,
                "passage": chosen.passage,
                "passages": chosen.passages,
                "model": name,
            }
        )
        return
    for place, (text, share) in enumerate(
        zip(arguments.choices, chosen.probabilities, strict=True)
    ):
        mark = "*" if place == chosen.best else " "
        print(f"{mark} {LETTERS[place]}  {share:5.2f}  {printable(text)}")
    if chosen.passage:
        print(printable(f"\n[{chosen.passage.id}] {chosen.passage.title}: {chosen.passage.text}"))
    else:
        print("\nnot in the knowledge base: this is a guess")


def _print_answer(answer: Answer, arguments: argparse.Namespace, name: str) -> None:
    if arguments.json:
        print_json(
            {
                "text": answer.text,
                "citations": answer.citations,
                "passages": answer.passages,
                "found": answer.found,
                "unsupported": answer.unsupported,
                "prediction": answer.prediction,
                "model": name,
            }
        )
        return
    for line in answer.text.splitlines():
        print(printable(line))
    for passage in answer.passages:
        print(printable(f"\n[{passage.id}] {passage.title} ({passage.kind})"))
        print(printable(f"    {passage.text}"))
