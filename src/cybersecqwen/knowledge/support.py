"""Whether passages speak of enough of what is asked to be an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cybersecqwen.core.passages import page_of
from cybersecqwen.core.records import Passage
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.core.text.terms import terms
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.scope import asks_to_change, asks_to_set_up
from cybersecqwen.knowledge.search import PassageIndex

LEAST_SUPPORT = 0.5
"""Share of what was asked that the best passage and its page's head must speak of.

Rare terms count more, the names of pages not at all. Chosen on questions made from the knowledge
base and on others that it cannot answer (``kb check``).
"""

LEAST_OF_FEW = 0.75
"""The same of a question with three terms or fewer, where one missing is much."""

LEAST_TOGETHER = 0.6
"""Share of what was asked that two neighbouring sentences must hold, where no page is named."""

FEW = 3
"""Terms up to which a question that names a page has few of its own."""

FEW_ALONE = 6
"""The same of a question that names none."""

_MOST = 0.5
_ALL_OF_IT = 0.9  # of what somebody asks who wants to set a product up
_UNKNOWN_NAME = re.compile(r"(?<=\w )(?:[A-Z]\w{2,}|\w*\d\w*)")
_EXPLAINS = re.compile(r"^\W*(?:please )?(?:explain|define)\b", re.IGNORECASE)
_HOW_TO = re.compile(
    r"\bhow (?:to|(?:do|can|could|should|would|must) (?:i|we|you|one))\s+(\w+)", re.IGNORECASE
)
_HOW = re.compile(r"\bhow (?:does|do|is|are)\b", re.IGNORECASE)
_PROPER = re.compile(r"\b[A-Z][a-z]+(?:[A-Z]\w*)+\b|(?<=\w )[A-Z]\w{2,}\b")
_TYPED = re.compile(
    r" (?:ransomware|malware|group|gang|trojan|backdoor|apt|actor|botnet|worm|stealer|rat)\b",
    re.IGNORECASE,
)
_RELATES = re.compile(
    r"\bdiffer\w*|\bversus\b|\bvs\b|\bcompar\w*|\brelated to\b|\bsame as\b|\bsimilar to\b",
    re.IGNORECASE,
)
_ASKS_LINK = re.compile(
    r"^\W*(?:does|do|did|has|have|is|are|was|were)\b.*\b(?:us(?:e|es|ed|ing)|deploy\w*|part of|"
    r"belong\w*|linked|attributed|target\w*|exploit\w*)\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"\b[A-Za-z]+(?:-[A-Za-z]+)*-?\d+\b")  # as groups are numbered: APT-C-36
_COMPARES = re.compile(r"\bdifferen\w+ (?:between|of)\b|\bversus\b|\bvs\b", re.IGNORECASE)


def speaks_of(
    index: PassageIndex, page: str, rest: Sequence[str], least: float = LEAST_SUPPORT
) -> bool:
    """Whether a page holds a share of some terms, rare ones counting more; of none, any does."""
    if not rest:
        return True
    held = set(terms(" ".join(passage.text for passage in index.page(page))))
    weights = index.rarity(rest)
    share = sum(w for t, w in zip(rest, weights, strict=True) if t in held) / sum(weights)
    return bool(share >= least)


def knows_most(index: PassageIndex, query: Query) -> bool:
    """Whether the knowledge base knows most of the words that a question is about."""
    known = [term in index.vocabulary for term in query.rest]
    return (
        bool(known) and sum(known) / len(known) >= LEAST_OF_FEW and not names_unknown(index, query)
    )


def stands(index: PassageIndex, query: Query, passages: Sequence[Passage]) -> bool:
    """Whether the best of the quoted passages, with its page's head, speaks of what was asked."""
    if not passages or (not query.mentions and _asks_of_unknown(index, query)):
        return False
    if not query.rest:
        return bool(query.mentions)
    best = passages[0]
    if best.kind == "procedure" and (
        asks_to_change(query.corrected) or (not query.mentions and _EXPLAINS.search(query.skeleton))
    ):
        return False
    first = index.passage(int(index.places(page_of(best.id))[0]))
    held = set(terms(f"{best.title} {best.id} {best.text} {first.text}"))
    if len(query.rest) < FEW and not query.mentions:
        # So few words are a name or nothing: the page must be headed by them, and little else.
        titled = set(terms(best.title.rpartition(": ")[2]))
        least = len(titled) if _HOW.search(query.skeleton) else len(titled) / 2
        held = titled if len(titled & set(query.rest)) >= least else set()
        if len(query.rest) == 1 and titled > held & set(query.rest):
            held = held if _heads_most(index, query.rest[0], page_of(best.id)) else set()
    if not query.mentions and not _speaks_of_deed(query, held):
        return False
    weights = index.rarity(query.rest)
    share = sum(w for t, w in zip(query.rest, weights, strict=True) if t in held) / sum(weights)
    if asks_to_set_up(query.corrected):
        return bool(share >= _ALL_OF_IT)
    few = FEW if query.mentions else FEW_ALONE
    least = LEAST_OF_FEW if len(query.rest) <= few else LEAST_SUPPORT
    whole = bool(query.mentions) or len(query.rest) < FEW or _together(index, query, best)
    return whole and bool(share >= least)


def _together(index: PassageIndex, query: Query, passage: Passage) -> bool:
    """Whether two neighbouring sentences of a passage, with its title, hold most of what is asked.

    Words scattered over a long passage speak of something else.
    """
    weights = dict(zip(query.rest, index.rarity(query.rest), strict=True))
    title = set(terms(f"{passage.title} {passage.id}"))
    said = [set(terms(sentence)) for sentence in sentences(passage.text)]
    pairs = [a | b | title for a, b in zip(said, [*said[1:], set()], strict=True)]
    most = max((sum(w for t, w in weights.items() if t in pair) for pair in pairs), default=0.0)
    return bool(most >= LEAST_TOGETHER * sum(weights.values()))


def _heads_most(index: PassageIndex, term: str, page: str) -> bool:
    """Whether most passages that hold a term are a page's own or concern it.

    A word of a title alone names the page where it is hardly used elsewhere: ``hollowing``, not
    ``hypervisor``.
    """
    number = index.vocabulary.number(term)
    if number is None:
        return False
    places = index.passages_holding(number)
    own = index.page_of_passage[index.places(page)[0]]
    share = (index.page_of_passage[places] == own) | (index.about[places] == own)
    return bool(share.mean() >= _MOST)


def _speaks_of_deed(query: Query, held: set[str]) -> bool:
    """Whether terms hold what somebody wants to do who asks ``how to encrypt``."""
    asked = _HOW_TO.search(query.skeleton)
    return asked is None or all(t in held for t in terms(asked[1]) if t in query.rest)


def _asks_of_unknown(index: PassageIndex, query: Query) -> bool:
    """Whether a question names what no passage mentions, or compares what heads no page."""
    return names_unknown(index, query) or _COMPARES.search(query.skeleton) is not None


def names_unknown(index: PassageIndex, query: Query) -> bool:
    """Whether a question names, with a capital or a number, what no passage mentions."""
    named = terms(" ".join(_UNKNOWN_NAME.findall(query.corrected)))
    if not all(term in index.vocabulary for term in named):
        return True
    codes = [m[0] for m in _CODE.finditer(query.corrected) if "-" in m[0]]
    return any(
        not index.names.spelt(code) and code.lower() not in index.vocabulary for code in codes
    )


def sets_beside_unknown(index: PassageIndex, query: Query) -> bool:
    """Whether a question sets what is named beside a name that no passage mentions.

    The unknown name stands in a comparison, or next to what it is said to be: ``Blue Marmot
    ransomware``. Elsewhere it may be a product's, in the description of a case.
    """
    if len(query.subjects) > 1 and not _TYPED.search(query.corrected):
        return False
    compared = any(p.search(query.skeleton) for p in (_RELATES, _ASKS_LINK))
    for match in _PROPER.finditer(query.corrected):
        within = any(m.start <= match.start() < m.end for m in query.mentions)
        known = all(term in index.vocabulary for term in terms(match[0]))
        beside = _TYPED.match(query.corrected, match.end())
        if not within and not known and (compared or beside):
            return True
    return False
