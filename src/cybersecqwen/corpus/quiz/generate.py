"""Drafts -> questions: worded, checked, thinned out evenly, letters balanced."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields

from cybersecqwen.core.records import Passage
from cybersecqwen.core.rows import QuizRow
from cybersecqwen.core.text.clean import normalised
from cybersecqwen.corpus.catalogue_graph import CatalogueGraph, CatalogueLibrary
from cybersecqwen.corpus.quiz.drafting import Drafting
from cybersecqwen.corpus.quiz.page_texts import telling
from cybersecqwen.corpus.quiz.recipe import QuizRecipe
from cybersecqwen.corpus.quiz.rows import Discard, DraftQuestion, QuizTally, Reason
from cybersecqwen.corpus.quiz.wording import STYLES, reworded, worded

_LEVELS = {0: 3, 1: 4, 2: 3}
"""How many questions in ten stay verbatim, are shortened, are shortened and reworded."""

_NEAR_SHARE = 0.7
_SUPPORT = 0.4
"""Of the right option's telling words, those that the passage must hold."""

_NAMES = ("id-name", "name-id")


@dataclass(frozen=True, slots=True)
class _Question:
    draft: DraftQuestion
    passage: Passage
    question: str
    right: str
    wrong: tuple[str, ...]
    wording: str
    level: int
    draw: random.Random


def ask(
    graph: CatalogueGraph, library: CatalogueLibrary, recipe: QuizRecipe, tally: QuizTally
) -> list[QuizRow]:
    """Return questions about a graph's pages.

    Args:
        graph: The pages.
        library: The catalogues that the graph was made of.
        recipe: How many, of how many options, from which seed.
        tally: Told of what is made and thrown away.
    """
    drafting = Drafting(graph, recipe.per_page, recipe.seed)
    asked: list[_Question] = []
    for _, drafts in drafting.streams():
        made = 0
        for place, draft in enumerate(drafts):
            tally.drafted[draft.kind] += 1
            found = _question(draft, place, graph, recipe)
            if isinstance(found, _Question):
                asked.append(found)
                made += 1
            else:
                tally.discards.append(Discard(_id(draft, place), draft.kind, found))
            if made == recipe.per_kind:
                break
    return _lettered(_without_repeats(asked, tally), library, recipe)


def _question(
    draft: DraftQuestion, place: int, graph: CatalogueGraph, recipe: QuizRecipe
) -> _Question | Reason:
    draw = random.Random(f"{recipe.seed} {draft.kind} {draft.page} {place}")
    passage = graph.passage(draft.page, draft.section, draft.needle)
    if passage is None:
        return "no passage"
    style = draw.choice(STYLES)
    (level,) = draw.choices(list(_LEVELS), list(_LEVELS.values()))
    size = draw.choice(recipe.options)
    slots = dict(draft.slots)
    for slot in ("statement", "first"):
        if slot in slots:
            slots[slot] = reworded(slots[slot], level, draw)
    question = worded(draft.kind, style, slots, draw)
    spell: Callable[[str], str] = (
        (lambda text: reworded(text, level, draw)) if draft.free else (lambda text: text)
    )
    right = spell(draft.right)
    wrong = _wrong(draft, right, size - 1, spell, draw)
    if len(wrong) < min(size - 1, 3):
        return "too few options"
    low, high = recipe.lengths.question
    longest = max(map(len, (right, *wrong)))
    if not low <= len(question) <= high or longest > recipe.lengths.option:
        return "length"
    if (doubt := _doubt(draft, question, right, passage)) is not None:
        return doubt
    return _Question(draft, passage, question, right, wrong, style, level, draw)


def _wrong(
    draft: DraftQuestion, right: str, count: int, spell: Callable[[str], str], draw: random.Random
) -> tuple[str, ...]:
    """Draw wrong options, most of them near misses, no two of which say the same."""
    near = list(draft.near) if draft.negated else draw.sample(draft.near, len(draft.near))
    if not draft.negated and len(near) > 12:
        near = [
            option for option in draft.near if option in set(draft.near[:8]) or draw.random() < 0.2
        ]
        draw.shuffle(near)
    far = draw.sample(draft.far, min(len(draft.far), 12))
    seen = {normalised(right)}
    chosen: list[str] = []
    while len(chosen) < count and (near or far):
        pool = near if near and (not far or draw.random() < _NEAR_SHARE) else far
        option = spell(pool.pop(0))
        key = normalised(option)
        alike = (key in other or other in key for other in seen) if draft.free else [key in seen]
        if key and not any(alike):
            chosen.append(option)
            seen.add(key)
    return tuple(chosen)


def _doubt(draft: DraftQuestion, question: str, right: str, passage: Passage) -> Reason | None:
    spoken = f" {normalised(question)} "
    if not draft.negated and f" {normalised(right)} " in spoken:
        return "gives itself away"
    if draft.free:
        wanted = telling(right)
        held = telling(f"{passage.title} {passage.text}")
        if len(wanted) < 2 or len(wanted & held) < _SUPPORT * len(wanted):
            return "unsupported"
    return None


def _without_repeats(asked: Sequence[_Question], tally: QuizTally) -> list[_Question]:
    """Drop questions that an earlier one asks too, whatever its answer."""
    seen: set[str] = set()
    kept = []
    for place, one in enumerate(asked):
        key = normalised(one.question)
        if key in seen:
            tally.discards.append(Discard(_id(one.draft, place), one.draft.kind, "duplicate"))
            continue
        seen.add(key)
        kept.append(one)
    return kept


def _lettered(
    asked: Iterable[_Question], library: CatalogueLibrary, recipe: QuizRecipe
) -> list[QuizRow]:
    """Put each right option in its place: every letter in turn, kind by kind."""
    turns: dict[tuple[str, int], list[int]] = defaultdict(list)
    rows = []
    for place, one in enumerate(asked):
        size = len(one.wrong) + 1
        turn = turns[one.draft.kind, size]
        if not turn:
            turn.extend(one.draw.sample(range(size), size))
        answer = turn.pop()
        choices = list(one.draw.sample(one.wrong, size - 1))
        choices.insert(answer, one.right)
        origin = library.catalogue_of(one.draft.page)
        rows.append(
            QuizRow(
                id=_id(one.draft, place),
                kind=one.draft.kind,
                wording=one.wording,
                paraphrase_level=one.level,
                question=one.question,
                choices=tuple(choices),
                answer=answer,
                page=one.draft.page,
                passage=one.passage.id,
                evidence=one.passage.text,
                source=origin.name,
                version=origin.version,
            )
        )
    return rows


def _id(draft: DraftQuestion, place: int) -> str:
    """Return an id that stays as it is, whatever the class is called that it was first made of."""
    told = ", ".join(f"{field.name}={getattr(draft, field.name)!r}" for field in fields(draft))
    digest = hashlib.blake2b(f"Draft({told})".encode(), digest_size=5).hexdigest()
    return f"{draft.kind}-{draft.page}-{digest}-{place}"
