from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

pytest.importorskip("torch")  # the room's door asks for it, though the reader does without
pytest.importorskip("accelerate")
pytestmark = pytest.mark.torch

from cybersecqwen.core.errors import InputError, ModelError  # noqa: E402
from cybersecqwen.core.held_decision import HeldDecision  # noqa: E402
from cybersecqwen.core.option_ranker import OptionRanker  # noqa: E402
from cybersecqwen.core.rows import QuizRow  # noqa: E402
from cybersecqwen.training.ranker.fit import (  # noqa: E402
    RankerMetrics,
    calibrated,
    fit_ranker,
    score_ranker,
)
from cybersecqwen.training.ranker.held import HIGHEST, MEAN  # noqa: E402
from cybersecqwen.training.ranker.run import (  # noqa: E402
    blur,
    read_quiz,
    train_held,
    train_ranker,
)
from cybersecqwen.training.recipes.ranker import RankerRecipe  # noqa: E402

NAMES = ("support", "hint", "noise", "negated")
RECIPE = RankerRecipe(name="r", hidden=8, epochs=30, batch_size=32, learning_rate=1e-2)


def _questions(count: int, seed: int) -> list[RankerMetrics]:
    """The right option has the highest hint; where the question is negated, the lowest."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        size = int(draw.integers(2, 7))
        inputs = draw.normal(size=(size, len(NAMES))).astype(np.float32)
        negated = number % 3 == 0
        inputs[:, 3] = negated
        hint = -inputs[:, 1] if negated else inputs[:, 1]
        wording = ("plain", "exam", "terse")[number % 3]
        found.append(RankerMetrics(inputs, int(hint.argmax()), "kind", wording, 0))
    return found


@pytest.fixture(scope="module")
def network() -> OptionRanker:
    return calibrated(fit_ranker(_questions(600, 1), NAMES, RECIPE), _questions(200, 2))


def test_it_learns_what_a_single_measurement_does_not_tell(network: OptionRanker) -> None:
    score = score_ranker(network, _questions(300, 3))
    assert score.accuracy > 0.9
    assert score.first_input < 0.5
    assert score.ece < 0.1


def test_the_mean_of_several_networks_is_one(network: OptionRanker) -> None:
    single = replace(RECIPE, epochs=3)
    both = fit_ranker(_questions(100, 1), NAMES, replace(single, members=2))
    apart = [
        fit_ranker(_questions(100, 1), NAMES, replace(single, seed=single.seed + n)) for n in (0, 1)
    ]
    inputs = _questions(1, 4)[0].inputs
    mean = np.mean([one.logits(inputs) for one in apart], axis=0)
    assert both.logits(inputs) == pytest.approx(mean, rel=1e-4)


def test_questions_that_the_pages_answer_are_told_from_others(tmp_path: Path) -> None:
    names = tuple(dict.fromkeys((*HIGHEST, *MEAN)))
    draw = np.random.default_rng(0)
    inside = [draw.random((4, len(names))).astype(np.float32) for _ in range(40)]
    outside = [draw.random((4, len(names))).astype(np.float32) for _ in range(15)]
    for inputs in outside:
        inputs[:, names.index("sentence")] -= 1
    score = train_held(inside, outside, names, tmp_path / "r.npz")
    decision = msgspec.json.decode((tmp_path / "r.held.json").read_bytes(), type=HeldDecision)
    assert score.inside > 0.9
    assert score.outside > 0.9
    assert decision.share(inside[0], names) > 0.5 > decision.share(outside[0], names)
    with pytest.raises(InputError, match="too few"):
        train_held(inside, outside[:3], names, tmp_path / "r.npz")


def test_the_order_of_options_does_not_matter(network: OptionRanker) -> None:
    question = _questions(1, 4)[0].inputs
    order = np.random.default_rng(0).permutation(len(question))
    shares = network.probabilities(question)
    assert network.probabilities(question[order]) == pytest.approx(shares[order])
    assert shares.sum() == pytest.approx(1)


def test_the_same_questions_and_seed_make_the_same_bytes(tmp_path: Path) -> None:
    parts = _questions(120, 1), _questions(60, 2)
    quick = RankerRecipe(name="r", hidden=4, epochs=2)
    for name in ("a.npz", "b.npz"):
        train_ranker(*parts, NAMES, quick, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    content = (tmp_path / "a.npz").read_bytes()
    read = OptionRanker.read(content, NAMES, "a.npz")
    assert read.logits(parts[0][0].inputs).shape == (len(parts[0][0].inputs),)
    with pytest.raises(ModelError, match="other measurements"):
        OptionRanker.read(content, NAMES[::-1], "a.npz")
    with pytest.raises(ModelError, match="no reader"):
        OptionRanker.read(b"not one", NAMES, "a.npz")


def test_a_wording_can_be_held_out(tmp_path: Path) -> None:
    recipe = RankerRecipe(name="r", hidden=4, epochs=2, held_out_wording="terse")
    train, validation = _questions(120, 1), _questions(60, 2)
    results = train_ranker(train, validation, NAMES, recipe, tmp_path / "r.npz")
    assert results.scores["all"].questions == 40
    assert results.scores["wording terse, held out"].questions == 20


def test_bad_quizzes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    with pytest.raises(InputError, match="cannot be read"):
        read_quiz(path, 1)
    row = {"id": "q", "kind": "k", "wording": "plain", "thinned": 0, "question": "?"}
    path.write_text(json.dumps(row | {"choices": ["a", "b"], "answer": 2}))
    with pytest.raises(InputError, match=r"train\.jsonl:1: q: the answer"):
        read_quiz(path, 1)
    path.write_text("{}")
    with pytest.raises(InputError, match=r"train\.jsonl:1: no question"):
        read_quiz(path, 1)
    with pytest.raises(InputError, match="no questions"):
        fit_ranker([], NAMES, RECIPE)


def _asked(name: str, question: str, choices: tuple[str, ...]) -> QuizRow:
    return QuizRow(name, "k", "plain", 0, question, choices, 0, "", "", "", "", "")


def test_words_are_lost_but_names_and_short_options_stay() -> None:
    question = "Which technique of APT29 is NOT one that hides the origin of its traffic?"
    sentence = "Route the traffic through several proxies of other people"
    row = _asked("q", question, ("Proxy", sentence))
    told, choices = blur(row, ["zebra"], RECIPE)
    assert (told, choices) == blur(row, ["zebra"], RECIPE)
    assert {"Which", "APT29", "NOT"} <= set(told.split())
    assert choices[0] == "Proxy"
    others = [_asked(str(n), question, row.choices) for n in range(9)]
    assert any(blur(other, ["zebra"], RECIPE)[1][1] != sentence for other in others)
    exact = RankerRecipe(name="r", blurred=0)
    assert blur(row, ["zebra"], exact) == (question, row.choices)
