"""What ``train ranker`` fitted and the package ships: the ranker, and two judgements beside it."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import TypeVar

import msgspec

from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.held_decision import HeldDecision
from cybersecqwen.core.option_ranker import OptionRanker
from cybersecqwen.core.option_truth import OptionTruth
from cybersecqwen.knowledge.option_features import INPUTS

JudgementT = TypeVar("JudgementT", bound=msgspec.Struct)

_RANKER = "ranker.npz"


@lru_cache(maxsize=1)
def shipped_ranker() -> OptionRanker:
    """Return the ranker that ships with the package.

    Raises:
        ModelError: The installation is damaged.
    """
    try:
        content = files("cybersecqwen.knowledge").joinpath(_RANKER).read_bytes()
    except OSError as error:
        raise ModelError(f"the shipped ranker cannot be read, reinstall: {error}") from error
    return OptionRanker.read(content, INPUTS, _RANKER)


@lru_cache(maxsize=1)
def shipped_decision() -> HeldDecision:
    """Return the decision, which ships with the package, whether the pages answer a question.

    Raises:
        ModelError: The installation is damaged.
    """
    return _judgement("ranker.held.json", HeldDecision)


@lru_cache(maxsize=1)
def shipped_truth() -> OptionTruth:
    """Return the probability of an option's truth that ships with the package.

    Raises:
        ModelError: The installation is damaged.
    """
    return _judgement("ranker.truth.json", OptionTruth)


def _judgement(name: str, kind: type[JudgementT]) -> JudgementT:
    try:
        content = files("cybersecqwen.knowledge").joinpath(name).read_bytes()
        return msgspec.json.decode(content, type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(f"the shipped {name} cannot be read, reinstall: {error}") from error
