"""The classifier of a mapping: named by its user, opened once, asked with its options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from cybersecqwen.apps.map_stream import MapOptions
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.interfaces import CweClassifier
from cybersecqwen.core.model_spec import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierSpec:
    """A classifier as it is named on the command line.

    Attributes:
        model: ``embedded``, a specialist's folder, or the SPEC of a language model that chooses
            from the embedded specialist's shortlist.
        shortlist: Ids that a language model chooses from; None for ``rerank.SHORTLIST``.
        shortlist_weight: Exponent of the specialist's probabilities; None for
            ``rerank.SHORTLIST_WEIGHT``.
        explain: Whether a language model writes why, after its choice.
        options: Of the language model's backend.
    """

    model: str | os.PathLike[str] = "embedded"
    shortlist: int | None = None
    shortlist_weight: float | None = None
    explain: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_language_model(self) -> bool:
        """Whether a language model chooses."""
        return ModelSpec.parse(self.model).is_language_model


Classifier: TypeAlias = CweClassifier | ClassifierSpec
"""A classifier that is open, or what names one."""


def open_classifier(
    classifier: Classifier, options: MapOptions, precision: float | None = None
) -> tuple[CweClassifier, MapOptions]:
    """Open a classifier; one that is open stays as it is.

    Args:
        classifier: A classifier, or what names one.
        options: What is to be asked of it.
        precision: Share of the answers that is to be right, 0 to 1, in place of a threshold.

    Returns:
        The classifier, and the options with the threshold at which the precision was reached.

    Raises:
        InputError: There is no such model, an option of it makes no sense, or the precision was
            not reached.
        MissingExtraError: The language model needs an optional package.
        ModelError: The model cannot be loaded, or cannot do what is asked.
    """
    if precision is not None and options.threshold is not None:
        raise InputError("--precision and --threshold exclude each other")
    found = _opened(classifier) if isinstance(classifier, ClassifierSpec) else classifier
    if precision is None:
        return found, options
    reached = getattr(found, "threshold_at", None)
    if reached is None:  # a language model's confidence is not calibrated
        raise InputError("--precision goes with an embedded model")
    threshold = reached(precision, options.labeller)
    return found, msgspec.structs.replace(options, threshold=threshold)


def _opened(classifier: ClassifierSpec) -> CweClassifier:
    from cybersecqwen.specialists import CweMapper

    if not classifier.is_language_model:
        return CweMapper.load(os.fspath(classifier.model))
    from cybersecqwen.llm.rerank import SHORTLIST, SHORTLIST_WEIGHT, LlmReranker

    size, weight = classifier.shortlist, classifier.shortlist_weight
    return LlmReranker.open(
        os.fspath(classifier.model),
        CweMapper.load(),
        backend=dict(classifier.options),
        shortlist=SHORTLIST if size is None else size,
        weight=SHORTLIST_WEIGHT if weight is None else weight,
        explain=classifier.explain,
    )
