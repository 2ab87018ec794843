"""One HTTP request made to succeed: pacing, deadlines, and retries that do not stampede."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

import httpx
from httpx_sse import EventSource
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from cybersecqwen.core.http_headers import retry_after

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


class _BoundedStream(httpx.SyncByteStream):
    """A reply's bytes, within a time and a size altogether.

    httpx's own time-out is per read; a server that drips bytes would never meet it.
    """

    def __init__(self, pieces: httpx.SyncByteStream, seconds: float) -> None:
        self._pieces = pieces
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds

    def __iter__(self) -> Iterator[bytes]:
        received = 0
        for piece in self._pieces:
            received += len(piece)
            if time.monotonic() > self._deadline:
                raise TransientError(f"no whole answer within {self._seconds:g} s")
            if received > _MOST_BYTES:
                raise RefusedError(f"an answer of over {_MOST_BYTES} bytes", fatal=False)
            yield piece

    def close(self) -> None:
        self._pieces.close()


@contextmanager
def _faults_named(seconds: float) -> Iterator[None]:
    """Turn what httpx raises into a reason for another try."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise TransientError(f"no answer within {seconds:g} s") from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise TransientError(f"{type(error).__name__}: {error}") from error


def post(client: httpx.Client, url: str, body: bytes, seconds: float) -> bytes:
    """POST a JSON body and return the reply's, within ``seconds`` altogether.

    Raises:
        TransientError: No whole answer came, or the server asked to be tried again.
        RefusedError: The server answered that it will not do it.
    """
    with closing(open_stream(client, url, body, seconds)) as reply, _faults_named(seconds):
        return reply.read()


def _check_status(reply: httpx.Response, received: bytes) -> None:
    status = reply.status_code
    if status == httpx.codes.OK:
        return
    reason = f"HTTP {status}: {received[:200].decode('utf-8', 'replace')}"
    if status in _PASSING:
        wait = retry_after(reply.headers.get("retry-after")) or 0.0
        raise TransientError(reason, min(wait, _LONGEST_WAIT))
    raise RefusedError(reason, fatal=status in _FATAL or status < 400)


def open_stream(client: httpx.Client, url: str, body: bytes, seconds: float) -> httpx.Response:
    """POST a JSON body and return the reply as soon as it begins; the caller closes it.

    Raises:
        TransientError: No reply began, or the server asked to be tried again.
        RefusedError: The server answered that it will not do it.
    """
    with _faults_named(seconds):
        request = client.build_request("POST", url, content=body, timeout=seconds)
        reply = client.send(request, stream=True)
        assert isinstance(reply.stream, httpx.SyncByteStream)
        reply.stream = _BoundedStream(reply.stream, seconds)
        if reply.status_code != httpx.codes.OK:
            with closing(reply):
                _check_status(reply, next(reply.iter_bytes(), b""))
    return reply


def events(reply: httpx.Response, seconds: float) -> Iterator[bytes]:
    """Yield the data of each server-sent event of an opened reply.

    Raises:
        TransientError: The stream broke off or took too long.
        RefusedError: It is too large.
    """
    with _faults_named(seconds):
        for event in EventSource(reply).iter_sse():
            if event.data:
                yield event.data.encode()


def persist(
    request: Callable[[], ResultT], pacer: Pacer, *, attempts: int, backoff_s: float
) -> ResultT:
    """Call ``request`` until it succeeds, waiting longer each time.

    The wait is drawn between 0 and a limit that doubles from ``backoff_s`` ("full jitter"), so that
    threads that failed together do not return together. A server's own Retry-After stops every
    thread.

    Raises:
        TransientError: The last attempt's.
        RefusedError: At once.
    """

    def hold(state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        if isinstance(error, TransientError) and error.wait:
            pacer.hold(error.wait)

    retrying = Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=backoff_s, max=_LONGEST_WAIT),
        before=lambda _: pacer.wait(),
        after=hold,
        reraise=True,
    )
    return retrying(request)
