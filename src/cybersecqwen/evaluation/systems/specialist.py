"""An embedded CWE classifier as a system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.interfaces import CweClassifier
from cybersecqwen.core.records import CwePrediction, Labeller
from cybersecqwen.evaluation.systems.base import (
    KEPT_CANDIDATES,
    SPECIALIST_BATCH,
    Asked,
    BareTextSystem,
    Response,
    read_in_batches,
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
        self.align = min(SPECIALIST_BATCH, specialist.window)
        self.identity = {
            "name": specialist.name,
            "labeller": labeller,
            "digest": specialist.digest,
        }

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Classify the questions' bare texts."""
        read = partial(self._specialist.map_many, labeller=self._labeller, top_k=KEPT_CANDIDATES)
        for prediction, seconds in read_in_batches(read, asked, self.align):
            yield response_of(prediction, seconds)


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
