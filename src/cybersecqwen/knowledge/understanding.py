"""What a parsed question asks for, by rules over its skeleton: the first that fits decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cybersecqwen.core.text.terms import terms
from cybersecqwen.knowledge import intents
from cybersecqwen.knowledge.intents import ASPECTS, Intent
from cybersecqwen.knowledge.query import MARK, Query

_DESCRIPTION = 10  # words of a text that describes something
_TOLD = 4  # words, besides names, of a text that tells what was done
_ACTORS = frozenset({"group", "campaign"})
_LISTS = frozenset({"view", "category"})
_TAXONOMY = frozenset({"weakness", *_LISTS})
_CHAINED = frozenset({"weakness", "attack pattern", "technique"})
_USERS = frozenset({"group", "campaign", "software"})
_JOINED = _USERS | {"mitigation", "attack pattern"}
_PROTECTING = frozenset({Intent.MITIGATION, Intent.DETECTION})

# Another name for what is named, which no page knows: ``SharpHound / BloodHound``.
_ALIKE = re.compile(
    r"\b\w+\s*(?:/|\baka\b|\()\s*(?=@\w+)|(?<=@)\w+\s*(?:/|\baka\b|\()\s*\w+\)?", re.IGNORECASE
)
_CHAINS = re.compile(
    r"\bexploit|\btarget|\bmatch|\brelat|\blink|\bmap|\bassociat|\bapplicab|->|\benabl|\bleads?\b|"
    r"\bcorrespond|\bbehind\b|\bcrosswalk",
    re.IGNORECASE,
)
_DEFINES = re.compile(
    r"\b(?:what|who)\b(?:'?s| is| are| was|)\b|\bdefin|\bdescri|\bexplain|\bmean|\babout\b|"
    r"\bconstitutes?\b",
    re.IGNORECASE,
)
_KIN = frozenset({Intent.CHILD, Intent.PARENT})
_ASSIGNS = re.compile(r"\b(?:map|assign|use|pick|choose)\b|\bcwe than\b", re.IGNORECASE)
_HOW_DONE = re.compile(
    r"\bhow (?:do|does|can|could|would|might|is|are|did)\b.*@_(?:technique|pattern|weakness)",
    re.IGNORECASE,
)
_ASKS_CONTENT = re.compile(
    r"\bwhat (?:belongs|techniques?|is in|does)\b|\bwhat'?s in\b", re.IGNORECASE
)
_DESCRIBES_LIST = re.compile(r"\bwhat is @|\bdescri|\bdefin|\bexplain", re.IGNORECASE)
_USING = re.compile(r"\bus(?:e|es|ed|ing)\b|\bttp|\barsenal", re.IGNORECASE)
_WHO_USES = re.compile(
    r"\bus(?:e|es|ed|ing|ees)\b|\bdo(?:es|ing)?\b|\bleverag|\bemploy|\babus", re.IGNORECASE
)
_DONE_BY = re.compile(
    r"\b(?:techniques?|ttps?|tactics?)\b.{0,20}\b(?:by|of) (?:both )?@_software", re.IGNORECASE
)
_SHARED = re.compile(
    r"\bin common\b|\bshare[sd]?\b|\boverlap\w*|\bboth (?:use|do|employ|have)\b|"
    r"\b(?:techniques?|ttps?|tools?|software|malware)\b.{0,12}\b(?:by|of|for|to) both\b",
    re.IGNORECASE,
)
_WHAT_DOES_SO = re.compile(
    r"\b(?:malwares?|tools?|softwares?|groups?|actors?|campaigns?|trojans?)"
    r"(?: (?:that|which|who|to|can|could|may|for|often|usually))* @_technique",
    re.IGNORECASE,
)
_WAYS = re.compile(
    r"\b(?:ways?|methods?|tricks?)\b.*@_tactic|^\W*how (?:do|does|can|could|did|might)\b.*@_tactic",
    re.IGNORECASE,
)
_OF_GANGS = re.compile(
    r"@_technique (?:gangs?|groups?|actors?|operators?|crews?|attackers?|criminals?)\b",
    re.IGNORECASE,
)
_USED_BY = re.compile(r"\bused by\b|\busers? of @|@\w+ users\b", re.IGNORECASE)
_SOFTWARE_DOES = re.compile(r"\bwhat does @_software (?:do|use)", re.IGNORECASE)
_ATTACKING = re.compile(r"\bexploit|\battack(?:ers?|ed)?\b.{0,30}@_weakness", re.IGNORECASE)

# Words that frame a question and say nothing of its subject.
_FRAME = frozenset(
    terms(
        """3 5 10 a about abuse according again even exactly heck hell hmm literally ok okay pls
        please plz quickly really so thanks thx wat whats yo abbreviation abreviation acronym
        basically beginner boss child colleague dummies easy eli5
        english im junior kid layman look looks manager newbie nutshell plain roughly
        actually address addresses adversaries adversary against all answer
        anyone anything applicable applies apply ask att&ck attack attacker attackers attacks
        attck attempt behave behaves behind belong belongs best between boss both briefly call
        called
        capec care case cases choose code common commonly company compare consider
        context correct cover covers current cve cwe define defined defines definition
        describe described describes description detail detailed details differ
        difference different do's does doing each enterprise entire entries entry
        enumerate every everything exist exists expert explain explanation few find five
        following four full general get give given good have having hackers hear hearing hello
        help helps hey i'm ics id identifier ids industrial infect infects info
        information inside instead interested intruders criminals involve involves it's just
        keep kind kinds know known learn let like list listed lot main make makes many matter me
        mean meaning means meant mention method methods mitre mobile much my name named names need
        needed new now number numbers one ones operate operates option our overview page
        pages people person please possible primarily primary provide purpose question
        quick quickly real ransomware recommend recommended record related relation
        relationship right same say says short show simple simply six some someone
        something spread spreads statement stuff summary take takes talk tell ten term
        terms than thanks that's there's thing things threat threats three top true two
        type types typical typically under understand us use used user uses using usual
        usually versus vs want way ways we what's whats within wonder word words work
        working works"""
    )
)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A question under the rules.

    Attributes:
        query: The question, parsed.
        skeleton: Its text with marks in place of names.
        wanted: Kinds of entries it asks for.
        kind: What the first entry it names is; empty where it names none.
        kinds: What all of them are.
        by_id: Whether it gives an id.
        first: The aspect that its words ask for; None where they ask for none.
    """

    query: Query
    skeleton: str
    wanted: tuple[str, ...]
    kind: str
    kinds: frozenset[str]
    by_id: bool
    first: Intent | None

    @property
    def others(self) -> frozenset[str]:
        """The kinds wanted beside what the question names."""
        return frozenset(self.wanted) - {self.kind}

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether the skeleton has a pattern."""
        return pattern.search(self.skeleton) is not None

    @property
    def names_in_words(self) -> bool:
        """Whether it asks which entry it is that it names in words: ``which CWE for SSRF``."""
        return (
            bool(_CHAINED & set(self.wanted)) and not self.by_id and self.says(intents.NAMES_ENTRY)
        )

    @property
    def defines(self) -> bool:
        """Whether it asks what something is."""
        return self.says(_DEFINES) and not self.says(_ASKS_CONTENT)


def understood(query: Query) -> Query:
    """Return the query with its intent, the kinds it wants and the rest of what it says."""
    wanted = intents.wanted_kinds(MARK.sub(" ", query.skeleton))
    intent, said = _intent(query, wanted)
    bare = said.sub(" ", query.skeleton) if said else query.skeleton
    bare = intents.without_kinds(MARK.sub(" ", _ALIKE.sub(" ", bare)))
    rest = tuple(dict.fromkeys(term for term in terms(bare) if term not in _FRAME))
    if intent is Intent.SEARCH and query.mentions and not rest:
        intent = Intent.DEFINITION
    if intent is Intent.SMALL_TALK and len(rest) > _SMALL:
        intent = Intent.SEARCH
    return replace(query, intent=intent, wanted=wanted, rest=rest)


_SMALL = 2  # terms that small talk may have


def _intent(query: Query, wanted: tuple[str, ...]) -> tuple[Intent, re.Pattern[str] | None]:
    """Return what a question asks for, and the pattern of the words that say so."""
    patterns: dict[Intent, re.Pattern[str]] = {}
    for aspect in ASPECTS:
        if aspect.pattern.search(query.skeleton):
            patterns.setdefault(aspect.intent, aspect.pattern)
    reading = _reading(query, wanted, list(patterns))
    if not query.mentions and not query.cves and reading.says(intents.SMALL_TALK):
        return Intent.SMALL_TALK, intents.SMALL_TALK
    chosen = next(found for rule in _RULES if (found := rule(reading)) is not None)
    said = intents.DIFFERS if chosen is Intent.DIFFERENCE else patterns.get(chosen)
    return chosen, said


def _reading(query: Query, wanted: tuple[str, ...], aspects: Sequence[Intent]) -> _Reading:
    named = [m for m in query.mentions if not m.excluded]
    kind = named[0].kind if named else ""
    reading = _Reading(
        query,
        query.skeleton,
        wanted,
        kind,
        frozenset(m.kind for m in named),
        any(m.is_id for m in query.mentions),
        None,
    )
    # Words of permission speak of mapping only where a weakness is there to map to.
    mappable = not kind or (kind in _TAXONOMY and not reading.names_in_words)
    targeted = kind in {"", "technique", "group", "asset"}
    kept = [
        aspect
        for aspect in aspects
        if (aspect is not Intent.MAPPING or mappable) and (aspect is not Intent.TARGET or targeted)
    ]
    if Intent.MAPPING in kept and kept[0] in _KIN and reading.says(_ASSIGNS):
        kept = [Intent.MAPPING]  # "should I map to it, or to something more specific"
    return replace(reading, first=kept[0] if kept else None)


# Several entries


def _lists_a_weakness(r: _Reading) -> Intent | None:
    several = len(r.query.subjects) > 1
    return Intent.MEMBERSHIP if several and r.kinds & _LISTS and "weakness" in r.kinds else None


def _uses_for_a_tactic(r: _Reading) -> Intent | None:
    several = len(r.query.subjects) > 1
    return Intent.USES if several and "tactic" in r.kinds and r.kinds & _USERS else None


def _technique_of_a_tactic(r: _Reading) -> Intent | None:
    both = {"tactic", "technique"} <= r.kinds and r.first not in _PROTECTING
    if both and r.says(_OF_GANGS):
        return Intent.TECHNIQUES
    return Intent.TACTIC if both and not r.says(intents.DIFFERS) else None


def _shared_by_actors(r: _Reading) -> Intent | None:
    """What several actors have in common is what all of them use."""
    actors = len(r.query.subjects) > 1 and r.kinds <= _USERS
    return Intent.USES if actors and r.says(_SHARED) else None


def _between_entries(r: _Reading) -> Intent | None:
    if len(r.query.subjects) < 2:
        return None
    joined = len(r.kinds) > 1 and not r.wanted and r.kinds & _JOINED
    return Intent.DIFFERENCE if r.says(intents.DIFFERS) or joined else None


# No entry


def _describes_weakness(r: _Reading) -> Intent | None:
    """What is named in passing is part of a description."""
    asked = "weakness" in r.wanted and not r.by_id and not r.kinds & _TAXONOMY
    own = len(MARK.sub(" ", r.skeleton).split())
    return Intent.WHICH if asked and own >= _DESCRIPTION else None


def _weakness_of_a_thing(r: _Reading) -> Intent | None:
    """What is named beside a weakness that is asked for, and leads to none, is part of a flaw."""
    passing = bool(r.kinds) and not r.kinds & (_CHAINED | _LISTS | {"tactic"})
    asked = "weakness" in r.wanted and not r.by_id and r.first in _LOOSE
    return Intent.WHICH if asked and passing and r.says(intents.NAMES_ENTRY) else None


def _tells_a_technique(r: _Reading) -> Intent | None:
    """What is named in passing is part of what was done."""
    told = not r.kinds & _TAXONOMY and not r.by_id and r.says(intents.TECHNIQUE_TOLD)
    own = len(MARK.sub(" ", intents.TECHNIQUE_TOLD.sub(" ", r.skeleton)).split())
    return Intent.WHICH if told and own >= _TOLD else None


def _names_nothing(r: _Reading) -> Intent | None:
    if r.kind:
        return None
    if r.query.cves or r.query.unknown:
        return r.first or Intent.DEFINITION
    if r.wanted[:1] == ("tactic",) and not r.first:
        return Intent.TACTIC
    loose = {None, Intent.MAPPING, Intent.CONSEQUENCE, Intent.EXAMPLE, Intent.TARGET}
    if _CHAINED & set(r.wanted) and r.first in loose:
        return Intent.WHICH
    return r.first or Intent.SEARCH


# One entry


def _what_a_mitigation_addresses(r: _Reading) -> Intent | None:
    asked = r.first is Intent.MITIGATION or "technique" in r.wanted
    return Intent.MITIGATED if r.kind == "mitigation" and asked else None


def _what_a_tactic_holds(r: _Reading) -> Intent | None:
    if r.kind != "tactic" or r.first in _PROTECTING:
        return None
    if "technique" in r.wanted or r.says(intents.MEMBERS) or r.says(_WAYS):
        return Intent.DEFINITION if r.defines and not r.says(_WAYS) else Intent.TECHNIQUES
    return None


def _what_a_list_holds(r: _Reading) -> Intent | None:
    if r.kind not in _LISTS or r.first not in {None, Intent.EXAMPLE}:
        return None
    return Intent.DEFINITION if r.says(_DESCRIBES_LIST) else Intent.MEMBERS


def _which_lists(r: _Reading) -> Intent | None:
    asked = r.kind == "weakness" and not r.first and _LISTS & set(r.wanted)
    return Intent.MEMBERSHIP if asked else None


def _which_tactic(r: _Reading) -> Intent | None:
    asked = r.kind in {"technique", "software"} and r.says(intents.TACTIC)
    return Intent.TACTIC if asked and r.first not in _PROTECTING else None


_LOOSE = frozenset(
    {
        None,
        Intent.SEQUENCE,
        Intent.TARGET,
        Intent.EXAMPLE,
        Intent.CONSEQUENCE,
        Intent.FLOW,
    }
)
"""Aspects that give way to a relation, whose words they share."""


def _what_an_actor_uses(r: _Reading) -> Intent | None:
    if r.kind not in _ACTORS or r.first not in _LOOSE:
        return None
    if {"software", "technique", "tactic"} & set(r.wanted) or r.says(_USING):
        return Intent.USES
    return Intent.ATTRIBUTION if "campaign" in r.others else None


def _who_uses_it(r: _Reading) -> Intent | None:
    if r.kind not in {"technique", "software"} or r.first not in _LOOSE or r.says(_HOW_DONE):
        return None
    if r.kind == "software" and r.says(_DONE_BY):
        return Intent.USES
    if r.says(_USED_BY) or (r.kind == "technique" and {"group", "campaign"} & r.others):
        return Intent.USERS
    if _USERS & r.others and r.kind == "technique" and r.says(_WHAT_DOES_SO):
        return Intent.USERS
    if not _USERS & r.others or not r.says(intents.USE):
        return None
    return None if r.says(intents.WHO) and not r.says(_WHO_USES) else Intent.USERS


def _what_software_does(r: _Reading) -> Intent | None:
    asked = r.kind == "software" and ("technique" in r.others or r.says(_SOFTWARE_DOES))
    return Intent.USES if asked and r.first in _LOOSE else None


def _what_it_leads_to(r: _Reading) -> Intent | None:
    if r.kind not in _CHAINED or r.first not in _LOOSE:
        return None
    if _CHAINED & r.others:
        if r.by_id or r.says(_CHAINS):
            return Intent.CHAIN
        return Intent.WHICH if r.names_in_words else Intent.CHAIN
    attacked = r.kind == "weakness" and r.first is not Intent.CONSEQUENCE and r.says(_ATTACKING)
    return Intent.CHAIN if attacked else None


def _which_entry_it_is(r: _Reading) -> Intent | None:
    asked = r.kind in r.wanted and not r.by_id and r.says(intents.NAMES_ENTRY)
    return Intent.WHICH if asked and r.first in _LOOSE else None


def _by_its_words(r: _Reading) -> Intent | None:
    return r.first


def _what_it_is(r: _Reading) -> Intent:
    return Intent.DEFINITION if r.defines or r.says(_HOW_DONE) else Intent.SEARCH


_RULES: tuple[Callable[[_Reading], Intent | None], ...] = (
    _lists_a_weakness,
    _uses_for_a_tactic,
    _technique_of_a_tactic,
    _shared_by_actors,
    _between_entries,
    _describes_weakness,
    _tells_a_technique,
    _weakness_of_a_thing,
    _names_nothing,
    _what_a_mitigation_addresses,
    _what_a_tactic_holds,
    _what_a_list_holds,
    _which_lists,
    _which_tactic,
    _what_an_actor_uses,
    _who_uses_it,
    _what_software_does,
    _what_it_leads_to,
    _which_entry_it_is,
    _by_its_words,
    _what_it_is,
)
