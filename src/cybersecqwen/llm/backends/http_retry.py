"""One HTTP request made to succeed: pacing, deadlines, and retries that do not stampede."""

from __future__ import annotations

import email.utils
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeVar

import httpx

ResultT = TypeVar("ResultT")

# Worth another try: the server is busy, restarting or behind a proxy that is.
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
# Nothing that the next item could do better: the address, the key or the model's name is wrong.
_FATAL = frozenset({401, 402, 403, 404, 405})
_MOST_BYTES = 32 << 20
_LONGEST_WAIT = 120.0


class TransientError(Exception):
    """A failure worth another try; ``wait`` is the least number of seconds the server asked for."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class RefusedError(Exception):
    """The server will not answer this request; ``fatal`` when it would answer no other either."""

    def __init__(self, reason: str, *, fatal: bool) -> None:
        super().__init__(reason)
        self.fatal = fatal


class Pacer:
    """Spaces requests out, for all threads together.

    Args:
        per_minute: Requests a minute at most; None for no limit.
    """

    def __init__(self, per_minute: float | None = None) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._free_at = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Sleep until a request may start."""
        with self._lock:
            start = max(time.monotonic(), self._free_at)
            self._free_at = start + self._gap if self._gap else self._free_at
        time.sleep(max(0.0, start - time.monotonic()))

    def hold(self, seconds: float) -> None:
        """Let no request start for so many seconds."""
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic() + seconds)


def post(client: httpx.Client, url: str, body: bytes, seconds: float) -> bytes:
    """POST a JSON body and return the reply's, within ``seconds`` altogether.

    httpx's own time-out is per read; a server that drips bytes would never meet it.

    Raises:
        TransientError: No whole answer came, or the server asked to be tried again.
        RefusedError: The server answered that it will not do it.
    """
    deadline = time.monotonic() + seconds
    received = bytearray()
    try:
        with client.stream("POST", url, content=body, timeout=seconds) as reply:
            for piece in reply.iter_bytes():
                received += piece
                if time.monotonic() > deadline:
                    raise TransientError(f"no whole answer within {seconds:g} s")
                if len(received) > _MOST_BYTES:
                    raise RefusedError(f"an answer of over {_MOST_BYTES} bytes", fatal=False)
    except httpx.TimeoutException as error:
        raise TransientError(f"no answer within {seconds:g} s") from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise TransientError(f"{type(error).__name__}: {error}") from error
    _check_status(reply, received)
    return bytes(received)


def _check_status(reply: httpx.Response, received: bytes | bytearray) -> None:
    status = reply.status_code
    if status == httpx.codes.OK:
        return
    reason = f"HTTP {status}: {received[:200].decode('utf-8', 'replace')}"
    if status in _PASSING:
        raise TransientError(reason, retry_after(reply.headers.get("retry-after", "")))
    raise RefusedError(reason, fatal=status in _FATAL or status < 400)


def open_stream(client: httpx.Client, url: str, body: bytes, seconds: float) -> httpx.Response:
    """POST a JSON body and return the reply as soon as it begins; the caller closes it.

    Raises:
        TransientError: No reply began, or the server asked to be tried again.
        RefusedError: The server answered that it will not do it.
    """
    try:
        request = client.build_request("POST", url, content=body, timeout=seconds)
        reply = client.send(request, stream=True)
        if reply.status_code != httpx.codes.OK:
            with closing(reply):
                _check_status(reply, next(reply.iter_bytes(), b""))
    except httpx.TimeoutException as error:
        raise TransientError(f"no answer within {seconds:g} s") from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise TransientError(f"{type(error).__name__}: {error}") from error
    return reply


def events(reply: httpx.Response, seconds: float) -> Iterator[bytes]:
    """Yield the data of each server-sent event (one line each) within ``seconds`` altogether.

    Raises:
        TransientError: The stream broke off or took too long.
    """
    deadline = time.monotonic() + seconds
    rest = b""
    try:
        for piece in reply.iter_bytes():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line.startswith(b"data:"):
                    yield line[5:].strip()
            if time.monotonic() > deadline:
                raise TransientError(f"no whole answer within {seconds:g} s")
            if len(rest) > _MOST_BYTES:
                raise TransientError(f"a line of over {_MOST_BYTES} bytes")
    except httpx.TimeoutException as error:
        raise TransientError(f"nothing more within {seconds:g} s") from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise TransientError(f"{type(error).__name__}: {error}") from error


def retry_after(header: str) -> float:
    """Return a Retry-After header's seconds (RFC 9110, 10.2.3: a number or a date), at least 0."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            then = email.utils.parsedate_to_datetime(header).timestamp()
        except (TypeError, ValueError, OverflowError):
            return 0.0
        seconds = then - time.time()
    return min(seconds, _LONGEST_WAIT) if seconds > 0 else 0.0


def persist(
    request: Callable[[], ResultT], pacer: Pacer, *, attempts: int, backoff_s: float
) -> ResultT:
    """Call ``request`` until it succeeds, waiting longer each time.

    The wait doubles from ``backoff_s`` and is drawn between half of it and the whole, so that
    threads that failed together do not return together. A server's own Retry-After stops every
    thread.

    Raises:
        TransientError: The last attempt's.
        RefusedError: At once.
    """
    for attempt in range(attempts):
        pacer.wait()
        try:
            return request()
        except TransientError as error:
            if error.wait:
                pacer.hold(error.wait)
            if attempt + 1 == attempts:
                raise
            longest = min(backoff_s * 2**attempt, _LONGEST_WAIT)
            time.sleep(longest * random.uniform(0.5, 1.0))
    raise ValueError("attempts must be at least 1")
