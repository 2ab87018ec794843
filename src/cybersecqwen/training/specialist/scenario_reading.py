"""Fitting how a technique specialist reads scenarios; see ``core.technique_reading``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from cybersecqwen.core.calibration import expected_calibration_error, fit_temperature
from cybersecqwen.core.ensemble import softmax_rows
from cybersecqwen.core.technique_reading import LEAST_SHARE, UNSEEN, ScenarioReading
from cybersecqwen.training.specialist.report_reading import TechniqueReader
from cybersecqwen.training.specialist.technique_corpus import TechniqueCorpus, with_actor

_SENTENCES = 3  # held-out sentences that are joined to a scenario
_WORDS = (0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 32.0)
_RARITIES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


def held_out_scenarios(corpus: TechniqueCorpus) -> list[tuple[str, str]]:
    """Return texts of several sentences, and the technique that each is about.

    Those of the corpus, and held-out sentences on one technique joined by threes.
    """
    made = [(row.text, row.technique) for row in corpus.scenarios]
    known: dict[str, list[str]] = defaultdict(list)
    for number, row in enumerate(corpus.validation):
        known[row.technique].append(with_actor(row.text, number).rstrip(". ") + ".")
    for technique, texts in sorted(known.items()):
        for start in range(0, len(texts), _SENTENCES):
            part = texts[start : start + _SENTENCES]
            if len(part) > 1:
                made.append((" ".join(part), technique))
    return made


def fit_scenario_reading(
    reader: TechniqueReader, scenarios: Sequence[tuple[str, str]], config: Mapping[str, Any]
) -> tuple[ScenarioReading, dict[str, float]]:
    """Return the reading under which the scenarios are likeliest, and what it reaches on them.

    Every technique counts alike, however many scenarios it has.

    Args:
        reader: Reads them.
        scenarios: Texts and their techniques; none was learnt from.
        config: The model's, with ``techniques`` and ``examples``.
    """
    place = {name: number for number, name in enumerate(config["techniques"])}
    right = np.array([place[technique] for _, technique in scenarios])
    terms = [reader.scenario_terms(text) for text, _ in scenarios]
    network, words = (np.stack(part) for part in zip(*terms, strict=True))  # (N, C) each
    rare = np.log(np.array(config["examples"]) + UNSEEN)
    weights = 1 / np.bincount(right, minlength=len(place))[right]
    weights /= weights.sum()
    tried = []
    for word, rarity in product(_WORDS, _RARITIES):
        logits = (network + word * words - rarity * rare).astype(np.float32)
        temperature = fit_temperature(logits, right)
        said = softmax_rows(logits / temperature)[np.arange(len(right)), right]
        loss = -float(weights @ np.log(said + LEAST_SHARE))
        tried.append((loss, word, rarity, round(temperature, 3)))
    _, word, rarity, temperature = min(tried)
    reading = ScenarioReading(words=word, rarity=rarity, temperature=temperature)
    shares = softmax_rows((network + word * words - rarity * rare) / temperature)
    hit = shares.argmax(1) == right
    return reading, {
        "rows": len(right),
        "top1": float(hit.mean()),
        "ece": expected_calibration_error(shares.max(1), hit),
    }
