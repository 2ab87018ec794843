"""What the parsers of advisories share: ids in free text, dates, and a record's last checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from cybersecqwen.core.records import (
    Advisory,
    AdvisoryState,
    ColumnValue,
    CvssVector,
    CweLabel,
    LabelSource,
    RecordProblem,
)
from cybersecqwen.core.taxonomy import canonical_cwe
from cybersecqwen.sources.advisories.formats import Place
from cybersecqwen.sources.advisories.prose import markup_kind, says_nothing

ItemT = TypeVar("ItemT")

REJECTED = "rejected by its CNA"
RESERVED = "reserved: its CNA has not published a description yet"

NVD_SOURCE = "nvd@nist.gov"
_CISA_SOURCE = "134c704f-9b21-4f2e-91b3-4a467353bcc0"  # as data publisher: Vulnrichment

_CWE_IN_TEXT = re.compile(r"\bCWE[-_ :]?\d{1,6}\b", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})-\d{2}-\d{2}")
_YEAR_ZERO = "0001"  # Go's zero time, which its vulnerability database writes for "unknown"
_REJECTED = re.compile(r"\s*\*\*\s*REJECT(?:ED)?\s*\*\*|\s*Rejected reason\s*:", re.IGNORECASE)
_MAY_BE_REJECTED = frozenset("*RrTt \t\n\r")
_RESERVED = re.compile(
    r"\s*\*\*\s*RESERVED\s*\*\*|"
    r"\s*This (?:CVE|candidate)(?: id| number)? (?:has been|is) reserved\b",
    re.IGNORECASE,
)
_CVSS_PREFIX = re.compile(r"CVSS:(\d\.\d)/")
_VULNERABILITY_ID = re.compile(
    r"(?<![\w-])(?:CVE-\d{4}-\d{4,19}|GHSA(?:-[0-9a-z]{4}){3})(?![\w-])", re.IGNORECASE
)
_ID_IN_JSON = re.compile(
    rb'"(?:cveId|cve_id|cveID|cve|id|ID|VulnerabilityID|ghsa_id)"\s*:\s*"([\w.:-]{1,64})"'
)


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


def labels_of(texts: Iterable[str], source: LabelSource, assigner: str = "") -> list[CweLabel]:
    """Return the labels that ``source`` gives in ``texts``, in order."""
    return [CweLabel(cwe, source, assigner) for text in texts for cwe in cwes_in(text)]


def cvss_vector(
    vector: str, source: LabelSource, version: str = "", assigner: str = ""
) -> CvssVector:
    """Return a vector with its version: the one it names, else ``version``, else 2.0."""
    match = _CVSS_PREFIX.match(vector)
    return CvssVector(vector, match[1] if match else version or "2.0", source, assigner)


def assigner_of(source: str) -> tuple[LabelSource, str]:
    """Return whose a label or a score in NVD's data is, and the name of whoever assigned it."""
    if source == NVD_SOURCE:
        return "nvd", source
    return ("adp", "CISA-ADP") if source == _CISA_SOURCE else ("cna", source)


def date_of(text: str | None) -> str:
    """Return the ``YYYY-MM-DD`` that a timestamp begins with, or an empty string."""
    match = _DATE.match(text or "")
    return match[0] if match and match[1] != _YEAR_ZERO else ""


def timestamp_of(text: str | None) -> str:
    """Return a timestamp as its source writes it, or an empty string where it means nothing."""
    return (text or "").strip() if date_of(text) else ""


def vulnerability_ids(text: str) -> list[str]:
    """Return the CVE and GHSA ids in a text, in order, each once; CVE ids in upper case."""
    found = _VULNERABILITY_ID.findall(text)
    return list(dict.fromkeys(canonical_id(name) for name in found))


def canonical_id(name: str) -> str:
    """Return an id as its publisher spells it: a CVE's in upper case, a GHSA's tail in lower."""
    name = name.strip()
    if name[:4].upper() == "CVE-":
        return name.upper()
    return f"GHSA{name[4:].lower()}" if name[:5].upper() == "GHSA-" else name


def english(descriptions: Iterable[tuple[str, str]]) -> str | None:
    """Return the English text among pairs of language and text, or None.

    ``en`` comes before regional English (``en-US``), and that before a text whose language is not
    told; CVE's older schema writes ``eng``.
    """
    regional = unnamed = None
    for language, text in descriptions:
        code = language.strip().lower().replace("_", "-")
        if code in {"en", "eng", "english"}:
            return text
        if regional is None and code.startswith("en-"):
            regional = text
        elif unnamed is None and not code:
            unnamed = text
    return unnamed if regional is None else regional


def headline_and_text(headline: str | None, text: str | None) -> str | None:
    """Return both as one description: a headline says what the text may leave out.

    Returns:
        The two, divided by a blank line, or whichever is there; None where neither is.
    """
    if not headline or not headline.strip():
        return text
    if not text or not text.strip():
        return headline
    if headline.strip().rstrip(".").lower() in text.lower():
        return text
    return f"{headline.strip()}\n\n{text}"


def columns_of(
    value: Mapping[str, Any], names: Sequence[str] = ()
) -> tuple[tuple[str, ColumnValue], ...]:
    """Return the members of a decoded object as columns; nested values as JSON text.

    Args:
        value: The object.
        names: Which members; all of them where none is named.
    """
    chosen = [(name, value[name]) for name in names if name in value] if names else value.items()
    return tuple([(name, v if type(v) in _PLAIN else _cell(v)) for name, v in chosen])


_PLAIN = frozenset((str, int, float, bool, type(None)))


def _cell(value: Any) -> ColumnValue:
    return msgspec.json.encode(value).decode()


def finish(
    place: Place,
    name: str,
    description: str | None,
    *,
    labels: Iterable[CweLabel] = (),
    cvss: Iterable[CvssVector] = (),
    published: str | None = "",
    modified: str | None = "",
    references: Iterable[str] = (),
    title: str | None = "",
    aliases: Iterable[str] = (),
    assigner: str | None = "",
    affected: Iterable[tuple[str, str]] = (),
    columns: Iterable[tuple[str, ColumnValue]] = (),
    state: AdvisoryState = "published",
    reason: str = "",
) -> Advisory | RecordProblem:
    """Return the advisory, or what is wrong with it.

    Args:
        place: Where it stands.
        name: Its id.
        description: Its text; None where it has none in English.
        labels: As in ``Advisory``, and so are the others.
        cvss: Likewise.
        published: A timestamp, of which the date is kept.
        modified: A timestamp, kept as it is.
        references: Likewise.
        title: Likewise.
        aliases: Likewise; the id itself is left out.
        assigner: Likewise.
        affected: Likewise; placeholders are left out.
        columns: Likewise.
        state: What its publisher says of it.
        reason: What to say where there is no description, or of the state.
    """
    name = canonical_id(name)
    if not name:
        return RecordProblem(place.where, "", "the record has no id")
    text = description or ""
    state = _told_state(text) if state == "published" else state
    record = Advisory(
        id=name,
        description=text,
        labels=_once(labels),
        cvss=_once(cvss),
        published=date_of(published),
        references=_once(filter(None, references)) if references else (),
        title=(title or "").strip(),
        aliases=_other_names(aliases, name) if aliases else (),
        assigner=assigner or "",
        affected=_products(affected) if affected else (),
        modified=timestamp_of(modified),
        state=state,
        where=place.where,
        line=place.line,
        columns=tuple(columns),
    )
    return _problem(record, description, reason) or record


def _other_names(aliases: Iterable[str], name: str) -> tuple[str, ...]:
    return _once([alias for alias in map(canonical_id, aliases) if alias and alias != name])


def _products(affected: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return _once([pair for pair in map(_known, affected) if pair != ("", "")])


def _told_state(text: str) -> AdvisoryState:
    """Return the state of a record that its description tells."""
    # Most texts begin with another letter than what a rejection begins with.
    if text[:1] not in _MAY_BE_REJECTED:
        return "published"
    if _REJECTED.match(text):
        return "rejected"
    return "reserved" if _RESERVED.match(text) else "published"


def _problem(record: Advisory, description: str | None, reason: str) -> RecordProblem | None:
    """Return why a record cannot be used; None where it can."""
    where, name, state = record.where, record.id, record.state
    if state != "published":
        said = reason or {"rejected": REJECTED, "reserved": RESERVED}.get(state, state)
        return RecordProblem(where, name, said, state, record)
    if lacking := _lacking(description, reason):
        return RecordProblem(where, name, lacking, "no_description", record)
    if kind := markup_kind(record.description):
        return RecordProblem(where, name, f"the text is {kind}, no description")
    return None


def _lacking(description: str | None, reason: str) -> str:
    """Return what is said where a description is missing or says nothing; else an empty string."""
    if description is None:
        return reason or "no English description"
    if not description.strip():
        return reason or "the description is empty"
    if says_nothing(description):
        return f"no description: the text is {description.strip()[:40]!r}"
    return ""


def _once(items: Iterable[ItemT]) -> tuple[ItemT, ...]:
    """Return each item once, in order."""
    if isinstance(items, list) and len(items) < 2:
        return tuple(items)
    return tuple(dict.fromkeys(items)) if items else ()


def _known(pair: tuple[str, str]) -> tuple[str, str]:
    """Return a vendor and a product without placeholders such as ``n/a``."""
    vendor, product = pair
    return _known_name(vendor), _known_name(product)


@lru_cache(maxsize=4096)
def _known_name(value: str) -> str:
    name = value.strip()
    return "" if name.lower() in {"n/a", "-", "*", "unspecified", "unknown"} else name


def not_utf8(place: Place, error: UnicodeDecodeError) -> RecordProblem:
    """Return the problem of a record whose bytes are no UTF-8."""
    return RecordProblem(place.where, "", f"not UTF-8 at byte {error.start + 1} of the record")


def decode_problem(place: Place, content: bytes, error: Exception) -> RecordProblem:
    """Return the problem of a record that a JSON decoder refused."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as encoding:
        return not_utf8(place, encoding)
    found = _ID_IN_JSON.search(content[:4096])
    name = canonical_id(found[1].decode()) if found else ""
    return RecordProblem(place.where, name, f"not a record of this format: {error}")


_ID = (
    r"(?:CVE-\d{4}-\d{4,19}|GHSA(?:-[0-9a-z]{4}){3}|(?:PYSEC|GO|RUSTSEC|GSD|EUVD|CNVD|JVNDB)"
    r"-\d{4}-\d+)"
)
_IDS_ALONE = re.compile(rf"\W*{_ID}(?:(?:\W|and|or)+{_ID})*\W*", re.IGNORECASE)
_ANY_ID = re.compile(_ID, re.IGNORECASE)
_ID_FIRST = re.compile(rf"\W*({_ID})\s*(?:[:;,|\t)\]]|\s[-\u2013\u2014]\s)\s*(?=\S)", re.IGNORECASE)
_SUBJECT = re.compile(rf"\W*({_ID})\s", re.IGNORECASE)
_URL_PARTS = re.compile(r"[/?&=#]+")
_ID_IN_ADDRESS = re.compile(r"CVE-\d{4}-\d+|GHSA(?:-[0-9a-z]{4}){3}", re.IGNORECASE)
_LONGEST_IDS = 2000

AN_ID_ALONE = "an id alone: give its description, or fill the local store (data import FILE)"


def ids_alone(text: str) -> list[str]:
    """Return the ids of a text that holds nothing else; empty where it does, or holds none."""
    if len(text) > _LONGEST_IDS or not _IDS_ALONE.fullmatch(text):
        return []
    return list(dict.fromkeys(map(canonical_id, _ANY_ID.findall(text))))


def id_of_address(text: str) -> str:
    """Return the CVE or GHSA id that an address ends in, or an empty string."""
    end = _URL_PARTS.split(text.strip().rstrip("/"))[-1]
    return end if _ID_IN_ADDRESS.fullmatch(end) else ""


def text_records(text: str, place: Place) -> Iterator[Advisory | RecordProblem]:
    """Yield the record of a bare text: a description, which may begin with its id, or ids alone.

    An id alone, or an address that ends in one, is a record without a description, for whoever can
    look it up; a text may hold several.
    """
    word = text.strip()
    address = "://" in word[:10] and not word.count(" ") and id_of_address(word)
    alone = [address] if address else ids_alone(text)
    for name in alone:
        yield finish(place, name, None, reason=AN_ID_ALONE)
    if not alone:
        if first := _ID_FIRST.match(text):
            yield finish(place, first[1], text[first.end() :])
        else:
            # In a sentence about an id, the id is a part of it.
            subject = _SUBJECT.match(text)
            yield finish(place, subject[1] if subject else place.fallback_id, text)
