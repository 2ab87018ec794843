"""Sentences, scenarios and reports to ATT&CK techniques."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.text.clean import clean, render
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.specialists.embedded import EmbeddedSpecialist

_LEAST_WORDS = 3
_CLAUSE = re.compile(r"[;,]\s+|\s+(?:and|or|which|while|by|to|via|using|with)\s+")


class TechniqueConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a technique specialist's ``config.json`` holds.

    Attributes:
        format_version: Version of the folder's format.
        kind: ``technique``.
        name: The model's name.
        version: The model's version.
        attack_version: Version of ATT&CK that its techniques come from.
        techniques: Ids, in the order of the graph's last axis.
        names: Their names, likewise.
        max_tokens: Tokens of a sentence that it reads at once, special tokens included.
        temperature: What logits are divided by.
        threshold: Probability from which on nine in ten held-out sentences were right.
        report_threshold: Probability from which on a technique is said of a report: the best F1
            on held-out pages whose sentences were joined in pairs.
        sha256: Hexadecimal digests of the graph's and the tokenizer's file, by file name.
        provenance: Where it comes from.
    """

    format_version: int
    kind: str
    name: str
    version: str
    attack_version: str
    techniques: tuple[str, ...]
    names: tuple[str, ...]
    max_tokens: int
    temperature: float
    threshold: float
    report_threshold: float = 0.4
    sha256: dict[str, str]
    provenance: dict[str, str]


@dataclass(frozen=True, slots=True)
class TechniqueCandidate:
    """A technique that a text may tell of.

    Attributes:
        id: Such as ``T1059.001``.
        name: As ATT&CK's page is headed.
        probability: Calibrated on held-out sentences, 0 to 1.
        sentence: The sentence of the text that tells most of it; the whole text where no sentence
            tells more.
        citation: Id of the knowledge base's page on it.
    """

    id: str
    name: str
    probability: float
    sentence: str
    citation: str


class TechniqueClassifier(EmbeddedSpecialist[TechniqueConfig]):
    """An embedded classifier of ATT&CK techniques."""

    kind = "technique"
    schema = TechniqueConfig
    outputs = ("logits",)

    def classify(self, text: str, *, top_k: int = 5) -> list[TechniqueCandidate]:
        """Return the likeliest techniques of a sentence, a scenario or a report, best first.

        A text of several sentences is read as a whole and sentence by sentence; a technique's
        probability is the highest of them.

        Args:
            text: What happened.
            top_k: Techniques to return at most.

        Raises:
            InputError: The text has nothing to read, or ``top_k`` is below 1.
        """
        if top_k < 1:
            raise InputError(f"top_k must be at least 1, not {top_k}")
        parts, shares = self._read(text)
        best = shares.max(0)  # (C,)
        tells = shares.argmax(0)
        return [
            self._candidate(int(place), float(best[place]), parts[tells[place]])
            for place in np.argsort(-best, kind="stable")[:top_k]
        ]

    def techniques_of(
        self, text: str, *, threshold: float | None = None
    ) -> list[TechniqueCandidate]:
        """Return every technique that some sentence or clause of a report tells of, surest first.

        A technique's probability is that of it and its sub-techniques together; of those the
        likeliest is named.

        Args:
            text: A report, or a part of one.
            threshold: Least probability; None for the model's own.

        Raises:
            InputError: The text has nothing to read.
        """
        least = self.config.report_threshold if threshold is None else threshold
        parts, shares = self._read(text, clauses=True)
        summed = shares @ self._parents  # (P, M)
        found: dict[int, tuple[float, int]] = {}
        for part, parent in np.argwhere(summed >= least):
            if len(parts) > 1 and part == 0:
                continue  # the report as a whole is about none of its techniques
            members = np.flatnonzero(self._parents[:, parent])
            place = int(members[shares[part, members].argmax()])
            if summed[part, parent] > found.get(place, (0.0, 0))[0]:
                found[place] = (float(summed[part, parent]), int(part))
        ordered = sorted(found.items(), key=lambda item: -item[1][0])
        return [self._candidate(place, share, parts[part]) for place, (share, part) in ordered]

    @cached_property
    def _parents(self) -> NDArray[np.float64]:
        """Return which main technique each technique belongs to, (C, M)."""
        mains = [name.split(".")[0] for name in self.config.techniques]
        order = {name: place for place, name in enumerate(sorted(set(mains)))}
        table = np.zeros((len(mains), len(order)))
        table[np.arange(len(mains)), [order[name] for name in mains]] = 1
        return table

    def _read(self, text: str, *, clauses: bool = False) -> tuple[list[str], NDArray[np.float64]]:
        """Return the text and its sentences (and clauses), and each one's probabilities, (P, C)."""
        whole = clean(text)
        pieces_of = _with_clauses if clauses else sentences
        cut = [part for part in pieces_of(whole) if len(part.split()) >= _LEAST_WORDS]
        parts = [whole, *cut] if len(cut) > 1 else [whole]
        rendered = [render(part) for part in parts]
        if not rendered[0]:
            raise InputError("the text has nothing to read")
        pieces = self._encoder.encode(rendered)
        logits = np.stack([answer[0] for answer in self._graph.run(pieces.ids)])
        joined = pieces.join(logits, self.config.temperature).astype(np.float64)
        scaled = joined / self.config.temperature
        scaled -= scaled.max(1, keepdims=True)
        shares: NDArray[np.float64] = np.exp(scaled)
        shares /= shares.sum(1, keepdims=True)
        return parts, shares

    def _candidate(self, place: int, share: float, sentence: str) -> TechniqueCandidate:
        name = self.config.techniques[place]
        return TechniqueCandidate(name, self.config.names[place], share, sentence, name)


def _with_clauses(text: str) -> list[str]:
    """Return a text's sentences, each followed by its clauses where it has several."""
    found: list[str] = []
    for sentence in sentences(text):
        found.append(sentence)
        parts = [part for part in _CLAUSE.split(sentence) if len(part.split()) >= _LEAST_WORDS]
        found += parts if len(parts) > 1 else []
    return found


def main_techniques(found: Sequence[TechniqueCandidate]) -> list[str]:
    """Return the techniques that candidates belong to, sub-techniques by their parents, sorted."""
    return sorted({candidate.id.split(".")[0] for candidate in found})
