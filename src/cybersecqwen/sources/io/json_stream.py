"""Records out of one JSON document of any size, as raw bytes, one at a time.

Feeds are a single document: an object with one long array. Records are cut out of it by following
strings and brackets alone; each is decoded on its own, so that one bad record costs no other and
memory holds one record, not the feed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from cybersecqwen.core.cancellation import checkpoint
from cybersecqwen.core.lenient_json import STRING, compile_bytes, decode_lenient
from cybersecqwen.core.records import RecordProblem
from cybersecqwen.sources.io.streams import ByteSource, UnreadableError, too_long

_PLAIN = rb'[^"{}\[\]]*+'


def _holding(inner: bytes) -> bytes:
    """Return a pattern of what holds nothing but plain values, strings and ``inner``."""
    content = _PLAIN + rb"(?:(?:" + inner + rb")" + _PLAIN + rb")*+"
    return rb"\[" + content + rb"\]|\{" + content + rb"\}"


# Whole containers in containers are passed over in one step: most of a document's brackets are
# theirs, and each step costs a hundred times what the pattern takes for a byte. Deeper ones would
# make it long and win little more.
_SHALLOW = _holding(STRING + rb"|" + _holding(STRING))

# Where a name or a record may stand: the next string, or the next character that opens or closes
# something. A quote alone is a string whose end has not arrived.
_TOKEN = compile_bytes(_PLAIN + rb"(" + STRING + rb'|["{}\[\]])')

# Among records: the same, lists passed over.
_ITEM = compile_bytes(
    _PLAIN + rb"(?:(?=\[)(?:" + _SHALLOW + rb")" + _PLAIN + rb")*+(" + STRING + rb'|["{}\[\]])'
)

# Elsewhere: the next bracket, strings and shallow containers passed over. A quote is that of a
# string whose end has not arrived or, by greedy repeats, of the last string where no bracket has
# arrived after it: either is followed again with what comes.
_BRACKET = compile_bytes(
    _PLAIN + rb"(?:(?:" + STRING + rb"|" + _SHALLOW + rb")" + _PLAIN + rb')*+(["{}\[\]])'
)
_QUOTE, _OBJECT, _OBJECT_END, _ARRAY = b'"{}['
_FOLLOWED_BYTES = 512 << 10  # at a stretch
_CHECKED_STEPS = 4096  # some milliseconds
_MAX_DEPTH = 1000
_SHOWN_BYTES = 40

_OUTLINE = compile_bytes(STRING + rb"|[{}\[\],]")
_COMMA = ord(",")
_BYTE = re.compile(r"\(byte (\d+)\)")
_BREAKS_TRIED = 4
_CLOSING = {ord("{"): ord("}"), ord("["): ord("]")}


@dataclass(frozen=True, slots=True)
class Element:
    """A record's JSON and where it stands.

    Attributes:
        number: Its number in the document, counted from 1.
        content: Its JSON.
        key: Name of the member of the object at the top that it is, or whose array holds it; else
            empty.
    """

    number: int
    content: bytes | msgspec.Raw
    key: str = ""


def elements(source: ByteSource) -> Iterator[Element | RecordProblem]:
    """Yield the records of a document or of several one after the other.

    Records are the objects and strings in an array at the top, or in an array that is a member of
    an object at the top (``{"vulnerabilities": [...]}``). An object at the top that holds no
    such array of objects is itself a record, which is what ``whole_objects`` is for.

    Raises:
        UnreadableError: The document ends or breaks in the middle; what came before is yielded.
    """
    yield from _Cutter(source, "arrays").run()


def whole_objects(source: ByteSource) -> Iterator[Element | RecordProblem]:
    """Yield the objects at the top of a stream, one after the other, however they are laid out.

    Raises:
        UnreadableError: As for ``elements``.
    """
    yield from _Cutter(source, "top").run()


def members(source: ByteSource) -> Iterator[Element | RecordProblem]:
    """Yield the objects that are members of an object at the top, each with its key.

    Raises:
        UnreadableError: As for ``elements``.
    """
    yield from _Cutter(source, "members").run()


def prefix_value(head: bytes) -> Any:
    """Return what can be decoded of a JSON document of which only the beginning is at hand.

    Everything up to the last comma is whole; what is open there is closed. Where the beginning is
    broken, what stands before the break counts.

    Returns:
        The value, with what is missing left out; None where the head is no JSON.
    """
    text = head.decode("utf-8", "replace").encode("utf-8")
    for _ in range(_BREAKS_TRIED):
        end, still_open = _whole_until(text)
        closing = bytes(_CLOSING[bracket] for bracket in reversed(still_open))
        try:
            return decode_lenient(text[:end] + closing)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            broken_at = _BYTE.search(str(error))
            text = text[: min(end, int(broken_at[1])) - 1] if broken_at else text[: end - 1]
        except RecursionError:
            return None
    return None


def _whole_until(head: bytes) -> tuple[int, bytes]:
    """Return up to where a document is whole, and which brackets are open there."""
    opened = bytearray()
    cut = (0, b"")
    for match in _OUTLINE.finditer(head):
        token = match[0][0]
        if token in b"{[":
            opened.append(token)
            cut = (match.end(), bytes(opened))
        elif token in b"}]":
            if not opened or opened[-1] != (_OBJECT if token == _OBJECT_END else _ARRAY):
                break
            opened.pop()
            cut = (match.end(), bytes(opened))
            if not opened:
                break
        elif token == _COMMA:
            cut = (match.start(), bytes(opened))
    return cut


class _Cutter:
    """Follows brackets through a stream, and cuts out what stands at the records' depth.

    Args:
        source: The stream.
        place: Where records stand: in ``arrays``, at the ``top``, as ``members`` of the top.
    """

    def __init__(self, source: ByteSource, place: Literal["arrays", "top", "members"]) -> None:
        self._source = source
        self._place = place
        self._buffer = b""
        self._position = 0  # in the buffer: what is before it has been followed
        self._start = -1  # in the buffer: where the present record begins
        self._open = bytearray()  # brackets that are open
        self._depth = 0  # of the present record
        self._number = 0
        self._steps = 0
        self._found_array = False
        self._name = b""  # the last string seen in the object at the top
        self._key = ""  # the member of it whose array is open
        self._before = 0  # records in the members before it
        self._skipping = False  # the present record is over the limit: its bytes are dropped

    def run(self) -> Iterator[Element | RecordProblem]:
        damage: UnreadableError | None = None
        pieces: list[bytes] = []
        size = wanted = 0
        while True:
            try:
                piece = self._source.take()
            except UnreadableError as error:
                damage, piece = error, b""
            pieces.append(piece)
            size += len(piece)
            if piece and size < wanted:
                continue
            self._buffer = b"".join((self._buffer, *pieces))
            pieces.clear()
            yield from self._follow()
            self._shrink()
            # A string that is not whole yet is followed again from its first character: after
            # as much again has come, so that the work stays in proportion to the length.
            rest = len(self._buffer) - self._position
            size, wanted = 0, max(rest, min(len(self._buffer), _FOLLOWED_BYTES))
            if not piece:
                break
        if damage:
            raise damage
        self._check_end()

    def _check_end(self) -> None:
        if self._open or self._start >= 0:
            raise self._broken("the JSON ends in the middle")
        if not (self._number or self._found_array):
            raise self._broken("not JSON records: no list of them is found")

    def _broken(self, reason: str) -> UnreadableError:
        whole = self._number - (self._start >= 0)
        return UnreadableError(self._source.name, f"{reason}, after {whole} whole records")

    def _follow(self) -> Iterator[Element | RecordProblem]:
        buffer = self._buffer
        position = self._position
        while match := self._next(position):
            start = match.start(1)
            token = buffer[start]
            if not self._open:
                self._check_between(position, start)
            position = match.end(1)
            if token == _QUOTE:
                if position - start == 1:
                    self._position = start
                    return
                if self._place == "arrays" and self._at_record():
                    self._begin(start)
                    yield self._cut(position)
                elif self._start < 0 and self._open == b"{":
                    self._name = buffer[start + 1 : position - 1]
            elif token in b"{[":
                self._open_bracket(token, start)
            else:
                self._close(token)
                if self._start >= 0 and len(self._open) == self._depth:
                    yield self._cut(position)
        if not self._open:
            self._check_between(position, len(buffer))
        self._position = len(buffer)

    def _next(self, position: int) -> re.Match[bytes] | None:
        """Return the next character that matters from a position on, or a string there."""
        self._steps += 1
        if self._steps % _CHECKED_STEPS == 0:
            checkpoint()
        pattern = _BRACKET
        if self._start < 0 and (not self._open or (self._place != "top" and self._open == b"{")):
            pattern = _TOKEN
        elif self._start < 0 and self._at_record():
            pattern = _ITEM
        return pattern.match(self._buffer, position)

    def _open_bracket(self, token: int, position: int) -> None:
        if self._start < 0 and token == _OBJECT and self._at_record():
            self._begin(position)
        self._open.append(token)
        self._found_array = self._found_array or token == _ARRAY
        if token == _ARRAY and self._open == b"{[" and self._place == "arrays":
            self._enter(self._name.decode("utf-8", "replace"))
        if len(self._open) > _MAX_DEPTH:
            raise self._broken(f"nested over {_MAX_DEPTH} deep")

    def _enter(self, key: str) -> None:
        if key != self._key:
            self._key = key
            self._before = self._number

    def _check_between(self, start: int, end: int) -> None:
        """Refuse what stands between documents, so that nothing is left out without a word."""
        if between := self._buffer[start:end].strip():
            if not (self._number or self._found_array):
                raise self._broken("not JSON records: no list of them is found")
            shown = between[:_SHOWN_BYTES].decode("utf-8", "replace")
            raise self._broken(f"what follows is no JSON: {shown!r}")

    def _at_record(self) -> bool:
        if self._place == "top":
            return not self._open
        if self._place == "members":
            return self._open == b"{"
        return bytes(self._open) in {b"[", b"{["}

    def _begin(self, position: int) -> None:
        self._start = position
        self._depth = len(self._open)
        self._number += 1
        if self._place == "members":
            self._key = self._name.decode("utf-8", "replace")

    def _close(self, token: int) -> None:
        opening = _OBJECT if token == _OBJECT_END else _ARRAY
        if not self._open or self._open[-1] != opening:
            raise self._broken("not JSON: brackets do not match")
        self._open.pop()

    def _cut(self, end: int) -> Element | RecordProblem:
        content = self._buffer[self._start : end]
        self._start = -1
        if self._skipping:
            self._skipping = False
            where = f"{self._source.name}: record {self._number - self._before}"
            return too_long(where, self._source.record_bytes)
        key = self._key if self._open.startswith(b"{") else ""
        return Element(self._number - self._before, content, key)

    def _shrink(self) -> None:
        """Drop what is done with; of a record over the limit, drop what has been followed."""
        keep = self._start if self._start >= 0 and not self._skipping else self._position
        if self._start >= 0 and len(self._buffer) - self._start > self._source.record_bytes:
            self._skipping = True
            keep = self._position
        if len(self._buffer) - keep > 2 * self._source.record_bytes:
            raise self._broken(f"a string of over {self._source.record_bytes >> 20} MiB")
        self._buffer = self._buffer[keep:]
        self._position -= keep
        if self._start >= 0:
            self._start = max(0, self._start - keep)
