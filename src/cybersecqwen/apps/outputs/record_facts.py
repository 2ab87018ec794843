"""What a record itself says, in the words that every output uses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from cvss import CVSS2, CVSS3, CVSS4
from cvss.exceptions import CVSSError

from cybersecqwen.core.records import Advisory, CvssVector, Labeller, LabelSource
from cybersecqwen.core.taxonomy import canonical_cwe

PUBLISHERS: tuple[LabelSource, ...] = ("cna", "other", "adp")
"""Who stands for the record's publisher: the first of them that assigned a weakness."""

_VERSIONS = ("4.0", "3.1", "3.0", "2.0")
_CVE = re.compile(r"CVE-\d{4}-\d{4,}", re.IGNORECASE)
_GHSA = re.compile(r"GHSA(-[23456789cfghjmpqrvwx]{4}){3}", re.IGNORECASE)
_OSV = re.compile(r"(PYSEC|GO|RUSTSEC|OSV|MAL|GSD|HSEC|PSF|RSEC|ALBA|ALSA|RLSA|DSA|DLA|USN)-\S+")


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What a record says of itself; see ``RecordRow`` for the attributes."""

    title: str = ""
    nvd_cwe: tuple[str, ...] = ()
    cna_cwe: tuple[str, ...] = ()
    cvss: str = ""
    cvss_score: float | None = None
    cvss_severity: str = ""
    published: str = ""
    url: str = ""
    file: str = ""
    line: int = 0
    columns: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Advisory) -> RecordFacts:
        """Return what a record says."""
        vector = newest_vector(record.cvss)
        score, severity = base_score(vector) if vector else (None, "")
        return cls(
            title=record.title,
            nvd_cwe=_ids(record.cwes("nvd")),
            cna_cwe=next(filter(None, (_ids(record.cwes(who)) for who in PUBLISHERS)), ()),
            cvss=vector,
            cvss_score=score,
            cvss_severity=severity,
            published=record.published,
            url=record_url(record.id, record.references),
            file=relative_name(record.file),
            line=record.line,
            columns=dict(record.columns),
        )


def relative_name(file: str) -> str:
    """Return an input's name as outputs give it: from the working folder on, else its last part.

    An output goes to others, whom the folders of this machine, or a store's, do not concern.
    """
    if "://" in file:
        return file.rpartition("/")[2]
    path = PurePath(file)
    if not path.is_absolute():
        return path.as_posix() if file else ""
    return _below(path, Path.cwd())


@lru_cache(maxsize=64)  # every record of a file asks
def _below(path: PurePath, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _ids(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return canonical ids, each once; NVD's placeholders name no weakness and are left out."""
    return tuple(dict.fromkeys(filter(None, map(canonical_cwe, labels))))


def is_unlabelled(record: Advisory) -> bool:
    """Whether nobody has assigned a weakness to a record yet."""
    return not _ids(tuple(label.cwe for label in record.labels))


def agreement(cwe: str, facts: RecordFacts, labeller: Labeller) -> bool | None:
    """Return whether an id is among a record's own labels; None where it has none.

    The labels are those of the convention that was asked for, or the other's where it has none.
    """
    first, second = facts.nvd_cwe, facts.cna_cwe
    if labeller == "cna":
        first, second = second, first
    labels = first or second
    return cwe in labels if labels else None


def newest_vector(vectors: Sequence[CvssVector]) -> str:
    """Return the vector of the newest version, NVD's before others'; an empty string if none."""

    def rank(vector: CvssVector) -> tuple[int, bool]:
        known = vector.version in _VERSIONS
        return (_VERSIONS.index(vector.version) if known else 9, vector.source != "nvd")

    return min(vectors, key=rank).vector if vectors else ""


@lru_cache(maxsize=20_000)
def base_score(vector: str) -> tuple[float | None, str]:
    """Return a vector's base score and severity; None and an empty string if it has no score."""
    try:
        if vector.startswith("CVSS:4"):
            scored = CVSS4(vector)
            return float(scored.base_score), scored.severity.lower()
        if vector.startswith("CVSS:3"):
            score = float(CVSS3(vector).base_score)
        else:
            score = float(CVSS2(vector.strip("()")).base_score)
    except (CVSSError, ValueError, KeyError, ArithmeticError):
        return None, ""
    return score, severity_of(score)


def severity_of(score: float) -> str:
    """Return the qualitative severity of a score (CVSS v3.1, section 5)."""
    bounds = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))
    return next((name for bound, name in bounds if score >= bound), "none")


def record_url(record_id: str, references: tuple[str, ...] = ()) -> str:
    """Return a page about a record: NVD's, GitHub's or OSV's by its id, else a reference of it."""
    if _CVE.fullmatch(record_id):
        return f"https://nvd.nist.gov/vuln/detail/{record_id.upper()}"
    if _GHSA.fullmatch(record_id):
        return f"https://github.com/advisories/{record_id}"
    if _OSV.fullmatch(record_id):
        return f"https://osv.dev/vulnerability/{record_id}"
    return next((url for url in references if url.startswith(("https://", "http://"))), "")
