from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.torch

from cybersecqwen.training.recipes.specialist import HeadRefit, Supervision  # noqa: E402
from cybersecqwen.training.specialist.encoder import CweEncoder  # noqa: E402
from cybersecqwen.training.specialist.refit_heads import refit_head  # noqa: E402
from cybersecqwen.training.specialist.rows import NO_LABEL  # noqa: E402
from cybersecqwen.training.specialist.supervision import SoftLabels  # noqa: E402


def test_one_head_learns_and_the_others_answers_stay() -> None:
    torch.manual_seed(0)
    model = CweEncoder(torch.nn.Identity(), 8, 2, 3, Supervision()).eval()
    kind = np.arange(300) % 3
    states = (3 * np.eye(8)[kind]).astype(np.float32)
    labels = kind.astype(np.int64)
    labels[:30] = NO_LABEL
    read = torch.from_numpy(states)
    with torch.no_grad():
        before = model.head(read)
    options = HeadRefit(labellers=("cna",), epochs=80, keep=0.1, stay=0.0)
    weights = np.ones(300, np.float32)
    refit_head(model, states, labels, weights, 1, options, seed=1)
    with torch.no_grad():
        after = model.head(read)
    assert torch.equal(before[:, 0], after[:, 0])
    assert (before[:, 1].argmax(-1).numpy() != kind).any()
    assert (after[:, 1].argmax(-1).numpy() == kind).all()


def test_what_teachers_say_of_a_row_outweighs_a_wrong_label() -> None:
    kind = np.arange(300) % 3
    states = (3 * np.eye(8)[kind]).astype(np.float32)
    wrong = ((kind + 1) % 3).astype(np.int64)
    taught = SoftLabels(
        np.repeat(kind.astype(np.int16)[:, None, None], 2, axis=1),
        np.ones((300, 2, 1), np.float16),
    )

    def said(teachers: SoftLabels | None, share: float) -> list[int]:
        torch.manual_seed(0)
        model = CweEncoder(torch.nn.Identity(), 8, 2, 3, Supervision()).eval()
        options = HeadRefit(labellers=("cna",), epochs=300, keep=0.0, stay=0.0, taught=share)
        refit_head(model, states, wrong, np.ones(300, np.float32), 1, options, 1, teachers)
        with torch.no_grad():
            return model.head(torch.from_numpy(states))[:, 1].argmax(-1).tolist()

    assert said(taught, 0.8) == kind.tolist()
    assert said(None, 0.0) == said(taught, 0.2) == wrong.tolist()
