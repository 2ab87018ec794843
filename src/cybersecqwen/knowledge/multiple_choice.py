"""Multiple choice, answered with its evidence: by a small ranker, or by retrieval alone.

For retrieval an option is as good as the passage that best supports it: one that is relevant to
the question, on a page that is relevant to it, and holds the option's words. It is the
information-retrieval solver of Clark et al. (AAAI 2016), with the option's share normalised so that
long options gain nothing by their length.

The ranker weighs that and more (``option_features``): links between the pages named, passages of
the kind that is asked for, sentences that say both. Its weights come from ``train ranker``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.held_decision import LEAST_HELD
from cybersecqwen.core.option_ranker import OptionRanker
from cybersecqwen.core.option_references import OptionReferences, option_references
from cybersecqwen.core.records import ChoiceAnswer, Passage
from cybersecqwen.core.text.terms import terms
from cybersecqwen.knowledge.concepts import named_field_concepts
from cybersecqwen.knowledge.glossary_index import glossary_index
from cybersecqwen.knowledge.held import held_share
from cybersecqwen.knowledge.intents import ASKS_EXCEPTION
from cybersecqwen.knowledge.option_features import INPUTS, OptionFeaturizer
from cybersecqwen.knowledge.ranker_files import shipped_ranker, shipped_truth

# Fitted by maximum likelihood on questions generated from the knowledge base, no benchmark's.
_TEMPERATURE = 0.15

# What a passage with no word of an option bears on a question, beside 1 more of one that holds all
# of an option; of 0.25, 0.5 and 1 the one that finds most pages of inside_questions among four.
_UNMENTIONED = 0.5

# Exponents of the two opinions where the pages hardly answer and a concept is named: those that
# make the right options of our own questions likeliest (inside_questions, outside_questions).
_GLOSSARY_WEIGHT = 0.5
_GUESS_WEIGHT = 0.25


class Evidence(Protocol):
    """Passages that options are read against."""

    def relevance(self, question: str) -> NDArray[np.float32]:
        """Return every passage's score (N,)."""
        ...

    def page_maximum(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return, for every passage, the highest of its page's scores (N,)."""
        ...

    def term_scores(self, wanted: Sequence[str]) -> NDArray[np.float32]:
        """Return every passage's score (N,) for some terms."""
        ...

    def idf(self, wanted: Sequence[str]) -> NDArray[np.float64]:
        """Return the inverse document frequency of terms; unknown ones may be left out."""
        ...

    def passage(self, number: int) -> Passage:
        """Return a passage by its place."""
        ...


def choose(
    featurizer: OptionFeaturizer,
    question: str,
    choices: Sequence[str],
    ranker: OptionRanker | None = None,
    *,
    glossary: bool = True,
) -> ChoiceAnswer:
    """Choose the option that a ranker holds likeliest.

    Args:
        featurizer: What measures the options.
        question: The question.
        choices: Its options.
        ranker: None for the one that ships.
        glossary: Whether what the glossary says counts where the pages hold no answer.

    Raises:
        InputError: There are fewer than two options.
        ModelError: The installation is damaged: the shipped ranker cannot be read.
    """
    if len(choices) < 2:
        raise InputError("a multiple-choice question needs at least two options")
    ranker = ranker or shipped_ranker()
    references = option_references(choices)
    plain = [choices[place] for place in references.plain] if references else list(choices)
    features = featurizer.measure(question, plain)
    shares = ranker.probabilities(features.inputs)
    found = ChoiceAnswer(
        best=int(shares.argmax()),
        probabilities=tuple(shares.tolist()),
        passages=tuple(
            featurizer.index.passage(int(place)) if value > 0 else None
            for place, value in zip(features.places, features.support, strict=True)
        ),
        held=held_share(features),
    )
    if glossary and found.held < LEAST_HELD:
        found = _with_glossary(found, question, plain)
    if references is None:
        return found
    true = None
    if found.held >= LEAST_HELD:
        logits = ranker.logits(features.inputs)
        true = shipped_truth().shares(features.inputs, logits, INPUTS).tolist()
    return _among_claims(found, references, true)


def _among_claims(
    found: ChoiceAnswer, references: OptionReferences, true: Sequence[float] | None
) -> ChoiceAnswer:
    """Return a choice among options some of which say which of the others are true.

    What decides for such an option is the passage of the likeliest that it says is true.

    Args:
        found: The choice among those others alone.
        references: What the options say.
        true: Of each of the others, the probability that it is true; None where the pages do not
            say.
    """
    shares = references.probabilities(true, found.probabilities)
    row_of = {place: row for row, place in enumerate(references.plain)}
    passages: list[Passage | None] = []
    for claimed in references.sets:
        rows = [row_of[place] for place in claimed if found.passages[row_of[place]] is not None]
        best = max(rows, key=lambda row: found.probabilities[row], default=None)
        passages.append(None if best is None else found.passages[best])
    return replace(
        found,
        best=int(shares.argmax()),
        probabilities=tuple(shares.tolist()),
        passages=tuple(passages),
    )


def _with_glossary(found: ChoiceAnswer, question: str, choices: Sequence[str]) -> ChoiceAnswer:
    """Return a choice that also weighs what the glossary says of a concept that is named."""
    if not any(map(named_field_concepts, (question, *choices))):
        return found
    told = answer_by_retrieval(glossary_index(), question, choices)
    if told.passage is None:
        return found
    guessed = np.array(found.probabilities) ** _GUESS_WEIGHT
    both = guessed * np.array(told.probabilities) ** _GLOSSARY_WEIGHT
    best = int(both.argmax())
    passages = tuple(t or f for t, f in zip(told.passages, found.passages, strict=True))
    return replace(
        found, best=best, probabilities=tuple((both / both.sum()).tolist()), passages=passages
    )


def answer_by_retrieval(index: Evidence, question: str, choices: Sequence[str]) -> ChoiceAnswer:
    """Choose the option that some passage supports best; no model at all.

    A question for the exception (``NOT``, ``EXCEPT``) gets the option supported worst.

    Raises:
        InputError: There are fewer than two options.
    """
    if len(choices) < 2:
        raise InputError("a multiple-choice question needs at least two options")
    relevance = index.relevance(question)
    relevance /= max(float(relevance.max(initial=0.0)), 1e-9)
    relevance += index.page_maximum(relevance)  # 0 to 2
    support = np.zeros(len(choices))
    places = []
    for number, option in enumerate(_distinct_terms(choices)):
        combined = relevance * np.sqrt(_coverage(index, option))
        place = int(combined.argmax())
        support[number] = combined[place]
        places.append(place)
    signs = -1.0 if ASKS_EXCEPTION.search(question) else 1.0
    logits = signs * support / _TEMPERATURE
    weights = np.exp(logits - logits.max())
    return ChoiceAnswer(
        best=int(logits.argmax()),
        probabilities=tuple((weights / weights.sum()).tolist()),
        passages=tuple(
            index.passage(place) if value > 0 else None
            for place, value in zip(places, support, strict=True)
        ),
    )


def bearing(index: Evidence, question: str, choices: Sequence[str]) -> NDArray[np.float32]:
    """Return how much each passage (N,) bears on a question and one of its options.

    It is what the passage scores for the question and for the question with all options, each of
    1 at most, and up to three times that where the passage holds an option's words: what decides
    speaks of both. Options that speak of others are left out.
    """
    references = option_references(choices)
    plain = [choices[place] for place in references.plain] if references else list(choices)
    # Sorted, so that the order in which options are given changes nothing.
    scores = [index.relevance(text) for text in (question, " ".join([question, *sorted(plain)]))]
    found = sum(score / max(float(score.max(initial=0.0)), 1e-9) for score in scores)
    bears: NDArray[np.float32] = found * (_UNMENTIONED + best_coverage(index, plain))
    return bears


def best_coverage(index: Evidence, choices: Sequence[str]) -> NDArray[np.float32]:
    """Return how much each passage (N,) holds of the option it holds most of, 0 to 1."""
    shares = [np.sqrt(_coverage(index, option)) for option in _distinct_terms(choices)]
    most: NDArray[np.float32] = np.minimum(np.max(shares, axis=0), 1)
    return most


def _coverage(index: Evidence, option: Sequence[str]) -> NDArray[np.float32]:
    """Return how much of an option each passage (N,) holds, 0 to 1, rare words counting more."""
    most = float(index.idf(option).sum())
    return index.term_scores(option) / np.float32(max(most, 1e-9))


def _distinct_terms(choices: Sequence[str]) -> list[list[str]]:
    """Return each option's terms once each, without those that all options share."""
    options = [list(dict.fromkeys(terms(choice))) for choice in choices]
    shared = set(options[0]).intersection(*options[1:])
    return [[term for term in option if term not in shared] or option for option in options]
