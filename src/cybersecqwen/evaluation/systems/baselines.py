"""Cheap systems that every result is printed beside."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cybersecqwen.core.answer_parsing import CWE_LAST, canonical_answer
from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.jsonl import read_rows
from cybersecqwen.core.prompts import LETTERS
from cybersecqwen.core.records import Labeller, Question
from cybersecqwen.evaluation.systems.systems import Asked, Response

_PROMPT_MARK = "CVE Description:"


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Training rows of a baseline: texts and the id of each."""

    texts: list[str]
    labels: list[str]


class MajoritySystem:
    """Always the commonest expected answer of the task itself: what a constant can reach."""

    sampled = False
    bare = True
    open_book = False
    align = 1

    def __init__(self, questions: Sequence[Question]) -> None:
        (self._answer, _), *_ = Counter(question.gold for question in questions).most_common(1)
        self.identity = {"name": f"always {self._answer}"}

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Say the same every time."""
        return (Response(self._answer) for _ in asked)


class SvmSystem:
    """TF-IDF of words and word pairs, and a linear support-vector machine.

    Args:
        rows: What to train on.
    """

    sampled = False
    bare = True
    open_book = False
    align = 1

    def __init__(self, rows: LabelledTexts) -> None:
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


class RetrievalSystem:
    """The option that the knowledge base supports best; no model at all.

    Args:
        choose: Given a question and its options, the probability of each.
        name: What the log should call it.
    """

    sampled = False
    bare = True
    open_book = True
    align = 1

    def __init__(self, choose: Callable[[str, Sequence[str]], Sequence[float]], name: str) -> None:
        self._choose = choose
        self.identity = {"name": name}

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Take the likeliest option of each question."""
        for item in asked:
            start = time.perf_counter()
            shares = self._choose(item.text, item.question.choices)
            ranked = sorted(zip(shares, LETTERS, strict=False), key=lambda pair: -pair[0])
            candidates = tuple((letter, float(share)) for share, letter in ranked)
            seconds = time.perf_counter() - start
            yield Response(candidates[0][0], candidates[0][1], candidates, seconds=seconds)


class _TrainRow(msgspec.Struct, frozen=True):
    text: str = ""
    labels: dict[str, list[str]] = {}
    prompt: str = ""
    response: str = ""


def read_training_rows(path: Path, labeller: Labeller) -> LabelledTexts:
    """Read rows for the SVM: a corpus's ``train.jsonl``, or prompt and response pairs.

    Args:
        path: JSONL file.
        labeller: Whose label to learn, where the rows have several.

    Raises:
        InputError: The file cannot be used, or has no labelled row; the message names the line.
    """
    rows = LabelledTexts([], [])
    for _, row in read_rows(path, _TrainRow, "not a training row"):
        if row.prompt:
            text = row.prompt.rpartition(_PROMPT_MARK)[2]
            label = CWE_LAST.read(row.response)
        else:
            text = row.text
            ids = row.labels.get(labeller)
            label = canonical_answer("cwe", ids[0]) if ids else None
        if text.strip() and label:
            rows.texts.append(text.strip())
            rows.labels.append(label)
    if len(set(rows.labels)) < 2:
        raise InputError(f"{path}: fewer than two different labels by {labeller} to learn")
    return rows
