"""A question with its answer, before it is checked and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cybersecqwen.core.records import Passage

AnswerReading = Literal["cwe", "choice"]


@dataclass(frozen=True, slots=True)
class DraftExample:
    """A question with its answer, before it has been checked.

    Attributes:
        kind: Question kind.
        prompt: User message, passages included.
        response: Assistant message.
        record: CVE id that it is about, or an empty string.
        passages: What the answer stands on besides the prompt.
        gold: What the answer must be read as, or an empty string.
        reads: How: as a weakness or as a letter.
        options: Number of letters, for a choice.
    """

    kind: str
    prompt: str
    response: str
    record: str
    passages: tuple[Passage, ...] = ()
    gold: str = ""
    reads: AnswerReading | None = None
    options: int = 0
