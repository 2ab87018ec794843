"""Answers without a model: sentences taken from the passages that fit, each cited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybersecqwen.core.records import Answer, Passage
from cybersecqwen.core.sentences import sentences
from cybersecqwen.core.terms import terms

if TYPE_CHECKING:
    from cybersecqwen.knowledge.search import KnowledgeBase

NOT_FOUND = "Not in the knowledge base."
"""The whole text of an answer that nothing supports."""

_PASSAGES = 3
_SENTENCES = 2  # of each passage


def answer(knowledge: KnowledgeBase, question: str) -> Answer:
    """Answer with the sentences that share most with the question, of the best passages."""
    found = [passage for passage, _ in knowledge.search(question, _PASSAGES)]
    if not found:
        return Answer(NOT_FOUND, found=False)
    lines = [
        f"{sentence} [{passage.id}]"
        for passage in found
        for sentence in _closest(passage, question)
    ]
    return Answer("\n".join(lines), tuple(p.id for p in found), tuple(found))


def _closest(passage: Passage, question: str) -> list[str]:
    asked = set(terms(question))
    parts = sentences(passage.text)
    ranked = sorted(parts, key=lambda part: -len(asked & set(terms(part))))[:_SENTENCES]
    return [part for part in parts if part in ranked]
