from __future__ import annotations

import math
import random

import pytest

from cybersecqwen.llm.decoding.best_first import ListedContinuation, Tokens, best_first


class Speaker:
    """Gives every beginning its own distribution over ten tokens, and lists the three likeliest."""

    def __init__(self) -> None:
        self.reads: list[tuple[Tokens, int]] = []

    def shares(self, before: Tokens) -> list[float]:
        weights = [random.Random(f"{before} {token}").random() ** 6 for token in range(10)]
        return [math.log(weight / sum(weights)) for weight in weights]

    def __call__(self, before: Tokens, token: int) -> ListedContinuation:
        self.reads.append((before, token))
        shares = self.shares(before)
        likeliest = sorted(range(10), key=lambda other: -shares[other])[:3]
        known = {other: shares[other] for other in likeliest}
        return ListedContinuation({**known, token: shares[token]}, min(known.values()))

    def total(self, tokens: Tokens) -> float:
        return sum(self.shares(tokens[:end])[token] for end, token in enumerate(tokens))


def drawn(seed: int) -> list[Tokens]:
    draw = random.Random(seed)
    sizes = [draw.randint(1, 4) for _ in range(30)]
    return sorted({tuple(draw.randrange(10) for _ in range(size)) for size in sizes})


@pytest.mark.parametrize("seed", range(20))
def test_every_probability_is_exact_without_a_limit(seed: int) -> None:
    speaker, asked = Speaker(), drawn(seed)
    assert best_first(asked, speaker) == pytest.approx([speaker.total(one) for one in asked])
    assert len(set(speaker.reads)) == len(speaker.reads)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("within", [0.0, 3.0])
def test_what_is_near_the_best_is_exact_and_the_rest_a_bound(seed: int, within: float) -> None:
    whole, speaker, asked = Speaker(), Speaker(), drawn(seed)
    offsets = [random.Random(f"{seed} {n}").uniform(-3, 0) for n in range(len(asked))]
    exact = best_first(asked, whole)
    found = best_first(asked, speaker, offsets, within)
    swayed = [score + offset for score, offset in zip(exact, offsets, strict=True)]
    limit = max(swayed) - within
    for score, true, sum_, offset in zip(found, exact, swayed, offsets, strict=True):
        if sum_ >= limit:
            assert score == pytest.approx(true)
        else:
            assert true - 1e-9 <= score
            assert score == pytest.approx(true) or score + offset < limit + 1e-9
    assert len(speaker.reads) < len(whole.reads)


def test_one_that_begins_another_is_told_from_it() -> None:
    speaker = Speaker()
    assert best_first([(1, 2), (1, 2, 3)], speaker) == pytest.approx(
        [speaker.total((1, 2)), speaker.total((1, 2, 3))]
    )
