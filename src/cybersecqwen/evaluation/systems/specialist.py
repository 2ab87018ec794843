"""An embedded CWE classifier as a system."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.interfaces import CweClassifier
from cybersecqwen.core.records import CwePrediction, Labeller
from cybersecqwen.evaluation.systems.base import (
    KEPT_CANDIDATES,
    Asked,
    BareTextSystem,
    Response,
)


class SpecialistSystem(BareTextSystem):
    """An embedded classifier.

    Args:
        specialist: The model.
        labeller: Whose convention to follow.
    """

    def __init__(self, specialist: CweClassifier, labeller: Labeller) -> None:
        self._specialist = specialist
        self._labeller = labeller
        self.align = specialist.window
        self.identity = {
            "name": specialist.name,
            "labeller": labeller,
            "digest": specialist.digest,
        }

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Classify the questions' bare texts."""
        texts = (item.text for item in asked)
        start = time.perf_counter()
        for prediction in self._specialist.map_many(
            texts, labeller=self._labeller, top_k=KEPT_CANDIDATES
        ):
            now = time.perf_counter()
            yield response_of(prediction, now - start)
            start = now


def response_of(prediction: CwePrediction, seconds: float) -> Response:
    """Return a classifier's prediction as a response to a question."""
    return Response(
        prediction.cwe,
        prediction.confidence,
        tuple((found.cwe, found.probability) for found in prediction.candidates),
        prediction.abstained,
        prediction.backoff.cwe if prediction.backoff else "",
        seconds=seconds,
    )
