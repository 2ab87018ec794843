"""A question, parsed once: what it names, what it asks for, and what else it says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from cybersecqwen.core.text.clean import clean
from cybersecqwen.knowledge import intents
from cybersecqwen.knowledge.identifiers import IdMatch, find_ids
from cybersecqwen.knowledge.intents import Intent
from cybersecqwen.knowledge.lists import find_list
from cybersecqwen.knowledge.names import TYPE_WORDS, NameFinder, Spelling, Token
from cybersecqwen.knowledge.spelling import Speller

_TOKEN = re.compile(r"[^\W_]+(?:[’'][^\W_]+)?")
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-") | {"’": "'", "“": '"', "”": '"'})
_MITIGATES = re.compile(
    r"\b(?:techniques?|attacks?|ttps?)\b.{0,25}\b(?:does|do|is|are|can|will|would|could|should)\b.*"
    r"\b(?:mitigat|address|cover|counter|help|prevent|protect|defend|effective|work|stop|block)",
    re.IGNORECASE,
)
_MOBILE = re.compile(r"\b(?:mobile|android|ios|iphone|phones?|smartphones?|sms)\b", re.IGNORECASE)
_ICS = re.compile(r"\b(?:ics|ot|plcs?|scada|industrial|controllers?)\b", re.IGNORECASE)
MARK = re.compile(r"@\w+")
_TACTIC = (
    r"(?:persistence|(?:defen[cs]e )?evasion|execution|discovery|collection|impact|exfiltration|"
    r"reconnaissance|lateral movement|credential access|initial access|privilege escalation)"
)
_TACTICS_NEAR = re.compile(
    r"\b(?:sub-?)?techniques?\b|\btactics?\b|\bttps?\b|\bwhat(?:'?s| is) (?:in|under) "
    rf"|\b{_TACTIC} or (?:for )?{_TACTIC}\b",
    re.IGNORECASE,
)
_EXCLUDING = re.compile(
    r"\b(?:but not|not|except(?: for)?|excluding|without|other than|besides|apart from)\s+"
    r"(?:(?:use|using|uses|used|about|by|in|of|from|the|also|on)\s+)*$",
    re.IGNORECASE,
)

# What a name stands for first where it stands for several things.
_KIND_ORDER = ("weakness", "technique", "tactic", "software", "group", "campaign",
               "attack pattern", "mitigation", "category", "view")  # fmt: skip
MARKS = {"attack pattern": "pattern", "data component": "data", "data source": "data"}
"""How the skeleton calls kinds of entries whose names are not one word."""


class Lexicon(Protocol):
    """What a question is read against."""

    @property
    def names(self) -> NameFinder:
        """Names and aliases of entries."""
        ...

    @property
    def speller(self) -> Speller:
        """Words that are known."""
        ...

    def has_page(self, name: str) -> bool:
        """Whether there is a page with that id."""
        ...

    def kind(self, name: str) -> str:
        """What a page is about, as in ``Entry.kind``."""
        ...

    def source(self, name: str) -> str:
        """The first source of a page that exists."""
        ...

    def lists(self) -> dict[str, str]:
        """The titles of views and categories by id."""
        ...


@dataclass(frozen=True, slots=True)
class IdCorrection:
    """A word or name read otherwise than it was typed."""

    typed: str
    read: str


@dataclass(frozen=True, slots=True)
class Mention:
    """An entry that a question names.

    Attributes:
        pages: Ids of the pages it may mean, the likeliest first.
        kind: What the likeliest is, as in ``Entry.kind``; ``cve`` for a CVE id.
        is_id: Whether the question gives its id.
        excluded: Whether the question asks for what is not it.
        start: Offset of its first character in the corrected text.
        end: Offset after its last character.
        exact: Whether it is one of the source's own names, not a term of the field.
    """

    pages: tuple[str, ...]
    kind: str
    is_id: bool
    excluded: bool
    start: int
    end: int
    exact: bool = True

    @property
    def page(self) -> str:
        """The likeliest page."""
        return self.pages[0]


@dataclass(frozen=True, slots=True)
class Query:
    """A question, parsed.

    Attributes:
        text: As it was asked, cleaned.
        corrected: With typing errors mended.
        corrections: What was mended.
        mentions: The entries it names, in order.
        unknown: Ids it names that no page has.
        cves: CVE ids it names.
        intent: What it asks for.
        wanted: Kinds of entries it asks for.
        rest: Terms that say more of its subject than names, intent and frame do.
        negated: Whether it asks for what is not so.
        skeleton: The corrected text with a mark in place of each name.
    """

    text: str
    corrected: str
    corrections: tuple[IdCorrection, ...] = ()
    mentions: tuple[Mention, ...] = ()
    unknown: tuple[str, ...] = ()
    cves: tuple[str, ...] = ()
    intent: Intent = Intent.SEARCH
    wanted: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
    negated: bool = False
    skeleton: str = ""

    @property
    def subjects(self) -> tuple[str, ...]:
        """The likeliest pages of what it names and does not exclude, once each."""
        return tuple(dict.fromkeys(m.page for m in self.mentions if not m.excluded))

    @property
    def excluded(self) -> tuple[str, ...]:
        """The pages of what it excludes."""
        return tuple(dict.fromkeys(m.page for m in self.mentions if m.excluded))

    def of_kind(self, *kinds: str) -> tuple[str, ...]:
        """Return the subjects of some kinds."""
        found = (m.page for m in self.mentions if m.kind in kinds and not m.excluded)
        return tuple(dict.fromkeys(found))


def parse(text: str, index: Lexicon) -> Query:
    """Read a question: ids, typing errors, names, in that order; its intent is left open."""
    text = clean(text).translate(_DASHES)
    ids = find_ids(text, index.has_page)
    corrected, corrections, ids = _corrected(text, ids, index)
    named_list = find_list(corrected, index.lists)
    if named_list and not any(m.start < named_list[2] and m.end > named_list[1] for m in ids):
        ids = sorted([*ids, IdMatch(*named_list, exact=False)], key=lambda match: match.start)
    tokens = _tokens(corrected, ids)
    wanted_early = intents.wanted_kinds(corrected)
    mentions = sorted(
        [
            *(_id_mention(match, index) for match in ids if index.has_page(match.id)),
            *_name_mentions(corrected, tokens, wanted_early, [match.id for match in ids], index),
        ],
        key=lambda mention: mention.start,
    )
    mentions = [
        replace(mention, excluded=_EXCLUDING.search(corrected[: mention.start]) is not None)
        for mention in mentions
    ]
    cves = tuple(dict.fromkeys(m.id for m in ids if m.id.startswith("CVE-")))
    unknown = tuple(
        dict.fromkeys(m.id for m in ids if m.id not in cves and not index.has_page(m.id))
    )
    return Query(
        text=text,
        corrected=corrected,
        corrections=corrections,
        mentions=tuple(mentions),
        unknown=unknown,
        cves=cves,
        negated=intents.NEGATED.search(corrected) is not None,
        skeleton=_skeleton(corrected, mentions, ids),
    )


def _corrected(
    text: str, ids: Sequence[IdMatch], index: Lexicon
) -> tuple[str, tuple[IdCorrection, ...], list[IdMatch]]:
    """Return the text with its words mended, what was mended, and where the ids stand then."""
    parts: list[str] = []
    corrections: list[IdCorrection] = []
    moved: list[IdMatch] = []
    place = length = 0

    def add(piece: str) -> None:
        nonlocal length
        parts.append(piece)
        length += len(piece)

    def add_words(piece: str) -> None:
        end = 0
        for match in _TOKEN.finditer(piece):
            add(piece[end : match.start()])
            word = match[0].lower()
            mended = index.speller.mended(word) if _mendable(match[0]) else word
            if mended != word:
                corrections.append(IdCorrection(match[0], mended))
            add(match[0] if mended == word else mended)
            end = match.end()
        add(piece[end:])

    for found in ids:
        add_words(text[place : found.start])
        start = length
        add(found.id)
        moved.append(replace(found, start=start, end=length))
        place = found.end
    add_words(text[place:])
    said = tuple(c for c in dict.fromkeys(corrections) if len(c.typed) > 4)
    return "".join(parts), said, moved


def _mendable(word: str) -> bool:
    """Whether a word may be a typing error: no acronym, and no name that capitals set apart."""
    return word.isalpha() and not word.isupper() and (word[1:].islower() or word.islower())


def _tokens(text: str, ids: Sequence[IdMatch]) -> list[list[Token]]:
    """Return the words between the ids, run by run."""
    runs: list[list[Token]] = []
    place = 0
    for start, end in [*((m.start, m.end) for m in ids), (len(text), len(text))]:
        run = [
            Token(
                part.lower(),
                place + match.start() + offset,
                place + match.start() + offset + len(part),
            )
            for match in _TOKEN.finditer(text[place:start])
            for offset, part in _word_parts(match[0])
        ]
        runs.append(run)
        place = end
    return runs


def _word_parts(word: str) -> list[tuple[int, str]]:
    """Return the ASCII runs of a word, as names are normalised."""
    return [(match.start(), match[0]) for match in re.finditer(r"[A-Za-z0-9]+", word)]


def _id_mention(match: IdMatch, index: Lexicon) -> Mention:
    return Mention((match.id,), index.kind(match.id), True, False, match.start, match.end)


def _name_mentions(
    text: str,
    runs: Sequence[Sequence[Token]],
    wanted: Sequence[str],
    given: Sequence[str],
    index: Lexicon,
) -> list[Mention]:
    """Return the entries that words name, beside those whose ids are given."""
    found: list[Mention] = []
    actors = {"group", "software", "campaign"}
    named = [s.page for run in runs for m in index.names.find(text, run) for s in m.spellings]
    tactics = _TACTICS_NEAR.search(text) is not None or any(
        index.kind(page) in actors for page in (*named, *given)
    )
    for run in runs:
        for match in index.names.find(text, run, tactics=tactics):
            pages = _ordered(match.spellings, text, wanted, index)
            start, end = run[match.first].start, run[match.end - 1].end
            exact = match.exact and min(s.rank for s in match.spellings) < 2
            found.append(Mention(pages, index.kind(pages[0]), False, False, start, end, exact))
    return [m for m in found if not _says_what_another_is(m, text, found)]


def _says_what_another_is(mention: Mention, text: str, found: Sequence[Mention]) -> bool:
    """Whether a term of the field only says what its neighbour is: ``BlackCat ransomware``."""
    if mention.exact or text[mention.start : mention.end].lower() not in TYPE_WORDS:
        return False
    return any(
        other.kind in {"software", "group"}
        and (other.end + 1 == mention.start or mention.end + 1 == other.start)
        for other in found
    )


def _ordered(
    spellings: Sequence[Spelling], text: str, wanted: Sequence[str], index: Lexicon
) -> tuple[str, ...]:
    """Return the pages that a name may mean, the likeliest first."""
    measures = _MITIGATES.search(text) is not None
    mobile, industrial = bool(_MOBILE.search(text)), bool(_ICS.search(text))

    def key(spelling: Spelling) -> tuple[bool, bool, bool, bool, int]:
        page, kind = spelling.page, index.kind(spelling.page)
        measure = measures and kind == "mitigation"
        source = index.source(page)
        elsewhere = (source == "mobile-attack" and not mobile) or (
            source == "ics-attack" and not industrial
        )
        if mobile and source == "enterprise-attack":
            elsewhere = True
        order = _KIND_ORDER.index(kind) if kind in _KIND_ORDER else len(_KIND_ORDER)
        return not measure, kind not in wanted, spelling.rank == 1, elsewhere, order

    return tuple(dict.fromkeys(s.page for s in sorted(spellings, key=key)))


def _skeleton(text: str, mentions: Sequence[Mention], ids: Sequence[IdMatch]) -> str:
    """Return the text with a mark such as ``@_technique`` in place of each name and id."""
    spans = [(m.start, m.end, MARKS.get(m.kind, m.kind)) for m in mentions]
    taken = {(start, end) for start, end, _ in spans}
    spans += [
        (m.start, m.end, "cve" if m.id.startswith("CVE") else "unknown")
        for m in ids
        if (m.start, m.end) not in taken
    ]
    parts, place = [], 0
    for start, end, mark in sorted(spans):
        parts += [text[place:start], f"@_{mark}"]
        place = end
    return "".join([*parts, text[place:]])
