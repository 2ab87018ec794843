"""The embedded severity and technique specialists as systems."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial

from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.records import Labeller
from cybersecqwen.evaluation.systems.base import (
    KEPT_CANDIDATES,
    SPECIALIST_BATCH,
    Asked,
    BareTextSystem,
    Response,
    read_in_batches,
)
from cybersecqwen.specialists.severity import WINDOW, SeverityScorer
from cybersecqwen.specialists.technique import TechniqueClassifier, main_techniques


class SeveritySystem(BareTextSystem):
    """The embedded scorer of CVSS v3.1.

    Args:
        scorer: The model.
        labeller: Whose practice to follow.
    """

    def __init__(self, scorer: SeverityScorer, labeller: Labeller) -> None:
        self._scorer = scorer
        self._labeller = labeller
        self.align = min(SPECIALIST_BATCH, WINDOW)
        self.identity = {"name": scorer.name, "labeller": labeller, "digest": scorer.digest}

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Score the questions' bare texts."""
        read = partial(self._scorer.score_many, scorer=self._labeller)
        for found, seconds in read_in_batches(read, asked, self.align):
            yield Response(found.vector, found.probability, seconds=seconds)


class TechniqueSystem(BareTextSystem):
    """The embedded classifier of ATT&CK techniques.

    Args:
        classifier: The model.
        one: Whether a question asks for the one technique of a scenario, else for the main
            techniques of a report.
    """

    align = 1

    def __init__(self, classifier: TechniqueClassifier, *, one: bool) -> None:
        self._classifier = classifier
        self._one = one
        self.identity = {"name": classifier.name, "digest": classifier.digest}

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Read the questions' bare texts."""
        for item in asked:
            start = time.perf_counter()
            likeliest = self._classifier.classify(item.text, top_k=KEPT_CANDIDATES)
            if self._one:
                answer = likeliest[0].id
            else:
                found = self._classifier.techniques_of(item.text) or likeliest[:1]
                answer = ", ".join(main_techniques(found))
            yield Response(
                answer,
                likeliest[0].probability,
                tuple((one.id, one.probability) for one in likeliest),
                seconds=time.perf_counter() - start,
            )
