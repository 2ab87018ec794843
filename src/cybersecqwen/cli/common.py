"""What every verb shares: exit codes, JSON on standard output, progress on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from cybersecqwen.core.errors import InputError

if TYPE_CHECKING:
    from cybersecqwen.apps.progress import JobProgress

EXIT_DONE = 0
EXIT_SOME_FAILED = 1
EXIT_UNUSABLE = 2

LONGEST_MESSAGE = 1000
"""Characters of a message on standard error."""

ItemT = TypeVar("ItemT")


def print_json(value: Any) -> None:
    """Print one JSON object and a newline on standard output."""
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def warn(message: str) -> None:
    """Print one line on standard error."""
    print(message, file=sys.stderr)


def printable(text: str) -> str:
    """Return a text of unknown origin without what a terminal would obey or hide."""
    return "".join(char if char.isprintable() else " " for char in text)


def one_line(text: str) -> str:
    """Return a message of ours that may quote an input: printable, and of a bearable length."""
    shown = printable(text[: 2 * LONGEST_MESSAGE])
    if len(text) > LONGEST_MESSAGE:
        shown = f"{shown[:LONGEST_MESSAGE]} ... ({len(text) - LONGEST_MESSAGE:,} characters more)"
    return shown


def printable_lines(text: str) -> str:
    """Return a text of unknown origin likewise, its line breaks kept."""
    return "\n".join(map(printable, text.split("\n")))


def pairs_of(option: str, pairs: Iterable[str], form: str = "NAME=VALUE") -> list[tuple[str, str]]:
    """Return the names and values of an option given as ``form`` says, again and again.

    Raises:
        InputError: One of them has another form.
    """
    split = []
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise InputError(f"{option} {pair!r} is not {form}")
        split.append((name, value))
    return split


def backend_options(pairs: Iterable[str], option: str = "--option") -> dict[str, Any]:
    """Return the values of an option such as ``--option`` as a language model's backend takes them.

    Raises:
        InputError: One of them is not ``NAME=VALUE``.
    """
    pairs = list(pairs)
    if not pairs:
        return {}
    import yaml

    try:
        return {name: yaml.safe_load(value) for name, value in pairs_of(option, pairs)}
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{option}: a value cannot be read: {error}") from error


def progress(items: Iterable[ItemT], what: str) -> Iterator[ItemT]:
    """Pass ``items`` through, counting them on standard error if that is a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    start = shown = time.monotonic()
    count = 0
    for item in items:
        yield item
        count += 1
        now = time.monotonic()
        if now - shown >= 0.2:
            shown = now
            rate = count / (now - start)
            print(f"\r{count:,} {what}, {rate:,.0f}/s ", end="", file=sys.stderr, flush=True)
    print(f"\r{count:,} {what} in {time.monotonic() - start:,.1f} s", file=sys.stderr)


def show_progress() -> Callable[[JobProgress], None]:
    """Return what shows a job's progress on standard error, if that is a terminal: each stage on
    a line, what is counted with its share and the time left.
    """
    if not sys.stderr.isatty():
        return lambda progress: None
    stage, start, shown = "", 0.0, 0.0
    counted: tuple[int, int | None] = (0, None)

    def show(progress: JobProgress) -> None:
        nonlocal stage, start, shown, counted
        now = time.monotonic()
        # A stage may tell more than its name, such as the loss of each step.
        goes_on = progress.total is not None and progress.total == counted[1]
        goes_on = goes_on and progress.done > counted[0]
        counted = progress.done, progress.total
        if progress.stage != stage and goes_on:
            stage = progress.stage
        elif progress.stage != stage:
            stage, start, shown = progress.stage, now, 0.0
            if progress.total is None and not progress.done:
                warn(stage)
                return
        last = progress.done == progress.total
        if now - shown < 0.2 and not last:
            return
        shown = now
        text = f"{stage}: {progress.done:,}"
        if progress.total:
            text += f" of {progress.total:,}, {progress.done / progress.total:.0%}"
            if progress.done and not last:
                left = (now - start) * (progress.total / progress.done - 1)
                text += f", {_duration(left)} left"
        print(f"\r{text}\x1b[K", end="\n" if last else "", file=sys.stderr, flush=True)

    return show


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
