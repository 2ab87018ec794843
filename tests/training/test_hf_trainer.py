from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.torch

from cybersecqwen.training.hf_trainer import Indices, fit  # noqa: E402
from cybersecqwen.training.recipes.specialist import Fit  # noqa: E402


class Toy(torch.nn.Module):
    """A linear model with dropout, so that random numbers matter."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.line = torch.nn.Linear(3, 1)
        self.drop = torch.nn.Dropout(0.3)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": (self.line(self.drop(x)) - x.sum(-1, keepdim=True)).square().mean()}


class Killed(BaseException):
    """What a kill looks like from inside."""


def run(folder: Path, die_at: int | None = None, average: float = 0.0) -> dict[str, torch.Tensor]:
    values = torch.randn(50, 3, generator=torch.Generator().manual_seed(1))
    calls = 0

    def collate(rows: list[int]) -> dict[str, torch.Tensor]:
        nonlocal calls
        calls += 1
        if calls == die_at:
            raise Killed
        return {"x": values[rows]}

    model = Toy()
    schedule = Fit(epochs=5, batch_size=4, learning_rate=0.05, average=average)
    lengths = [1 + row % 7 for row in range(50)]
    fit(model, Indices(lengths), collate, schedule, folder, seed=3, save_every=5)
    return model.state_dict()


# 13 steps an epoch: in the first, in the middle of the second, late in the fourth.
@pytest.mark.parametrize("die_at", [8, 23, 50])
def test_resumed_it_takes_the_same_steps(tmp_path: Path, die_at: int) -> None:
    whole = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "cut", die_at)
    resumed = run(tmp_path / "cut")
    for name, weights in whole.items():
        assert torch.equal(weights, resumed[name]), name
    assert (tmp_path / "cut" / "curve.json").read_text().count("train_loss") == 1


def test_a_checkpoint_cut_off_while_written_is_not_used(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "cut", 23)
    newest = max((tmp_path / "cut" / "checkpoints").iterdir(), key=lambda p: int(p.name[11:]))
    (newest / "complete").unlink()
    (newest / "optimizer.pt").unlink()
    resumed = run(tmp_path / "cut")
    assert all(torch.equal(weights, resumed[name]) for name, weights in whole.items())


def test_a_finished_fit_is_loaded_not_repeated(tmp_path: Path) -> None:
    first = run(tmp_path / "a")
    again = run(tmp_path / "a", die_at=1)
    assert all(torch.equal(weights, again[name]) for name, weights in first.items())


def test_averaged_weights_are_the_mean_over_the_steps_resumed_or_not(tmp_path: Path) -> None:
    last = run(tmp_path / "last")
    whole = run(tmp_path / "whole", average=0.8)
    with pytest.raises(Killed):
        run(tmp_path / "cut", 30, average=0.8)
    resumed = run(tmp_path / "cut", average=0.8)
    assert all(torch.equal(weights, resumed[name]) for name, weights in whole.items())
    assert not torch.equal(whole["line.weight"], last["line.weight"])
    # The same steps lead there, so the mean lies near where they end.
    start = Toy().state_dict()["line.weight"]
    moved = (last["line.weight"] - start).norm()
    assert (whole["line.weight"] - last["line.weight"]).norm() < moved / 2
