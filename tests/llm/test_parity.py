from __future__ import annotations

import json
from pathlib import Path

import pytest

from cybersecqwen.core.errors import ModelError
from cybersecqwen.llm import open_backend
from cybersecqwen.llm.parity import ParityComparison, compare_backends, require_likeness

PROBES = [("first?", "one"), ("second?", "four")]


def script(path: Path, shift: float, reply: str) -> str:
    rules = [
        {"match": "first", "scores": {"one": -1.0 - shift}, "reply": "same"},
        {"match": "second", "scores": {"four": -2.0 - 2 * shift}, "reply": reply},
    ]
    path.write_text("".join(json.dumps(rule) + "\n" for rule in rules))
    return f"mock:{path}"


def test_texts_and_log_probabilities_are_compared(tmp_path: Path) -> None:
    source = script(tmp_path / "a", 0.0, "x")
    made = script(tmp_path / "b", 0.3, "y")
    found = compare_backends(lambda: open_backend(source), lambda: open_backend(made), PROBES)
    assert (found.prompts, found.same_text) == (2, 1)
    assert found.mean_gap == pytest.approx((0.3 / 3 + 0.6 / 4) / 2)
    assert found.worst_gap == pytest.approx(0.6 / 4)


@pytest.mark.parametrize("gap", [0.3, float("nan")])
def test_a_copy_that_answers_otherwise_is_refused(gap: float) -> None:
    require_likeness(ParityComparison(1, 1, 0.1, 0.1), 0.2, "copy")
    with pytest.raises(ModelError, match="copy: does not answer as its source"):
        require_likeness(ParityComparison(1, 0, gap, gap), 0.2, "copy")
