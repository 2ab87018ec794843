"""A language model that chooses among the weaknesses which a specialist thinks possible."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import tee

from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.prompts import CWE_ID, render_question
from cybersecqwen.core.protocols import Backend, Message, Sampling, Specialist
from cybersecqwen.core.records import Candidate, CwePrediction, Labeller, Question
from cybersecqwen.core.text import clean

SHORTLIST = 10
"""Ids that the specialist leaves to choose from, if nobody says otherwise."""

_REASON = (
    "Say in one or two sentences what in the text points to {cwe}. Use only what the text says."
)
_REASON_TOKENS = 96


class LlmMapper:
    """Maps text to a CWE id as an embedded specialist does, with a language model's choice.

    The specialist's likeliest ids are shortlisted; the language model reads the text once and each
    id's log-probability as the answer is taken. Their shares of the shortlist are the confidence,
    which is not calibrated.

    Args:
        backend: The language model.
        specialist: Whose likeliest ids are permitted.
        shortlist: How many.
        explain: Whether to let the model write why, after its choice.

    Raises:
        InputError: The shortlist is empty.
        ModelError: The language model cannot score, or cannot write where it is to explain.
    """

    window = 1
    """Texts answered together: a resumed run begins where it stopped."""

    def __init__(
        self,
        backend: Backend,
        specialist: Specialist,
        *,
        shortlist: int = SHORTLIST,
        explain: bool = False,
    ) -> None:
        if shortlist < 1:
            raise InputError(f"a shortlist has at least 1 id, not {shortlist}")
        needed = {"score", "generate"} if explain else {"score"}
        if missing := needed - backend.abilities:
            raise ModelError(f"{backend.name} cannot {' or '.join(sorted(missing))}")
        self._backend = backend
        self._specialist = specialist
        self._shortlist = shortlist
        self._explain = explain

    @property
    def name(self) -> str:
        """Both models."""
        return f"{self._backend.name}, shortlist of {self._shortlist} by {self._specialist.name}"

    @property
    def digest(self) -> str:
        """Of what answers: the names, and the specialist's own digest."""
        inner = getattr(self._specialist, "digest", "")
        said = f"{self.name}\n{inner}\n{self._explain}"
        return hashlib.sha256(said.encode()).hexdigest()

    def map(
        self,
        text: str,
        *,
        labeller: Labeller = "nvd",
        top_k: int = 5,
        threshold: float | None = None,
    ) -> CwePrediction:
        """Choose for one text; see ``map_many``."""
        options = {"labeller": labeller, "top_k": top_k, "threshold": threshold}
        return next(self.map_many([text], **options))  # type: ignore[arg-type]

    def map_many(
        self,
        texts: Iterable[str],
        *,
        labeller: Labeller = "nvd",
        top_k: int = 5,
        threshold: float | None = None,
    ) -> Iterator[CwePrediction]:
        """Choose for each text, in order.

        Args:
            texts: Vulnerability descriptions.
            labeller: Whose convention the shortlist follows.
            top_k: Candidates to return at most.
            threshold: Confidence (0 to 1) under which to abstain; None never abstains.

        Raises:
            InputError: A text has nothing to read, or an option is out of range.
            ModelError: A text does not fit the model.
        """
        if top_k < 1:
            raise InputError(f"top_k must be at least 1, not {top_k}")
        if threshold is not None and not 0 <= threshold <= 1:
            raise InputError(f"the threshold must be from 0 to 1, not {threshold}")
        read, shown = tee(texts)
        listed = self._specialist.map_many(read, labeller=labeller, top_k=self._shortlist)
        for text, shortlisted in zip(shown, listed, strict=True):
            permitted = [candidate.cwe for candidate in shortlisted.candidates]
            yield self._choose(clean(text), permitted, top_k, threshold or 0.0)

    def _choose(
        self, text: str, permitted: list[str], top_k: int, threshold: float
    ) -> CwePrediction:
        question = Question(id="", task="", prompt=text, gold="", text=text)
        asked = render_question(question, CWE_ID)
        candidates = choose(self._backend, asked, permitted)[:top_k]
        best = candidates[0]
        found = CwePrediction(
            best.cwe, best.probability, candidates, abstained=best.probability < threshold
        )
        return replace(found, reason=self._reason(asked, best.cwe)) if self._explain else found

    def _reason(self, asked: tuple[Message, ...], cwe: str) -> str:
        turns = (*asked, Message("assistant", cwe), Message("user", _REASON.format(cwe=cwe)))
        (said,) = self._backend.generate([turns], Sampling(max_tokens=_REASON_TOKENS))
        if said.finish == "error":
            raise ModelError(f"{self._backend.name}: {said.error}")
        return said.text.strip()


def choose(
    backend: Backend, asked: tuple[Message, ...], permitted: list[str]
) -> tuple[Candidate, ...]:
    """Return the permitted ids with their shares of the probability, likeliest first."""
    scores = backend.score(asked, permitted, whole=True)  # one id can begin another
    highest = max(scores)
    weights = [math.exp(score - highest) for score in scores]
    total = sum(weights)
    shares = [Candidate(cwe, w / total) for cwe, w in zip(permitted, weights, strict=True)]
    return tuple(sorted(shares, key=lambda c: -c.probability))
