"""Texts out of the local store, for what a request names by its id alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cybersecqwen.apps.store import look_up, open_store, with_descriptions
from cybersecqwen.core.records import Advisory, RecordProblem


def looked_up(name: str) -> Advisory | RecordProblem:
    """Return the advisory of an id out of this machine's store, or why there is none."""
    # Opened anew each time: what answers may run in any thread.
    store = open_store()
    try:
        return look_up(name, store)
    finally:
        if store is not None:
            store.close()


def with_stored_texts(
    records: Iterable[Advisory | RecordProblem], name: str
) -> Iterator[Advisory | RecordProblem]:
    """Yield records as they come, those without a text with the one that the store has.

    Args:
        records: What a request brings.
        name: What to call it in the note that says how old the store is, before its first text.
    """
    store = open_store()
    notes: list[str] = []
    try:
        for record in with_descriptions(records, store, notes.append):
            while notes:
                yield RecordProblem(name, "", notes.pop(0), "note")
            yield record
    finally:
        if store is not None:
            store.close()
