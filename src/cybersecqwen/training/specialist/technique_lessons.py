"""What a technique specialist is shown: sentences alone, joined, condensed, and in reports."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.text.clean import render
from cybersecqwen.training.recipes.technique import TechniqueRecipe
from cybersecqwen.training.specialist.condensed import condensed
from cybersecqwen.training.specialist.neutral_sentences import Source, made_sentences
from cybersecqwen.training.specialist.technique_corpus import TechniqueCorpus, with_actor

_SENTENCES = frozenset({"procedure", "report", "description", "name"})
_FACTS = (4, 13)
_FEWEST_FACTS = 4  # of a page that reports are made of
_REPORT_LENGTH = 900  # characters of a report on a page's facts, about
_TOGETHER = 3  # facts in one sentence of a report at most
_NAMED = 0.3  # share of a report's sentences that name who acts
_OPENED = 0.85  # share of reports that begin with their page's first sentences
_OPENING_TOLD = 0.3  # what an opening weighs in learning what reports tell
_ALONE_TOLD = 0.25  # what a single sentence weighs in learning what reports tell
_REPORT_WEIGHT = 0.3  # what a report weighs in learning which technique a text is about
_NEUTRAL = 1400  # sentences that tell no technique, of each source
_NEUTRAL_SEED = 7
_BEFORE = 0.6  # share of padded lessons whose neutral sentence comes first
_PADDED_REPORTS = 0.5  # share of reports on a page's facts with neutral sentences among them
_PADDING = (1, 4)  # how many


@dataclass(frozen=True)
class Lesson:
    """One thing to read, rendered, and the rows that it is made of.

    Attributes:
        text: As it is read.
        rows: Of ``TechniqueLessons``.
        weight: In learning which technique it is about.
        told: In learning what a report tells.
    """

    text: str
    rows: list[int]
    weight: float
    told: float


class TechniqueLessons:
    """N rows to learn: the corpus's sentences, then its reports, then its openings.

    Lessons beyond those rows are reports made of some page's sentences, others each time.

    Args:
        corpus: C techniques, M main ones.
        recipe: Says how often sentences are joined, condensed and made into reports.

    Attributes:
        places: The techniques that each row tells, (N).
        lengths: Characters of each lesson, about.
    """

    def __init__(self, corpus: TechniqueCorpus, recipe: TechniqueRecipe) -> None:
        self._corpus = corpus
        self._recipe = recipe
        places = corpus.places
        self.places: list[tuple[int, ...]] = [(places[row.technique],) for row in corpus.train]
        self.places += [tuple(places[name] for name in r.techniques) for r in corpus.paragraphs]
        self.places += [()] * len(corpus.openings)
        self._mates: dict[int, list[int]] = defaultdict(list)
        pages: dict[str, list[int]] = defaultdict(list)
        for row, example in enumerate(corpus.train):
            if example.kind in _SENTENCES:
                self._mates[places[example.technique]].append(row)
            if example.kind == "procedure":
                pages[example.group].append(row)
        self._pages = [(g, rows) for g, rows in sorted(pages.items()) if len(rows) >= _FEWEST_FACTS]
        self._openings = {opening.group: opening for opening in corpus.openings}
        self._sentences = np.array(
            [row for row, example in enumerate(corpus.train) if example.kind in _SENTENCES],
            np.int64,
        )
        made = round(recipe.paragraphs * len(self._sentences)) if self._pages else 0
        self.lengths = [len(text) for text in self.texts] + [_REPORT_LENGTH] * made

    @cached_property
    def _neutral(self) -> list[str]:
        """Return sentences that tell no technique, rendered."""
        made = (
            render(sentence)
            for number, source in enumerate(get_args(Source))
            for sentence in made_sentences(_NEUTRAL, _NEUTRAL_SEED + number, source)
        )
        return list(dict.fromkeys(made))

    @cached_property
    def texts(self) -> list[str]:
        """Return every row by itself, as teachers read it, rendered."""
        return [self._alone(row, row) for row in range(len(self.places))]

    def draw(self, row: int, draw: np.random.Generator) -> Lesson:
        """Return a lesson that begins with a row, or beyond the last row a report."""
        if row >= len(self.places):
            return self._report(draw)
        lesson = self._of_row(row, draw)
        if draw.random() >= self._recipe.padded:
            return lesson
        neutral = str(draw.choice(self._neutral))
        before = draw.random() < _BEFORE
        text = f"{neutral} {lesson.text}" if before else f"{lesson.text} {neutral}"
        return replace(lesson, text=text)

    def _of_row(self, row: int, draw: np.random.Generator) -> Lesson:
        recipe, actor = self._recipe, int(draw.integers(99))
        if row >= len(self._corpus.train):
            report = row < len(self._corpus.train) + len(self._corpus.paragraphs)
            share = 1.0 if report else _OPENING_TOLD
            return Lesson(self._alone(row, actor), [row], _REPORT_WEIGHT, share)
        if self._corpus.train[row].kind not in _SENTENCES:
            return Lesson(self._alone(row, actor), [row], 1.0, _ALONE_TOLD)
        kind = draw.random()
        rows = [row]
        if kind < recipe.joined:
            mates = self._mates[self.places[row][0]]
            rows += draw.choice(mates, int(draw.integers(1, 3))).tolist()
        elif kind < recipe.joined + recipe.condensed:
            rows += draw.choice(self._sentences, int(draw.integers(1, 4))).tolist()
        draw.shuffle(rows)
        told = [self._corpus.train[i].text for i in rows]
        if recipe.joined <= kind < recipe.joined + recipe.condensed:
            told = [condensed(told, draw)]
        text = " ".join(with_actor(text, int(draw.integers(99))) for text in told)
        return Lesson(render(text), rows, 1.0, _ALONE_TOLD)

    def targets(self, rows: list[int]) -> tuple[NDArray[np.float32], ...]:
        """Return what rows tell together.

        Returns:
            Shares of the techniques, adding up to 1, (C,); whether each main technique is told,
            (M,); and whether that is known, (M,).
        """
        corpus = self._corpus
        labels = np.zeros(len(corpus.techniques), np.float32)
        told = np.zeros(len(corpus.mains), np.float32)
        known = np.ones(len(corpus.mains), np.float32)
        for row in rows:
            places = list(self.places[row])
            if places:
                np.add.at(labels, places, 1 / len(places))
                told[corpus.parents[places]] = 1
            number = row - len(corpus.train)
            if 0 <= number < len(corpus.paragraphs):
                unsure = [corpus.places[name] for name in corpus.paragraphs[number].unsure]
                known[corpus.parents[unsure]] = 0
        known[told > 0] = 1
        total = labels.sum()
        # What tells no technique tells of each as little as of any other.
        return (labels / total if total else labels + 1 / len(labels)), told, known

    def _alone(self, row: int, actor: int) -> str:
        corpus = self._corpus
        if row < len(corpus.train):
            return render(with_actor(corpus.train[row].text, actor))
        row -= len(corpus.train)
        if row < len(corpus.paragraphs):
            return render(corpus.paragraphs[row].text)
        return render(corpus.openings[row - len(corpus.paragraphs)].text)

    def _report(self, draw: np.random.Generator) -> Lesson:
        """Return a report on some page's facts, several in a sentence."""
        group, facts = self._pages[int(draw.integers(len(self._pages)))]
        count = min(len(facts), int(draw.integers(*_FACTS)))
        rows = draw.choice(facts, count, replace=False).tolist()
        opening = self._openings.get(group)
        said = [opening.text] if opening and draw.random() < _OPENED else []
        start = 0
        while start < len(rows):
            part = rows[start : start + int(draw.integers(1, _TOGETHER + 1))]
            text = condensed([self._corpus.train[row].text for row in part], draw)
            if opening and draw.random() < _NAMED:
                text = text.replace("{actor}", opening.name)
            said.append(with_actor(text, int(draw.integers(99))))
            start += len(part)
        if draw.random() < _PADDED_REPORTS:
            for neutral in draw.choice(self._neutral, int(draw.integers(*_PADDING))).tolist():
                said.insert(int(draw.integers(len(said) + 1)), neutral)
        return Lesson(render(" ".join(said)), rows, _REPORT_WEIGHT, 1.0)
