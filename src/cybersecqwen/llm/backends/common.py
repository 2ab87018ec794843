"""What every backend shares: seeds of a batch, capabilities, stop texts, a plain template."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from cybersecqwen.core.chat import Message
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.interfaces import Capability

ItemT = TypeVar("ItemT")

# llama.cpp reads 2**32 - 1 as "draw a seed"; signed 32-bit servers refuse more than this.
_SEEDS = 2**31 - 1


def item_seed(seed: int, index: int) -> int:
    """Return the seed of a batch's ``index``-th answer; the first has the batch's own.

    Hashed, so that neighbouring trials (seeds 42, 43 ...) share no item's seed.
    """
    if index == 0:
        return seed % _SEEDS
    digest = hashlib.blake2b(f"{seed}/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % _SEEDS


def require_capability(name: str, capabilities: frozenset[Capability], wanted: Capability) -> None:
    """Refuse a call that a backend cannot answer.

    Raises:
        ModelError: ``wanted`` is not among the backend's capabilities.
    """
    if wanted not in capabilities:
        able = ", ".join(sorted(capabilities)) or "nothing"
        raise ModelError(f"{name} cannot {wanted}; it can: {able}")


def batches(items: Iterable[ItemT], size: int) -> Iterator[list[ItemT]]:
    """Group items into lists of ``size``, the last one shorter."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def cut_at_stop(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """Return ``text`` up to the first of the stop texts, and whether there was one."""
    ends = [end for end in (text.find(mark) for mark in stop if mark) if end >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


class StopCutter:
    """Cuts a text that arrives in pieces where ``cut_at_stop`` would cut the whole.

    What may be the beginning of a stop text is held back until the next piece settles it.

    Args:
        stop: Texts that end an answer.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [mark for mark in stop if mark]
        self._held = ""
        self.stopped = False
        """Whether a stop text has come."""

    def feed(self, piece: str) -> str:
        """Take a piece in; return what can be shown now."""
        if self.stopped:
            return ""
        text, self.stopped = cut_at_stop(self._held + piece, self._stop)
        held = 0 if self.stopped else self._undecided(text)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def end(self) -> str:
        """Return what was held back, now that nothing follows."""
        rest, self._held = self._held, ""
        return rest

    def _undecided(self, text: str) -> int:
        """Return the length of the longest ending that begins a stop text."""
        longest = max(map(len, self._stop), default=1) - 1
        for size in range(min(longest, len(text)), 0, -1):
            if any(mark.startswith(text[-size:]) for mark in self._stop):
                return size
        return 0


def plain_prompt(conversation: Sequence[Message]) -> str:
    """Lay out a conversation for a model that ships no chat template."""
    names = {"system": "System", "user": "User", "assistant": "Assistant"}
    turns = [f"{names[turn.role]}:\n{turn.content}\n\n" for turn in conversation]
    return "".join([*turns, "Assistant:\n"])


def raw_prompt(conversation: Sequence[Message]) -> str:
    """Join the turns' texts alone, for a base model that continues a text."""
    return "\n\n".join(turn.content for turn in conversation)
