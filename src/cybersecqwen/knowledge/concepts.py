"""What no page of the catalogues defines: their own words, CVSS, and the field's frameworks.

``concepts.yaml`` has the catalogues' own words (CWE, a tactic, a base, a CNA),
``cvss_concepts.yaml`` the metrics and scores of CVSS, and ``field_concepts.yaml`` the field's
(STIX, TLP, the Diamond Model, a SIEM), each with the address where its publisher defines it; an
answer cites them as ``GLOSSARY#tactic``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

import msgspec
import yaml

from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.records import Passage

GLOSSARY = "GLOSSARY"
"""The page that concepts are cited by."""

_OWN, _FIELD, _CVSS = "concepts.yaml", "field_concepts.yaml", "cvss_concepts.yaml"
_LONGEST = 6  # words of a name
_SPACE = re.compile(r"[^a-z0-9&,]+")
_GOES_ON = re.compile(r"^(?:(?:and|or|also|what about|how about) )+")
_ASKS = re.compile(
    r"^(?:and |so |please |pls |hi |hello )*"
    r"(?:who (?:maintains?|runs?|owns?|publishes|issues|makes|develops?|is behind)|"
    r"(?:what|whats|what's|wat|who)(?: exactly)?(?: is| are| was|'s| does| do)?(?: meant by)?|"
    r"define|explain|describe|tell me (?:about|what)|(?:the )?(?:meaning|definition) of|"
    r"(?:the )?(?:abb?reviations?|acronyms?)(?: of| for)?|"
    r"can you (?:explain|define)|how (?:is|do you define))\b(?: me| is)?"
)
_TAIL = re.compile(
    r"(?: (?:mean|means|meant|stand for|stands for|exactly|again|actually|please|pls|defined|"
    r"used for|for|good for|allowed to do|supposed to do|responsible for|to (?:me|us|managers?|"
    r"a (?:manager|child|beginner|layman|colleague|customer)|(?:my|our) (?:boss|manager|team|"
    r"customers?)|management)|in short|in simple words|in simple terms|meaning|definition|"
    r"called|about|all about))+$"
)
_WITHIN = re.compile(
    r" (?:in|of|for|from|within|under|by|according to)(?: the| a| an)?"
    r"(?: mitre)?(?: (?:att&ck|attck|attack|cwe|capec|mitre|cve|security|cybersecurity))"
    r"(?: (?:terms|framework|catalogue|catalog|matrix|mapping|id|entry|list|context|world))?$"
)
_OF_CVSS = re.compile(
    r" (?:metric |value )?(?:in|of|for|from|under)(?: the| a)? cvss(?: ?v?[234](?: [01])?)?"
    r"(?: (?:scores?|scoring|vectors?|strings?|metrics?))?(?= mean|$)"
)
_ARTICLE = re.compile(r"^(?:an?|the|this|these|all|by) ")
_TRAILING = re.compile(r"^(.+?) (?:what|wat) (?:is|does) (?:it|that|this)(?: mean)?$")
_COMPARES = re.compile(
    r"\bdiffer\w*|\bversus\b|\bvs\b|\bcompar\w*|\bdistinguish\w*|\bthe same\b|\brelat\w+",
    re.IGNORECASE,
)


class Concept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A word of the catalogues or of the field.

    Attributes:
        id: Its mark in citations.
        title: Its name in full.
        names: How people call it, in small letters, singular.
        text: What it means.
        source: Address of its publisher's definition.
        more: What else is worth knowing of it; empty where its definition says it all.
        count: Source and kind of the entries of which a knowledge base has many; empty for none.
        members: Kind of the entries that an answer lists; empty for none.
    """

    id: str
    title: str
    names: tuple[str, ...]
    text: str
    source: str
    more: str = ""
    count: tuple[str, ...] = ()
    members: str = ""

    @property
    def passage(self) -> Passage:
        """The definition as a passage."""
        text = " ".join(filter(None, (self.text, self.more)))
        text = f"{text} Defined by its publisher at {self.source}"
        return Passage(f"{GLOSSARY}#{self.id}", self.title, "glossary", text)


@lru_cache(maxsize=1)
def concepts() -> dict[str, Concept]:
    """Return all concepts by id.

    Raises:
        ModelError: The installation is damaged.
    """
    return {concept.id: concept for name in (_OWN, _FIELD, _CVSS) for concept in _read(name)}


@lru_cache(maxsize=1)
def field_concepts() -> tuple[Concept, ...]:
    """Return the field's frameworks, formats, laws and roles.

    Raises:
        ModelError: The installation is damaged.
    """
    return _read(_FIELD)


def named_field_concepts(text: str) -> list[Concept]:
    """Return the field's concepts whose names a text holds, in the order of their first names."""
    spoken = _SPACE.sub(" ", text.lower()).replace(",", " ").split()
    known = _field_names()
    named = (
        known.get(" ".join(spoken[start:end]))
        for start in range(len(spoken))
        for end in range(start + 1, min(len(spoken), start + _LONGEST) + 1)
    )
    found = dict.fromkeys(name for name in named if name is not None)
    return [concepts()[name] for name in found]


@lru_cache(maxsize=1)
def _field_names() -> dict[str, str]:
    return {_SPACE.sub(" ", name): c.id for c in field_concepts() for name in c.names}


@lru_cache(maxsize=3)
def _read(name: str) -> tuple[Concept, ...]:
    try:
        text = files("cybersecqwen.knowledge").joinpath(name).read_text("utf-8")
        return msgspec.convert(yaml.load(text, yaml.CSafeLoader), tuple[Concept, ...])
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ModelError(f"the shipped {name} cannot be read, reinstall: {error}") from error


def glossary_passage(citation: str) -> Passage | None:
    """Return the passage that a citation of the glossary means; None for any other citation."""
    page, _, mark = citation.partition("#")
    concept = concepts().get(mark) if page == GLOSSARY else None
    return concept.passage if concept else None


def asked_concepts(text: str) -> list[Concept]:
    """Return the concepts that a question asks the meaning of, or the difference between.

    Args:
        text: The question, its typing errors mended.

    Returns:
        None where it asks for anything else.
    """
    plain = " ".join(_SPACE.sub(" ", text.lower().replace("'", "")).split())
    if _COMPARES.search(plain):
        named = _all_named(plain)
        return list(dict.fromkeys(named)) if len(named) > 1 else []
    plain = _GOES_ON.sub("", _TRAILING.sub(r"\1", plain))
    asked = _ASKS.sub("", plain.replace("whats", "what is")).strip()
    of_cvss = _OF_CVSS.search(asked) is not None
    asked = _OF_CVSS.sub("", asked)
    for _ in range(3):
        asked = _ARTICLE.sub("", asked)
        ways = (f"cvss {asked}",) * of_cvss
        for name in (*ways, asked, asked.removesuffix("s"), asked.removeprefix("cvss ")):
            if found := _names().get(name):
                return [concepts()[found]]
        asked = _TAIL.sub("", _WITHIN.sub("", asked))
    named = _all_named(asked) if " and " in asked else []
    return named if len(named) > 1 else []


@lru_cache(maxsize=1)
def concept_words() -> frozenset[str]:
    """Return the words that names of concepts are made of, in small letters."""
    return frozenset(word for name in _names() for word in name.split())


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {
        _SPACE.sub(" ", name): concept.id
        for concept in concepts().values()
        for name in concept.names
    }


def _all_named(plain: str) -> list[Concept]:
    """Return the concept of each name in a text, the longest name first at each place; all or none.

    Any word beside them that says more than ``difference between`` makes it another question.
    """
    words = plain.replace(",", " ").split()
    kind = words[-1] if words and words[-1] in _SCORED else ""  # "base and temporal metrics"
    found: list[Concept] = []
    place = 0
    while place < len(words):
        for end in range(min(len(words), place + _LONGEST), place, -1):
            name = " ".join(words[place:end])
            named = (f"{name} {kind}", name, name.removesuffix("s"))
            key = next((_names()[each] for each in named if each in _names()), None)
            if key:
                found.append(concepts()[key])
                place = end
                break
        else:
            if not _JOINING.fullmatch(words[place]) and not _COMPARES.fullmatch(words[place]):
                return []
            place += 1
    return found


_SCORED = frozenset(("score", "metrics"))
_JOINING = re.compile(
    r"an?|the|and|or|to|from|of|in|is|are|between|whats?|how|do|does|differences?|different|with|"
    r"each|other|it|same|as|scores?|metrics?|explain|tell|me|about|mitre|framework|one|ids?|please|main"
)
