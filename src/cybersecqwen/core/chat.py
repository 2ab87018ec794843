"""Conversations with language models: turns, sampling options, written answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw an answer.

    Attributes:
        temperature: 0 is greedy.
        top_p: Nucleus mass, 0 to 1.
        max_tokens: New tokens at most.
        seed: Of the first answer; a batch's later answers derive theirs from it and their place.
        stop: Texts that end an answer.
        first_index: Place of the batch's first conversation in its run, so that a resumed run
            draws what an unbroken one would have drawn.
        raw: Let the model continue the turns' bare text, without its chat template.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 512
    seed: int = 42
    stop: tuple[str, ...] = ()
    first_index: int = 0
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Generation:
    """A written answer.

    Attributes:
        text: What the model wrote.
        finish: ``stop`` at an end token or stop text, ``length`` at the limit, ``error`` when the
            backend gave up on it.
        seconds: Wall time, shared out evenly inside a batch.
        new_tokens: Tokens written, or None where the backend does not say.
        error: Why, when ``finish`` is ``error``.
        prompt_tokens: Tokens read, or None where the backend does not say.
    """

    text: str
    finish: Literal["stop", "length", "error"]
    seconds: float
    new_tokens: int | None = None
    error: str = ""
    prompt_tokens: int | None = None
