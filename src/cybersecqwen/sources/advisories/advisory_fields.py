"""What the parsers of advisories share: ids in free text, dates, and a record's last checks."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cybersecqwen.core.records import Advisory, CvssVector, CweLabel, LabelSource, RecordProblem
from cybersecqwen.core.taxonomy import canonical_cwe

_CWE_IN_TEXT = re.compile(r"\bCWE[-_ :]?\d{1,6}\b", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_REJECTED = re.compile(r"\s*\*\*\s*REJECT(?:ED)?\s*\*\*|\s*Rejected reason\s*:", re.IGNORECASE)
_CVSS_PREFIX = re.compile(r"CVSS:(\d\.\d)/")

REJECTED = "rejected by its CNA"


def cwes_in(text: str) -> list[str]:
    """Return the ids that a label's text names, canonical, in order.

    The text is an id in any spelling, or prose with ids in it such as ``CWE-79 Cross-site
    Scripting``. Placeholders (``NVD-CWE-noinfo``, ``n/a``) name none.
    """
    whole = canonical_cwe(text)
    if whole:
        return [whole]
    found = (canonical_cwe(match) for match in _CWE_IN_TEXT.findall(text))
    return [cwe for cwe in found if cwe]


def labels_of(texts: Iterable[str], source: LabelSource) -> list[CweLabel]:
    """Return the labels that ``source`` gives in ``texts``, in order."""
    return [CweLabel(cwe, source) for text in texts for cwe in cwes_in(text)]


def cvss_vector(vector: str, source: LabelSource, version: str = "") -> CvssVector:
    """Return a vector with its version: the one it names, else ``version``, else 2.0."""
    match = _CVSS_PREFIX.match(vector)
    return CvssVector(vector, match[1] if match else version or "2.0", source)


def date_of(text: str | None) -> str:
    """Return the ``YYYY-MM-DD`` that a timestamp begins with, or an empty string."""
    match = _DATE.match(text or "")
    return match[0] if match else ""


def english(descriptions: Iterable[tuple[str, str]]) -> str | None:
    """Return the English text among pairs of language and text, or None.

    ``en`` comes before regional English (``en-US``); CVE's older schema writes ``eng``.
    """
    regional = None
    for language, text in descriptions:
        code = language.strip().lower().replace("_", "-")
        if code in {"en", "eng"}:
            return text
        if regional is None and code.startswith("en-"):
            regional = text
    return regional


def finish(
    where: str,
    name: str,
    description: str | None,
    *,
    labels: Iterable[CweLabel] = (),
    cvss: Iterable[CvssVector] = (),
    published: str | None = "",
    references: Iterable[str] = (),
) -> Advisory | RecordProblem:
    """Return the advisory, or what is wrong with its description."""
    if not name.strip():
        return RecordProblem(where, "", "the record has no id")
    if description is None:
        return RecordProblem(where, name, "no English description")
    if not description.strip():
        return RecordProblem(where, name, "the description is empty")
    if _REJECTED.match(description):
        return RecordProblem(where, name, REJECTED, "rejected")
    return Advisory(
        id=name,
        description=description,
        labels=tuple(dict.fromkeys(labels)),
        cvss=tuple(dict.fromkeys(cvss)),
        published=date_of(published),
        references=tuple(dict.fromkeys(references)),
    )


def not_utf8(where: str, error: UnicodeDecodeError) -> RecordProblem:
    """Return the problem of a record whose bytes are no UTF-8."""
    return RecordProblem(where, "", f"not UTF-8 at byte {error.start + 1} of the record")


def decode_problem(where: str, content: bytes, error: Exception) -> RecordProblem:
    """Return the problem of a record that a JSON decoder refused."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as encoding:
        return not_utf8(where, encoding)
    found = re.search(rb'"(?:cveId|cve_id|cve|id|ID)"\s*:\s*"([\w.:-]{1,64})"', content[:4096])
    name = found[1].decode() if found else ""
    return RecordProblem(where, name, f"not a record of this format: {error}")
