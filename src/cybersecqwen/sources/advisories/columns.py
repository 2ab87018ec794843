"""Which column of a table, or which key of a row, holds what, however it is spelled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cybersecqwen.core.records import ColumnValue, CvssVector, CweLabel, LabelSource
from cybersecqwen.sources.advisories.advisory_fields import (
    cvss_vector,
    finish,
    headline_and_text,
    labels_of,
    vulnerability_ids,
)
from cybersecqwen.sources.advisories.formats import Place, ReadOptions, Record

_NOT_A_LETTER = re.compile(r"[\W_]+")
_CVSS = re.compile(r"\s*(CVSS:\d\.\d/|AV:[A-Z]/)\S+", re.IGNORECASE)
_URL_PARTS = re.compile(r"[/?&=#]+")
_ID_IN_ADDRESS = re.compile(r"CVE-\d{4}-\d+|GHSA(?:-[0-9a-z]{4}){3}", re.IGNORECASE)
_BARE_NUMBERS = re.compile(r"[\d,;\s]+")

# Names without case, spaces, hyphens, underscores and a plural s, the best first.
_TEXTS = (
    *("description", "vulnerabilitydescription", "cvedescription", "vulndescription"),
    *("shortdescription", "longdescription", "fulldescription", "issuedescription"),
    *("findingdescription", "desc", "text", "detail", "overview", "advisory"),
    *("vulnerabilityinsight", "vulnerabilitydetail", "technicaldetail"),
)
_SUMMARIES = ("summary", "vulnerabilitysummary", "synopsi", "headline", "abstract")
_TITLES = (
    *("title", "vulnerabilityname", "vulnerabilitytitle", "vulnname", "nvtname", "pluginname"),
    *("pluginoutputname", "issuetitle", "findingtitle", "name"),
)
_TITLES_AS_TEXT = _TITLES[:6]
"""Headlines that are taken for the text where a scanner's export has nothing better."""

_CVE_IDS = ("cve", "cveid", "cvenumber", "cvename", "cvecode", "cvelist")
_OTHER_IDS = (
    *("id", "vulnerabilityid", "vulnid", "ghsaid", "ghsa", "osvid", "advisoryid", "identifier"),
    *("vulnerability", "uniqueid", "recordid", "pluginid", "plugin", "nvtoid", "oid", "qid"),
    *("issuekey", "key", "findingid", "uuid"),
)
_URLS = ("url", "link", "reference", "primaryurl", "href")
_CWES: dict[str, LabelSource | None] = {
    "nvdcwe": "nvd",
    "cnacwe": "cna",
    "adpcwe": "adp",
    "cwe": None,
    "cweid": None,
    "weakness": None,
    "weaknesse": None,
    "gt": None,
}
_PROBLEM_TYPES = ("problemtype",)
_PUBLISHED = ("published", "publisheddate", "datepublished", "publicationdate", "publishedat")
_MODIFIED = ("modified", "lastmodified", "lastmodifieddate", "updated", "updatedat", "dateupdated")
_VENDORS = ("vendor", "vendorproject", "ecosystem", "manufacturer")
_PRODUCTS = ("product", "productname", "package", "packagename", "pkgname", "component", "module")
_REFERENCES = ("reference", "url", "link", "seealso")

TEXT_COLUMNS = ("description", "text", "summary")
"""The names that messages suggest for the text's column."""


def plain_name(name: str) -> str:
    """Return a column's name without case, spaces, punctuation and a plural s."""
    folded = _NOT_A_LETTER.sub("", name).lower()
    return folded.removesuffix("s") or folded


@dataclass(frozen=True, slots=True)
class Roles:
    """Which columns hold what, by their places; None or empty where there is none.

    Attributes:
        names: All columns, as the input names them.
        text: The description.
        summary: A shorter text beside it.
        title: A headline.
        ids: Ids, the best first.
        urls: Addresses that may end in an id.
        cwes: Weakness ids, each with whose they are.
        problem_types: The CNA's problem types as free text.
        cvss: What may hold CVSS vectors.
        published: The date of publication.
        modified: The date of the last change.
        vendor: The vendor or ecosystem.
        product: The product or package.
        references: Addresses.
    """

    names: tuple[str, ...]
    text: int | None
    summary: int | None
    title: int | None
    ids: tuple[int, ...]
    urls: tuple[int, ...]
    cwes: tuple[tuple[int, LabelSource], ...]
    problem_types: tuple[int, ...]
    cvss: tuple[int, ...]
    published: int | None
    modified: int | None
    vendor: int | None
    product: int | None
    references: tuple[int, ...]

    @property
    def has_text(self) -> bool:
        """Whether any column holds the text."""
        return self.text is not None or self.summary is not None

    @property
    def has_id(self) -> bool:
        """Whether any column holds an id."""
        return bool(self.ids)


def find_roles(names: Sequence[str], options: ReadOptions) -> Roles:
    """Tell what each column holds by its name.

    Args:
        names: The columns, in their order.
        options: Names that the caller gives; one that no column has is left unused.
    """
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        places.setdefault(plain_name(name), place)
        places.setdefault(name, place)

    def first(candidates: Iterable[str]) -> int | None:
        return next((places[name] for name in candidates if name in places), None)

    def every(candidates: Iterable[str]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(places[name] for name in candidates if name in places))

    title = first(_TITLES)
    summary = first(_SUMMARIES)
    text = named(names, options.text_column) if options.text_column else first(_TEXTS)
    if options.text_column:
        summary = None
    elif text is None and summary is None:
        text = first(_TITLES_AS_TEXT)
    if options.id_column:
        chosen = named(names, options.id_column)
        ids: tuple[int, ...] = () if chosen is None else (chosen,)
    else:
        ids = every((*_CVE_IDS, *_OTHER_IDS))
    cwes = {places[name]: whose for name, whose in _CWES.items() if name in places}
    return Roles(
        names=tuple(names),
        text=text,
        summary=summary,
        title=title,
        ids=tuple(place for place in ids if place != text),
        urls=every(_URLS),
        cwes=tuple((place, whose or options.labels_from) for place, whose in cwes.items()),
        problem_types=every(_PROBLEM_TYPES),
        cvss=tuple(p for p, name in enumerate(names) if _names_a_vector(plain_name(name))),
        published=first(_PUBLISHED),
        modified=first(_MODIFIED),
        vendor=first(_VENDORS),
        product=first(_PRODUCTS),
        references=every(_REFERENCES),
    )


def _names_a_vector(name: str) -> bool:
    return "cvss" in name or "vector" in name


def named(names: Sequence[str], wanted: str) -> int | None:
    """Return the place of the column that a caller names, however spelled; None without one."""
    if wanted in names:
        return names.index(wanted)
    folded = plain_name(wanted)
    return next((p for p, name in enumerate(names) if plain_name(name) == folded), None)


def missing_text(columns: Sequence[str], options: ReadOptions) -> str:
    """Return the message for a table or row in which no column is known to hold the text."""
    shown = ", ".join(name[:40] for name in columns[:20]) + (", ..." if len(columns) > 20 else "")
    if options.text_column:
        return f"no column {options.text_column!r}; columns found: {shown}"
    wanted = ", ".join(TEXT_COLUMNS)
    return (
        f"no column {wanted} or the like; columns found: {shown}; "
        "name the one that holds the text: --text-column NAME"
    )


def advisory_of(
    values: Sequence[ColumnValue], roles: Roles, place: Place, options: ReadOptions
) -> Record:
    """Return the advisory of one row, or what is wrong with it.

    Args:
        values: Its cells, as many as there are columns or fewer.
        roles: What they hold.
        place: Where the row stands.
        options: What the caller knows.
    """

    def cell(column: int | None) -> str:
        if column is None or column >= len(values) or values[column] is None:
            return ""
        return str(values[column])

    names = [cell(column) for column in roles.ids]
    name, aliases = _identify(names, [cell(column) for column in roles.urls], roles, place)
    text = cell(roles.text)
    labels: list[CweLabel] = []
    for column, whose in roles.cwes:
        text_of = cell(column)
        several = re.split(r"[,;\s]+", text_of) if _BARE_NUMBERS.fullmatch(text_of) else [text_of]
        labels += labels_of(several, whose)
    for column in roles.problem_types:
        labels += labels_of([cell(column)], "cna")
    return finish(
        place,
        name,
        headline_and_text(cell(roles.summary), text),
        labels=labels,
        cvss=_vectors(map(cell, roles.cvss), options.labels_from) if roles.cvss else (),
        published=cell(roles.published).strip(),
        modified=cell(roles.modified),
        references=_addresses(map(cell, roles.references)) if roles.references else (),
        title=cell(roles.title) if roles.title != roles.text else "",
        aliases=[*aliases, *vulnerability_ids(cell(roles.title))]
        if roles.title is not None
        else aliases,
        affected=[pair] if any(pair := (cell(roles.vendor), cell(roles.product))) else (),
        columns=tuple(zip(roles.names, values, strict=False)),
    )


def _identify(
    names: Sequence[str], urls: Sequence[str], roles: Roles, place: Place
) -> tuple[str, list[str]]:
    """Return the id of a row and its other ids.

    A cell may hold several CVE ids; an address gives an id only where it ends in one.
    """
    for name in names:
        if name.strip():
            several = vulnerability_ids(name)
            if len(several) > 1:
                return several[0], several[1:]
            return (several[0] if several and _is_list(name) else name.strip()), []
    for url in urls:
        end = _URL_PARTS.split(url.strip().rstrip("/"))[-1]
        if _ID_IN_ADDRESS.fullmatch(end):
            return end, []
    return place.fallback_id, []


def _is_list(name: str) -> bool:
    """Whether a cell is an id with brackets or commas round it, such as ``['CVE-2024-1']``."""
    return not name.strip()[:1].isalnum() or name.rstrip()[-1:] in ",;"


def _vectors(cells: Iterable[str], source: LabelSource) -> Iterable[CvssVector]:
    for text in cells:
        if match := _CVSS.match(text):
            vector = match[0].strip().upper()
            version = "" if vector.startswith("CVSS:") else ("3.1" if "/PR:" in vector else "2.0")
            yield cvss_vector(vector, source, version)


def _addresses(cells: Iterable[str]) -> Iterable[str]:
    for text in cells:
        for word in re.split(r"[\s,;|]+", text):
            if (address := word.strip("[]\"'")).startswith(("http://", "https://")):
                yield address
