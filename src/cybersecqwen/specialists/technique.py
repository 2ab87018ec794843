"""Sentences, scenarios and reports to ATT&CK techniques."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.text.clean import clean, render
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.specialists.folder import SpecialistFiles, load_files
from cybersecqwen.specialists.onnx_session import GraphPool
from cybersecqwen.specialists.tokenize import Encoder

_LEAST_WORDS = 3


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
        threshold: Probability from which on a sentence's technique is said of a report.
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


class TechniqueClassifier:
    """An embedded classifier of ATT&CK techniques.

    Args:
        files: The model.
        threads: Batches to run at once; None for one a core, 16 at most.

    Raises:
        ModelError: The model cannot be loaded.
    """

    def __init__(
        self, files: SpecialistFiles[TechniqueConfig], *, threads: int | None = None
    ) -> None:
        self.config = files.config
        self.digest = files.digest
        self._encoder = Encoder(files.tokenizer, self.config.max_tokens)
        self._graph = GraphPool(files.graph, ("logits",), threads)

    @classmethod
    def from_pretrained(
        cls, path: str | Path | None = None, *, threads: int | None = None
    ) -> TechniqueClassifier:
        """Load a model folder, by default the one that ships with the package.

        Raises:
            InputError: There is no model folder.
            ModelError: The model is damaged or of a newer format.
        """
        return cls(load_files(path, "technique", TechniqueConfig), threads=threads)

    @property
    def name(self) -> str:
        """The model's name and version."""
        return f"{self.config.name} {self.config.version}"

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
        """Return every technique that some sentence of a report tells of, surest first.

        Args:
            text: A report, or a part of one.
            threshold: Least probability; None for the model's own.

        Raises:
            InputError: The text has nothing to read.
        """
        least = self.config.threshold if threshold is None else threshold
        parts, shares = self._read(text)
        found: dict[int, tuple[float, int]] = {}
        for part, row in enumerate(shares[1:] if len(parts) > 1 else shares, len(parts) > 1):
            place = int(row.argmax())
            if row[place] >= max(least, found.get(place, (0.0, 0))[0]):
                found[place] = (float(row[place]), part)
        ordered = sorted(found.items(), key=lambda item: -item[1][0])
        return [self._candidate(place, share, parts[part]) for place, (share, part) in ordered]

    def _read(self, text: str) -> tuple[list[str], NDArray[np.float64]]:
        """Return the text and its sentences, and the probabilities of each, (P, C)."""
        whole = clean(text)
        cut = [part for part in sentences(whole) if len(part.split()) >= _LEAST_WORDS]
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


def main_techniques(found: Sequence[TechniqueCandidate]) -> list[str]:
    """Return the techniques that candidates belong to, sub-techniques by their parents, sorted."""
    return sorted({candidate.id.split(".")[0] for candidate in found})
