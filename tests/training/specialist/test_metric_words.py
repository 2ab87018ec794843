"""What words say of metrics: fitted, kept in eight bits, and read beside a network."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.torch

from cybersecqwen.core.errors import ModelError  # noqa: E402
from cybersecqwen.core.metric_words import MetricWords  # noqa: E402
from cybersecqwen.training.specialist.metric_words import fit_metric_words  # noqa: E402
from cybersecqwen.training.specialist.rows import NO_LABEL  # noqa: E402

SIZES = [3, 2, 2]
TEXTS = ["any visitor reads it", "a local user reads it", "an admin reads it"] * 12
# What is asked third was never answered but in one way.
LABELS = np.array([[n % 3, n % 3 == 0, 1 if n % 2 else NO_LABEL] for n in range(len(TEXTS))])


def test_words_tell_the_values_that_texts_with_them_were_given() -> None:
    words = MetricWords(fit_metric_words(TEXTS, LABELS, SIZES), SIZES)
    for number in range(3):
        said = np.exp(words.log_probabilities(TEXTS[number]))
        first, second, third = np.split(said, [3, 5])
        assert first.argmax() == number
        assert second.argmax() == (number == 0)
        assert third[1] > 0.99
        for part in (first, second, third):
            assert part.sum() == pytest.approx(1, abs=1e-5)
    unknown = np.exp(words.log_probabilities("zebra"))
    assert unknown[:3].max() < 0.7


def test_few_terms_are_those_that_weigh_most() -> None:
    content = fit_metric_words(TEXTS, LABELS, SIZES, most=6)
    words = MetricWords(content, SIZES)
    assert [words.log_probabilities(TEXTS[n])[:3].argmax() for n in range(3)] == [0, 1, 2]
    assert len(content) < len(fit_metric_words(TEXTS, LABELS, SIZES))


@pytest.mark.parametrize("sizes", [[3, 2], [3, 2, 2]])
def test_a_file_that_does_not_fit_is_refused(sizes: list[int]) -> None:
    content = fit_metric_words(TEXTS, LABELS, SIZES)
    with pytest.raises(ModelError, match=r"words\.npz"):
        MetricWords(content if len(sizes) == 2 else content[:90], sizes)
