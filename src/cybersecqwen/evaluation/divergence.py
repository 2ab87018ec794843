"""How far a fine-tuned model has moved from its base on neutral prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.interfaces import Backend


class Divergence(msgspec.Struct, frozen=True):
    """How much less likely a model finds its base's own answers than the base does.

    Attributes:
        nats_per_token: Mean over prompts of the log-probability that is lost for each token of
            the base's greedy answer: an estimate, along those answers, of the Kullback-Leibler
            divergence of the model from its base.
        prompts: Prompts that it is the mean of.
        worst: The prompt on which most is lost.
    """

    nats_per_token: float
    prompts: int
    worst: str


def measure_divergence(
    base: Backend, tuned: Backend, prompts: Sequence[str], *, max_tokens: int = 64
) -> Divergence:
    """Let the base answer greedily, and compare both models' log-probabilities of what it wrote.

    Args:
        base: The model before fine-tuning.
        tuned: The model after it.
        prompts: Neutral prompts.
        max_tokens: Tokens of an answer, at most.

    Raises:
        ModelError: A model cannot score continuations, or the base answers none of the prompts.
    """
    lost = dict(_losses(base, tuned, prompts, max_tokens))
    if not lost:
        raise ModelError(f"{base.name} answered none of the {len(prompts)} prompts")
    mean = sum(lost.values()) / len(lost)
    return Divergence(mean, len(lost), max(lost, key=lambda prompt: lost[prompt]))


def _losses(
    base: Backend, tuned: Backend, prompts: Sequence[str], max_tokens: int
) -> Iterator[tuple[str, float]]:
    """Yield each prompt that the base answers and the nats that a token of its answer loses."""
    asked = [(Message("user", prompt),) for prompt in prompts]
    written = base.generate(asked, Sampling(max_tokens=max_tokens))
    for prompt, turns, answer in zip(prompts, asked, written, strict=True):
        if answer.finish == "error" or not answer.text:
            continue
        before = base.score(turns, [answer.text])[0]
        after = tuned.score(turns, [answer.text])[0]
        tokens = answer.new_tokens or max(1, len(answer.text.split()))
        yield prompt, (before - after) / tokens
