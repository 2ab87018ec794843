"""What answers windows of items, in their order; here or, behind the same Protocol, elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from cybersecqwen.core.concurrency import in_order

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Engine(Protocol):
    """What answers windows of items, in their order.

    Attributes:
        spreads: Whether other processes answer than this one.
    """

    spreads: bool

    def run(
        self,
        make: Callable[[], Callable[[list[ItemT]], list[ResultT]]],
        windows: Iterable[list[ItemT]],
        lost: Callable[[ItemT], ResultT],
        *,
        threads: int = 1,
    ) -> Iterator[list[ResultT]]:
        """Yield the results of each window, one for each item, in order.

        Args:
            make: Makes the function that answers a window; called once in each worker, where it
                opens the model.
            windows: Items that are answered together; only so many are drawn ahead as keep the
                workers busy.
            lost: Gives the result of an item that ends every worker which meets it.
            threads: Windows that one process may answer at the same time.
        """
        ...


class LocalEngine:
    """This process, with a few threads."""

    spreads = False

    def run(
        self,
        make: Callable[[], Callable[[list[ItemT]], list[ResultT]]],
        windows: Iterable[list[ItemT]],
        lost: Callable[[ItemT], ResultT],
        *,
        threads: int = 1,
    ) -> Iterator[list[ResultT]]:
        """Yield the results of each window; ``lost`` is never called: there is no other process."""
        return in_order(make(), windows, threads)
