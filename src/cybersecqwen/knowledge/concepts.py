"""What the catalogues' own words mean: CWE, ATT&CK, CAPEC, a tactic, a base, a CNA.

No page of the catalogues defines them, so ``concepts.yaml`` does, with the address where their
publisher does; an answer cites it as ``GLOSSARY#tactic``.
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

_FILE = "concepts.yaml"
_SPACE = re.compile(r"[^a-z0-9&,]+")
_ASKS = re.compile(
    r"^(?:and |so |please |pls |hi |hello )*"
    r"(?:(?:what|whats|what's|wat|who)(?: exactly)?(?: is| are| was|'s| does| do)?(?: meant by)?|"
    r"define|explain|describe|tell me (?:about|what)|(?:the )?(?:meaning|definition) of|"
    r"can you (?:explain|define)|how (?:is|do you define))\b(?: me| is)?"
)
_TAIL = re.compile(
    r"(?: (?:mean|means|meant|stand for|stands for|exactly|again|actually|please|pls|defined|"
    r"used for|for|good for|to me|in short|in simple words|in simple terms|meaning|definition|"
    r"called|about|all about))+$"
)
_WITHIN = re.compile(
    r" (?:in|of|for|from|within|under|by|according to)(?: the| a| an)?"
    r"(?: mitre)?(?: (?:att&ck|attck|attack|cwe|capec|mitre|cve|security|cybersecurity))"
    r"(?: (?:terms|framework|catalogue|catalog|matrix|mapping|id|entry|list|context|world))?$"
)
_ARTICLE = re.compile(r"^(?:an?|the|this|these|all|by) ")
_COMPARES = re.compile(
    r"\bdiffer\w*|\bversus\b|\bvs\b|\bcompar\w*|\bdistinguish\w*|\bthe same\b|\brelat\w+",
    re.IGNORECASE,
)


class Concept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A word of the catalogues.

    Attributes:
        id: Its mark in citations.
        title: Its name in full.
        names: How people call it, in small letters, singular.
        text: What it means.
        source: Address of its publisher's definition.
        count: Source and kind of the entries of which a knowledge base has many; empty for none.
        members: Kind of the entries that an answer lists; empty for none.
    """

    id: str
    title: str
    names: tuple[str, ...]
    text: str
    source: str
    count: tuple[str, ...] = ()
    members: str = ""

    @property
    def passage(self) -> Passage:
        """The definition as a passage."""
        text = f"{self.text} Defined by its publisher at {self.source}"
        return Passage(f"{GLOSSARY}#{self.id}", self.title, "glossary", text)


@lru_cache(maxsize=1)
def concepts() -> dict[str, Concept]:
    """Return all concepts by id.

    Raises:
        ModelError: The installation is damaged.
    """
    try:
        text = files("cybersecqwen.knowledge").joinpath(_FILE).read_text("utf-8")
        found = msgspec.convert(yaml.load(text, yaml.CSafeLoader), list[Concept])
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ModelError(f"the shipped {_FILE} cannot be read, reinstall: {error}") from error
    return {concept.id: concept for concept in found}


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
        return named if len(named) > 1 else []
    asked = _ASKS.sub("", plain.replace("whats", "what is")).strip()
    for _ in range(3):
        asked = _ARTICLE.sub("", asked)
        if found := _names().get(asked) or _names().get(asked.removesuffix("s")):
            return [concepts()[found]]
        asked = _TAIL.sub("", _WITHIN.sub("", asked))
    return []


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {
        _SPACE.sub(" ", name): concept.id
        for concept in concepts().values()
        for name in concept.names
    }


def _all_named(plain: str) -> list[Concept]:
    """Return the concepts that a text names, the longest name first at each place; all or none.

    Any word beside them that says more than ``difference between`` makes it another question.
    """
    words = plain.replace(",", " ").split()
    found: dict[str, Concept] = {}
    place = 0
    while place < len(words):
        for end in range(min(len(words), place + 6), place, -1):
            name = " ".join(words[place:end])
            key = _names().get(name) or _names().get(name.removesuffix("s"))
            if key:
                found[key] = concepts()[key]
                place = end
                break
        else:
            if not _JOINING.fullmatch(words[place]) and not _COMPARES.fullmatch(words[place]):
                return []
            place += 1
    return list(found.values())


_JOINING = re.compile(
    r"an?|the|and|or|to|from|of|in|is|are|between|whats?|how|do|does|differences?|different|with|"
    r"each|other|it|explain|tell|me|about|mitre|framework|one|ids?|please|main"
)
