"""Vulnerability texts and records to CVSS vectors, metric by metric, with the words that tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product

import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.cvss import score_of
from cybersecqwen.core.cvss_metrics import (
    METRICS_V3,
    METRICS_V4,
    QUESTIONS,
    CvssPrediction,
    MetricPrediction,
    rating,
)
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.metric_words import MetricWords
from cybersecqwen.core.records import Advisory, Labeller
from cybersecqwen.core.term_weights import WORDS_FILE
from cybersecqwen.core.text.clean import has_text, render
from cybersecqwen.core.text.denials import NOTHING_FOUND, without_denials
from cybersecqwen.core.text.record import parts_of, render_record
from cybersecqwen.specialists.cvss_agreement import AS_V3, allowed_values, make_consistent
from cybersecqwen.specialists.embedded import EmbeddedSpecialist
from cybersecqwen.specialists.folder import SpecialistFiles
from cybersecqwen.specialists.telling_words import telling_words
from cybersecqwen.specialists.tokenize import Spans

WINDOW = 512
"""Texts that are answered together."""

_STARTS = np.cumsum([0, *(question.size for question in QUESTIONS)])
_VALUES = np.array(list(product(*(range(len(v)) for v in METRICS_V3.values()))))  # (2592, 8)
_SIZES_V3 = np.array([len(values) for values in METRICS_V3.values()])
_STARTS_V3 = np.cumsum(_SIZES_V3) - _SIZES_V3
_HAS_VALUE = (
    _VALUES[:, np.repeat(np.arange(len(_SIZES_V3)), _SIZES_V3)]
    == np.concatenate([np.arange(size) for size in _SIZES_V3])
).astype(np.float64)  # (2592, 22), which of the metrics' values a vector has
_V4_FIRST = next(i for i, question in enumerate(QUESTIONS) if question.version == "4.0")


class SeverityConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a severity specialist's ``config.json`` holds.

    Attributes:
        format_version: Version of the folder's format.
        kind: ``severity``.
        name: The model's name.
        version: The model's version.
        max_tokens: Tokens of a text that it reads at once, special tokens included.
        temperature: For each scorer, and for ``4.0``, what logits are divided by.
        weight: How much the practice of giving certain values together counts, 0 for not at all.
        together: For each scorer, the logarithm of how much more often its vectors hold each
            combination of values than chance would have it, in the order of ``itertools.product``
            over the metrics and their values; in hundredths.
        words: How much the logarithm of what the words say counts beside the network's; 0 for a
            model without ``words.npz``.
        sha256: Hexadecimal digests of the model's files, by file name.
        provenance: Where it comes from.
    """

    format_version: int
    kind: str
    name: str
    version: str
    max_tokens: int
    temperature: dict[str, float]
    weight: float
    together: dict[str, tuple[int, ...]]
    words: float = 0.0
    sha256: dict[str, str]
    provenance: dict[str, str]


@dataclass(frozen=True, slots=True)
class SeverityReading:
    """What the model reads in one text.

    Attributes:
        text: As it was rendered.
        spans: Where its tokens stand in it.
        logits: Logits of all answers, (A,).
        added: What each token adds to them, (T, A).
    """

    text: str
    spans: Spans
    logits: NDArray[np.float32]
    added: NDArray[np.float32]


class SeverityScorer(EmbeddedSpecialist[SeverityConfig]):
    """An embedded model of CVSS v3.1 base metrics, and of v4.0's."""

    kind = "severity"
    schema = SeverityConfig
    outputs = ("logits", "added")

    def __init__(
        self, files: SpecialistFiles[SeverityConfig], *, threads: int | None = None
    ) -> None:
        super().__init__(files, threads=threads)
        content = files.more.get(WORDS_FILE)
        if self.config.words and content is None:
            raise ModelError(f"{files.path}: {WORDS_FILE} is missing")
        sizes = [question.size for question in QUESTIONS[:_V4_FIRST]]
        self._words = MetricWords(content, sizes) if content is not None else None

    def score(
        self, text: str | Advisory, *, scorer: Labeller = "nvd", version: str = "3.1"
    ) -> CvssPrediction:
        """Score one text or record; see ``score_many``."""
        return next(self.score_many([text], scorer=scorer, version=version))

    def score_many(
        self,
        texts: Iterable[str | Advisory],
        *,
        scorer: Labeller = "nvd",
        version: str = "3.1",
    ) -> Iterator[CvssPrediction]:
        """Score texts or records, in order.

        Args:
            texts: Descriptions, or records, which are read whole but for the vector of the party
                whose practice is asked for.
            scorer: Whose practice to follow.
            version: ``3.1``, or ``4.0``, which is known of CNAs alone and agrees with the 3.1
                vector of the same text where the two ask the same.

        Raises:
            InputError: A text has nothing to read, or there is no such version.
        """
        if version not in ("3.1", "4.0"):
            raise InputError(f"CVSS version {version} is not known; give 3.1 or 4.0")
        for reading in self.read(texts, scorer):
            yield self.answer(reading, scorer=scorer, version=version)

    def read(self, texts: Iterable[str | Advisory], scorer: Labeller) -> Iterator[SeverityReading]:
        """Read texts or records, in order; ``answer`` makes vectors of what was read.

        Raises:
            InputError: A text has nothing to read.
        """
        rendered = (_readable(text, number, scorer) for number, text in enumerate(texts, 1))
        while window := list(islice(rendered, WINDOW)):
            whole = [text for text, _ in window]
            pieces, spans = self._encoder.encode_with_spans(whole)
            found = self._graph.run(pieces.ids)
            counts = np.bincount(pieces.owners, minlength=len(window))
            ends = np.cumsum(counts)
            for (text, description), places, start, end in zip(
                window, spans, ends - counts, ends, strict=True
            ):
                logits, added = _whole(found[start:end], pieces.starts[start:end], len(places))
                yield SeverityReading(text, places, self._with_words(logits, description), added)

    def _with_words(self, logits: NDArray[np.float32], description: str) -> NDArray[np.float32]:
        """Return a text's logits with what the words of its description say of version 3.1."""
        if self._words is None:
            return logits
        said = self._words.log_probabilities(description)
        together = logits.copy()
        together[: len(said)] += self._word_weights * said
        return together

    @cached_property
    def _word_weights(self) -> NDArray[np.float32]:
        """Return what the words' log-probabilities are multiplied by to be added to logits."""
        weights = [
            self.config.words * self.config.temperature[question.scorer]
            for question in QUESTIONS[:_V4_FIRST]
            for _ in question.values
        ]
        return np.array(weights, np.float32)

    def answer(
        self, reading: SeverityReading, *, scorer: Labeller = "nvd", version: str = "3.1"
    ) -> CvssPrediction:
        """Return the vector that a scorer would give for what was read."""
        logits = reading.logits
        first = next(i for i, q in enumerate(QUESTIONS) if q.scorer == scorer)
        chosen, shares, whole = self._vector_v3(logits, scorer)
        metrics = list(METRICS_V3)
        if version == "4.0":
            chosen, shares = self._vector_v4(
                logits, dict(zip(metrics, zip(chosen, shares, strict=True), strict=True))
            )
            first, metrics, whole = _V4_FIRST, list(METRICS_V4), float(np.prod(shares))
        values = [QUESTIONS[first + i].values[number] for i, number in enumerate(chosen)]
        vector = f"CVSS:{version}/" + "/".join(
            f"{metric}:{value}" for metric, value in zip(metrics, values, strict=True)
        )
        margins = _margins(reading.added, first, chosen)
        because = telling_words(reading.text, reading.spans, margins, columns=len(chosen))
        score = score_of(vector)
        return CvssPrediction(
            vector,
            score,
            rating(score),
            version,
            scorer,
            whole,
            {
                metric: MetricPrediction(value, float(share), words)
                for metric, value, share, words in zip(
                    metrics, values, shares, because, strict=True
                )
            },
        )

    @cached_property
    def _together(self) -> dict[str, NDArray[np.float64]]:
        return {
            scorer: self.config.weight * np.array(values, np.float64) / 100
            for scorer, values in self.config.together.items()
        }

    def metric_probabilities(
        self, logits: NDArray[np.float32], scorer: Labeller
    ) -> NDArray[np.float64]:
        """Return the probabilities of the eight metrics' values, each metric alone, end to end."""
        return np.exp(self._log_shares(logits, scorer))

    def _log_shares(self, logits: NDArray[np.float32], scorer: str) -> NDArray[np.float64]:
        """Return the logarithms of what ``metric_probabilities`` returns, (22,)."""
        first = int(_STARTS[next(i for i, q in enumerate(QUESTIONS) if q.scorer == scorer)])
        part = logits[first : first + len(_HAS_VALUE[0])].astype(np.float64)
        part /= self.config.temperature[scorer]
        part -= np.repeat(np.maximum.reduceat(part, _STARTS_V3), _SIZES_V3)
        sums = np.add.reduceat(np.exp(part), _STARTS_V3)
        part -= np.repeat(np.log(sums), _SIZES_V3)
        return part

    def _vector_v3(
        self, logits: NDArray[np.float32], scorer: str
    ) -> tuple[list[int], list[float], float]:
        """Return the likeliest values of all eight metrics together, and how likely each is."""
        alone = np.zeros(1)
        for part in np.split(self._log_shares(logits, scorer), _STARTS_V3[1:]):
            alone = np.add.outer(alone, part).ravel()
        joint = self._together[scorer] + alone  # (2592,)
        joint = np.exp(joint - joint.max())
        joint /= joint.sum()
        best = int(joint.argmax())
        chosen = _VALUES[best]
        shares = (joint @ _HAS_VALUE)[_STARTS_V3 + chosen]
        return chosen.tolist(), shares.tolist(), float(joint[best])

    def _vector_v4(
        self, logits: NDArray[np.float32], v3: dict[str, tuple[int, float]]
    ) -> tuple[list[int], list[float]]:
        """Return version 4's values, which agree with version 3's where the two ask the same."""
        temperature = self.config.temperature["4.0"]
        shares = []
        for place, question in enumerate(QUESTIONS[_V4_FIRST:], _V4_FIRST):
            part = logits[_STARTS[place] : _STARTS[place] + question.size].astype(np.float64)
            part /= temperature
            shares.append(np.exp(part - _logsumexp(part)))
        decided = {name: METRICS_V3[name][number] for name, (number, _) in v3.items()}
        allowed = [allowed_values(metric, values, decided) for metric, values in METRICS_V4.items()]
        chosen = [
            options[int(share[list(options)].argmax())]
            for options, share in zip(allowed, shares, strict=True)
        ]
        make_consistent(chosen, shares, decided)
        found = []
        for metric, number, options, share in zip(METRICS_V4, chosen, allowed, shares, strict=True):
            # What version 3 decides is as sure as it is there.
            certain = v3[AS_V3.get(metric, metric)][1] if len(options) == 1 else 1.0
            found.append(certain * float(share[number] / share[list(options)].sum()))
        return chosen, found


def _readable(text: str | Advisory, number: int, scorer: Labeller) -> tuple[str, str]:
    """Return what is read of a text or record, and its description alone.

    What a text denies is left out, unless that is all that it says.
    """
    description = text.description if isinstance(text, Advisory) else text
    if not has_text(description):
        raise InputError(f"text {number} has nothing to read")
    parts = parts_of(text, scorer, severity=True) if isinstance(text, Advisory) else None
    said = without_denials(description)
    if said == NOTHING_FOUND:  # there must be a vector, and that of hardly any words is critical
        said = description
    whole = render_record(said, parts)
    return whole, render(said) if parts else whole


def _whole(
    pieces: Sequence[Sequence[NDArray[np.float32]]], starts: Sequence[int], tokens: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Join the pieces of a long text: the mean of their logits, and what each token adds to it.

    The mean has more metrics right than weights by how sure a piece is, or than the first alone.
    """
    if len(pieces) == 1:
        return pieces[0][0], pieces[0][1]
    logits = np.mean([piece[0] for piece in pieces], axis=0)
    added = np.zeros((tokens, pieces[0][1].shape[1]), np.float32)
    for (_, part), start in zip(pieces, starts, strict=True):
        inner = part[1:-1]  # the special tokens around it stand nowhere in the text
        added[start + 1 : start + 1 + len(inner)] += inner / len(pieces)
    return logits, added


def _margins(added: NDArray[np.float32], first: int, chosen: Sequence[int]) -> NDArray[np.float32]:
    """Return what each token adds to each chosen value beyond the other values' mean, (T, M)."""
    starts = _STARTS[first : first + len(chosen)]
    sizes = _STARTS[first + 1 : first + 1 + len(chosen)] - starts
    values = added[:, starts[0] : starts[-1] + sizes[-1]]  # (T, A')
    sums = np.add.reduceat(values, starts - starts[0], axis=1)  # (T, M)
    own = added[:, starts + chosen]
    margins: NDArray[np.float32] = own - (sums - own) / (sizes - 1).astype(np.float32)
    return margins


def _logsumexp(values: NDArray[np.floating]) -> float:
    top = float(values.max())
    return top + float(np.log(np.exp(values - top).sum()))
