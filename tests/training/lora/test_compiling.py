"""Whether layers are compiled when nobody says so."""

from __future__ import annotations

import importlib.util

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
pytestmark = pytest.mark.torch

from cybersecqwen.training.lora.memory_plan import Shape  # noqa: E402
from cybersecqwen.training.lora.model import compiling_pays  # noqa: E402

BILLION = 10**9


def shape(parameters: int, learning: int = 0) -> Shape:
    return Shape(parameters, parameters, learning, 1, 1, 1, 1)


def test_a_processor_does_not_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not compiling_pays(shape(4 * BILLION), BILLION)


def test_a_gpu_compiles_for_long_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert compiling_pays(shape(4 * BILLION), 35_000_000)
    assert not compiling_pays(shape(BILLION // 2), 5_000_000)
    # Where all weights learn, a token takes half as much again.
    assert not compiling_pays(shape(BILLION // 2), 25_000_000)
    assert compiling_pays(shape(BILLION // 2, BILLION // 2), 25_000_000)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # no Triton
    assert not compiling_pays(shape(4 * BILLION), 35_000_000)
