"""Questions made from the knowledge base itself, to choose its settings and to check its answers.

No benchmark's question is among them. They come in three kinds: sentences thinned and partly
reworded, as somebody asks who has read the page once; plain questions for a page's parts; and
questions that the pages cannot answer.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import yaml

from cybersecqwen.core.passages import page_of
from cybersecqwen.core.records import Passage
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.core.text.synonyms import replacements

if TYPE_CHECKING:
    from cybersecqwen.knowledge.base import KnowledgeBase


@dataclass(frozen=True, slots=True)
class MadeQuestion:
    """A question of our own and what should answer it.

    Attributes:
        text: The question.
        page: Id of the page that answers it; empty where none does.
        kind: What it asks for: a kind of passage, or why it cannot be answered.
    """

    text: str
    page: str
    kind: str


@dataclass(frozen=True, slots=True)
class _QuestionMaterial:
    """The material in ``synthetic_questions.yaml``."""

    synonyms: Mapping[str, Sequence[str]]
    frames: Mapping[str, Sequence[str]]
    plain: Mapping[str, Sequence[str]]
    relations: Mapping[str, Sequence[str]]
    elsewhere: Sequence[str]
    never_held: Sequence[str]
    invented: Sequence[str]


def reworded(knowledge: KnowledgeBase, count: int, seed: int = 1) -> list[MadeQuestion]:
    """Return questions made of a thinned sentence, half of them with their page's name or topic.

    They name no id, so that nothing but words can find their page.
    """
    rng = random.Random(seed)
    material = _material()
    pages = _pages(knowledge, material.frames)
    by_source = defaultdict(list)
    for page in pages:
        by_source[_source(page)].append(page)
    found: list[MadeQuestion] = []
    while len(found) < count:
        source = rng.choices(list(_SHARES), list(_SHARES.values()))[0]
        page = rng.choice(by_source[source] or list(pages))
        if question := _reworded(rng, material, page, pages[page]):
            found.append(question)
    return found


_SHARES = {"technique": 0.5, "other": 0.17, "cwe": 0.2, "capec": 0.13}
_HEADING = re.compile(r"^[^:]{1,80}? \([A-Z]{1,2}\d{4}\): ")
_SUBJECT = re.compile(
    r"^(?:The )?[A-Z][\w.\-]*(?: [A-Z][\w.\-]*)* "
    r"(?=has|have|had|can|used|uses|is|was|will|\w+s )"
)
_ANY_ID = re.compile(r"\s*\(?\b(?:CWE-\d+|CAPEC-\d+|T\d{4}(?:\.\d{3})?|[SGMC]\d{4})\b\)?")


def _source(page: str) -> str:
    if page.startswith(("CWE", "CAPEC")):
        return page.partition("-")[0].lower()
    return "technique" if re.match(r"T\d{4}", page) else "other"


def _pages(knowledge: KnowledgeBase, kinds: Mapping[str, object]) -> dict[str, list[Passage]]:
    pages: dict[str, list[Passage]] = defaultdict(list)
    for number in range(len(knowledge)):
        passage = knowledge.passage(number)
        if passage.kind in kinds:
            pages[page_of(passage.id)].append(passage)
    return dict(pages)


def _reworded(
    rng: random.Random, material: _QuestionMaterial, page: str, passages: Sequence[Passage]
) -> MadeQuestion | None:
    kind = rng.choice(sorted({passage.kind for passage in passages}))
    passage = rng.choice([passage for passage in passages if passage.kind == kind])
    whole = [part for part in sentences(passage.text) if len(part) > 50]
    if not whole:
        return None
    sentence = _HEADING.sub("", rng.choice(whole))
    if kind == "procedure":  # who does it is what the question asks for
        sentence = _SUBJECT.sub("", sentence)
    body = _thinned(rng, material, sentence, rng.uniform(0.25, 0.55))
    question = rng.choice(material.frames[kind]).format(body)
    question = _ANY_ID.sub("", _placed(rng, material, question, kind, passages))
    return MadeQuestion(question, page, kind) if len(question.split()) >= 6 else None


def _placed(
    rng: random.Random,
    material: _QuestionMaterial,
    question: str,
    kind: str,
    page: Sequence[Passage],
) -> str:
    """Return the question with its page's name, some words of it, or some of its description."""
    title = page[0].title
    drawn = rng.random()
    if drawn < 0.3:
        name = title if rng.random() < 0.5 else title.rpartition(": ")[2]
        return f"{question[:-1]} for {name}?"
    if drawn < 0.5:
        words = [word for word in re.findall(r"\w+", title) if len(word) > 3]
        some = rng.sample(words, max(1, len(words) // 2)) if words else []
        return f"{question[:-1]} {' '.join(some).lower()}?"
    about = [s for p in page if p.kind == "description" for s in sentences(p.text) if len(s) > 40]
    if about and kind != "description" and rng.random() < 0.7:
        topic = _thinned(rng, material, rng.choice(about), 0.3).split()
        start = rng.randrange(max(1, len(topic) - 8))
        return f"{question[:-1]} in the case of {' '.join(topic[start : start + 9])}?"
    return question


def _thinned(rng: random.Random, material: _QuestionMaterial, text: str, keep: float) -> str:
    """Return a text with half of its common words exchanged, and only a share of its long ones."""
    words = []
    for word in text.split():
        bare = re.sub(r"\W+$", "", word)
        others = material.synonyms.get(bare.lower())
        if others and rng.random() < 0.5:
            words.append(rng.choice(others))
        elif len(bare) <= 3 or rng.random() < keep:
            words.append(bare)
    return " ".join(words)


def plain(knowledge: KnowledgeBase, count: int, seed: int = 1) -> list[MadeQuestion]:
    """Return questions that name a page and ask for a part that it has: its tactic, a mitigation.

    Names that several pages share are left out, since such a question has several answers.
    """
    rng = random.Random(seed)
    material = _material()
    options: dict[str, list[MadeQuestion]] = defaultdict(list)
    for name in knowledge.page_ids:
        page = knowledge.page(name)
        if page[0].kind == "withdrawn":
            continue
        called = page[0].title if name in knowledge.parse(page[0].title).subjects[:1] else name
        called = rng.choice([called, name])
        for kind, asked in _parts(page, material):
            text = rng.choice(asked).format(called)
            options[kind].append(MadeQuestion(text, name, kind))
    kinds = sorted(options)
    return [rng.choice(options[kinds[number % len(kinds)]]) for number in range(count)]


def _parts(
    page: Sequence[Passage], material: _QuestionMaterial
) -> Iterator[tuple[str, Sequence[str]]]:
    for kind in dict.fromkeys(passage.kind for passage in page):
        if kind in material.plain:
            yield kind, material.plain[kind]
    relations = " ".join(p.text for p in page if p.kind in {"relation", "facts"})
    for heading, asked in material.relations.items():
        if re.search(rf"(?:^|[.] ){re.escape(heading)}: ", relations):
            yield heading, asked


def unanswerable(knowledge: KnowledgeBase, count: int, seed: int = 1) -> list[MadeQuestion]:
    """Return questions that the pages do not answer.

    About other things; about pages, but for what no page holds; about names and ids that nobody
    has given.
    """
    rng = random.Random(seed)
    material = _material()
    live = [
        page[0].title.rpartition(": ")[2]
        for page in map(knowledge.page, rng.choices(knowledge.page_ids, k=4 * count))
        if page[0].kind != "withdrawn"
    ]
    asked = [text for texts in material.plain.values() for text in texts]
    found = []
    for number in range(count):
        kind = ("elsewhere", "never held", "invented name", "unused id")[number % 4]
        if kind == "elsewhere":
            text = material.elsewhere[number // 4 % len(material.elsewhere)]
        elif kind == "never held":
            text = rng.choice(material.never_held).format(rng.choice(live))
        elif kind == "invented name":
            text = rng.choice(asked).format(rng.choice(material.invented))
        else:
            text = rng.choice(asked).format(_unused(rng, knowledge))
        found.append(MadeQuestion(text, "", kind))
    return found


def _unused(rng: random.Random, knowledge: KnowledgeBase) -> str:
    known = set(knowledge.page_ids)
    while True:
        name = rng.choice(
            [
                f"T{rng.randrange(1000, 9999)}",
                f"CWE-{rng.randrange(2000, 9999)}",
                f"CAPEC-{rng.randrange(1000, 9999)}",
                f"G{rng.randrange(2000, 9999)}",
            ]
        )
        if name not in known:
            return name


def _material() -> _QuestionMaterial:
    file = resources.files("cybersecqwen.evaluation") / "synthetic_questions.yaml"
    content = yaml.safe_load(file.read_text("utf-8"))
    groups = [[word.strip() for word in group.split("|")] for group in content.pop("synonyms")]
    return _QuestionMaterial(synonyms=replacements(groups), **content)
