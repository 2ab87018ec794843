"""Plain text: one description a line; and lists of ids."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cybersecqwen.core.records import RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import finish, not_utf8
from cybersecqwen.sources.advisories.formats import Place, ReadOptions, Record, TextFormat
from cybersecqwen.sources.advisories.prose import fragment_kind, is_binary
from cybersecqwen.sources.io.streams import ByteSource, lines
from cybersecqwen.sources.io.text_encoding import LineDecoder

_ID = r"(?:CVE-\d{4}-\d{4,19}|GHSA(?:-[0-9a-z]{4}){3}|(?:PYSEC|GO|RUSTSEC)-\d{4}-\d+)"
_ID_ALONE = re.compile(rf"\W*({_ID})\W*", re.IGNORECASE)
_ID_FIRST = re.compile(rf"\s*({_ID})\s*(?:[:;,|\t]|\s[-\u2013\u2014]\s)\s*(?=\S)", re.IGNORECASE)

AN_ID_ALONE = "an id alone: give its description, or fill the local store (data import FILE)"


def read_text(source: ByteSource, _options: ReadOptions) -> Iterator[Record]:
    """Yield one advisory for each line that is not blank.

    Its id is the CVE or GHSA id that the line begins with, else ``line-N``. A line that is an id
    alone is handed on as a record without description, for whoever can look it up.

    Raises:
        UnreadableError: The stream breaks.
    """
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
        elif alone := _ID_ALONE.fullmatch(text):
            yield finish(place, alone[1], None, reason=AN_ID_ALONE)
        elif piece := fragment_kind(text):
            yield RecordProblem(place.where, "", f"a piece of {piece}, no description")
        elif text.strip():
            first = _ID_FIRST.match(text)
            name = first[1] if first else place.fallback_id
            yield finish(place, name, text[first.end() :] if first else text)


TEXT = TextFormat(
    name="text",
    title="plain text, one description or id a line",
    recognised_by="nothing of the above",
    matches=lambda _head, _name: True,
    read=read_text,
)
