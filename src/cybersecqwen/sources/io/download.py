"""One file over HTTP: resumed where it broke off, verified, never fetched twice unchanged."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import queue
import socket
import threading
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, NoReturn, TypeVar
from urllib.parse import urlsplit

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import sha256_file, write_json
from cybersecqwen.core.http_headers import retry_after
from cybersecqwen.core.locks import exclusive

USER_AGENT = "cybersecqwen (vulnerability data fetcher; one connection at a time)"

_CHUNK_BYTES = 1 << 18
_MAX_PAGE_BYTES = 16 << 20
_MAX_WAIT_S = 600.0
_RETRIED = {408, 425, 429, 500, 502, 503, 504}

Outcome = Literal["new", "unchanged"]
ResultT = TypeVar("ResultT")


class DownloadError(InputError):
    """A file cannot be had: the server refuses it, or goes on failing."""


class UnreachableError(DownloadError):
    """A server is not to be reached at all: no network, no such name, nobody who answers."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a publisher says of a file, and what kind of file it is.

    Attributes:
        kind: How to open it, to see that it is whole.
        size: Its length in bytes, if published.
        sha256: Its hexadecimal SHA-256, if published.
        content_sha256: The same of what a gzip file holds.
    """

    kind: Literal["gzip", "zip", "json"]
    size: int | None = None
    sha256: str = ""
    content_sha256: str = ""

    @property
    def digest(self) -> str:
        """Whichever hash is published."""
        return self.sha256 or self.content_sha256


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """Retries, pauses and time limits of requests to a server.

    Attributes:
        attempts: Tries for one file before giving up.
        wait_s: Seconds before the second try; doubled for each further one, unless the server
            says how long (``Retry-After``).
        pause_s: Seconds between two requests.
        timeout_s: Seconds without a byte after which a connection is given up.
        reach_s: Seconds in which a server must be found and answer the first time; a machine
            without a network is to be told so at once, not after every try of every file.
        sleep: What waits.
    """

    attempts: int = 6
    wait_s: float = 2.0
    pause_s: float = 1.0
    timeout_s: float = 60.0
    reach_s: float = 3.0
    sleep: Callable[[float], None] = time.sleep


class _State(msgspec.Struct, frozen=True):
    """What is known of a file on disk, kept beside it, whole or in part."""

    url: str
    etag: str = ""
    last_modified: str = ""
    digest: str = ""
    size: int = -1


class _RetryError(Exception):
    """Try again, after so many seconds if the server said so."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class Downloader:
    """Fetches files one after the other.

    Args:
        policy: Retries, pauses and time limits.
    """

    def __init__(self, policy: FetchPolicy | None = None) -> None:
        self._policy = policy or FetchPolicy()
        self._asked = False
        self._reached: set[str] = set()

    def page(self, url: str) -> bytes:
        """Return a small document, up to 16 MiB.

        Raises:
            DownloadError: It cannot be had.
        """

        def attempt() -> bytes:
            with self._open(url, {}) as response:
                content: bytes = response.read(_MAX_PAGE_BYTES)
                length = response.headers.get("Content-Length")
                if length and len(content) < min(int(length), _MAX_PAGE_BYTES):
                    raise _RetryError("the connection broke off")
                return content

        return self._persist(url, attempt)

    def fetch(self, url: str, path: Path, expected: Expected) -> Outcome:
        """Bring ``path`` up to date with ``url``.

        What has arrived stays in ``path`` + ``.part`` when a connection breaks or the process is
        killed, and the next try, or the next call, goes on from there if the file is still the
        same. ``path`` itself only ever holds a whole, verified file.

        Raises:
            LockedError: Another process fetches it.
            DownloadError: It cannot be had, or does not agree with what is published about it.
        """
        with exclusive(path):
            known = _load(_beside(path, "http"))
            if known.url != url or not path.exists() or path.stat().st_size != known.size:
                known = _State("")
            if known.digest and known.digest == expected.digest:
                return "unchanged"
            return self._persist(url, lambda: self._attempt(url, path, expected, known))

    def _persist(self, url: str, attempt: Callable[[], ResultT]) -> ResultT:
        """Try until it works, the server refuses, or patience ends."""
        wait = self._policy.wait_s
        for number in range(1, self._policy.attempts + 1):
            try:
                return attempt()
            except (_RetryError, OSError, http.client.HTTPException) as error:
                # urllib's HTTPError and URLError are OSErrors; _open has sorted the first.
                if number == self._policy.attempts:
                    reason = getattr(error, "reason", error)
                    raise DownloadError(f"{url}: {reason} (tried {number} times)") from error
                told = error.wait_s if isinstance(error, _RetryError) else None
                self._policy.sleep(min(wait if told is None else told, _MAX_WAIT_S))
                wait *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _open(self, url: str, headers: Mapping[str, str]) -> Any:
        """Send one request; sort what the server says into answers, retries and refusals."""
        if urlsplit(url).scheme not in {"http", "https"}:
            raise DownloadError(f"{url}: only http and https are fetched")
        self._reach(url)
        if self._asked:
            self._policy.sleep(self._policy.pause_s)
        self._asked = True
        common = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        request = urllib.request.Request(url, headers={**common, **headers})
        try:
            return urllib.request.urlopen(request, timeout=self._policy.timeout_s)
        except urllib.error.HTTPError as error:
            if error.code in {304, 416}:
                return error
            with error:
                _refuse(url, error)

    def _reach(self, url: str) -> None:
        """Connect to a server, or to the proxy before it, the first time it is asked.

        Raises:
            UnreachableError: It is not there.
        """
        host, port = _peer(url)
        if host in self._reached:
            return
        # Looking a name up knows no time limit of ours, so a thread does it that nobody waits for.
        outcome: queue.Queue[str] = queue.Queue()
        seconds = self._policy.reach_s

        def connect() -> None:
            try:
                socket.create_connection((host, port), seconds).close()
                outcome.put("")
            except OSError as error:
                outcome.put(error.strerror or str(error))

        threading.Thread(target=connect, daemon=True).start()
        try:
            reason = outcome.get(timeout=seconds)
        except queue.Empty:
            reason = f"no answer within {seconds:g} s"
        if reason:
            raise UnreachableError(f"{host} is not reached, is there a network? ({reason})")
        self._reached.add(host)

    def _attempt(self, url: str, path: Path, expected: Expected, known: _State) -> Outcome:
        part = path.with_name(path.name + ".part")
        notes = _beside(part, "http")
        begun = _load(notes)
        have = part.stat().st_size if part.exists() and begun.url == url else 0
        validator = begun.etag if _is_strong(begun.etag) else begun.last_modified
        headers = {}
        if have and validator:
            headers = {"Range": f"bytes={have}-", "If-Range": validator}
        elif known.etag:
            headers = {"If-None-Match": known.etag}
        elif known.last_modified:
            headers = {"If-Modified-Since": known.last_modified}
        with self._open(url, headers) as response:
            if response.status == 304:
                return "unchanged"
            if response.status == 416:
                _forget(part, notes)
                raise _RetryError("the server has no more of the file than we do")
            start = have if response.status == 206 else 0
            total = _total(response, start)
            state = _State(
                url,
                response.headers.get("ETag", ""),
                response.headers.get("Last-Modified", ""),
                expected.digest,
            )
            if not start:
                # Before its notes change: a part must never be taken for another version's.
                part.unlink(missing_ok=True)
            write_json(notes, state)
            with part.open("r+b" if start else "wb") as out:
                out.seek(start)
                _copy(response, out, start, total)
        problem = _problem(part, expected)
        if problem:
            _forget(part, notes)
            raise _RetryError(problem)
        size = part.stat().st_size
        part.replace(path)
        write_json(_beside(path, "http"), msgspec.structs.replace(state, size=size))
        notes.unlink(missing_ok=True)
        return "new"


def _peer(url: str) -> tuple[str, int]:
    """Return the host and port that a request goes to: the server's, or those of a proxy."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme, "")
    if proxy and not urllib.request.proxy_bypass(parts.netloc):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80)


def _refuse(url: str, error: urllib.error.HTTPError) -> NoReturn:
    said = error.headers.get("Retry-After")
    reason = f"the server answers {error.code} {error.reason}"
    if error.code in _RETRIED or said:
        raise _RetryError(reason, retry_after(said))
    raise DownloadError(f"{url}: {reason}")


def _total(response: Any, start: int) -> int | None:
    """Return how long the whole file is, if the server says."""
    if start:
        # "bytes 100-199/200"; another range than we asked for would corrupt the file.
        span, _, total = response.headers.get("Content-Range", "").partition("/")
        if span != f"bytes {start}-{span.rpartition('-')[2]}":
            raise _RetryError(f"the server sends another range than asked for: {span}")
        return int(total) if total.isdigit() else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _copy(response: Any, out: IO[bytes], at: int, total: int | None) -> None:
    while chunk := response.read(_CHUNK_BYTES):
        out.write(chunk)
        at += len(chunk)
    out.truncate()
    out.flush()
    os.fsync(out.fileno())
    if total is not None and at < total:
        raise _RetryError(f"the connection broke off at {at:,} of {total:,} bytes")


def _problem(path: Path, expected: Expected) -> str:
    """Return in what a file differs from what is expected of it, or an empty string."""
    size = path.stat().st_size
    if expected.size is not None and size != expected.size:
        return f"{size:,} bytes arrived, {expected.size:,} are published"
    if expected.sha256 and sha256_file(path) != expected.sha256.lower():
        return "its SHA-256 is not the published one"
    try:
        if expected.kind == "gzip":
            if expected.content_sha256 not in {"", _content_sha256(path)}:
                return "the SHA-256 of its content is not the published one"
        elif expected.kind == "zip":
            with zipfile.ZipFile(path) as archive:
                broken = archive.testzip()
            if broken:
                return f"the zip archive is damaged at {broken}"
        else:
            msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, msgspec.DecodeError) as error:
        return f"it does not open as {expected.kind}: {error}"
    return ""


def _content_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with gzip.open(path) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _is_strong(etag: str) -> bool:
    return bool(etag) and not etag.startswith("W/")


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.{what}")


def _load(path: Path) -> _State:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_State)
    except (OSError, msgspec.DecodeError):
        return _State("")  # none, or damaged: then nothing is known


def _forget(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
