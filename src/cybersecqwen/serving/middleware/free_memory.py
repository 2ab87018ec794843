"""Memory of large requests, given back to the system once for all of a while."""

from __future__ import annotations

import asyncio

from cybersecqwen.core.heap import return_free_blocks

_SECONDS = 1.0


class FreeMemory:
    """Gives back what is free a second after it is asked to, however often it is asked."""

    def __init__(self) -> None:
        self._waiting = False

    def give_back_soon(self) -> None:
        """Give back what will be free then; called on the event loop."""
        if not self._waiting:
            self._waiting = True
            asyncio.get_running_loop().call_later(_SECONDS, self._give_back)

    def _give_back(self) -> None:
        self._waiting = False
        return_free_blocks()
