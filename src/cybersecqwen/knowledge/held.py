"""Whether a knowledge base answers a multiple-choice question at all.

Where no page answers, the option that is supported best is a guess, and users are told so. The
decision is a logistic regression over what the options and the question are measured by, fitted by
``train ranker --outside`` on questions made from the knowledge base (``corpus quiz``, their words
thinned and exchanged) and on some of our own that it does not answer
(``evaluation/outside_questions.yaml``), both classes weighing alike; no benchmark was looked at.
"""

from __future__ import annotations

from cybersecqwen.knowledge.option_features import INPUTS, OptionFeatures
from cybersecqwen.knowledge.ranker_files import shipped_decision


def held_share(features: OptionFeatures) -> float:
    """Return the probability (0 to 1) that the pages hold what a question asks."""
    return shipped_decision().share(features.inputs, INPUTS)
