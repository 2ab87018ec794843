"""The knowledge base: answers, choices and searches over one index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cybersecqwen.core.interfaces import NO_HELPERS, AnswerHelpers
from cybersecqwen.core.records import Answer, ChoiceAnswer, Passage
from cybersecqwen.core.text.clean import clean
from cybersecqwen.knowledge import conversation, multiple_choice
from cybersecqwen.knowledge.answers.draft import NOT_FOUND
from cybersecqwen.knowledge.concepts import named_field_concepts
from cybersecqwen.knowledge.extractive import answer
from cybersecqwen.knowledge.intents import Intent
from cybersecqwen.knowledge.location import default_folder
from cybersecqwen.knowledge.option_features import OptionFeaturizer
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.rephrasing import rephrased
from cybersecqwen.knowledge.search import PassageIndex, best


@dataclass(frozen=True, slots=True)
class AttackPattern:
    """An attack pattern of CAPEC, and the techniques of ATT&CK that it leads to.

    Attributes:
        id: Such as ``CAPEC-66``.
        name: As its page is headed.
        techniques: Ids and names.
    """

    id: str
    name: str
    techniques: tuple[tuple[str, str], ...]

    def row(self) -> dict[str, Any]:
        """Return it as answers in JSON have it."""
        techniques = [{"id": found, "name": name} for found, name in self.techniques]
        return {"id": self.id, "name": self.name, "techniques": techniques}


class KnowledgeBase(PassageIndex):
    """CWE, CAPEC and ATT&CK, opened by memory map from an index that ``kb build`` made.

    Args:
        folder: The index.

    Raises:
        InputError: The folder is no knowledge index, or a damaged one.
    """

    @classmethod
    def load(cls, folder: Path | None = None) -> KnowledgeBase:
        """Open a knowledge base: the one in a folder, else the user's own, else the shipped one.

        Raises:
            InputError: There is none in the folder, or it is damaged.
        """
        return cls(folder or default_folder())

    def answer(
        self, question: str, *, history: Sequence[str] = (), helpers: AnswerHelpers = NO_HELPERS
    ) -> Answer:
        """Answer a question in sentences quoted from the passages or composed from relations.

        Args:
            question: The question.
            history: Earlier questions of the same conversation, the oldest first. A question that
                names nothing itself is about what they were about.
            helpers: What answers beside the pages: a classifier, a store of records.
        """
        if not history and conversation.goes_on(question):
            said = (
                f"{NOT_FOUND} This goes on from an earlier question, and there is none: name the "
            )
            return Answer(f"{said}entry that it is about.", found=False, question=clean(question))
        found = answer(self, self.understand(question, history, helpers), helpers)
        return replace(found, question=clean(question))

    def understand(
        self, question: str, history: Sequence[str] = (), helpers: AnswerHelpers = NO_HELPERS
    ) -> Query:
        """Return a question parsed, with what it refers to in earlier ones put in its place."""
        history = history[-conversation.TURNS :]
        question = rephrased(question)
        if history and (meant := conversation.as_meant(question, history[-1])):
            question, history = meant, history[:-1]
        if history:
            question = conversation.kind_alone(question) or question
        query = self.parse(question)
        if conversation.asks_why(query) and history:
            return self.understand(history[-1], history[:-1], helpers)
        if conversation.continues(query) and history:
            earlier = self.understand(history[-1], history[:-1], helpers)
            if earlier.intent not in {Intent.SEARCH, Intent.SMALL_TALK}:
                return conversation.like(query, earlier)
        if not conversation.refers_back(query):
            return query
        for place in range(len(history) - 1, -1, -1):
            before = self.answer(history[place], history=history[:place], helpers=helpers)
            subjects = [page for page in conversation.meant(query, before) if self.has_page(page)]
            if subjects:
                named = self.parse(f"{question} {subjects[0]}")  # an actor beside a tactic's name
                if not query.mentions and named.of_kind("tactic"):
                    return named
                return conversation.about(query, subjects, self)
        return query

    def choose(
        self, question: str, choices: Sequence[str], *, glossary: bool = True
    ) -> ChoiceAnswer:
        """Choose the option that the passages support best.

        Args:
            question: The question.
            choices: Its options.
            glossary: Whether what the glossary says of the field's concepts counts too, where the
                passages hold no answer.

        Raises:
            InputError: There are fewer than two options.
        """
        return multiple_choice.choose(self.featurizer, question, choices, glossary=glossary)

    def defined(self, text: str) -> list[Passage]:
        """Return what the glossary says of the field's concepts that a text names, in order."""
        return [concept.passage for concept in named_field_concepts(text)]

    def bearing(self, question: str, choices: Sequence[str], limit: int) -> list[Passage]:
        """Return the passages that bear most on a question and one of its options, best first.

        Args:
            question: The question.
            choices: Its options, in any order.
            limit: How many passages, at most.
        """
        scores = multiple_choice.bearing(self, question, choices)
        return [self.passage(place) for place in best(scores, limit)]

    def attack_patterns(self, cwe: str) -> list[AttackPattern]:
        """Return how a weakness is attacked, by the catalogues' own links: a chain, no prediction.

        Args:
            cwe: Id of the weakness.
        """
        return [
            AttackPattern(
                pattern,
                self.title(pattern),
                tuple((found, self.title(found)) for found in self.linked(pattern, "technique")),
            )
            for pattern in self.linked(cwe, "attack pattern")
        ]

    def pages(self, query: str, limit: int = 5, choices: Sequence[str] = ()) -> list[str]:
        """Return the ids of the best pages, each as good as its best passage, best first.

        With the options of a multiple-choice question, the best are those that bear on both.
        """
        if choices:
            return self.best_pages(multiple_choice.bearing(self, query, choices), limit)
        return self.best_pages(self.relevance(query), limit)

    @cached_property
    def featurizer(self) -> OptionFeaturizer:
        """What measures the options of multiple-choice questions."""
        return OptionFeaturizer(self)
