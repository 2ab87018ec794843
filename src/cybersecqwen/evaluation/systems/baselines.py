"""Cheap systems that every result is printed beside."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cybersecqwen.core.answer_parsing import CWE_LAST, canonical_answer
from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.errors import InputError, require_extra
from cybersecqwen.core.jsonl import read_rows
from cybersecqwen.core.records import Labeller, Question
from cybersecqwen.core.rows import TrainingLine
from cybersecqwen.evaluation.systems.base import Asked, BareTextSystem, Response

_PROMPT_MARK = "CVE Description:"


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Training rows of a baseline: texts and the id of each."""

    texts: list[str]
    labels: list[str]


class MajoritySystem(BareTextSystem):
    """Always the commonest expected answer of the task itself: what a constant can reach."""

    def __init__(self, questions: Sequence[Question]) -> None:
        (self._answer, _), *_ = Counter(question.gold for question in questions).most_common(1)
        self.identity = {"name": f"always {self._answer}"}

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Say the same every time."""
        return (Response(self._answer) for _ in asked)


class SvmSystem(BareTextSystem):
    """TF-IDF of words and word pairs, and a linear support-vector machine.

    Args:
        rows: What to train on.
    """

    def __init__(self, rows: LabelledTexts) -> None:
        require_extra("corpus", "scipy", "sklearn")
        # Heavy, and needed by this baseline alone.
        from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
        from sklearn.svm import LinearSVC  # noqa: PLC0415

        self._words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        self._machine = LinearSVC(C=1.0, random_state=0)
        self._machine.fit(self._words.fit_transform(rows.texts), rows.labels)
        self.identity = {"name": f"TF-IDF + linear SVM on {len(rows.texts):,} rows"}

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Classify the questions' bare texts."""
        start = time.perf_counter()
        found = self._machine.predict(self._words.transform([item.text for item in asked]))
        share = (time.perf_counter() - start) / max(1, len(asked))
        return (Response(str(answer), seconds=share) for answer in found)


def read_training_rows(path: Path, labeller: Labeller) -> LabelledTexts:
    """Read rows for the SVM: a corpus's ``train.jsonl``, or prompt and response pairs.

    Args:
        path: JSONL file.
        labeller: Whose label to learn, where the rows have several.

    Raises:
        InputError: The file cannot be used, or has no labelled row; the message names the line.
    """
    rows = LabelledTexts([], [])
    for _, row in read_rows(path, TrainingLine, "not a training row"):
        if row.prompt:
            text = row.prompt.rpartition(_PROMPT_MARK)[2]
            label = CWE_LAST.read(row.response)
        else:
            text = row.text
            ids = (row.labels or {}).get(labeller)
            label = canonical_answer("cwe", ids[0]) if ids else None
        if text.strip() and label:
            rows.texts.append(text.strip())
            rows.labels.append(label)
    if len(set(rows.labels)) < 2:
        raise InputError(f"{path}: fewer than two different labels by {labeller} to learn")
    return rows
