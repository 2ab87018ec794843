"""A site's results counted by week, and the profile of a reference to compare them with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import partial
from pathlib import Path

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import write_json
from cybersecqwen.core.jsonl import read_rows
from cybersecqwen.core.lenient_json import DECODE_ERRORS

FORMAT = "cybersecqwen-profile/1"
TENTHS = 10
_TEMPLATE_WORDS = 6
_WORD = re.compile(r"[a-z]{3,}")
_MOST_WORDS = 30_000
_LEAST_RECORDS = 2  # that have a word, for it to be familiar
_UNFAMILIAR_QUANTILE = 0.95  # of the reference's texts are familiar by definition


class ResultRow(msgspec.Struct, frozen=True):
    """What is read of a row that ``map`` wrote of a record.

    Attributes:
        cwe: The answer or best guess.
        confidence: Its probability.
        id: The record's id.
        abstained: Whether it was left to a person.
        published: ``YYYY-MM-DD``, or empty.
        description: The text, or empty.
        model: Name and version of the model.
    """

    cwe: str
    confidence: float
    id: str = ""
    abstained: bool = False
    published: str = ""
    description: str = ""
    model: str = ""


class WeekCounts(msgspec.Struct, frozen=True):
    """The results of one week.

    Attributes:
        week: ISO week, as ``2026-W48``.
        records: Number of records.
        labels: Answers by id.
        confidence: Answers by tenth of confidence, ten counts.
        abstained: Number of records left to a person.
        unfamiliar: How many texts have many unfamiliar words; None where it was not counted.
    """

    week: str
    records: int
    labels: dict[str, int]
    confidence: tuple[int, ...]
    abstained: int
    unfamiliar: int | None = None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A reference: the results that a model gave on texts that it was validated on.

    Attributes:
        format: Version of this format.
        model: Name and version of the model.
        made_from: What the results are of, for people.
        weeks: Their counts.
        words: Words of the texts; a word that is not among them is unfamiliar.
        unfamiliar_above: Share of unfamiliar words above which a text is unfamiliar, 0 to 1.
    """

    format: str = FORMAT
    model: str
    made_from: str
    weeks: list[WeekCounts]
    words: list[str]
    unfamiliar_above: float


def read_results(path: Path) -> Iterator[ResultRow]:
    """Yield the rows of a file that ``map`` wrote as JSON lines.

    Raises:
        InputError: The file cannot be read, or a line is no such row.
    """
    rows = read_rows(path, ResultRow, "not a row that map wrote as JSON lines")
    return (row for _, row in rows)


def week_of(row: ResultRow, otherwise: date | None) -> str | None:
    """Return a row's ISO week, by its record's date or else by another day; None without one."""
    try:
        day: date | None = date.fromisoformat(row.published[:10])
    except ValueError:
        day = otherwise
    if day is None:
        return None
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def words_of(text: str) -> set[str]:
    """Return a text's words in small letters."""
    return set(_WORD.findall(text.lower()))


def unfamiliar_share(text: str, known: frozenset[str]) -> float:
    """Return the share of a text's words that are not known, 0 to 1."""
    words = words_of(text)
    return len(words - known) / len(words) if words else 1.0


def count_weeks(
    rows: Iterable[tuple[str, ResultRow]], is_unfamiliar: Callable[[str], bool] | None
) -> list[WeekCounts]:
    """Count results by week.

    Records of a week whose texts begin with the same six words and have the same answer count
    once: vendors publish templates by the dozen.

    Args:
        rows: Each row with its week.
        is_unfamiliar: Tells whether a text is unfamiliar; None: that is not counted.
    """
    weeks: dict[str, _Count] = {}
    for week, row in rows:
        weeks.setdefault(week, _Count()).add(row, is_unfamiliar)
    return [count.done(week) for week, count in sorted(weeks.items())]


class _Count:
    def __init__(self) -> None:
        self.labels: Counter[str] = Counter()
        self.confidence = [0] * TENTHS
        self.abstained = self.unfamiliar = 0
        self.templates: set[tuple[tuple[str, ...], str]] = set()
        self.texts = True

    def add(self, row: ResultRow, is_unfamiliar: Callable[[str], bool] | None) -> None:
        beginning = tuple(row.description.split(None, _TEMPLATE_WORDS)[:_TEMPLATE_WORDS])
        if beginning and (beginning, row.cwe) in self.templates:
            return
        self.templates.add((beginning, row.cwe))
        self.labels[row.cwe] += 1
        self.confidence[min(int(row.confidence * TENTHS), TENTHS - 1)] += 1
        self.abstained += row.abstained
        self.texts = self.texts and bool(row.description) and is_unfamiliar is not None
        if self.texts and is_unfamiliar:
            self.unfamiliar += is_unfamiliar(row.description)

    def done(self, week: str) -> WeekCounts:
        return WeekCounts(
            week,
            self.labels.total(),
            dict(self.labels.most_common()),
            tuple(self.confidence),
            self.abstained,
            self.unfamiliar if self.texts else None,
        )


def make_profile(rows: list[tuple[str, ResultRow]], model: str, made_from: str) -> Profile:
    """Return the profile of a reference.

    What share of unfamiliar words makes a text unfamiliar is set on the texts themselves, each
    against the words of the other weeks, so that one text in twenty is.

    Raises:
        InputError: There are fewer than four weeks, so that their variation is not known.
    """
    by_week: dict[str, dict[str, set[str]]] = {}
    for week, row in rows:
        by_week.setdefault(week, {})[row.id or row.description] = words_of(row.description)
    if len(by_week) < 4:
        raise InputError(f"{made_from}: results of {len(by_week)} weeks; a reference needs four")
    # A record that several weeks have (it was published again) counts once, so that none makes
    # its own words familiar: what is new in later weeks has no such copy.
    records = {name: words for of_week in by_week.values() for name, words in of_week.items()}
    total = Counter(word for words in records.values() for word in words)
    known = frozenset(
        word for word, count in total.most_common(_MOST_WORDS) if count >= _LEAST_RECORDS
    )
    of_others = {}
    for week, of_week in by_week.items():
        own = Counter(word for words in of_week.values() for word in words)
        rare = {word for word, count in own.items() if total[word] - count < _LEAST_RECORDS}
        of_others[week] = known - rare
    shares = sorted(unfamiliar_share(row.description, of_others[week]) for week, row in rows)
    limit = shares[int(_UNFAMILIAR_QUANTILE * (len(shares) - 1))]

    weeks = []
    for week, familiar in of_others.items():
        # As a new week will be: judged by the words of other weeks.
        dated = [(week, row) for name, row in rows if name == week]
        weeks += count_weeks(dated, partial(_is_unfamiliar, known=familiar, limit=limit))
    return Profile(
        model=model,
        made_from=made_from,
        weeks=weeks,
        words=sorted(known),
        unfamiliar_above=limit,
    )


def familiarity(profile: Profile) -> Callable[[str], bool]:
    """Return what tells whether a text is unfamiliar to a profile."""
    return partial(_is_unfamiliar, known=frozenset(profile.words), limit=profile.unfamiliar_above)


def _is_unfamiliar(text: str, known: frozenset[str], limit: float) -> bool:
    return unfamiliar_share(text, known) > limit


def read_profile(path: Path) -> Profile:
    """Read a profile.

    Raises:
        InputError: It is none.
    """
    try:
        profile = msgspec.json.decode(path.read_bytes(), type=Profile)
    except (OSError, *DECODE_ERRORS) as error:
        raise InputError(f"{path}: no profile can be read: {error}") from error
    if profile.format != FORMAT:
        raise InputError(f"{path}: a profile of format {profile.format}; this reads {FORMAT}")
    return profile


def write_profile(path: Path, profile: Profile) -> None:
    """Write a profile."""
    write_json(path, profile)
