"""The embedded specialists, each loaded when a question first needs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from cybersecqwen.core.records import CwePrediction, Labeller, TechniquePrediction

if TYPE_CHECKING:
    from cybersecqwen.specialists import CweMapper
    from cybersecqwen.specialists.technique import TechniqueClassifier


class DeferredClassifier:
    """The shipped ``CweMapper``: few questions need it, and loading it takes a third of a second.

    Its methods raise ``ModelError`` where the installation is damaged.
    """

    window: int = 1

    @cached_property
    def _mapper(self) -> CweMapper:
        from cybersecqwen.specialists import CweMapper

        return CweMapper.load()

    @property
    def name(self) -> str:
        """The model's name and version."""
        return self._mapper.name

    @property
    def digest(self) -> str:
        """What tells its answers from another model's."""
        return self._mapper.digest

    def map(
        self,
        text: str,
        *,
        labeller: Labeller = "nvd",
        top_k: int = 5,
        threshold: float | None = None,
    ) -> CwePrediction:
        """Classify one text."""
        return self._mapper.map(text, labeller=labeller, top_k=top_k, threshold=threshold)

    def map_many(
        self,
        texts: Iterable[str],
        *,
        labeller: Labeller = "nvd",
        top_k: int = 5,
        threshold: float | None = None,
    ) -> Iterator[CwePrediction]:
        """Classify texts, in order, streaming."""
        return self._mapper.map_many(texts, labeller=labeller, top_k=top_k, threshold=threshold)


class DeferredTechniqueClassifier:
    """The shipped ``TechniqueClassifier``.

    Its method raises ``ModelError`` where the installation is damaged.
    """

    @cached_property
    def _classifier(self) -> TechniqueClassifier:
        from cybersecqwen.specialists.technique import TechniqueClassifier

        return TechniqueClassifier.from_pretrained()

    def predict(self, text: str) -> TechniquePrediction:
        """Return the likeliest techniques of a text that is on one."""
        return self._classifier.predict(text)
