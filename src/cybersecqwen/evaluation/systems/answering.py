"""Answers with citations as the product gives them, without a language model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.evaluation.systems.base import Asked, BareTextSystem, Response

if TYPE_CHECKING:
    from cybersecqwen.llm.answering import Answerer


class AnsweringSystem(BareTextSystem):
    """What ``ask`` answers; earlier questions of a conversation stand in lines before the last.

    Args:
        answerer: Answers questions.
        name: What the log should call it.
    """

    open_book = True

    def __init__(self, answerer: Answerer, name: str) -> None:
        self._answerer = answerer
        self.identity = {"name": name}

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Answer each question after those before it."""
        for item in asked:
            start = time.perf_counter()
            *before, question = item.text.split("\n")
            history = [Message("user", text) for text in before]
            text = self._answerer.ask(question, history).text
            yield Response(text, seconds=time.perf_counter() - start)
