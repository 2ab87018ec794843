"""Files on their way in: written to disk, within limits, before any place is taken for them."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import tempfile
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cybersecqwen.serving.errors import ApiError, BusyError, ClientLeftError
from cybersecqwen.serving.middleware.bodies import check_length, too_large
from cybersecqwen.serving.middleware.free_memory import FreeMemory
from cybersecqwen.serving.middleware.paths import UPLOAD_ROUTES
from cybersecqwen.serving.settings import ServeSettings

UPLOAD = "upload"
"""Key of the ``Upload`` in a request's ``state``."""

_PIECE_BYTES = 1 << 20
_PROGRESS_BYTES = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class DiskSpace:
    """Room on disk that all uploads share; for use from any thread.

    Args:
        most: Bytes of one upload: the file, and archives within it while they are unpacked.
        limit: Bytes of all of them.
    """

    def __init__(self, most: int, limit: int) -> None:
        self._most = most
        self._limit = limit
        self._lock = threading.Lock()
        self.taken = 0

    @contextmanager
    def share(self) -> Iterator[DiskShare]:
        """Give one upload's share, which returns when the block ends."""
        share = DiskShare(self)
        try:
            yield share
        finally:
            share.take(-share.size)
            share.returned = True

    def grow(self, share: DiskShare, more: int) -> None:
        """Let a share grow, or shrink by a negative number; one that is returned stays empty.

        Raises:
            ApiError: It is over what one upload may have.
            BusyError: The others have left too little.
        """
        with self._lock:
            if share.returned:
                return
            if more > 0 and share.size + more > self._most:
                raise too_large(self._most)
            if more > 0 and self.taken + more > self._limit:
                raise BusyError("bytes of files", 5)
            share.size += more
            self.taken += more


class DiskShare:
    """One upload's share of the disk."""

    def __init__(self, space: DiskSpace) -> None:
        self._space = space
        self.size = 0
        self.returned = False

    def take(self, more: int) -> None:
        """Grow, or shrink by a negative number; raises as ``DiskSpace.grow`` does."""
        self._space.grow(self, more)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent.

    Attributes:
        disk: What it takes on disk; what is unpacked of it is added here.
    """

    disk: DiskShare
    _file: io.FileIO

    def open(self) -> io.BufferedReader:
        """Return its content, from the start; a thread may close it later than the request ends."""
        self._file.seek(0)
        return open(os.dup(self._file.fileno()), "rb")  # noqa: PTH123 - there is no path


class Uploads:
    """Receives the body of an upload route into a temporary file, which no crash leaves behind.

    Receiving takes no place among the files that are mapped, so a file that trickles in keeps no
    other from its turn; and it must bring 1 MiB each ``body_seconds``, or be done.

    Args:
        app: What lies inside.
        settings: The limits.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._settings = settings
        self._arriving = 0
        self._space = DiskSpace(settings.max_file_bytes, settings.upload_disk_bytes)
        self._free = FreeMemory()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            ApiError: The file is too large or too slow, or there is no room for it.
            BusyError: Too many are arriving, or all of them take too much.
            ClientLeftError: The client left before the file was there.
        """
        if scope["type"] != "http" or scope["path"] not in UPLOAD_ROUTES:
            await self._app(scope, receive, send)
            return
        check_length(Headers(scope=scope), self._settings.max_file_bytes)
        with self._space.share() as disk, _temporary_file() as raw:
            await self._receive(receive, raw, disk)
            scope.setdefault("state", {})[UPLOAD] = Upload(disk, raw)
            given = False

            async def replay() -> Message:
                nonlocal given
                if given:
                    return await receive()
                given = True
                return {"type": "http.request", "body": b"", "more_body": False}

            try:
                await self._app(scope, replay, send)
            finally:
                self._free.give_back_soon()

    async def _receive(self, receive: Receive, raw: io.FileIO, disk: DiskShare) -> None:
        if self._arriving >= self._settings.max_uploads:
            raise BusyError("files", 5)
        self._arriving += 1
        seconds = self._settings.job_seconds
        try:
            async with asyncio.timeout(seconds), aclosing(self._pieces(receive)) as pieces:
                async for piece in pieces:
                    disk.take(len(piece))
                    await asyncio.to_thread(raw.write, piece)
        except TimeoutError as error:
            reason = f"the file did not arrive within {seconds:g} s"
            raise ApiError(408, reason, "slow_body") from error
        except OSError as error:
            if error.errno in _FULL:
                raise _no_room() from error
            raise
        finally:
            self._arriving -= 1

    async def _pieces(self, receive: Receive) -> AsyncGenerator[bytes]:
        """Yield the body in pieces of some size."""
        seconds = self._settings.body_seconds
        loop = asyncio.get_running_loop()
        held = bytearray()
        progress, until = 0, loop.time() + seconds
        while True:
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError as error:
                raise ApiError(408, "the file arrives too slowly", "slow_body") from error
            if message["type"] == "http.disconnect":
                raise ClientLeftError
            piece = message.get("body", b"")
            held += piece
            progress += len(piece)
            if progress >= _PROGRESS_BYTES:
                progress, until = 0, loop.time() + seconds
            done = not message.get("more_body", False)
            if done or len(held) >= _PIECE_BYTES:
                yield bytes(held)
                held.clear()
            if done:
                return


@contextmanager
def _temporary_file() -> Iterator[io.FileIO]:
    try:
        file = tempfile.TemporaryFile(buffering=0, prefix="cybersecqwen-")  # noqa: SIM115
    except OSError as error:
        raise _no_room() from error
    with file as raw:
        yield raw


def _no_room() -> ApiError:
    return ApiError(507, "no room for the file on this machine", "no_room")
