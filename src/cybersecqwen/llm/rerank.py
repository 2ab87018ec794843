"""A language model that chooses among the weaknesses which a specialist thinks possible."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import tee
from typing import Any

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.ensemble import checked_weight, log_opinion, softmax
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.interfaces import Backend, CweClassifier
from cybersecqwen.core.prompts import (
    CWE_ID_BY,
    cwe_reason_prompt,
    escape_special_tokens,
    render_question,
)
from cybersecqwen.core.records import Candidate, CwePrediction, Labeller, Question
from cybersecqwen.core.text.clean import clean
from cybersecqwen.core.text.quotations import with_foreign_marked
from cybersecqwen.llm import open_backend

SHORTLIST = 10
"""Ids that the specialist leaves to choose from, if nobody says otherwise."""

# Of 0, 0.25, 0.5 ... 3 that which makes the right ids likeliest, on 490 records of held-out weeks
# that neither model learnt from, with our 0.5B model (docs/lora.md). No benchmark was looked at.
SHORTLIST_WEIGHT = 0.25
"""Exponent of the specialist's probabilities where they are mixed with the language model's."""

_WITHIN = math.log(100)
"""Nats: what falls behind the best by more has less than a hundredth of its share."""

_REASON_TOKENS = 96


class LlmReranker:
    """Maps text to a CWE id as an embedded specialist does, with a language model's choice.

    The specialist's likeliest ids are shortlisted; the language model reads the text once and each
    id's probability as the answer is taken, times the specialist's to the power of a weight. Their
    shares of the shortlist are the confidence, which is not calibrated.

    Args:
        backend: The language model.
        specialist: Classifier whose likeliest ids are permitted.
        shortlist: Number of ids.
        weight: Exponent of the specialist's probabilities; 0 for the language model's alone.
        explain: Whether to let the model write why, after its choice.

    Raises:
        InputError: The shortlist is empty, or the weight is no exponent.
        ModelError: The language model cannot score, or cannot write where it is to explain.
    """

    window = 1
    """Texts answered together: a resumed run begins where it stopped."""

    def __init__(
        self,
        backend: Backend,
        specialist: CweClassifier,
        *,
        shortlist: int = SHORTLIST,
        weight: float = SHORTLIST_WEIGHT,
        explain: bool = False,
    ) -> None:
        if shortlist < 1:
            raise InputError(f"a shortlist has at least 1 id, not {shortlist}")
        needed = {"score", "generate"} if explain else {"score"}
        if missing := needed - backend.capabilities:
            raise ModelError(f"{backend.name} cannot {' or '.join(sorted(missing))}")
        self._backend = backend
        self._specialist = specialist
        self._shortlist = shortlist
        self._weight = checked_weight("the shortlist's weight", weight)
        self._explain = explain
        self._opened_by: partial[LlmReranker] | None = None

    @classmethod
    def open(
        cls,
        spec: str,
        specialist: CweClassifier,
        *,
        backend: Mapping[str, Any] | None = None,
        shortlist: int = SHORTLIST,
        weight: float = SHORTLIST_WEIGHT,
        explain: bool = False,
    ) -> LlmReranker:
        """Open a language model, so that another process can do the same.

        Sent to another process, it opens the SPEC there: what the SPEC names must be on that
        machine, and each process holds a model of its own.

        Args:
            spec: The language model's; see ``open_backend``.
            specialist: As for the class.
            backend: Options of the language model's backend.
            shortlist: As for the class.
            weight: As for the class.
            explain: As for the class.

        Raises:
            InputError: The SPEC or an option cannot be used.
            MissingExtraError: The model needs an optional package that is not installed.
            ModelError: The model cannot be loaded, or cannot score.
        """
        again = partial(
            cls.open,
            spec,
            specialist,
            backend=dict(backend or {}),
            shortlist=shortlist,
            weight=weight,
            explain=explain,
        )
        made = cls(
            open_backend(spec, **(backend or {})),
            specialist,
            shortlist=shortlist,
            weight=weight,
            explain=explain,
        )
        made._opened_by = again
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        if self._opened_by is None:
            raise TypeError("a language model that was opened elsewhere cannot be sent")
        return self._opened_by, ()

    @property
    def name(self) -> str:
        """Both models."""
        return f"{self._backend.name}, shortlist of {self.shortlist}"

    @property
    def shortlist(self) -> str:
        """Whose shortlist of how many ids, and the weight of its probabilities, in words."""
        listed = f"{self._shortlist} by {self._specialist.name}"
        return listed + (f", exponent {self._weight:g}" if self._weight else "")

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
            labeller: Whose convention to follow.
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
            asked = self.conversation(text, labeller)
            found = self._choose(asked, shortlisted.candidates, top_k, threshold or 0.0)
            yield replace(found, reason=self._reason(text, found.cwe)) if self._explain else found

    def conversation(self, text: str, labeller: Labeller = "nvd") -> tuple[Message, ...]:
        """Return the conversation that asks for the weakness of one text."""
        cleaned = clean(text)
        question = Question(id="", task="", prompt=cleaned, gold="", text=cleaned)
        return tuple(escape_special_tokens(render_question(question, CWE_ID_BY[labeller])))

    def _choose(
        self,
        asked: tuple[Message, ...],
        shortlisted: Sequence[Candidate],
        top_k: int,
        threshold: float,
    ) -> CwePrediction:
        permitted = [candidate.cwe for candidate in shortlisted]
        prior = log_opinion([candidate.probability for candidate in shortlisted], self._weight)
        candidates = choose(self._backend, asked, permitted, prior)[:top_k]
        best = candidates[0]
        unsure = best.probability < threshold
        return CwePrediction(
            best.cwe,
            best.probability,
            candidates,
            abstained=unsure,
            band="unsure" if unsure else "likely",
        )

    def _reason(self, text: str, cwe: str) -> str:
        # Asked by itself: after its own answer, a model that learnt ids alone repeats the id.
        turns = escape_special_tokens([Message("user", cwe_reason_prompt(clean(text), cwe))])
        (said,) = self._backend.generate([turns], Sampling(max_tokens=_REASON_TOKENS))
        if said.finish == "error":
            raise ModelError(f"{self._backend.name}: {said.error}")
        # A model that learnt to begin or end with the id does so here too.
        lines = [line for line in said.text.splitlines() if line.strip() != cwe]
        return with_foreign_marked("\n".join(lines).strip(), clean(text))


def choose(
    backend: Backend,
    asked: Sequence[Message],
    permitted: Sequence[str],
    prior: Sequence[float] = (),
) -> tuple[Candidate, ...]:
    """Return the permitted ids with their shares of the probability, likeliest first.

    Args:
        backend: A language model that scores.
        asked: The conversation.
        permitted: The ids.
        prior: Natural logarithm, for each id, of another opinion that its probability is to be
            multiplied by; none by default.
    """
    offsets = list(prior) or [0.0] * len(permitted)
    # Whole, since one id can begin another.
    scores = backend.score(asked, permitted, whole=True, offsets=offsets, within=_WITHIN)
    shares = softmax([score + offset for score, offset in zip(scores, offsets, strict=True)])
    found = [Candidate(cwe, share) for cwe, share in zip(permitted, shares, strict=True)]
    return tuple(sorted(found, key=lambda candidate: -candidate.probability))
