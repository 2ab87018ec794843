"""The format of a specialist's model folder, shared by its writer and its loader.

A folder holds ``model.onnx``, ``tokenizer.json``, ``config.json`` (a ``SpecialistConfig``) and
``README.md``, the model card.

The ONNX graph takes ``input_ids`` and ``attention_mask``, both int64 of shape (B, T), padded on
the right, and gives ``logits``, float32 of shape (B, L, C): for each text and each labeller a
score per label. Probabilities are softmax(logits / temperature).
"""

from __future__ import annotations

from typing import Final

import msgspec

FORMAT_VERSION: Final = 2
CONFIG_FILE: Final = "config.json"
GRAPH_FILE: Final = "model.onnx"
TOKENIZER_FILE: Final = "tokenizer.json"
CARD_FILE: Final = "README.md"
RESULTS_FILE: Final = "training.json"
ANALYST_TECHNIQUES_FILE: Final = "vulnerability.json"
"""In a technique specialist's folder: the linear model of CVEs' techniques, and its digest."""


class SpecialistConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``config.json`` holds.

    Attributes:
        format_version: Version of the folder's format.
        name: The model's name.
        version: The model's version.
        labels: CWE ids, in the order of the graph's last axis (C).
        labellers: Whose conventions it knows, in the order of the graph's middle axis (L).
        max_tokens: Tokens of a text that it reads, special tokens included.
        temperature: For each labeller, the number that logits are divided by, above 0.
        threshold: For each labeller, the confidence (0 to 1) under which the model abstains.
        precision: For each labeller, pairs of a precision (0 to 1), ascending, and the least
            confidence at and above which validation rows reached it. Since format version 2.
        sha256: Hexadecimal digests of the graph's and the tokenizer's file, by file name.
        taxonomy_version: Version of the CWE catalogue that its labels come from.
        provenance: Where it comes from: base model, training data by hash, commit and so on.
        years: First and last year whose practice it was taught apart, or empty. A record is read
            as of its own year, the nearest of these.
        assumed_year: As of which year a text is read whose year nobody says, if it uses one of
            ``settled_names``; 0 for none.
        settled_names: Names of weaknesses, as ``core.text.settled_names`` writes them, whose id
            is settled by now whatever the wording around them dates from.
    """

    format_version: int
    name: str
    version: str
    labels: tuple[str, ...]
    labellers: tuple[str, ...]
    max_tokens: int
    temperature: dict[str, float]
    threshold: dict[str, float]
    sha256: dict[str, str]
    taxonomy_version: str
    provenance: dict[str, str]
    precision: dict[str, tuple[tuple[float, float], ...]] = {}
    years: tuple[int, int] | None = None
    assumed_year: int = 0
    settled_names: tuple[str, ...] = ()

    def read_as_of(self, year: int, named: bool) -> int:
        """Return the year that a text is read as of, 0 for none.

        Args:
            year: Its own, 0 where nobody says.
            named: Whether it uses a settled name.
        """
        if self.years is None:
            return 0
        if year:
            return min(max(year, self.years[0]), self.years[1])
        return self.assumed_year if named else 0

    def threshold_at(self, labeller: str, precision: float) -> float | None:
        """Return the least confidence with which a precision was reached, or None if it was not."""
        reached = (limit for share, limit in self.precision.get(labeller, ()) if share >= precision)
        return next(reached, None)
