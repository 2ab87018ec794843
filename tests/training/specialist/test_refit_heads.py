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
