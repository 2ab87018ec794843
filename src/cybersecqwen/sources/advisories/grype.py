"""Grype's reports in JSON: matches of a vulnerability and a package.

Format: https://github.com/anchore/grype. A match of a distribution's or GitHub's record names the
CVE, with NVD's text, among the related vulnerabilities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from cybersecqwen.core.lenient_json import DECODE_ERRORS, LenientDecoder
from cybersecqwen.core.records import CvssVector, CweLabel, LabelSource
from cybersecqwen.sources.advisories.advisory_fields import (
    assigner_of,
    cvss_vector,
    decode_problem,
    finish,
    headline_and_text,
    labels_of,
)
from cybersecqwen.sources.advisories.formats import Json, JsonFormat, JsonObject, Place, Record


class _GrypeScore(msgspec.Struct, gc=False):
    version: str = ""
    vector: str = ""
    source: str = ""


class _GrypeWeakness(msgspec.Struct, gc=False):
    cwe: str = ""
    source: str = ""


class _Fix(msgspec.Struct):
    versions: list[str] = []
    state: str = ""


class _GrypeVulnerability(msgspec.Struct, rename="camel"):
    id: str = ""
    data_source: str = ""
    namespace: str = ""
    severity: str = ""
    urls: list[str] = []
    description: str | None = None
    cvss: list[_GrypeScore] = []
    cwes: list[_GrypeWeakness] = []
    fix: _Fix | None = None


class _Artifact(msgspec.Struct, gc=False):
    name: str = ""
    version: str = ""
    type: str = ""


class _GrypeMatch(msgspec.Struct, rename="camel"):
    vulnerability: _GrypeVulnerability
    related_vulnerabilities: list[_GrypeVulnerability] = []
    artifact: _Artifact = msgspec.field(default_factory=_Artifact)


_MATCH = LenientDecoder(_GrypeMatch)


def _parse(content: Json, place: Place, _context: Any) -> Iterable[Record]:
    try:
        match = _MATCH.decode(content)
    except DECODE_ERRORS as error:
        return [decode_problem(place, bytes(content), error)]
    found, related, artifact = match.vulnerability, match.related_vulnerabilities, match.artifact
    both = [found, *(each for each in related if each.id != found.id or not found.description)]
    # Its own text may be a headline; the CVE's is the longer one then.
    texts = sorted((each.description for each in both if each.description), key=len, reverse=True)
    own = found.description
    return [
        finish(
            place,
            found.id or place.fallback_id,
            headline_and_text(own, texts[0]) if own and texts else next(iter(texts), own),
            labels=[label for each in both for label in _labels(each)],
            cvss=[vector for each in both for vector in _vectors(each)],
            references=[url for each in both for url in (each.data_source, *each.urls)],
            title=own if own and texts and own != texts[0] else "",
            aliases=(each.id for each in related),
            assigner=found.namespace,
            affected=[(artifact.type, artifact.name)],
            columns=[
                ("package", artifact.name),
                ("version", artifact.version),
                ("type", artifact.type),
                ("severity", found.severity),
                ("fix_state", found.fix.state if found.fix else ""),
                ("fix_versions", ", ".join(found.fix.versions) if found.fix else ""),
            ],
            reason="the report holds no description of it",
        )
    ]


def _who(found: _GrypeVulnerability, source: str) -> tuple[LabelSource, str]:
    """Return whose a label or a score is: NVD's records name who assigned it."""
    if found.namespace == "nvd:cpe" and source:
        return assigner_of(source)
    return ("nvd" if found.namespace == "nvd:cpe" else "other"), source or found.namespace


def _labels(found: _GrypeVulnerability) -> Iterator[CweLabel]:
    for weakness in found.cwes:
        yield from labels_of([weakness.cwe], *_who(found, weakness.source))


def _vectors(found: _GrypeVulnerability) -> Iterator[CvssVector]:
    for score in found.cvss:
        if score.vector:
            whose, assigner = _who(found, score.source)
            yield cvss_vector(score.vector, whose, score.version, assigner)


def _is_match(value: JsonObject) -> bool:
    return "artifact" in value and isinstance(value.get("vulnerability"), dict)


GRYPE = JsonFormat(
    name="grype",
    title="Grype's report (JSON)",
    recognised_by="`matches` beside `source` or `descriptor`",
    is_record=_is_match,
    parse=_parse,
    is_document=lambda v: (
        isinstance(v.get("matches"), list) and bool({"source", "descriptor"} & set(v))
    ),
    members=("matches",),
)
