"""Multiple choice, answered with its evidence: by a small reader, or by retrieval alone.

For retrieval an option is as good as the passage that best supports it: one that is relevant to
the question, on a page that is relevant to it, and holds the option's words. It is the
information-retrieval solver of Clark et al. (AAAI 2016), with the option's share normalised so that
long options gain nothing by their length.

The reader weighs that and more (``evidence``): links between the pages named, passages of the kind
that is asked for, sentences that say both. Its weights come from ``cybersecqwen train reader``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.option_ranker import OptionRanker
from cybersecqwen.core.records import ChoiceAnswer
from cybersecqwen.core.text.terms import terms
from cybersecqwen.knowledge.option_features import INPUTS, NEGATED, OptionFeaturizer

if TYPE_CHECKING:
    from cybersecqwen.knowledge.search import KnowledgeBase

# Fitted by maximum likelihood on questions generated from the knowledge base, no benchmark's.
_TEMPERATURE = 0.15

READER = "ranker.npz"
"""The shipped reader's file, beside this one."""


def answer_choice(knowledge: KnowledgeBase, question: str, choices: Sequence[str]) -> ChoiceAnswer:
    """Choose the option that the shipped reader holds likeliest.

    Raises:
        InputError: There are fewer than two options.
        ModelError: The installation is damaged: the reader cannot be read.
    """
    return answer_by_reader(knowledge, question, choices, shipped_reader())


def answer_by_reader(
    knowledge: KnowledgeBase, question: str, choices: Sequence[str], reader: OptionRanker
) -> ChoiceAnswer:
    """Choose the option that a reader holds likeliest.

    Raises:
        InputError: There are fewer than two options.
    """
    if len(choices) < 2:
        raise InputError("a multiple-choice question needs at least two options")
    evidence = _witness(knowledge).measure(question, choices)
    shares = reader.probabilities(evidence.inputs)
    return ChoiceAnswer(
        best=int(shares.argmax()),
        probabilities=tuple(shares.tolist()),
        passages=tuple(
            knowledge.passage(int(place)) if value > 0 else None
            for place, value in zip(evidence.places, evidence.support, strict=True)
        ),
    )


@lru_cache(maxsize=1)
def shipped_reader() -> OptionRanker:
    """Return the reader that ships with the package.

    Raises:
        ModelError: The installation is damaged.
    """
    try:
        content = files("cybersecqwen.knowledge").joinpath(READER).read_bytes()
    except OSError as error:
        raise ModelError(f"the shipped reader cannot be read, reinstall: {error}") from error
    return OptionRanker.read(content, INPUTS, READER)


@lru_cache(maxsize=2)
def _witness(knowledge: KnowledgeBase) -> OptionFeaturizer:
    return OptionFeaturizer(knowledge)


def answer_by_retrieval(
    knowledge: KnowledgeBase, question: str, choices: Sequence[str]
) -> ChoiceAnswer:
    """Choose the option that some passage supports best; no model at all.

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
    signs = -1.0 if NEGATED.search(question) else 1.0
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
