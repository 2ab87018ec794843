"""Names and aliases of entries, found in a text however they are written."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources

import msgspec
import yaml

from cybersecqwen.core.records import Entry
from cybersecqwen.core.text.clean import normalised, words
from cybersecqwen.core.text.terms import stem, terms

NAMES = "names.json"
LONGEST_NAME = 14
"""Words."""

# CWE names end in the weakness's common name: ``... ('SQL Injection')``; others in an acronym.
_COMMON_NAME = re.compile(r"\('([^']+)'\)")
_ACRONYM = re.compile(r"\s*\(([A-Za-z][\w/ .-]{1,40})\)$")
# Words beside which an ordinary word is a name: Maze ransomware, the Play group.
TYPE_WORDS = frozenset(
    [
        "actor",
        "apt",
        "backdoor",
        "botnet",
        "dropper",
        "family",
        "gang",
        "group",
        "implant",
        "infostealer",
        "intrusion",
        "loader",
        "malware",
        "ransomware",
        "rat",
        "rootkit",
        "spyware",
        "stealer",
        "tactic",
        "trojan",
        "worm",
    ]
)
_JOINING = frozenset({"and", "or", "vs", "versus"})
_FAMILY = re.compile(r"^(.{4,}) (?:Group|Team|Framework)$")
_PROPER = re.compile(r"[SGC]\d{4}$")
_ORDINARY_COUNT = 100  # of a word that passages use so often that it names nothing by itself
_OWN_SPELLING = frozenset({"software", "group", "campaign", "tactic", "asset", "data component",
                           "data source", "mitigation"})  # fmt: skip


class Spelling(msgspec.Struct, frozen=True, array_like=True):
    """One way to write an entry's name.

    Attributes:
        text: As its source writes it.
        page: The entry's id.
        rank: 0 for its own name, 1 for an alias of its source, 2 for a term of the field.
        ordinary: Whether it is also an ordinary word, and counts only in its own spelling.
    """

    text: str
    page: str
    rank: int
    ordinary: bool


class NameTable(msgspec.Struct, frozen=True):
    """All names, as they lie on disk."""

    spellings: tuple[Spelling, ...]

    @classmethod
    def of(cls, entries: Iterable[Entry], counts: Mapping[str, int]) -> NameTable:
        """Gather the names of live entries.

        Args:
            entries: All entries.
            counts: How often words stand in the passages in lower case, by which ordinary words
                are told from names.
        """
        live = [entry for entry in entries if not entry.withdrawn]
        found: list[Spelling] = []
        for entry in live:
            own = dict.fromkeys(spelling for spelling, _ in _own_names(entry))
            for spelling in own:
                rank = min(r for s, r in _own_names(entry) if s == spelling)
                ordinary = _is_ordinary(spelling, entry.kind, counts)
                found.append(Spelling(spelling, entry.id, rank, ordinary))
        return cls(tuple(found))


def field_spellings(has_page: Callable[[str], bool]) -> tuple[Spelling, ...]:
    """Return what the field calls entries that are there, beside their sources' own names."""
    return tuple(
        Spelling(term, page, 2, ordinary=False)
        for page, said in _material()["terms"].items()
        if has_page(page)
        for term in said
    )


def _own_names(entry: Entry) -> Iterator[tuple[str, int]]:
    """Yield an entry's names and parts of names that stand for it, with their ranks."""
    yield entry.name, 0
    if entry.kind == "technique" and ": " in entry.name:  # parent, colon, own name
        yield entry.name.rpartition(": ")[2], 0
    for common in _COMMON_NAME.findall(entry.name):
        yield common, 0
    if entry.kind in {"weakness", "attack pattern", "technique"}:
        yield from ((part, rank) for part, rank in _without_acronym(entry.name, 0))
    if match := _FAMILY.match(entry.name):
        yield match[1], 1
    for alias in entry.aliases:
        yield alias, 1
        yield from _without_acronym(alias, 1)


def _without_acronym(name: str, rank: int) -> Iterator[tuple[str, int]]:
    """Yield a name without the acronym at its end, and the acronym, if it is the name's own."""
    match = _ACRONYM.search(name)
    if match is None:
        return
    bare = name[: match.start()]
    initials = "".join(word[0] for word in words(bare))
    if len(bare) > 3:
        yield bare, rank
    if match[1].lower() == initials:
        yield match[1], 1


def _is_ordinary(spelling: str, kind: str, counts: Mapping[str, int]) -> bool:
    spoken = words(spelling)
    if len(spoken) != 1:
        return not spoken
    word = spoken[0]
    if len(word) < 3 or word in _ordinary("words") or kind in {"category", "view"}:
        return True
    return kind in _OWN_SPELLING and counts.get(word, 0) >= _ORDINARY_COUNT


@cache
def _material() -> dict[str, dict[str, list[str]]]:
    text = resources.files("cybersecqwen.knowledge").joinpath("field_terms.yaml").read_text("utf-8")
    found: dict[str, dict[str, list[str]]] = yaml.load(text, Loader=yaml.CSafeLoader)
    return found


@cache
def _ordinary(kind: str) -> frozenset[str]:
    return frozenset(" ".join(_material()["ordinary"][kind]).split())


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a text.

    Attributes:
        word: In lower case, mended.
        start: Offset of its first character.
        end: Offset after its last character.
    """

    word: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class NameMatch:
    """A name found in a text.

    Attributes:
        first: Place of its first token.
        end: Place after its last.
        spellings: What it can stand for; all written alike.
        exact: Whether it is written as its source does, case and endings aside.
    """

    first: int
    end: int
    spellings: tuple[Spelling, ...]
    exact: bool


class NameFinder:
    """Finds names in texts.

    Args:
        spellings: All names.
    """

    def __init__(self, spellings: Iterable[Spelling]) -> None:
        self._spellings = tuple(spellings)

    @cached_property
    def _written(self) -> list[tuple[list[str], Spelling]]:
        """Each spelling with its words, as ``words`` gives them."""
        return [(words(spelling.text), spelling) for spelling in self._spellings]

    @cached_property
    def _exact(self) -> dict[str, list[Spelling]]:
        return self._by(" ".join)

    @cached_property
    def _stemmed(self) -> dict[str, list[Spelling]]:
        return self._by(lambda spoken: " ".join(map(stem, spoken)))

    @cached_property
    def _joined(self) -> dict[str, list[Spelling]]:
        """By the letters and digits alone: ``cobaltstrike``, ``apt29``."""
        return self._by("".join)

    def _by(self, key: Callable[[list[str]], str]) -> dict[str, list[Spelling]]:
        found: dict[str, list[Spelling]] = defaultdict(list)
        for spoken, spelling in self._written:
            if name := key(spoken):
                found[name].append(spelling)
        return dict(found)

    @cached_property
    def words(self) -> frozenset[str]:
        """The words that names are made of, in lower case."""
        return frozenset(word for name in self._exact for word in name.split())

    def spelt(self, text: str) -> list[str]:
        """Return the ids of entries whose name or alias is exactly this text, case aside."""
        found = sorted(self._exact.get(normalised(text), ()), key=lambda s: s.rank)
        return list(dict.fromkeys(spelling.page for spelling in found))

    def find(self, text: str, tokens: Sequence[Token], *, tactics: bool = False) -> list[NameMatch]:
        """Return the names that tokens of a text spell, the longest first at each place.

        Args:
            text: The text.
            tokens: Its words.
            tactics: Whether the names of tactics count that are also ordinary words.
        """
        found: list[NameMatch] = []
        start = 0
        while start < len(tokens):
            match = self._at(text, tokens, start, tactics)
            if match:
                if shared := self._shared(tokens, match):
                    found.append(shared)
                found.append(match)
                start = match.end
            else:
                start += 1
        return found

    def _shared(self, tokens: Sequence[Token], match: NameMatch) -> NameMatch | None:
        """Return a name that shares a match's last word: first of ``stack and heap overflow``."""
        first = match.first - 2
        if first < 0 or match.end - match.first < 2 or tokens[first + 1].word not in _JOINING:
            return None
        key = f"{tokens[first].word} {tokens[match.end - 1].word}"
        known = [s for s in self._exact.get(key, ()) if not s.ordinary]
        return NameMatch(first, first + 1, tuple(known), exact=False) if known else None

    @cached_property
    def _longest(self) -> dict[str, int]:
        """The words of the longest name that begins with a stem, by the stem."""
        found: dict[str, int] = {}
        for spoken, _ in self._written:
            if spoken:
                first = stem(spoken[0])
                found[first] = max(found.get(first, 0), len(spoken))
        return found

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._joined)

    def _reach(self, tokens: Sequence[Token], start: int) -> tuple[int, int]:
        """Return how far a name from ``start`` on can reach: word by word, and by its letters."""
        last = min(len(tokens), start + LONGEST_NAME)
        spaced = min(last, start + self._longest.get(stem(tokens[start].word), 0))
        written, joined = "", start
        while joined < last:
            written += tokens[joined].word
            place = bisect_left(self._sorted, written)
            if place == len(self._sorted) or not self._sorted[place].startswith(written):
                break
            joined += 1
        return spaced, joined

    def _at(
        self, text: str, tokens: Sequence[Token], start: int, tactics: bool
    ) -> NameMatch | None:
        spaced, joined = self._reach(tokens, start)
        for end in range(max(spaced, joined), start, -1):
            spoken = [token.word for token in tokens[start:end]]
            written = text[tokens[start].start : tokens[end - 1].end]
            beside = {
                token.word for token in (*tokens[max(0, start - 1) : start], *tokens[end : end + 1])
            }
            typed, first = bool(beside & TYPE_WORDS), tokens[start].start == 0
            for table, key, exact in (
                (self._exact, " ".join(spoken), True),
                (self._stemmed, " ".join(map(stem, spoken)), False),
                (self._joined, "".join(spoken), False),
            ):
                # Letters joined anew must be enough of a name not to arise by accident: who is.
                if table is self._joined and (len(key) < 5 or not terms(written)):
                    continue
                if end > (joined if table is self._joined else spaced):
                    continue
                known = [
                    spelling
                    for spelling in table.get(key, ())
                    if not (table is self._stemmed and _is_itself(spelling, spoken))
                    and (
                        not spelling.ordinary
                        or typed
                        or _as_a_name(spelling.text, written, first)
                        or (tactics and spelling.page.startswith("TA"))
                    )
                ]
                if known:
                    return NameMatch(start, end, tuple(known), exact)
        return None


def _is_itself(spelling: Spelling, spoken: Sequence[str]) -> bool:
    """Whether a single word stands for itself and is no name with another ending.

    Who writes ``denied`` does not mean the malware Denis, nor who writes ``gets`` the function.
    """
    if len(spoken) != 1:
        return False
    return spoken[0] in _ordinary("endings") or _PROPER.match(spelling.page) is not None


def _as_a_name(name: str, written: str, first: bool) -> bool:
    """Whether an ordinary word stands in a text as its name is spelt, which takes a capital."""
    return name == written and not name.islower() and (not first or not name.istitle())
