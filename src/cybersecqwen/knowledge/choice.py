"""Multiple choice answered by retrieval alone: the no-model baseline, with its evidence.

An option is as good as the passage that best supports it: one that is relevant to the question,
on a page that is relevant to it, and holds the option's words. It is the information-retrieval
solver of Clark et al. (AAAI 2016), with the option's share normalised so that long options gain
nothing by their length.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import ChoiceAnswer
from cybersecqwen.core.terms import terms

if TYPE_CHECKING:
    from cybersecqwen.knowledge.search import KnowledgeBase

# Fitted by maximum likelihood on questions generated from the knowledge base, no benchmark's.
_TEMPERATURE = 0.15
_NEGATED = re.compile(r"\b(?:NOT|EXCEPT)\b|\bis(?: not|n't) (?:a|an|one)\b")


def answer_choice(knowledge: KnowledgeBase, question: str, choices: Sequence[str]) -> ChoiceAnswer:
    """Choose the option that some passage supports best.

    A question for the exception (``NOT``, ``EXCEPT``) gets the option supported worst.

    Raises:
        InputError: There are fewer than two options.
    """
    if len(choices) < 2:
        raise InputError("a multiple-choice question needs at least two options")
    relevance = knowledge.relevance(question)
    relevance /= max(float(relevance.max(initial=0.0)), 1e-9)
    relevance += knowledge.page_maximum(relevance)  # 0 to 2
    support = np.zeros(len(choices))
    places = []
    for number, option in enumerate(_distinct_terms(choices)):
        combined = relevance * np.sqrt(_coverage(knowledge, option))
        place = int(combined.argmax())
        support[number] = combined[place]
        places.append(place)
    signs = -1.0 if _NEGATED.search(question) else 1.0
    logits = signs * support / _TEMPERATURE
    weights = np.exp(logits - logits.max())
    return ChoiceAnswer(
        best=int(logits.argmax()),
        probabilities=tuple((weights / weights.sum()).tolist()),
        passages=tuple(
            knowledge.passage(place) if value > 0 else None
            for place, value in zip(places, support, strict=True)
        ),
    )


def best_coverage(knowledge: KnowledgeBase, choices: Sequence[str]) -> NDArray[np.float32]:
    """Return how much each passage (N,) holds of the option it holds most of, 0 to 1."""
    shares = [np.sqrt(_coverage(knowledge, option)) for option in _distinct_terms(choices)]
    most: NDArray[np.float32] = np.minimum(np.max(shares, axis=0), 1)
    return most


def _coverage(knowledge: KnowledgeBase, option: Sequence[str]) -> NDArray[np.float32]:
    """Return how much of an option each passage (N,) holds, 0 to 1, rare words counting more."""
    most = float(knowledge.idf(option).sum())
    return knowledge.bm25(option) / np.float32(max(most, 1e-9))


def _distinct_terms(choices: Sequence[str]) -> list[list[str]]:
    """Return each option's terms once each, without those that all options share."""
    options = [list(dict.fromkeys(terms(choice))) for choice in choices]
    shared = set(options[0]).intersection(*options[1:])
    return [[term for term in option if term not in shared] or option for option in options]
