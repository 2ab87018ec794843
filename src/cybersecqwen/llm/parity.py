"""Whether a copy of a model answers as its source does: merged, converted or quantised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.interfaces import Backend

PROBES = (
    ("A web form puts the user's name into an SQL statement. Which weakness is it?", "CWE-89"),
    ("A page shows a comment without encoding it. Which weakness is it?", "Cross-site scripting"),
    ("What does an attacker gain from a heap overflow in a root service?", "Code execution"),
    ("Name one mitigation for path traversal.", "Resolve the path and compare it with the root."),
    ("Many hosts begin to query one new domain. What is to be checked first?", "The DNS logs."),
)
"""Questions and answers of our own, put to both."""

_TOKENS = 24


@dataclass(frozen=True)
class ParityComparison:
    """How a copy answers beside its source.

    Attributes:
        prompts: Questions put to both.
        same_text: How many both answered greedily with the same words.
        mean_gap: Mean difference between the log-probabilities that the two give to a set answer,
            nats a character.
        worst_gap: The largest of them.
    """

    prompts: int
    same_text: int
    mean_gap: float
    worst_gap: float


def compare_backends(
    source: Callable[[], Backend],
    made: Callable[[], Backend],
    probes: Sequence[tuple[str, str]] = PROBES,
) -> ParityComparison:
    """Put the same questions to both and compare.

    They are opened one after the other, since both at once may be more than the memory holds.

    Args:
        source: Opens the model as it was.
        made: Opens the copy.
        probes: Questions, and for each an answer to score.
    """
    said, before = _asked(source, probes)
    echoed, after = _asked(made, probes)
    gaps = [
        abs(two - one) / len(answer)
        for (_, answer), one, two in zip(probes, before, after, strict=True)
    ]
    same = sum(one == other for one, other in zip(said, echoed, strict=True))
    return ParityComparison(len(probes), same, sum(gaps) / len(gaps), max(gaps))


def _asked(
    opened: Callable[[], Backend], probes: Sequence[tuple[str, str]]
) -> tuple[list[str], list[float]]:
    """Return what a model writes, and the log-probabilities of the set answers, nats."""
    backend = opened()
    asked = [(Message("user", question),) for question, _ in probes]
    said = [answer.text for answer in backend.generate(asked, Sampling(max_tokens=_TOKENS))]
    pairs = zip(asked, probes, strict=True)
    return said, [backend.score(turns, [answer])[0] for turns, (_, answer) in pairs]


def require_likeness(found: ParityComparison, limit: float, made: str) -> None:
    """Refuse a copy that does not answer as its source does.

    Args:
        found: What was compared.
        limit: The largest mean gap that is accepted, nats a character.
        made: The copy's name.

    Raises:
        ModelError: It differs by more.
    """
    if not found.mean_gap <= limit:  # not a number is refused too
        raise ModelError(
            f"{made}: does not answer as its source does: {found.mean_gap:.3f} nats a character "
            f"apart, {limit} allowed; it was not kept"
        )
