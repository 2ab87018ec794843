from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.torch

from cybersecqwen.training.specialist.calibrate import calibrate  # noqa: E402
from cybersecqwen.training.specialist.rows import NO_LABEL  # noqa: E402


def overconfident(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits ten times as large as those that drew the labels."""
    draw = np.random.default_rng(0)
    honest = draw.normal(size=(rows, 6)) * 1.5
    labels = (honest + draw.gumbel(size=honest.shape)).argmax(-1)
    return (honest * 10).astype(np.float32), labels


def test_temperature_undoes_overconfidence() -> None:
    logits, labels = overconfident(4000)
    found = calibrate(logits, labels, logits[:, 0] > 0, target_accuracy=0.8)
    assert found.temperature == pytest.approx(10, rel=0.1)
    assert found.ece < 0.03
    right = logits.argmax(-1) == labels
    assert found.accuracy == pytest.approx(right.mean())
    assert found.unfamiliar_rows == (logits[:, 0] <= 0).sum()
    assert found.unfamiliar_accuracy == pytest.approx(right[logits[:, 0] <= 0].mean())


def test_threshold_reaches_the_target_on_what_it_answers() -> None:
    logits, labels = overconfident(4000)
    found = calibrate(logits, labels, logits[:, 0] > 0, target_accuracy=0.8)
    scaled = np.exp(logits / found.temperature)
    confidence = (scaled / scaled.sum(-1, keepdims=True)).max(-1)
    answered = confidence >= found.threshold
    assert 0 < answered.mean() < 1
    assert answered.mean() == pytest.approx(found.coverage, abs=0.01)
    assert (logits.argmax(-1) == labels)[answered].mean() >= 0.79


def test_an_id_that_was_never_learnt_is_a_miss() -> None:
    logits, labels = overconfident(1000)
    labels[:500] = NO_LABEL
    half = calibrate(logits, labels, logits[:, 0] > 0, target_accuracy=0.8)
    right = (logits.argmax(-1) == labels)[500:].sum()
    assert half.accuracy == pytest.approx(right / 1000)


def test_too_few_rows_fit_nothing() -> None:
    logits, labels = overconfident(50)
    found = calibrate(logits, labels, logits[:, 0] > 0, target_accuracy=0.8)
    assert (found.temperature, found.threshold, found.precision) == (1.0, 1.0, ())
    assert found.accuracy == pytest.approx((logits.argmax(-1) == labels).mean())


def test_no_rows_at_all_are_measured_as_none() -> None:
    nothing = np.zeros(0, np.bool_)
    found = calibrate(np.zeros((0, 6), np.float32), np.zeros(0, np.int64), nothing, 0.8)
    assert (found.rows, found.accuracy, found.top5, found.coverage) == (0, 0.0, 0.0, 0.0)
