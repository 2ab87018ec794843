"""Tokens handed over one by one while transformers writes them in another thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList
from transformers.generation import BaseStreamer


class TokenStream:
    """Runs a writer in a thread and yields its tokens; leaving the block stops it.

    Args:
        write: Calls ``model.generate`` for one prompt with the keyword arguments it is given.
    """

    def __init__(self, write: Callable[[dict[str, Any]], Any]) -> None:
        self._write = write
        self._tokens: queue.SimpleQueue[int | BaseException | None] = queue.SimpleQueue()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writing", daemon=True)

    def __enter__(self) -> TokenStream:
        """Start writing."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop writing, after the token that is under way."""
        self._left.set()
        self._thread.join()

    def __iter__(self) -> Iterator[int]:
        """Yield tokens; raise what the writer raised."""
        while (item := self._tokens.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def _run(self) -> None:
        listener = {
            "streamer": _Listener(self._tokens),
            "stopping_criteria": StoppingCriteriaList([_Left(self._left)]),
        }
        try:
            self._write(listener)
        except BaseException as error:
            self._tokens.put(error)
        self._tokens.put(None)


class _Listener(BaseStreamer):
    """What ``generate`` calls with the prompt, and then with every token."""

    def __init__(self, tokens: queue.SimpleQueue[Any]) -> None:
        self._tokens = tokens
        self._prompt_seen = False

    def put(self, value: Any) -> None:
        """Pass new tokens on."""
        if self._prompt_seen:
            for token in value.reshape(-1).tolist():
                self._tokens.put(token)
        self._prompt_seen = True

    def end(self) -> None:
        """Do nothing: the writer's return says the same."""


class _Left(StoppingCriteria):
    """Ends the writing when the reader has left."""

    def __init__(self, left: threading.Event) -> None:
        self._left = left

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Return, for each row (B,), whether it is to end."""
        return torch.full((input_ids.shape[0],), self._left.is_set(), device=input_ids.device)
