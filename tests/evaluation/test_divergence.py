from __future__ import annotations

import json
from pathlib import Path

import pytest

from cybersecqwen.core.errors import ModelError
from cybersecqwen.evaluation.divergence import measure_divergence
from cybersecqwen.llm.backends.mock import MockBackend


def _model(path: Path, *rules: dict[str, object]) -> MockBackend:
    path.write_text("\n".join(map(json.dumps, rules)))
    return MockBackend(str(path))


def test_the_loss_is_counted_by_token_of_the_bases_own_answers(tmp_path: Path) -> None:
    base = _model(
        tmp_path / "base.jsonl",
        {"match": "one", "reply": "a b", "scores": {"a b": -1.0}},
        {"match": "two", "reply": "c d e f", "scores": {"c d e f": -2.0}},
        {"match": "three", "error": "out of memory"},
    )
    tuned = _model(
        tmp_path / "tuned.jsonl",
        {"match": "one", "reply": "", "scores": {"a b": -2.0}},
        {"match": "two", "reply": "", "scores": {"c d e f": -8.0}},
    )
    found = measure_divergence(base, tuned, ["one", "two", "three"])
    assert found.nats_per_token == pytest.approx((0.5 + 1.5) / 2)
    assert (found.prompts, found.worst) == (2, "two")
    same = measure_divergence(base, base, ["one", "two"])
    assert same.nats_per_token == 0.0


def test_a_base_that_answers_nothing_is_an_error(tmp_path: Path) -> None:
    silent = _model(tmp_path / "silent.jsonl", {"reply": "", "scores": {"a": -1.0}})
    with pytest.raises(ModelError, match="answered none of the 1 prompts"):
        measure_divergence(silent, silent, ["one"])
