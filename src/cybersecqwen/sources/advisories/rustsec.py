"""RustSec's advisories: Markdown with a block of TOML before it.

Format: https://github.com/rustsec/advisory-db#advisory-format. The first heading is the title.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import msgspec

from cybersecqwen.core.records import RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import cvss_vector, date_of, finish
from cybersecqwen.sources.advisories.formats import Place, ReadOptions, Record, TextFormat
from cybersecqwen.sources.io.streams import ByteSource, UnreadableError

_MAX_BYTES = 4 << 20
_FRONT = re.compile(r"\s*```toml[ \t]*\r?\n(.*?)\r?\n```[ \t]*(?:\r?\n|$)(.*)", re.DOTALL)
_HEADING = re.compile(r"\s*#[ \t]+([^\n]+)\n?(.*)", re.DOTALL)


class _RustSecAdvisory(msgspec.Struct):
    id: str
    package: str = ""
    date: str = ""
    url: str = ""
    references: list[str] = []
    aliases: list[str] = []
    cvss: str = ""
    withdrawn: str = ""


class _Front(msgspec.Struct):
    advisory: _RustSecAdvisory


def _read(source: ByteSource, _options: ReadOptions) -> Iterator[Record]:
    content = source.read(_MAX_BYTES + 1)
    place = Place(source.name, 1)
    if len(content) > _MAX_BYTES:
        raise UnreadableError(source.name, f"an advisory of over {_MAX_BYTES >> 20} MiB")
    try:
        front = _FRONT.match(content.decode("utf-8"))
        if front is None:
            raise UnreadableError(source.name, "a RustSec advisory whose block of TOML is cut off")
        # Dates may stand as TOML's own or as texts.
        table = tomllib.loads(front[1])
        found = msgspec.convert(msgspec.to_builtins(table), _Front, str_keys=True).advisory
    except UnicodeDecodeError as error:
        yield RecordProblem(place.where, "", f"not UTF-8 at byte {error.start + 1} of the record")
        return
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        yield RecordProblem(place.where, "", f"not a RustSec advisory: {error}")
        return
    heading = _HEADING.match(front[2])
    title, text = (heading[1].strip(), heading[2]) if heading else ("", front[2])
    withdrawn = date_of(found.withdrawn)
    yield finish(
        place,
        found.id,
        f"{title}\n\n{text.strip()}".strip(),
        cvss=[cvss_vector(found.cvss, "other", assigner="RustSec")] if found.cvss else (),
        published=found.date,
        references=(found.url, *found.references),
        title=title,
        aliases=found.aliases,
        assigner="RustSec",
        affected=[("crates.io", found.package)],
        state="withdrawn" if withdrawn else "published",
        reason=f"withdrawn on {withdrawn}" if withdrawn else "",
    )


def _matches(head: bytes, _name: str) -> bool:
    start = head.lstrip()
    return start.startswith(b"```toml") and b"[advisory]" in start[:4096]


RUSTSEC = TextFormat(
    name="rustsec",
    title="RustSec Markdown",
    recognised_by="a block of TOML with `[advisory]` at the start",
    matches=_matches,
    read=_read,
)
