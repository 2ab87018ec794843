"""Replies without a language model: from the specialist and the knowledge base, saying so."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import AsyncGenerator, Iterable

from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.records import Answer, CwePrediction
from cybersecqwen.core.text.clean import has_text
from cybersecqwen.llm.backends.common import StopCutter
from cybersecqwen.serving.errors import ApiError
from cybersecqwen.serving.service import Service

NOTE = (
    "(Written without a language model, by the CWE specialist and from the knowledge base of this "
    "service.)"
)
_RUNNERS_UP = 3


async def embedded_reply(
    service: Service, conversation: list[Message], sampling: Sampling
) -> AsyncGenerator[str | Generation]:
    """Answer the last user's turn; yield pieces, then the whole.

    ``max_tokens`` counts words, and stop texts cut as they do with a language model. Earlier
    turns are read for what the last one refers to. No instruction is followed: what a text says
    changes nothing but what is looked up.

    Raises:
        ApiError: There is no user's turn with a text.
    """
    start = time.monotonic()
    place = max((n for n, turn in enumerate(conversation) if turn.role == "user"), default=-1)
    text = conversation[place].content if place >= 0 else ""
    if not has_text(text):
        raise ApiError(400, "messages: the last user message has nothing to read", "empty_text")
    cutter = StopCutter(sampling.stop)
    said: list[str] = []
    left = sampling.max_tokens
    async with contextlib.aclosing(_pieces(service, text, conversation[: max(place, 0)])) as pieces:
        async for piece in pieces:
            words = re.findall(r"\s*\S+|\s+$", piece)
            shown = cutter.feed("".join(words[:left]))
            left -= len(words)
            if shown:
                said.append(shown)
                yield shown
            if cutter.stopped or left < 0:
                break
    if rest := cutter.end():
        said.append(rest)
        yield rest
    whole = "".join(said)
    yield Generation(
        whole,
        "length" if left < 0 and not cutter.stopped else "stop",
        time.monotonic() - start,
        new_tokens=len(whole.split()),
        prompt_tokens=len(text.split()),
    )


async def _pieces(service: Service, text: str, history: list[Message]) -> AsyncGenerator[str]:
    if service.knowledge is None:
        if text.rstrip().endswith("?"):
            yield f"I cannot look this up: {service.no_knowledge}.\n\n{NOTE}"
            return
        prediction = await service.lookups.call(lambda: service.mapper.map(text))
        yield f"{_described(service, prediction)}\n\n{NOTE}"
        return
    answerer = service.answerer(with_model=False)
    whole: Answer | None = None
    pieces = service.lookups.draw(lambda: answerer.stream(text, history))
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, str):
                yield piece
            else:
                whole = piece
    if whole is not None and whole.prediction and whole.prediction.cwe not in whole.text:
        yield f"\n\n{_described(service, whole.prediction)}"
    yield f"\n\n{NOTE}"


def _described(service: Service, found: CwePrediction) -> str:
    """Say in words what the specialist found."""
    name = service.taxonomy.name
    others = found.candidates[1 : 1 + _RUNNERS_UP]
    lines = [f"{found.cwe} ({name(found.cwe)}), with a probability of {found.confidence:.2f}."]
    if found.abstained:
        lines.append("That is too unsure to count on.")
        if found.backoff:
            lines.append(
                f"More surely ({found.backoff.probability:.2f}) it is some kind of "
                f"{found.backoff.cwe} ({name(found.backoff.cwe)})."
            )
    if others:
        lines.append(f"Runners-up: {_listed((c.cwe, name(c.cwe), c.probability) for c in others)}.")
    return " ".join(lines)


def _listed(found: Iterable[tuple[str, str, float]]) -> str:
    return "; ".join(f"{cwe} ({name}) {share:.2f}" for cwe, name, share in found)
