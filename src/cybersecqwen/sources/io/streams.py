"""Bytes that can be looked at before they are taken, and the lines in them."""

from __future__ import annotations

import codecs
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import RecordProblem

MAX_RECORD_BYTES = 32 << 20
"""The longest line, JSON record or CSV field that is read; a longer one is a RecordProblem."""

MAX_DOCUMENT_BYTES = 64 << 20
"""The longest JSON document that is decoded whole; records are cut out of a longer one."""

HEAD_BYTES = 64 << 10
"""How much of a stream its format is told by."""

CHUNK_BYTES = 1 << 18

_UTF8_BOM = b"\xef\xbb\xbf"
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF16_SAMPLE_BYTES = 4096

DAMAGE = (
    EOFError,
    OSError,
    zlib.error,
    zipfile.BadZipFile,
    tarfile.TarError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What the standard library raises for archives that are damaged, encrypted or of a method that it
lacks."""


def reason_of(error: BaseException) -> str:
    """Return in words what is wrong with an archive."""
    if isinstance(error, EOFError):
        return "it ends in the middle (truncated)"
    return str(error) or type(error).__name__


class UnreadableError(InputError):
    """A file or an archive's member from which nothing more can be read; what came before is good.

    Args:
        where: The file, or the archive and the member.
        reason: What is wrong.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class NotRecordsError(UnreadableError):
    """A file that is whole and something else than records: a page, a readme, a picture."""


class Bytes(Protocol):
    """What a ``ByteSource`` reads from: one call of ``read1`` gives what is ready, up to a size."""

    def read1(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, and none at the end."""
        ...


class ByteSource:
    """Bytes that can be looked at before they are taken.

    Args:
        stream: Where they come from; ``read1`` of a gzip or zip member, or of a plain file.
        name: What to call it in messages.
        on_bytes: Called with the number of bytes of every piece that is read.
        record_bytes: The longest line or JSON record that readers hold.
        document_bytes: The longest JSON document that readers decode whole.
    """

    def __init__(
        self,
        stream: Bytes,
        name: str,
        on_bytes: Callable[[int], None] | None = None,
        *,
        record_bytes: int = MAX_RECORD_BYTES,
        document_bytes: int = MAX_DOCUMENT_BYTES,
    ) -> None:
        self.name = name
        self.record_bytes = record_bytes
        self.document_bytes = document_bytes
        self._stream = stream
        self._on_bytes = on_bytes
        self._head = b""
        self._damage: UnreadableError | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._returns = False
        self._taken = 0

    def peek(self, size: int = HEAD_BYTES) -> bytes:
        """Return up to ``size`` bytes from the front without taking them."""
        pieces = [self._head]
        have = len(self._head)
        while have < size and not self._damage:
            try:
                piece = self._pull()
            except UnreadableError as error:
                # Kept for whoever takes the bytes: what is before it can still be read.
                self._damage = error
                break
            if not piece:
                break
            pieces.append(piece)
            have += len(piece)
        self._head = b"".join(pieces) if len(pieces) > 1 else self._head
        return self._head if have <= size else self._head[:size]

    def take(self) -> bytes:
        """Return the next piece; empty at the end.

        Raises:
            UnreadableError: The archive is broken here.
        """
        if self._head:
            piece, self._head = self._head, b""
            return piece
        if self._damage:
            raise self._damage
        return self._pull()

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes (all with -1), for readers that want a file."""
        if size == 0:
            return b""
        pieces = []
        while size != 0 and (piece := self.take()):
            if 0 < size < len(piece):
                piece, self._head = piece[:size], piece[size:]
            pieces.append(piece)
            size = size - len(piece) if size > 0 else size
        return b"".join(pieces)

    def as_utf8(self) -> ByteSource:
        """Drop a UTF-8 mark; turn UTF-16 and UTF-32 into UTF-8; call before taking.

        UTF-32 is told by its mark; UTF-16 also by every second byte being NUL, as in what is
        mostly ASCII. Where lines end in carriage returns alone, as on old Macs, they end in line
        feeds afterwards.
        """
        self._decode()
        head = self.peek()
        if b"\r" in head and b"\n" not in head:
            self._returns = True
            self._head = self._head.replace(b"\r", b"\n")
        return self

    def _decode(self) -> None:
        head = self.peek()
        if head.startswith(_UTF8_BOM):
            self._head = self._head[len(_UTF8_BOM) :]
            return
        marked = (name for mark, name in _MARKS if head.startswith(mark))
        if encoding := next(marked, None) or _utf16_without_mark(head):
            # The first piece is fed again, through the decoder.
            raw, self._head = self._head, b""
            self._decoder = codecs.getincrementaldecoder(encoding)("replace")
            self._head = self._decoder.decode(raw).encode("utf-8", "replace")

    def _pull(self) -> bytes:
        while True:
            try:
                piece = self._stream.read1(CHUNK_BYTES)
                self._taken += len(piece)
                if self._on_bytes:
                    self._on_bytes(len(piece))
            except UnreadableError:
                raise
            except DAMAGE as error:
                raise UnreadableError(
                    self.name, f"damaged after {self._taken:,} bytes: {reason_of(error)}"
                ) from None
            if self._decoder is not None:
                text = self._decoder.decode(piece, final=not piece)
                if piece and not text:
                    continue
                piece = text.encode("utf-8", "replace")
            return piece.replace(b"\r", b"\n") if self._returns else piece


def _utf16_without_mark(head: bytes) -> str | None:
    sample = head[:_UTF16_SAMPLE_BYTES]
    pairs = len(sample) // 2
    if pairs < 2 or b"\x00" not in sample:
        return None
    even, odd = sample[0 : 2 * pairs : 2], sample[1 : 2 * pairs : 2]
    for name, high, low in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if high.count(0) > 0.7 * pairs and not low.count(0):
            return name
    return None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the input and its number, counted from 1; its line end is taken off."""

    number: int
    content: bytes


def lines(source: ByteSource, *, blank: bool = False) -> Iterator[Line | RecordProblem]:
    """Yield the lines of a stream, the empty ones only where ``blank`` asks for them.

    A line over the source's ``record_bytes`` is passed over without being held, and named.

    Raises:
        UnreadableError: The archive breaks; every whole line before that has been yielded.
    """
    number = 1
    longest = source.record_bytes
    rest: list[bytes] = []
    size = 0
    while piece := source.take():
        first, *others = piece.split(b"\n")
        size += len(first)
        if size <= longest:
            rest.append(first)
        else:
            rest.clear()
        for following in others:
            if size > longest:
                yield too_long(f"{source.name}:{number}", longest)
            elif (content := b"".join(rest).rstrip(b"\r")) or blank:
                yield Line(number, content)
            number += 1
            rest, size = [following], len(following)
    if size > longest:
        yield too_long(f"{source.name}:{number}", longest)
    elif content := b"".join(rest).rstrip(b"\r"):
        yield Line(number, content)


def too_long(where: str, longest: int = MAX_RECORD_BYTES) -> RecordProblem:
    """Return the problem of a record that is over the limit, in bytes."""
    return RecordProblem(where, "", f"longer than {longest >> 20} MiB; passed over")
