"""Plain text: one description a line."""

from __future__ import annotations

from collections.abc import Iterator

from cybersecqwen.core.records import Advisory, RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import finish, not_utf8
from cybersecqwen.sources.io.streams import ByteSource, lines


def read_text(source: ByteSource) -> Iterator[Advisory | RecordProblem]:
    """Yield one advisory for each line that is not blank; its id is ``line-N``.

    Raises:
        UnreadableError: The stream breaks.
    """
    for line in lines(source):
        if isinstance(line, RecordProblem):
            yield line
            continue
        where = f"{source.name}:{line.number}"
        try:
            text = line.content.decode("utf-8")
        except UnicodeDecodeError as error:
            yield not_utf8(where, error)
            continue
        if text.strip():
            yield finish(where, f"line-{line.number}", text)
