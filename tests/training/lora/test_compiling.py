"""Whether layers are compiled when nobody says so."""

from __future__ import annotations

import importlib.util

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
pytestmark = pytest.mark.torch

from cybersecqwen.training.lora.model import compiling_pays  # noqa: E402

BILLION = 10**9


def test_a_processor_does_not_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not compiling_pays(4 * BILLION, BILLION)


def test_a_gpu_compiles_for_long_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert compiling_pays(4 * BILLION, 35_000_000)
    assert not compiling_pays(BILLION // 2, 5_000_000)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # no Triton
    assert not compiling_pays(4 * BILLION, 35_000_000)
