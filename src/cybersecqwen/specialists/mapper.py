"""Vulnerability text to CWE ids, with calibrated confidence."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.ensemble import softmax_rows
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.model_folder import SpecialistConfig
from cybersecqwen.core.records import Advisory, Band, Candidate, CwePrediction, Labeller
from cybersecqwen.core.taxonomy import Taxonomy, shipped_taxonomy
from cybersecqwen.core.text.clean import has_text
from cybersecqwen.core.text.denials import without_denials
from cybersecqwen.core.text.record import parts_of, render_record, year_of, year_tokens
from cybersecqwen.core.text.settled_names import SettledNameFinder
from cybersecqwen.specialists.backoff import Backoff
from cybersecqwen.specialists.model import ModelFolder, load_folder, resolve_folder
from cybersecqwen.specialists.onnx_session import Logits, Network, PendingLogits
from cybersecqwen.specialists.pretrained import copy_model, pretrained_folder
from cybersecqwen.specialists.tokenize import Encoder, Pieces

WINDOW = 1024
"""Texts that are read, sorted by length and answered together; ``map_many`` holds two windows."""


SURE_PRECISION = 0.95
"""Of the answers called sure, so many in a hundred were right on validation rows, or more."""


class CweMapper:
    """An embedded CWE classifier.

    Args:
        folder: The model.
        taxonomy: The catalogue to back off in.
        threads: Batches to run at once; None for one a core, 16 at most.

    Raises:
        ModelError: The model cannot be loaded.
    """

    window: int = WINDOW

    def __init__(
        self, folder: ModelFolder, taxonomy: Taxonomy, *, threads: int | None = None
    ) -> None:
        self.config: SpecialistConfig = folder.config
        self.folder = folder.path
        self.digest = folder.digest
        self._taxonomy = taxonomy
        self._encoder = Encoder(folder.tokenizer, self.config.max_tokens)
        shape = (len(self.config.labellers), len(self.config.labels))
        self._uses_name = SettledNameFinder(self.config.settled_names)
        self._network = Network(folder.graph, shape, threads)

    @property
    def reads_records(self) -> bool:
        """Whether it was trained on whole records; models of format 1 read descriptions alone."""
        return self.config.format_version > 1

    @classmethod
    def load(cls, path: str | Path | None = None, *, threads: int | None = None) -> CweMapper:
        """Load a model folder, by default the one that ships with the package.

        Args:
            path: The folder; None or ``embedded`` for the shipped one.
            threads: Batches that ``map_many`` runs at once; None for one a core, 16 at most.

        Raises:
            InputError: There is no model folder.
            ModelError: The model is damaged or of a newer format.
        """
        return cls(load_folder(resolve_folder(path)), shipped_taxonomy(), threads=threads)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path | None = None,
        *,
        revision: str | None = None,
        threads: int | None = None,
    ) -> CweMapper:
        """Load the shipped model, a model folder, or a model of the Hugging Face hub.

        Args:
            name_or_path: None or ``embedded`` for the shipped model; a folder; or a Hugging Face
                id, which is downloaded.
            revision: Commit, tag or branch on the hub; None for its main branch.
            threads: As for ``load``.

        Raises:
            InputError: There is no such model folder.
            ModelError: The model cannot be downloaded, is damaged or of a newer format.
        """
        return cls.load(pretrained_folder(name_or_path, revision=revision), threads=threads)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model and its card to a folder that ``from_pretrained`` reads.

        Raises:
            InputError: The folder holds something else.
        """
        copy_model(self.folder, Path(folder))

    def __reduce__(self) -> tuple[Any, ...]:
        # Sent to another process as its files: that machine need not have the folder.
        return _in_worker, (load_folder(self.folder),)

    @property
    def name(self) -> str:
        """The model's name and version."""
        return f"{self.config.name} {self.config.version}"

    @cached_property
    def _backoff(self) -> Backoff:
        return Backoff(self.config.labels, self._taxonomy)

    def map(
        self,
        text: str | Advisory,
        *,
        labeller: Labeller = "nvd",
        top_k: int = 5,
        threshold: float | None = None,
    ) -> CwePrediction:
        """Classify one text.

        Args:
            text: A vulnerability description, or a record, which is read whole.
            labeller: Whose convention to follow.
            top_k: Candidates to return at most.
            threshold: Confidence (0 to 1) under which to abstain; None for the model's own.

        Raises:
            InputError: The text has nothing to read, or an option is out of range.
            ModelError: The model does not know the labeller.
        """
        head, threshold = self._options(labeller, top_k, threshold)
        pieces = self._encode([self._readable(text, 1, labeller)])
        made = np.concatenate([self._network.run(ids, head) for ids in pieces.ids])
        logits = pieces.join(made, self.config.temperature[labeller])
        return next(self._predict(logits, labeller, top_k, threshold))

    def map_many(
        self,
        texts: Iterable[str | Advisory],
        *,
        labeller: Labeller = "nvd",
        top_k: int = 5,
        threshold: float | None = None,
    ) -> Iterator[CwePrediction]:
        """Classify texts, in order, streaming: two windows of texts are held, whatever the length.

        A text that occurs again within its window is answered once. Answers can differ from those
        of ``map`` in the last digits, since rounding depends on the batch; the same
        texts in the same order always give the same answers.

        Args:
            texts: Vulnerability descriptions, or records, which are read whole: but for what the
                labeller asked for says of them.
            labeller: As for ``map``.
            top_k: As for ``map``.
            threshold: As for ``map``.

        Raises:
            InputError: A text (named by its number, from 1) has nothing to read, or an option is
                out of range.
            ModelError: The model does not know the labeller.
        """
        head, threshold = self._options(labeller, top_k, threshold)
        rendered = (
            self._readable(text, number, labeller) for number, text in enumerate(texts, start=1)
        )

        def answer(window: _Window) -> Iterator[CwePrediction]:
            logits = window.result(self.config.temperature[labeller])
            distinct = list(self._predict(logits, labeller, top_k, threshold))
            return (distinct[place] for place in window.places)

        windows: deque[_Window] = deque()
        try:
            while chunk := list(islice(rendered, WINDOW)):
                first: dict[str, int] = {}
                places = [first.setdefault(text, len(first)) for text in chunk]
                pieces = self._encode(list(first))
                windows.append(_Window(pieces, self._network.submit(pieces.ids, head), places))
                if len(windows) > 1:
                    yield from answer(windows.popleft())
            while windows:
                yield from answer(windows.popleft())
        finally:
            for window in windows:
                window.cancel()

    def probabilities(
        self, texts: Sequence[str | Advisory], *, labeller: Labeller = "nvd"
    ) -> NDArray[np.float64]:
        """Return the probability of every id that the model knows, (N, C), for N texts or records.

        Raises:
            InputError: A text has nothing to read.
            ModelError: The model does not know the labeller.
        """
        head, _ = self._options(labeller, 1, None)
        rendered = [self._readable(text, number, labeller) for number, text in enumerate(texts, 1)]
        pieces = self._encode(rendered)
        temperature = self.config.temperature[labeller]
        logits = pieces.join(self._network.submit(pieces.ids, head).result(), temperature)
        return softmax_rows(logits / temperature)

    def predictions(
        self,
        probabilities: NDArray[np.float64],
        *,
        labeller: Labeller = "nvd",
        top_k: int = 5,
        threshold: float | None = None,
    ) -> list[CwePrediction]:
        """Return the predictions that probabilities of ``probabilities`` make."""
        _, threshold = self._options(labeller, top_k, threshold)
        temperature = self.config.temperature[labeller]
        logits = (temperature * np.log(np.maximum(probabilities, 1e-30))).astype(np.float32)
        return list(self._predict(logits, labeller, top_k, threshold))

    def threshold_at(self, precision: float, labeller: Labeller) -> float:
        """Return the confidence from which on answers reached a precision on validation rows.

        Args:
            precision: Share of the answers that is to be right, 0 to 1.
            labeller: Whose convention.

        Raises:
            InputError: Validation never reached it, or it is no share.
        """
        if not 0 < precision < 1:
            raise InputError(f"the precision must be between 0 and 1, not {precision}")
        found = self.config.threshold_at(labeller, precision)
        if found is None:
            best = max((share for share, _ in self.config.precision.get(labeller, ())), default=0)
            raise InputError(
                f"{self.name} did not reach a precision of {precision} on validation rows of "
                f"{labeller}; {best} is the highest that can be asked for"
            )
        return found

    def band(self, confidence: float, labeller: Labeller, threshold: float | None = None) -> Band:
        """Return how far an answer of a labeller's convention can be trusted.

        Args:
            confidence: Confidence of the answer, 0 to 1.
            labeller: Whose convention.
            threshold: Confidence under which it is unsure; None for the model's own.
        """
        if confidence < (self.config.threshold[labeller] if threshold is None else threshold):
            return "unsure"
        sure = self.config.threshold_at(labeller, SURE_PRECISION)
        return "sure" if sure is not None and confidence >= sure else "likely"

    def _encode(self, rendered: Sequence[str]) -> Pieces:
        """Return texts in pieces, each as of the text's year where the model knows years."""
        return self._encoder.encode(rendered, leads=[year_tokens(text) for text in rendered])

    def _readable(self, text: str | Advisory, number: int, labeller: Labeller) -> str:
        """Return a text as the model was trained to read it."""
        year = 0
        if isinstance(text, Advisory):
            year = year_of(text.id, text.published)
            if not self.reads_records:
                text = text.description
        said = text.description if isinstance(text, Advisory) else text
        named = not year and self._uses_name(said)
        return _readable(text, number, labeller, self.config.read_as_of(year, named))

    def _options(
        self, labeller: Labeller, top_k: int, threshold: float | None
    ) -> tuple[int, float]:
        """Check the options; return the labeller's place and the threshold to use."""
        if labeller not in self.config.labellers:
            known = ", ".join(self.config.labellers)
            raise ModelError(f"{self.name} does not know the labeller {labeller!r}, only {known}")
        if top_k < 1:
            raise InputError(f"top_k must be at least 1, not {top_k}")
        if threshold is None:
            threshold = self.config.threshold[labeller]
        if not 0 <= threshold <= 1:
            raise InputError(f"the threshold must be from 0 to 1, not {threshold}")
        return self.config.labellers.index(labeller), threshold

    def _predict(
        self, logits: Logits, labeller: Labeller, top_k: int, threshold: float
    ) -> Iterator[CwePrediction]:
        """Turn logits, shape (B, C), into B predictions."""
        probabilities = softmax_rows(logits / self.config.temperature[labeller])  # (B, C)
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]  # (B, K)
        top = np.take_along_axis(probabilities, best, axis=1)  # (B, K)
        unsure = np.flatnonzero(top[:, 0] < threshold)
        backoff: dict[int, Candidate | None] = {}
        if unsure.size:
            found = self._backoff.find(probabilities[unsure], threshold)
            backoff = dict(zip(unsure.tolist(), found, strict=True))
        labels = self.config.labels
        for row, (places, values) in enumerate(zip(best.tolist(), top.tolist(), strict=True)):
            candidates = tuple(map(Candidate, (labels[place] for place in places), values))
            yield CwePrediction(
                cwe=candidates[0].cwe,
                confidence=candidates[0].probability,
                candidates=candidates,
                abstained=row in backoff,
                backoff=backoff.get(row),
                band=self.band(candidates[0].probability, labeller, threshold),
            )


def _in_worker(folder: ModelFolder) -> CweMapper:
    # One process of many, so it runs one batch at a time.
    return CweMapper(folder, shipped_taxonomy(), threads=1)


class _Window:
    """A window's distinct texts on their way, and where each of its texts is among them."""

    __slots__ = ("_logits", "_pieces", "places")

    def __init__(self, pieces: Pieces, logits: PendingLogits, places: list[int]) -> None:
        self._pieces = pieces
        self._logits = logits
        self.places = places

    def cancel(self) -> None:
        """Do not run what has not begun."""
        self._logits.cancel()

    def result(self, temperature: float) -> Logits:
        """Wait for and return the distinct texts' logits, (N, C)."""
        return self._pieces.join(self._logits.result(), temperature)


def _readable(text: str | Advisory, number: int, labeller: Labeller, year: int) -> str:
    """Return what is read of a text or a record, as of a year: not what it denies."""
    description = text.description if isinstance(text, Advisory) else text
    if not has_text(description):
        raise InputError(f"text {number} has nothing to read")
    parts = parts_of(text, labeller) if isinstance(text, Advisory) else None
    return render_record(without_denials(description), parts, year)
