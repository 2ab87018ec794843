"""OSV records: GitHub's advisories, PyPA's, Go's, RustSec's and other databases' of osv.dev.

Schema: https://ossf.github.io/osv-schema/. PyPA keeps its records as YAML; other databases, and the
API, write JSON. ``summary`` is a headline, ``details`` the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import yaml

from cybersecqwen.core.lenient_json import DECODE_ERRORS, LenientDecoder
from cybersecqwen.core.records import ColumnValue, CvssVector, CweLabel, RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import (
    cvss_vector,
    date_of,
    decode_problem,
    finish,
    headline_and_text,
    labels_of,
)
from cybersecqwen.sources.advisories.formats import (
    Json,
    JsonFormat,
    JsonObject,
    Place,
    ReadOptions,
    Record,
    TextFormat,
)
from cybersecqwen.sources.io.streams import ByteSource, UnreadableError

_DATABASES = {
    "GHSA": "GitHub",
    "PYSEC": "PyPA",
    "GO": "Go",
    "RUSTSEC": "RustSec",
    "GSD": "GSD",
    "OSV": "OSV",
    "MAL": "OpenSSF",
}
_OSV_ID = re.compile(r"[A-Z][A-Za-z]*-[\w.:-]*\d?[\w.:-]*")
_YAML_KEY = re.compile(rb"(?:- )?[a-z_]+:(?:\s|$)")
_YAML_KEYS = {b"modified", b"affected", b"aliases", b"schema_version", b"published"}
_MAX_YAML_BYTES = 4 << 20
_DISTINCTIVE = frozenset(
    ("schema_version", "affected", "aliases", "database_specific", "withdrawn", "upstream")
)


class _Severity(msgspec.Struct, gc=False):
    type: str = ""
    score: str = ""


class _OsvPackage(msgspec.Struct, gc=False):
    ecosystem: str = ""
    name: str = ""


class _OsvAffected(msgspec.Struct):
    package: _OsvPackage | None = None
    severity: list[_Severity] = []


class _OsvReference(msgspec.Struct, gc=False):
    url: str = ""


class _OsvWeakness(msgspec.Struct, gc=False):
    id: str = msgspec.field(default="", name="cweId")


class _Database(msgspec.Struct):
    cwe_ids: list[str] = []
    cwes: list[_OsvWeakness | str] = []


class OsvRecord(msgspec.Struct):
    """A record, as far as it is read."""

    id: str
    summary: str | None = None
    details: str | None = None
    aliases: list[str] = []
    upstream: list[str] = []
    published: str | None = None
    modified: str | None = None
    withdrawn: str | None = None
    severity: list[_Severity] = []
    affected: list[_OsvAffected] = []
    references: list[_OsvReference] = []
    database_specific: _Database | None = None

    def record(self, place: Place, columns: Iterable[tuple[str, ColumnValue]] = ()) -> Record:
        """Return the advisory, or what is wrong with it."""
        database = _DATABASES.get(self.id.split("-", 1)[0].upper(), "")
        withdrawn = date_of(self.withdrawn) or self.withdrawn
        return finish(
            place,
            self.id,
            headline_and_text(self.summary, self.details),
            labels=self._labels(database),
            cvss=self._vectors(database),
            published=self.published,
            modified=self.modified,
            references=(reference.url for reference in self.references),
            title=self.summary,
            # Of a single one it tells the same vulnerability in a distribution's words.
            aliases=[*self.aliases, *(self.upstream if len(self.upstream) == 1 else ())],
            assigner=database,
            affected=((a.package.ecosystem, a.package.name) for a in self.affected if a.package),
            columns=columns,
            state="withdrawn" if withdrawn else "published",
            reason=f"withdrawn on {withdrawn}" if withdrawn else "neither summary nor details",
        )

    def _labels(self, database: str) -> list[CweLabel]:
        specific = self.database_specific or _Database()
        named = [cwe if isinstance(cwe, str) else cwe.id for cwe in specific.cwes]
        return labels_of([*specific.cwe_ids, *named], "other", database)

    def _vectors(self, database: str) -> Iterator[CvssVector]:
        affected = (severity for each in self.affected for severity in each.severity)
        for severity in (*self.severity, *affected):
            if severity.type.startswith("CVSS") and "/" in severity.score:
                yield cvss_vector(severity.score, "other", assigner=database)


_DECODER = LenientDecoder(OsvRecord)


def _parse(content: Json, place: Place, _context: Any) -> Iterable[Record]:
    try:
        return [_DECODER.decode(content).record(place)]
    except DECODE_ERRORS as error:
        return [decode_problem(place, bytes(content), error)]


def is_osv(value: JsonObject) -> bool:
    """Whether an object is an OSV record: an id, and what no row of a user's has beside it."""
    keys = set(value)
    if "id" not in keys or ("description" in keys and not keys & {"summary", "details"}):
        return False
    if _DISTINCTIVE & keys or {"modified", "details"} <= keys:
        return True
    # A match of the API's batches: an id and when it was changed.
    return "modified" in keys and _OSV_ID.fullmatch(str(value["id"])) is not None


class _Texts(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
    """Reads every scalar as text."""


class _Typed(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads numbers and truth values as such, and dates as text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own name and form
        first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _load_yaml(content: bytes, loader: type[Any]) -> Iterator[Any]:
    """Yield the records of YAML: of one document, of several, or of lists of records.

    Raises:
        ValueError: It is no YAML, nested too deeply, or has aliases, which could expand without
            bound.
    """
    try:
        # Before anything is built: a loader in C resolves aliases out of Python's reach.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content, loader)):
            raise ValueError("it has an alias, which is refused")
        for document in yaml.load_all(content, loader):
            yield from document if isinstance(document, list) else [document]
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())[:200]) from None


def yaml_records(content: bytes) -> list[Any]:
    """Return the OSV records of YAML as JSON has them.

    Raises:
        ValueError: It cannot be read, or has over 4 MiB.
    """
    if len(content) > _MAX_YAML_BYTES:
        raise ValueError(f"YAML of over {_MAX_YAML_BYTES >> 20} MiB")
    return list(_load_yaml(content, _Typed))


def _read_yaml(source: ByteSource, _options: ReadOptions) -> Iterator[Record]:
    content = source.read(_MAX_YAML_BYTES + 1)
    if len(content) > _MAX_YAML_BYTES:
        raise UnreadableError(source.name, f"YAML of over {_MAX_YAML_BYTES >> 20} MiB")
    place = Place(source.name, 1)
    try:
        for number, record in enumerate(_load_yaml(content, _Texts), 1):
            place = Place(source.name, number)
            yield from _parse(msgspec.json.encode(record), place, None)
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        yield RecordProblem(place.where, "", f"YAML that cannot be read: {said}")


def _is_yaml(head: bytes, _name: str) -> bool:
    """Whether the keys at the top of YAML, or of the first item of a list of such, are OSV's."""
    lines = [line for line in head.split(b"\n") if line.strip() and not line.startswith(b"#")]
    starts = [line for line in lines if line.rstrip() != b"---"][:1]
    if not starts or not _YAML_KEY.match(starts[0]):
        return False
    indent = b"  " if starts[0].startswith(b"- ") else b""
    starts[0] = starts[0].replace(b"- ", b"  ", 1) if indent else starts[0]
    tops = [line[len(indent) :] for line in (*starts, *lines) if line.startswith(indent)]
    keys = {line.split(b":")[0] for line in tops if line[:1].isalpha() and b":" in line}
    return b"id" in keys and bool(_YAML_KEYS & keys)


OSV = JsonFormat(
    name="osv",
    title="OSV and GHSA JSON",
    recognised_by="`id` beside `schema_version`, `affected`, `aliases`, `database_specific` or "
    "`withdrawn`, or `modified` and `details`; lists of such, as under `vulns`",
    is_record=is_osv,
    parse=_parse,
)

OSV_YAML = TextFormat(
    name="osv-yaml",
    title="OSV YAML, PyPA's",
    recognised_by="`id:` beside `modified:`, `affected:`, `aliases:` or `published:`",
    matches=_is_yaml,
    read=_read_yaml,
)


class _GithubWeakness(msgspec.Struct, gc=False):
    cwe_id: str = ""


class _GithubScore(msgspec.Struct, gc=False):
    vector_string: str | None = None


class _GithubScores(msgspec.Struct):
    cvss_v3: _GithubScore | None = None
    cvss_v4: _GithubScore | None = None


class _GithubVulnerability(msgspec.Struct):
    package: _OsvPackage | None = None


class _GithubAdvisory(msgspec.Struct):
    ghsa_id: str
    cve_id: str | None = None
    summary: str | None = None
    description: str | None = None
    cwes: list[_GithubWeakness] = []
    cvss: _GithubScore | None = None
    cvss_severities: _GithubScores | None = None
    vulnerabilities: list[_GithubVulnerability] = []
    references: list[str] = []
    published_at: str | None = None
    updated_at: str | None = None
    withdrawn_at: str | None = None


_GITHUB = LenientDecoder(_GithubAdvisory)


def _parse_github(content: Json, place: Place, _context: Any) -> Iterable[Record]:
    try:
        found = _GITHUB.decode(content)
    except DECODE_ERRORS as error:
        return [decode_problem(place, bytes(content), error)]
    scores = found.cvss_severities
    given = (scores.cvss_v4, scores.cvss_v3) if scores else (found.cvss,)
    withdrawn = date_of(found.withdrawn_at)
    return [
        finish(
            place,
            found.ghsa_id,
            headline_and_text(found.summary, found.description),
            labels=labels_of((cwe.cwe_id for cwe in found.cwes), "other", "GitHub"),
            cvss=[
                cvss_vector(score.vector_string, "other", assigner="GitHub")
                for score in given
                if score and score.vector_string
            ],
            published=found.published_at,
            modified=found.updated_at,
            references=found.references,
            title=found.summary,
            aliases=[found.cve_id or ""],
            assigner="GitHub",
            affected=(
                (v.package.ecosystem, v.package.name) for v in found.vulnerabilities if v.package
            ),
            state="withdrawn" if withdrawn else "published",
            reason=f"withdrawn on {withdrawn}" if withdrawn else "",
        )
    ]


GITHUB = JsonFormat(
    name="github",
    title="GitHub's API of advisories",
    recognised_by="`ghsa_id`",
    is_record=lambda value: "ghsa_id" in value,
    parse=_parse_github,
)
