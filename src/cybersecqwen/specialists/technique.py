"""Sentences, scenarios and reports to ATT&CK techniques."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.ensemble import softmax_rows
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.records import TechniquePrediction
from cybersecqwen.core.technique_reading import (
    LEAST_SHARE,
    UNSEEN,
    ReportReading,
    ScenarioReading,
)
from cybersecqwen.core.technique_words import TechniqueWords
from cybersecqwen.core.term_weights import WORDS_FILE
from cybersecqwen.core.text.accounts import account_of
from cybersecqwen.core.text.clean import clean, has_text, render
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.specialists.embedded import EmbeddedSpecialist
from cybersecqwen.specialists.folder import SpecialistFiles

_LEAST_WORDS = 3
_LEAST_OF_ONE = 0.5
"""Least probability of what one sentence tells that the model is unsure of: reports tell several
techniques and a sentence often none."""

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
        told: Whether the graph says what a report tells, beside what a text is about.
        scenario: How a text of several sentences on one technique is read; as a sentence is where
            it is left out. Fitted on held-out scenarios.
        report: How reports are read; fitted on reports made of held-out pages.
        words: How much the likeness of a sentence's words to those of a technique adds to its
            logit; 0 for a model without ``words.npz``.
        rarity: How much the logarithm of a technique's sentences takes off it.
        examples: Sentences that each technique was learnt from; needed where ``rarity`` is not 0.
        final_temperature: What the sum of all that is divided by.
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
    told: bool = False
    scenario: ScenarioReading | None = None
    report: ReportReading = ReportReading()
    words: float = 0.0
    rarity: float = 0.0
    examples: tuple[int, ...] = ()
    final_temperature: float = 1.0
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


@dataclass(frozen=True, slots=True)
class _TextReading:
    """What is read in a text.

    Attributes:
        parts: The text, and where it has several its sentences, each followed by its clauses.
        whole: For each part, whether it is the text or a sentence.
        shares: What the network makes of each part, (P, C), each row adding up to 1.
        words: How alike each part's words are to those of each technique, (P, C).
        told: Log-odds that each part tells of each main technique among others, (P, M).
    """

    parts: list[str]
    whole: NDArray[np.bool_]
    shares: NDArray[np.float64]
    words: NDArray[np.float64]
    told: NDArray[np.float64]


class TechniqueClassifier(EmbeddedSpecialist[TechniqueConfig]):
    """An embedded classifier of ATT&CK techniques.

    Args:
        files: The model.
        threads: Batches to run at once; None for one a core, 16 at most.

    Raises:
        ModelError: The model cannot be loaded.
    """

    kind = "technique"
    schema = TechniqueConfig
    outputs = ("logits",)

    def __init__(
        self, files: SpecialistFiles[TechniqueConfig], *, threads: int | None = None
    ) -> None:
        super().__init__(files, threads=threads)
        techniques = len(self.config.techniques)
        content = files.more.get(WORDS_FILE)
        if (self.config.words and content is None) or (
            self.config.rarity and len(self.config.examples) != techniques
        ):
            raise ModelError(f"{files.path}: {WORDS_FILE} or the techniques' examples are missing")
        self._words = TechniqueWords(content, techniques) if content is not None else None

    @classmethod
    def outputs_of(cls, config: TechniqueConfig) -> tuple[str, ...]:
        """Return what is read of the graph: of an older model the techniques' logits alone."""
        return (*cls.outputs, "told") if config.told else cls.outputs

    def classify(self, text: str, *, top_k: int = 5) -> list[TechniqueCandidate]:
        """Return the likeliest techniques of a sentence, a scenario or a report, best first.

        A text of several sentences is read as a whole and sentence by sentence; what they tell of a
        technique is averaged, for it is asked which one the text is about.

        Args:
            text: What happened.
            top_k: Techniques to return at most.

        Raises:
            InputError: The text has nothing to read, or ``top_k`` is below 1.
        """
        if top_k < 1:
            raise InputError(f"top_k must be at least 1, not {top_k}")
        read = self._read(text)
        reading = self.config.scenario if len(read.parts) > 1 else None
        if reading is None:
            config = self.config
            reading = ScenarioReading(
                words=config.words, rarity=config.rarity, temperature=config.final_temperature
            )
        logits = np.log(read.shares.mean(0) + LEAST_SHARE) + reading.words * read.words[0]
        if reading.rarity:
            logits -= reading.rarity * np.log(np.array(self.config.examples) + UNSEEN)
        found = softmax_rows(logits / reading.temperature)  # (C,)
        tells = read.shares.argmax(0)
        return [
            self._candidate(int(place), float(found[place]), read.parts[tells[place]])
            for place in np.argsort(-found, kind="stable")[:top_k]
        ]

    def predict(self, text: str) -> TechniquePrediction:
        """Return the likeliest techniques of a text that is on one, and whether to trust them.

        Raises:
            InputError: The text has nothing to read.
        """
        found = self.classify(text)
        return TechniquePrediction(
            tuple((one.id, one.probability) for one in found),
            found[0].probability < self.config.threshold,
            self.name,
        )

    def scenario_terms(self, text: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what ``ScenarioReading`` adds up: log-probabilities and likeness, (C,) each.

        Raises:
            InputError: The text has nothing to read.
        """
        read = self._read(text)
        return np.log(read.shares.mean(0) + LEAST_SHARE), read.words[0]

    def techniques_of(
        self, text: str, *, threshold: float | None = None
    ) -> list[TechniqueCandidate]:
        """Return every main technique that a report tells of, surest first.

        A technique's probability is that of it and its sub-techniques together, in the sentence and
        in the clause that tell most of it; of those the likeliest is named. A text none of whose
        words is known tells of none.

        Args:
            text: A report, or a part of one.
            threshold: Least probability; None for the model's own, of a single sentence that it is
                unsure of for 0.5.

        Raises:
            InputError: The text has nothing to read.
        """
        reading = self.config.report
        read = self._read_report(text)
        if self._words and not read.words.any():
            return []
        least = threshold
        if least is None:
            alone = read.whole.sum() == 1 and read.shares[read.whole].max() < self.config.threshold
            least = max(reading.threshold, _LEAST_OF_ONE) if alone else reading.threshold
        summed = read.shares @ self._parents  # (P, M)
        odds = _report_odds(read, summed) @ reading.weights + reading.bias
        said = 1 / (1 + np.exp(-odds))  # (M,)
        found = []
        for parent in np.flatnonzero(said >= least):
            members = np.flatnonzero(self._parents[:, parent])
            part = int(summed[:, parent].argmax())
            place = int(members[read.shares[part, members].argmax()])
            found.append(self._candidate(place, float(said[parent]), read.parts[part]))
        return sorted(found, key=lambda one: -one.probability)

    def report_odds(self, text: str) -> NDArray[np.float64]:
        """Return the log-odds that ``ReportReading`` weighs of a report, (M, 4).

        The M main techniques are in the order of ``main_techniques`` of all that the model knows.

        Raises:
            InputError: The text has nothing to read.
        """
        read = self._read_report(text)
        return _report_odds(read, read.shares @ self._parents)

    @cached_property
    def _parents(self) -> NDArray[np.float64]:
        """Return which main technique each technique belongs to, (C, M)."""
        mains = [name.split(".")[0] for name in self.config.techniques]
        order = {name: place for place, name in enumerate(sorted(set(mains)))}
        table = np.zeros((len(mains), len(order)))
        table[np.arange(len(mains)), [order[name] for name in mains]] = 1
        return table

    def _read_report(self, text: str) -> _TextReading:
        """Return what is read in a report's sentences and clauses, the words' likeness added."""
        read = self._read(text, clauses=True)
        # The report as a whole is about none of its techniques.
        first = 1 if len(read.parts) > 1 else 0
        logits = np.log(read.shares + LEAST_SHARE) + self.config.words * read.words
        shares = softmax_rows(logits[first:])
        return _TextReading(
            read.parts[first:], read.whole[first:], shares, read.words[first:], read.told
        )

    def _read(self, text: str, *, clauses: bool = False) -> _TextReading:
        whole = clean(account_of(text))
        parts, flags = [whole], [True]
        cut = [part for part in sentences(whole) if len(part.split()) >= _LEAST_WORDS]
        for sentence in cut:
            within = _clauses(sentence) if clauses else []
            if len(cut) > 1 or within:
                parts += [sentence, *within]
                flags += [True, *[False] * len(within)]
        rendered = [render(part) for part in parts]
        if not rendered[0]:
            raise InputError(
                "the text has nothing to read"
                if not has_text(text)
                else "the text tells nothing of what attackers did: it is a heading, says what was "
                "not found, or is not in English"
            )
        pieces = self._encoder.encode(rendered)
        answers = self._graph.run(pieces.ids)
        logits = np.stack([answer[0] for answer in answers])
        told = np.zeros((len(parts), self._parents.shape[1]))
        if self.config.told:
            # A report longer than what is read at once tells what any of its pieces tells.
            starts = np.searchsorted(pieces.owners, np.arange(len(parts)))
            told = np.maximum.reduceat(np.stack([answer[1] for answer in answers]), starts)
        joined = pieces.join(logits, self.config.temperature).astype(np.float64)
        shares = softmax_rows(joined / self.config.temperature)
        words = self._words.likeness(rendered) if self._words else np.zeros_like(shares)
        return _TextReading(parts, np.array(flags), shares, words, told.astype(np.float64))

    def _candidate(self, place: int, share: float, sentence: str) -> TechniqueCandidate:
        name = self.config.techniques[place]
        return TechniqueCandidate(name, self.config.names[place], share, sentence, name)


def _report_odds(read: _TextReading, summed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log-odds of ``ReportReading``, (M, 4), for parts that tell (P, M) in all."""
    first = len(read.told) - len(read.parts)
    return np.stack(
        [
            _log_odds(summed[read.whole].max(0)),
            _log_odds(summed.max(0)),
            read.told[0],
            read.told[first:][read.whole].max(0),
        ],
        axis=1,
    )


def _clauses(sentence: str) -> list[str]:
    """Return a sentence's clauses where it has several."""
    parts = [part for part in _CLAUSE.split(sentence) if len(part.split()) >= _LEAST_WORDS]
    return parts if len(parts) > 1 else []


def _log_odds(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(shares, 1e-4, 1 - 1e-4)
    odds: NDArray[np.float64] = np.log(bounded / (1 - bounded))
    return odds


def main_techniques(found: Sequence[TechniqueCandidate]) -> list[str]:
    """Return the techniques that candidates belong to, sub-techniques by their parents, sorted."""
    return sorted({candidate.id.split(".")[0] for candidate in found})
