"""Quiz questions as conversations, closed-book or open-book."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from random import Random

from cybersecqwen.core.passages import page_of
from cybersecqwen.core.prompts import (
    CHOICE_LETTER,
    CHOICE_LETTER_LINE,
    LETTERS,
    Template,
    render_question,
)
from cybersecqwen.core.records import Passage, Question
from cybersecqwen.core.rows import QuizRow
from cybersecqwen.core.text.excerpts import EXCERPT_WORDS, excerpts
from cybersecqwen.corpus.catalogue_graph import CatalogueGraph, CatalogueLibrary
from cybersecqwen.corpus.chat.draft import DraftExample
from cybersecqwen.corpus.chat.recipe import ChatRecipe, Quiz
from cybersecqwen.corpus.chat.sampling import fraction
from cybersecqwen.corpus.quiz.build import split
from cybersecqwen.corpus.quiz.generate import ask
from cybersecqwen.corpus.quiz.recipe import QuizRecipe
from cybersecqwen.corpus.quiz.rows import QuizTally

_ID = re.compile(r"^[A-Z]+-?\d[\d.]*:? | \([A-Z]+-?\d[\d.]*\)$")
_NEGATED = re.compile(r"\b(?:NOT|EXCEPT|not|except)\b")
_SHOWN = (4, 6, 8)
"""Passages in front of a question: as ``ask`` shows them, and fewer or more."""

_INLINE = Template(
    "Choose the best of the {count} options.  **Question:** {text}  **Options:** {inline}  "
    "The last line of your reply is the letter alone: {or_letters}."
)
_REASONED = Template(
    "{text}\n\n{options}\n\nGive the reason in a sentence; the last line of your reply is the "
    "letter alone."
)
_WORDED = Template(
    "{text}\n\n{options}\n\nReply with the best answer's own words alone, without its letter."
)
_UNREASONED = (CHOICE_LETTER, CHOICE_LETTER_LINE, _INLINE)


def quiz_drafts(
    recipe: ChatRecipe, quiz: Quiz, library: CatalogueLibrary
) -> dict[str, list[DraftExample]]:
    """Return questions by part (``train``, ``validation``), pages held out whole.

    Each part's come in an order that is a sample of all kinds; some may be asked for and not be
    there, where the pages do not give as many.

    Args:
        recipe: Of the whole corpus: benchmarks, thresholds and the seed.
        quiz: How many, and how many of one kind.
        library: Knowledge sources.
    """
    graph = CatalogueGraph(library.entries, library.passages)
    plan = QuizRecipe(
        name=recipe.name,
        sources=(recipe.knowledge.cwe, *recipe.knowledge.stix),
        seed=recipe.seed,
        per_page=quiz.per_page,
        per_kind=quiz.per_kind,
        validation_every=quiz.validation_every,
        near_duplicate=recipe.near_duplicate,
    )
    parts = split(ask(graph, library, plan, QuizTally()), graph, plan)
    return {
        name: [
            _draft(row, shelf, quiz, recipe.seed)
            for shelf in [_Shelf(rows, graph)]
            for row in _mixed(rows, recipe.seed)
        ]
        for name, rows in parts.items()
    }


class _Shelf:
    """What can be shown before a question beside the passage that decides it.

    Args:
        rows: Questions of one part, each with its passage.
        graph: The catalogues.
    """

    def __init__(self, rows: Sequence[QuizRow], graph: CatalogueGraph) -> None:
        self.rows = rows
        self.entries = graph.entries
        self._graph = graph
        self._right: dict[str, list[QuizRow]] = defaultdict(list)
        for row in rows:
            self._right[row.right].append(row)
        pages = {row.page for row in rows}  # of the other part's pages nothing is shown
        self._named = {self.entries[page].name: page for page in pages}

    def passage(self, row: QuizRow) -> Passage:
        """Return the passage that decides a question."""
        return Passage(row.passage, self.entries[row.page].name, row.kind, row.evidence)

    def beside(self, row: QuizRow, draw: Random) -> Iterator[Passage]:
        """Yield passages that do not decide, as a look-up would find them.

        First what speaks for each wrong option elsewhere, then other parts of the page that
        decides, then what decides other questions of the kind.
        """
        for option in row.choices:
            if option == row.right:
                continue
            others = [other for other in self._right.get(option, ()) if other.page != row.page]
            named = self._graph.first(self._named.get(_ID.sub("", option), ""))
            if others:
                yield self.passage(draw.choice(others))
            elif named is not None:
                yield named
        page = [found for found in self._graph.on_page(row.page) if found.id != row.passage]
        yield from draw.sample(page, min(2, len(page)))
        alike = [o for o in draw.sample(self.rows, min(60, len(self.rows))) if o.page != row.page]
        yield from (self.passage(o) for o in sorted(alike, key=lambda o: o.kind != row.kind))


def _mixed(rows: Sequence[QuizRow], seed: int) -> list[QuizRow]:
    return sorted(rows, key=lambda row: fraction(f"{seed} quiz {row.id}"))


def _draft(row: QuizRow, shelf: _Shelf, quiz: Quiz, seed: int) -> DraftExample:
    """Return a question as a conversation, its passages cut as a look-up's are."""
    draw = Random(f"{seed} {row.id}")
    is_open = draw.random() < quiz.open_book
    used = shelf.passage(row)
    shown: list[Passage] = []
    if is_open:
        both = {passage.id: passage for passage in (used, *shelf.beside(row, draw))}
        shown = list(both.values())[: draw.choice(_SHOWN)]
        draw.shuffle(shown)
        shown = excerpts(shown, " ".join([row.question, *sorted(row.choices)]), EXCERPT_WORDS)
    # Where the exception is asked for, the passage is no reason for the right option.
    style = draw.choice(_UNREASONED if _NEGATED.search(row.question) else (*_UNREASONED, _REASONED))
    # Drawn only where it is asked for: a corpus without it has the rows that it always had.
    worded = not is_open and bool(quiz.text_answers) and draw.random() < quiz.text_answers
    if worded:
        style = _WORDED
    letter = LETTERS[row.answer]
    question = Question(
        id=row.id, task="", prompt="", gold="", choices=row.choices, text=row.question
    )
    citation = used.id if is_open else page_of(used.id)
    reason = f"{row.right.rstrip('.')} [{citation}]."
    return DraftExample(
        kind="quiz-open" if is_open else "quiz-text" if worded else "quiz-closed",
        prompt=render_question(question, style, passages=shown)[0].content,
        response=row.choices[row.answer] if worded else _answered(letter, style, reason),
        record="",
        passages=(used,),
        gold="" if worded else letter,
        reads=None if worded else "choice",
        options=len(row.choices),
    )


def _answered(letter: str, style: Template, reason: str) -> str:
    """Return the reply that a style of question asks for."""
    if style in (CHOICE_LETTER, _INLINE):
        return letter
    return f"Answer: {letter}" if style is CHOICE_LETTER_LINE else f"{reason}\n\n{letter}"
