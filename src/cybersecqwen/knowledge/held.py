"""Whether a knowledge base answers a multiple-choice question at all.

Where no page answers, the option that is supported best is a guess, and users are told so. The
decision is a logistic regression over what the options and the question are measured by. It was
fitted on 3,500 questions made from the knowledge base (``corpus quiz``, their words thinned and
exchanged) and 60 of our own that it does not answer (``evaluation/outside_questions.yaml``), both
classes weighing alike; no benchmark was looked at.
"""

from __future__ import annotations

import numpy as np

from cybersecqwen.knowledge.option_features import INPUTS, OptionFeatures

# Weight of the highest of each measurement among the options.
_HIGHEST = {
    "full support": 1.478,
    "page support": 1.102,
    "sentence": 2.709,
    "sentence of option": -3.265,
    "entry": 2.614,
    "linked to top": -0.424,
    "unknown": -6.716,
    "names a page": 4.104,
}
LEAST_HELD = 0.5
"""Probability below which a question is taken for one that the pages do not answer."""

_SHARE_OF_ENTRIES = 2.217  # weight of the share of options that are names of entries
_BIAS = -2.076


def held_share(features: OptionFeatures) -> float:
    """Return the probability (0 to 1) that the pages hold what a question asks."""
    highest = features.inputs.max(axis=0)
    total = sum(w * float(highest[INPUTS.index(name)]) for name, w in _HIGHEST.items())
    entries = float(features.inputs[:, INPUTS.index("entry")].mean())
    return float(1 / (1 + np.exp(-(total + _SHARE_OF_ENTRIES * entries + _BIAS))))
