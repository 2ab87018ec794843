from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.torch

from cybersecqwen.training import checkpoints  # noqa: E402


@pytest.mark.parametrize(
    ("processes", "asked"), [(1, [False, True, False, True]), (2, [False] * 4)]
)
def test_a_checkpoint_comes_when_the_last_is_too_old(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, processes: int, asked: list[bool]
) -> None:
    now = 1000.0
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now)
    in_time = checkpoints.SaveInTime(least=600.0)
    args = SimpleNamespace(world_size=processes, output_dir=str(tmp_path))
    state = transformers.TrainerState()
    found = []
    now = 5000.0  # readying took its time
    in_time.on_train_begin(args, state, transformers.TrainerControl())
    for seconds in (400.0, 400.0, 400.0, 400.0):
        now += seconds
        control = transformers.TrainerControl()
        in_time.on_step_end(args, state, control)
        found.append(control.should_save)
        if control.should_save:
            in_time.on_save(args, state, control)
    assert found == asked


@pytest.mark.parametrize(("writing", "wait"), [(0.5, 60), (6, 180), (90, 600)])
def test_what_takes_long_to_write_is_written_less_often(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, writing: float, wait: float
) -> None:
    now = 0.0
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now)
    in_time = checkpoints.SaveInTime()
    args = SimpleNamespace(world_size=1, output_dir=str(tmp_path))
    state = transformers.TrainerState()
    in_time.on_train_begin(args, state, transformers.TrainerControl())
    saved = []
    for _ in range(1_300):
        now += 1.0
        control = transformers.TrainerControl()
        in_time.on_step_end(args, state, control)
        if control.should_save:
            now += writing
            in_time.on_save(args, state, control)
            saved.append(now)
    assert saved[0] == 60 + writing
    assert saved[1] - saved[0] == pytest.approx(wait + writing, abs=1)
