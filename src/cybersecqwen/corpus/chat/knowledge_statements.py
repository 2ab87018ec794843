"""What CWE, CAPEC and ATT&CK say, as questions and answers to learn by heart.

Every page is asked about from many sides (what it is, its name and id, relations in both
directions, what its sections say, what tells it from a neighbour), each in several wordings, since
a fact that is met in one form alone is not answered in another (Allen-Zhu and Li, arXiv
2309.14316).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from random import Random

import msgspec
import yaml

from cybersecqwen.core.records import Entry, Passage, Section
from cybersecqwen.core.text.clean import capital
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.corpus.chat.draft import DraftExample

KIND = "knowledge"
"""Question kinds begin with it: ``knowledge-define``, ``knowledge-relation`` ..."""

_MOST_LISTED = 10
_MOST_WORDS = 110
_FEWEST_WORDS = 6
_SIBLINGS = 2
"""Neighbours that each page is distinguished from."""


class _Relation(msgspec.Struct, frozen=True):
    forward: tuple[str, ...]
    back: tuple[str, ...]


class _Wordings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    nouns: dict[str, tuple[str, str]]
    define: tuple[str, ...]
    name: tuple[str, ...]
    identify: tuple[str, ...]
    call: tuple[str, ...]
    alias: tuple[str, ...]
    contrast: tuple[str, ...]
    section: dict[str, tuple[str, ...]]
    relation: dict[str, _Relation]


@dataclass(frozen=True, slots=True)
class _PageStatement:
    """A fact, before it is worded.

    Attributes:
        kind: Its kind.
        page: The page that it is about.
        wordings: Ways to ask for it.
        answer: What is said; names of a list may be drawn anew for each wording.
        listed: Names of a list, instead of an answer.
        noun: Kind of the page that is asked for.
        other: Another page that the question names.
        text: Sentence that the question quotes.
    """

    kind: str
    page: Entry
    wordings: tuple[str, ...]
    answer: str = ""
    listed: tuple[str, ...] = ()
    noun: str = ""
    other: str = ""
    text: str = ""


def knowledge_drafts(
    entries: Mapping[str, Entry], *, views: int, seed: int
) -> Iterator[DraftExample]:
    """Yield every statement about every page that is not withdrawn, in up to ``views`` wordings.

    Args:
        entries: Pages of all catalogues by id, as ``merge_entries`` gives them.
        views: Wordings of one statement, at most; a list names other members in each.
        seed: Seed of every random draw.
    """
    held = {name: entry for name, entry in entries.items() if not entry.withdrawn}
    bearers = Counter(entry.name for entry in held.values())
    incoming: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for entry in held.values():
        for relation, target in entry.links:
            if target in held:
                incoming[target][relation].append(entry.id)
    for entry in held.values():
        if entry.kind not in _wordings().nouns:
            continue
        for number, statement in enumerate(_statements(entry, held, incoming)):
            if statement.kind == "identify" and bearers[entry.name] > 1:
                continue  # the name alone does not tell which id is meant
            draw = Random(f"{seed} knowledge {entry.id} {number}")
            yield from _worded(statement, views, draw)


def _statements(
    entry: Entry, held: Mapping[str, Entry], incoming: Mapping[str, Mapping[str, Sequence[str]]]
) -> Iterator[_PageStatement]:
    words = _wordings()
    described = [s.text for s in entry.sections if s.kind == "description"]
    if described:
        yield _PageStatement("define", entry, words.define, _shortened(described[0]))
        yield from _named_by(entry, described[0])
    yield _PageStatement("identify", entry, words.identify, entry.id)
    yield _PageStatement("call", entry, words.call, entry.name)
    if entry.aliases:
        yield _PageStatement("alias", entry, words.alias, listed=entry.aliases)
    for section in entry.sections:
        yield from _said(entry, section, held)
    yield from _related(entry, held, incoming.get(entry.id, {}))
    yield from _told_apart(entry, held, incoming)


def _named_by(entry: Entry, text: str) -> Iterator[_PageStatement]:
    """Yield questions for the page's name, one for each telling sentence of its description."""
    for sentence in list(sentences(text))[:3]:
        masked = _without_name(sentence, entry)
        if masked and masked.count(" ") >= _FEWEST_WORDS:
            answer = f"{entry.name} ({entry.id})"
            yield _PageStatement("name", entry, _wordings().name, answer, text=masked)


def _without_name(sentence: str, entry: Entry) -> str:
    """Return a sentence without the page's names, or an empty text where nothing else is left."""
    noun = _wordings().nouns[entry.kind][0]
    for name in (f"[{entry.name}]", entry.name, *entry.aliases, entry.id):
        sentence = re.sub(re.escape(name), f"this {noun}", sentence, flags=re.IGNORECASE)
    return capital(sentence)


def _said(entry: Entry, section: Section, held: Mapping[str, Entry]) -> Iterator[_PageStatement]:
    kind = section.kind
    if kind == "mitigation" and not section.about:
        kind = "advice"
    wordings = _wordings().section.get(kind)
    if not wordings or section.kind == "description":
        return
    other = held.get(section.about) if section.about else None
    if kind in {"mitigation", "procedure"} and other is None:
        return
    answer = _shortened(section.text)
    if answer.count(" ") >= _FEWEST_WORDS:
        yield _PageStatement(kind, entry, wordings, answer, other=_spelled(other) if other else "")


def _related(
    entry: Entry, held: Mapping[str, Entry], incoming: Mapping[str, Sequence[str]]
) -> Iterator[_PageStatement]:
    """Yield what the page is linked to, one list for each relation, direction and kind of page."""
    found: dict[tuple[str, bool, str], list[str]] = defaultdict(list)
    for relation, target in entry.links:
        if target in held:
            found[relation, False, held[target].kind].append(target)
    for relation, sources in incoming.items():
        for source in sources:
            found[relation, True, held[source].kind].append(source)
    for (relation, back, kind), ids in found.items():
        wordings = _wordings().relation.get(relation)
        if wordings and kind in _wordings().nouns:
            names = tuple(dict.fromkeys(_spelled(held[name]) for name in ids))
            asked = wordings.back if back else wordings.forward
            yield _PageStatement("relation", entry, asked, listed=names, noun=kind)


def _told_apart(
    entry: Entry, held: Mapping[str, Entry], incoming: Mapping[str, Mapping[str, Sequence[str]]]
) -> Iterator[_PageStatement]:
    """Yield what tells a page from the next children of its parent."""
    parents = [
        target
        for relation, target in entry.links
        if relation in {"child of", "sub-technique of"} and target in held
    ]
    for parent in parents[:1]:
        kin = incoming[parent]
        siblings = sorted({*kin.get("child of", ()), *kin.get("sub-technique of", ())})
        place = siblings.index(entry.id)
        for name in (siblings[place + 1 :] + siblings[:place])[:_SIBLINGS]:
            one, two = _first_sentence(entry), _first_sentence(held[name])
            if one and two:
                answer = f"{_spelled(entry)}: {one} {_spelled(held[name])}: {two}"
                other = _spelled(held[name])
                yield _PageStatement("contrast", entry, _wordings().contrast, answer, other=other)


def _first_sentence(entry: Entry) -> str:
    described = [s.text for s in entry.sections if s.kind == "description"]
    return next(iter(sentences(described[0])), "") if described else ""


def _worded(statement: _PageStatement, views: int, draw: Random) -> Iterator[DraftExample]:
    entry = statement.page
    wordings = draw.sample(statement.wordings, min(views, len(statement.wordings)))
    for wording in wordings:
        noun, nouns = _wordings().nouns[statement.noun or entry.kind]
        prompt = wording.format(
            page=_mentioned(statement, draw),
            other=statement.other,
            noun=noun,
            nouns=nouns,
            catalogue=_catalogue(entry.id),
            text=statement.text,
        )
        answer = statement.answer or _list(statement.listed, draw)
        source = Passage(entry.id, entry.name, statement.kind, answer)
        yield DraftExample(f"{KIND}-{statement.kind}", prompt, answer, "", (source,))


def _mentioned(statement: _PageStatement, draw: Random) -> str:
    """Return how a question names its page: by name, by id or by both, unless that is asked."""
    entry = statement.page
    if statement.kind == "identify":
        return entry.name
    if statement.kind == "call":
        return entry.id
    return draw.choice((entry.name, _spelled(entry), _spelled(entry), entry.id))


def _list(names: Sequence[str], draw: Random) -> str:
    """Return a list in words; of a long one some members, drawn by chance, and their number."""
    if len(names) <= _MOST_LISTED:
        return "; ".join(names) + "."
    some = draw.sample(list(names), _MOST_LISTED)
    return f"Among {len(names)}: " + "; ".join(some) + "."


def _spelled(entry: Entry) -> str:
    return f"{entry.name} ({entry.id})"


def _shortened(text: str) -> str:
    """Return the first sentences of a text, whole ones, up to a number of words."""
    kept: list[str] = []
    count = 0
    for sentence in sentences(text):
        count += len(sentence.split())
        if kept and count > _MOST_WORDS:
            break
        kept.append(sentence)
    return " ".join(kept)


def _catalogue(name: str) -> str:
    prefix = name.partition("-")[0]
    return prefix if prefix in {"CWE", "CAPEC"} else "ATT&CK"


@lru_cache(maxsize=1)
def _wordings() -> _Wordings:
    file = files("cybersecqwen.corpus.chat").joinpath("knowledge_statements.yaml")
    return msgspec.convert(yaml.safe_load(file.read_text("utf-8")), _Wordings)
