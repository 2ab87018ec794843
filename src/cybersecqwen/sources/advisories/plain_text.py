"""Plain text: one description a line, or a paragraph where lines are wrapped; lists of ids."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

from cybersecqwen.core.records import RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import ids_alone, not_utf8, text_records
from cybersecqwen.sources.advisories.formats import Place, ReadOptions, Record, TextFormat
from cybersecqwen.sources.advisories.prose import fragment_kind, is_binary
from cybersecqwen.sources.io.streams import ByteSource, lines, too_long
from cybersecqwen.sources.io.text_encoding import LineDecoder

_NARROWEST, _WIDEST = 40, 120  # characters of the longest line of wrapped text
_FEWEST_BREAKS = 2
_LINES_TRIED = 40
_ID_FIRST = re.compile(r"\W{0,3}(?:CVE-\d{4}-\d{4,}|GHSA(?:-[a-z0-9]{4}){3})\b", re.IGNORECASE)


def read_text(source: ByteSource, _options: ReadOptions) -> Iterator[Record]:
    """Yield one advisory for each line that is not blank, of wrapped text for each paragraph.

    Its id is the CVE or GHSA id that the line begins with, else ``line-N``. A line that is an id
    alone is handed on as a record without description, for whoever can look it up.

    Raises:
        UnreadableError: The stream breaks.
    """
    if is_wrapped(source.peek()):
        reason = "lines of wrapped text: each paragraph is read as one description"
        yield RecordProblem(source.name, "", reason, "note")
        yield from _paragraphs(source)
        return
    decoder = LineDecoder()
    for line in lines(source):
        if isinstance(line, RecordProblem):
            yield line
            continue
        place = Place(source.name, line.number, by_line=True)
        text = decoder.decode(line.content)
        if isinstance(text, UnicodeDecodeError):
            yield not_utf8(place, text)
        elif is_binary(text):
            yield RecordProblem(place.where, "", "no text: most of it are control characters")
        elif piece := fragment_kind(text):
            yield RecordProblem(place.where, "", f"a piece of {piece}, no description")
        elif text.strip():
            yield from text_records(text, place)


def is_wrapped(head: bytes) -> bool:
    """Whether a text's lines are broken where no further word had room, as programs wrap prose.

    Args:
        head: Its first bytes.
    """
    lines_ = head.decode("utf-8", "replace").split("\n")[:_LINES_TRIED]
    shown = [line.rstrip() for line in lines_]
    if _each_begins_with_an_id(shown):
        return True
    width = max(map(len, shown))
    if not _NARROWEST <= width <= _WIDEST:
        return False
    breaks = [(line, after.split()[0]) for line, after in pairwise(shown) if line and after]
    full = sum(len(line) + 1 + len(word) > width for line, word in breaks)
    goes_on = sum(word[0].islower() for _, word in breaks)
    prose = all(" " in line for line, _ in breaks)
    wrapped = prose and full == len(breaks) >= _FEWEST_BREAKS
    return wrapped and 2 * goes_on >= len(breaks)


def _each_begins_with_an_id(shown: Sequence[str]) -> bool:
    """Whether blank lines divide paragraphs of which each begins with an id, and no other line.

    The id may stand on a line of its own, with the text below it.
    """
    begins = [n for n, line in enumerate(shown) if line and not (n and shown[n - 1])]
    with_id = [n for n, line in enumerate(shown) if _ID_FIRST.match(line)]
    if len(begins) < 2 or begins != with_id:
        return False
    below = [line for n, line in enumerate(shown) if line and n not in set(begins)]
    if all(ids_alone(shown[n]) for n in begins):
        return all(n + 1 < len(shown) and shown[n + 1] for n in begins)
    return any(line[0].islower() for line in below)


def _paragraphs(source: ByteSource) -> Iterator[Record]:
    """Yield one advisory for each paragraph, called by its first line."""
    decoder = LineDecoder()
    gathered: list[str] = []
    first = size = 0
    for line in chain(lines(source, blank=True), [None]):
        if isinstance(line, RecordProblem):
            yield line
            continue
        text = decoder.decode(line.content) if line else ""
        if isinstance(text, UnicodeDecodeError):
            yield not_utf8(Place(source.name, line.number if line else 0, by_line=True), text)
        elif line and text.strip():
            first = first if size else line.number
            size += len(text)
            if size <= source.record_bytes:
                gathered.append(text.strip())
        elif size:
            place = Place(source.name, first, by_line=True)
            if size > source.record_bytes:
                yield too_long(place.where, source.record_bytes)
            else:
                yield from text_records(" ".join(gathered), place)
            gathered, size = [], 0


TEXT = TextFormat(
    name="text",
    title="plain text, one description or id a line, or wrapped with blank lines between",
    recognised_by="nothing of the above",
    matches=lambda _head, _name: True,
    read=read_text,
)
