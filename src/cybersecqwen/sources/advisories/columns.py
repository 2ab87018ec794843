"""Which column of a table, or which key of a row, holds what, however it is spelled."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cybersecqwen.core.records import ColumnValue, CvssVector, CweLabel, LabelSource
from cybersecqwen.core.text.description import is_placeholder
from cybersecqwen.sources.advisories.advisory_fields import (
    AN_ID_ALONE,
    cvss_vector,
    finish,
    headline_and_text,
    id_of_address,
    ids_alone,
    labels_of,
    vulnerability_ids,
)
from cybersecqwen.sources.advisories.column_names import (
    ALIASES,
    COMMON_IDS,
    CVE_IDS,
    CWES,
    MODIFIED,
    OF_ANOTHER_THING,
    OTHER_IDS,
    PROBLEM_TYPES,
    PRODUCTS,
    PUBLISHED,
    REFERENCES,
    SUMMARIES,
    TEXT_WORDS,
    TEXTS,
    TITLES,
    TITLES_AS_TEXT,
    URLS,
    VENDORS,
    by_words,
    names_a_vector,
    names_ids,
    plain_name,
)
from cybersecqwen.sources.advisories.formats import Place, ReadOptions, Record
from cybersecqwen.sources.advisories.prose import says_nothing

_CVSS = re.compile(r"\s*(CVSS:\d\.\d/|AV:[A-Z]/)\S+", re.IGNORECASE)
_BARE_CVE = re.compile(r"(?:19|20)\d\d-\d{4,19}")
_ASIDE = re.compile(r"\s*[(\[][^()\[\]]*[)\]]$")
_BARE_NUMBERS = re.compile(r"[\d,;\s]+")

_LONGEST_NAME = 60
_SHORTEST_PROSE, _FEW_WORDS = 40, 5

TEXT_COLUMNS = ("description", "text", "summary")
"""The names that messages suggest for the text's column."""

NAME_TEXT_COLUMN = "name the one that holds the text: --text-column NAME"


@dataclass(frozen=True, slots=True)
class Roles:
    """Which columns hold what, by their places; None or empty where there is none.

    Attributes:
        names: All columns, as the input names them.
        text: The description.
        more_texts: What else may hold one, for rows in which that is empty.
        summary: A shorter text beside it.
        title: A headline.
        ids: Ids, the best first.
        names_ids: Whether one is called by the ids of vulnerabilities, such as ``CVE``.
        aliases: What may hold other ids.
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
    more_texts: tuple[int, ...]
    summary: int | None
    title: int | None
    ids: tuple[int, ...]
    names_ids: bool
    aliases: tuple[int, ...]
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

    @property
    def is_usable(self) -> bool:
        """Whether rows can be told something by: a text, or ids to look up."""
        return self.has_text or self.names_ids


def find_roles(names: Sequence[str], options: ReadOptions) -> Roles:
    """Tell what each column holds by its name.

    Args:
        names: The columns, in their order.
        options: Names that the caller gives; one that no column has is left unused.
    """
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        for known in dict.fromkeys((plain_name(name), name)):
            places.setdefault(known, []).append(place)

    def every(candidates: Iterable[str]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(p for name in candidates for p in places.get(name, ())))

    def first(candidates: Iterable[str]) -> int | None:
        return next(iter(every(candidates)), None)

    title = first(TITLES)
    summary = first(SUMMARIES)
    if options.text_column:
        chosen = named(names, options.text_column)
        texts: tuple[int, ...] = () if chosen is None else (chosen,)
        summary = None
    else:
        texts = every(TEXTS) or by_words(names, TEXT_WORDS, OF_ANOTHER_THING)
        if not texts and summary is None:
            texts = every(TITLES_AS_TEXT)[:1]
    text = next(iter(texts), None)
    cve_ids: tuple[int, ...] = ()
    if options.id_column:
        chosen = named(names, options.id_column)
        ids: tuple[int, ...] = () if chosen is None else (chosen,)
    else:
        by_name = (p for p, name in enumerate(names) if names_ids(name))
        cve_ids = tuple(dict.fromkeys((*every(CVE_IDS), *by_name, *every(COMMON_IDS))))
        ids = tuple(dict.fromkeys((*cve_ids, *every(OTHER_IDS))))
    cwes = {place: whose for name, whose in CWES.items() for place in places.get(name, ())}
    return Roles(
        names=tuple(names),
        text=text,
        more_texts=texts[1:],
        summary=summary,
        title=title,
        ids=tuple(place for place in ids if place != text),
        names_ids=any(place != text for place in cve_ids),
        aliases=tuple(place for place in every(ALIASES) if place not in ids),
        urls=every(URLS),
        cwes=tuple((place, whose or options.labels_from) for place, whose in cwes.items()),
        problem_types=every(PROBLEM_TYPES),
        cvss=tuple(p for p, name in enumerate(names) if names_a_vector(plain_name(name))),
        published=first(PUBLISHED),
        modified=first(MODIFIED),
        vendor=first(VENDORS),
        product=first(PRODUCTS),
        references=every(REFERENCES),
    )


def named(names: Sequence[str], wanted: str) -> int | None:
    """Return the place of the column that a caller names, however spelled; None without one."""
    if wanted in names:
        return names.index(wanted)
    folded = plain_name(wanted)
    return next((p for p, name in enumerate(names) if plain_name(name) == folded), None)


@dataclass(frozen=True, slots=True)
class TableHeader:
    """The header of a table.

    Attributes:
        place: Its row, from 0.
        roles: What its columns hold.
    """

    place: int
    roles: Roles


def find_header(rows: Sequence[Sequence[str]], options: ReadOptions) -> TableHeader | None:
    """Return the header among a table's first rows; None where none of them is one.

    It may stand under a preamble, or under a row that names groups of columns: of several that may
    be it, one that names ids too comes first.
    """
    best: tuple[int, TableHeader] | None = None
    for place, names in enumerate(rows):
        if place and any(len(name) > _LONGEST_NAME for name in names):
            continue
        roles = find_roles(names, options)
        unwanted = options.text_column and roles.text is None
        if unwanted or not roles.is_usable or (place and sum(map(bool, names)) < 2):
            continue
        rank = 2 * roles.has_text + roles.has_id
        if best is None or rank > best[0]:
            best = (rank, TableHeader(place, roles))
    return best[1] if best else None


def holds_prose(rows: Iterable[Sequence[str]]) -> bool:
    """Whether a cell of some rows reads like a description."""
    cells = (cell for row in rows for cell in row)
    return any(len(cell) > _SHORTEST_PROSE and len(cell.split()) > _FEW_WORDS for cell in cells)


def shown_columns(columns: Sequence[str]) -> str:
    """Return the first columns' names, for a message."""
    more = ", ..." if len(columns) > 20 else ""
    return f"columns found: {', '.join(name[:40] for name in columns[:20])}{more}"


def missing_text(columns: Sequence[str], options: ReadOptions) -> str:
    """Return the message for a table or row in which no column is known to hold the text."""
    shown = shown_columns(columns)
    if options.text_column:
        return f"no column {options.text_column!r}; {shown}"
    return f"no column {', '.join(TEXT_COLUMNS)} or the like; {shown}; {NAME_TEXT_COLUMN}"


def advisory_of(
    values: Sequence[ColumnValue],
    roles: Roles,
    place: Place,
    options: ReadOptions,
    *,
    more_labels: Iterable[CweLabel] = (),
    columns: tuple[tuple[str, ColumnValue], ...] | None = None,
) -> Record:
    """Return the advisory of one row, or what is wrong with it.

    Args:
        values: Its cells, as many as there are columns or fewer.
        roles: What they hold.
        place: Where the row stands.
        options: What the caller knows.
        more_labels: Labels that it has besides.
        columns: What to carry through; None for the cells themselves.
    """
    cells = [_text_of(value) for value in values]
    width = len(cells)

    def cell(column: int | None) -> str:
        return "" if column is None or column >= width else cells[column]

    name, aliases = _identify(cell, roles, values, place)
    text = cell(roles.text)
    if roles.more_texts and says_nothing(text):
        text = next((more for more in map(cell, roles.more_texts) if not says_nothing(more)), text)
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
        headline_and_text(cell(roles.summary), text) if roles.has_text else None,
        labels=[*labels, *more_labels],
        cvss=_vectors(map(cell, roles.cvss), options.labels_from) if roles.cvss else (),
        published=cell(roles.published).strip(),
        modified=cell(roles.modified),
        references=_addresses(map(cell, roles.references)) if roles.references else (),
        title=cell(roles.title) if roles.title != roles.text else "",
        aliases=aliases,
        affected=[pair] if any(pair := (cell(roles.vendor), cell(roles.product))) else (),
        columns=tuple(zip(roles.names, values, strict=False)) if columns is None else columns,
        reason="" if roles.has_text else AN_ID_ALONE,
    )


def _text_of(value: ColumnValue) -> str:
    if type(value) is str:
        return value
    if value is None:
        return ""
    # A spreadsheet's number that is whole is an id without a point.
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _identify(
    cell: Callable[[int | None], str],
    roles: Roles,
    values: Sequence[ColumnValue],
    place: Place,
) -> tuple[str, list[str]]:
    """Return the id of a row and its other ids.

    Of the columns for ids the first that has a vulnerability's counts, else a headline that is
    one, else the first that has any. A cell may hold several. Where no column for ids has one, an
    address that ends in one gives it, else a cell that is one, else a headline that names a single
    one.
    """
    given = [_cve_in_full(name, roles) for place in roles.ids if (name := cell(place).strip())]
    given = [name for name in given if not is_placeholder(name)]
    others = [*given[1:], *map(cell, roles.aliases)]
    title = vulnerability_ids(cell(roles.title)) if roles.title is not None else []
    if given and not ids_alone(given[0]):
        headline = cell(roles.title)
        others.append(given[0])
        given = [*filter(ids_alone, (*given, headline)), *given]
    aliases = [*(name for text in others for name in vulnerability_ids(text)), *title]
    if given:
        name = given[0]
        if name.replace("-", "").isalnum():
            return name, aliases  # one word
        several = vulnerability_ids(name)
        if len(several) > 1:
            return several[0], [*several[1:], *aliases]
        return (several[0] if several and _is_list(name) else name), aliases
    for column in roles.urls:
        if name := id_of_address(cell(column)):
            return name, aliases
    for value in values:
        if isinstance(value, str) and (found := ids_alone(value)):
            return found[0], [*found[1:], *aliases]
    return (title[0] if len(title) == 1 else place.fallback_id), aliases


def _cve_in_full(name: str, roles: Roles) -> str:
    """Return an id; of ``2024-1234`` in a column of CVE ids the whole of it."""
    return f"CVE-{name}" if roles.names_ids and _BARE_CVE.fullmatch(name) else name


def _is_list(name: str) -> bool:
    """Whether a cell is an id with brackets or commas round it, such as ``['CVE-2024-1']``, or with
    another name in brackets behind it.
    """
    aside = _ASIDE.sub("", name) if name.endswith((")", "]")) else name
    return (
        not name.strip()[:1].isalnum()
        or name.rstrip()[-1:] in ",;"
        or bool(aside != name and ids_alone(aside))
    )


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
