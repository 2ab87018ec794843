"""``npm audit --json``: the advisories of npm 6 and pnpm, and the tree of npm 7 and later.

npm 6 writes an advisory with its text; from npm 7 on there is only its title and address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from cybersecqwen.core.lenient_json import DECODE_ERRORS, LenientDecoder
from cybersecqwen.sources.advisories.advisory_fields import (
    cvss_vector,
    decode_problem,
    finish,
    headline_and_text,
    labels_of,
    vulnerability_ids,
)
from cybersecqwen.sources.advisories.formats import Json, JsonFormat, JsonObject, Place, Record


class _NpmCvss(msgspec.Struct, rename="camel", gc=False):
    vector_string: str | None = None


class _NpmAdvisory(msgspec.Struct):
    id: int | str = ""
    source: int | str = ""
    title: str = ""
    overview: str | None = None
    module_name: str = ""
    name: str = ""
    cves: list[str] = []
    cwe: list[str] | str = ""
    cvss: _NpmCvss | None = None
    github_advisory_id: str = ""
    url: str = ""
    severity: str = ""
    vulnerable_versions: str = ""
    patched_versions: str = ""
    range: str = ""
    created: str = ""
    updated: str = ""


class _NpmPackage(msgspec.Struct):
    via: list[_NpmAdvisory | str] = []


class _Report(msgspec.Struct):
    advisories: dict[str, _NpmAdvisory] = {}
    vulnerabilities: dict[str, _NpmPackage] = {}


_REPORT = LenientDecoder(_Report)


def _parse(content: Json, place: Place, _context: Any) -> Iterable[Record]:
    try:
        report = _REPORT.decode(content)
    except DECODE_ERRORS as error:
        return [decode_problem(place, bytes(content), error)]
    found = [*report.advisories.values(), *_via(report)]
    return [_record(each, place.inside(f"finding {n}")) for n, each in enumerate(found, 1)]


def _via(report: _Report) -> Iterator[_NpmAdvisory]:
    for package in report.vulnerabilities.values():
        # A name alone is another package of the tree, whose advisory stands there.
        yield from (each for each in package.via if isinstance(each, _NpmAdvisory))


def _record(found: _NpmAdvisory, place: Place) -> Record:
    ids = [*found.cves, found.github_advisory_id, *vulnerability_ids(found.url)]
    known = [name for name in ids if name]
    number = found.id or found.source
    weaknesses = [found.cwe] if isinstance(found.cwe, str) else found.cwe
    vector = found.cvss.vector_string if found.cvss else None
    return finish(
        place,
        known[0] if known else f"npm-{number}" if number else place.fallback_id,
        headline_and_text(found.title, found.overview),
        labels=labels_of(weaknesses, "other", "npm"),
        cvss=[cvss_vector(vector, "other", assigner="npm")] if vector else (),
        published=found.created,
        modified=found.updated,
        references=[found.url],
        title=found.title,
        aliases=known,
        assigner="npm",
        affected=[("npm", found.module_name or found.name)],
        columns=[
            ("package", found.module_name or found.name),
            ("severity", found.severity),
            ("vulnerable_versions", found.vulnerable_versions or found.range),
            ("patched_versions", found.patched_versions),
        ],
        reason="the report holds neither text nor title",
    )


def _is_report(value: JsonObject) -> bool:
    advisories, tree = value.get("advisories"), value.get("vulnerabilities")
    return (isinstance(advisories, dict) and "metadata" in value) or (
        "auditReportVersion" in value and isinstance(tree, dict)
    )


NPM_AUDIT = JsonFormat(
    name="npm-audit",
    title="npm audit (JSON)",
    recognised_by="`auditReportVersion`, or `advisories` as an object beside `metadata`",
    is_record=_is_report,
    parse=_parse,
)
