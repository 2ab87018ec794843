"""Plain text: one description a line; and lists of ids."""

from __future__ import annotations

from collections.abc import Iterator

from cybersecqwen.core.records import RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import not_utf8, text_records
from cybersecqwen.sources.advisories.formats import Place, ReadOptions, Record, TextFormat
from cybersecqwen.sources.advisories.prose import fragment_kind, is_binary
from cybersecqwen.sources.io.streams import ByteSource, lines
from cybersecqwen.sources.io.text_encoding import LineDecoder


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
        elif piece := fragment_kind(text):
            yield RecordProblem(place.where, "", f"a piece of {piece}, no description")
        elif text.strip():
            yield from text_records(text, place)


TEXT = TextFormat(
    name="text",
    title="plain text, one description or id a line",
    recognised_by="nothing of the above",
    matches=lambda _head, _name: True,
    read=read_text,
)
