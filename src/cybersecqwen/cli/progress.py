"""How far a job has come, on one line of a terminal."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

from cybersecqwen.apps.progress import JobProgress

_EVERY_SECONDS = 0.25
_CLEAR = "\r\x1b[K"


class ProgressLine:
    """Shows a job's progress on standard error, from the first second on, if that is a terminal.

    A thread draws the line, so that time goes on being told while a step takes long.

    Args:
        what: What is counted, such as ``records``.
        quiet: Show nothing.
    """

    def __init__(self, what: str = "records", *, quiet: bool = False) -> None:
        self._what = what
        self._shown = not quiet and sys.stderr.isatty()
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.last = JobProgress("")
        """What was told last."""

    def __call__(self, progress: JobProgress) -> None:
        """Take note of how far the job is."""
        self.last = progress

    def __enter__(self) -> ProgressLine:
        if self._shown:
            self._thread = threading.Thread(target=self._draw, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()
            self.print_line("", end="")

    def print_line(self, line: str, end: str = "\n") -> None:
        """Print a line on standard error, over the progress line where there is one."""
        with self._lock:
            print(f"{_CLEAR}{line}" if self._shown else line, end=end, file=sys.stderr, flush=True)

    def describe(self) -> str:
        """Return how far the job is, how fast it goes and how long it still takes."""
        seconds = time.monotonic() - self._start
        done, fraction = self.last.done, self.last.fraction
        if fraction == 1:
            return f"{done:,} {self._what}, {self.last.stage}"
        parts = [f"{done:,} {self._what}", f"{done / max(seconds, 1e-9):,.0f}/s", _clock(seconds)]
        if fraction is not None:
            parts.insert(0, f"{fraction:4.0%}")
            left = seconds * (1 - fraction) / fraction if fraction else None
            parts.append("time left unknown yet" if left is None else f"{_clock(left)} left")
        return ", ".join(parts)

    def _draw(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            self.print_line(self.describe(), end="")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
