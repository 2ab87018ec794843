"""AthenaBench: its question files and its ``*-scored.jsonl`` results, one JSON object a line.

Questions have ``prompt`` and ``answer``, and by task ``description`` or ``question`` with
``option_a`` to ``option_e``; sources are ``url`` or ``cve_id``. Scored lines have ``id``,
``prompt``, ``response``, ``prediction``, ``answer`` and ``score``: 1 or 0; for VSP the absolute
deviation of the base score; for TAA an object.

A scored line's ``id`` is a line of the full benchmark, even in runs of the small public one, so it
names no line of the file at hand. What a question and its answers share is the prompt, and a hash
of it is their id here.

Source: Alam et al., AthenaBench, arXiv 2511.01144, and its public repository.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from cybersecqwen.core.answer_parsing import AnswerKind, canonical_answer
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.lenient_json import LenientDecoder
from cybersecqwen.core.records import Question

_LOG = logging.getLogger(__name__)
_ItemT = TypeVar("_ItemT")
_LineT = TypeVar("_LineT")

_KINDS: dict[str, AnswerKind] = {
    "rcm": "cwe",
    "mcq": "choice",
    "vsp": "cvss",
    "ate": "techniques",
    "taa": "actor",
}


class _AthenaItem(msgspec.Struct, frozen=True):
    prompt: str
    answer: str
    id: int | str | None = None
    url: str = ""
    cve_id: str = ""
    description: str = ""
    scenario: str = ""
    question: str = ""
    option_a: str = ""
    option_b: str = ""
    option_c: str = ""
    option_d: str = ""
    option_e: str = ""

    @property
    def choices(self) -> tuple[str, ...]:
        options = (self.option_a, self.option_b, self.option_c, self.option_d, self.option_e)
        return tuple(option for option in options if option)


_SCENARIO = re.compile(r"\bscenario\W*?:\s*(.+?)(?=\n\s*\n|\Z)", re.IGNORECASE | re.DOTALL)


def _subject(item: _AthenaItem, task: str) -> str:
    """Return an item's bare subject.

    A row of ATE has the right technique's own description as ``description``: its subject is the
    scenario, from its own field or the prompt, or else the whole prompt.
    """
    if task != "ate":
        return (item.question or item.description).strip()
    told = _SCENARIO.findall(item.prompt)
    return (item.scenario or (told[-1] if told else item.prompt)).strip()


class _Scored(msgspec.Struct, frozen=True):
    id: int | str
    prompt: str
    response: str | None
    answer: str
    prediction: Any = None
    score: Any = None


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """One line of a ``*-scored.jsonl``.

    Attributes:
        id: The item's id, as ``read_questions`` gives it.
        prompt: What the model was asked.
        response: What it wrote; empty where the run has none.
        prediction: The released reading, in canonical form, or None where nothing was read.
        gold: The expected answer, in canonical form.
        correct: Whether the release counts it as right.
    """

    id: str
    prompt: str
    response: str
    prediction: str | None
    gold: str
    correct: bool


def read_questions(path: Path, task: str) -> list[Question]:
    """Read a question file.

    A record that is malformed in a field that matters is named in the log, and the rest is read.

    Args:
        path: The JSONL file.
        task: ``rcm``, ``mcq``, ``vsp``, ``ate`` or ``taa``.

    Raises:
        InputError: The file cannot be used; the message names the line and the field.
    """
    names = _Names(task)
    kept = _Kept[Question](path)
    for number, item in _read_lines(path, _AthenaItem, kept):
        kept.check_id(number, item.id)
        with kept.or_named():
            kept.items.append(_question(path, number, item, task, names))
    return kept.finish()


def _question(path: Path, number: int, item: _AthenaItem, task: str, names: _Names) -> Question:
    if task == "mcq" and len(item.choices) < 2:
        raise InputError(f"{path}:{number}: field option_a ... option_e: fewer than two")
    gold = _gold(path, number, item.answer, _KINDS[task])
    return Question(
        id=names.of(item.prompt),
        task=f"athena-{task}",
        prompt=item.prompt,
        gold=gold,
        choices=item.choices if task == "mcq" else (),
        source=item.url or item.cve_id,
        text=_subject(item, task),
    )


def read_scored(path: Path, task: str | None = None) -> tuple[str, list[ScoredAnswer]]:
    """Read scored answers and say which task they belong to.

    Args:
        path: The JSONL file.
        task: The task, or None to tell by the first expected answer's form.

    Raises:
        InputError: The file cannot be used, or two lines share an id.
    """
    kept = _Kept[ScoredAnswer](path)
    names: _Names | None = None
    for number, line in _read_lines(path, _Scored, kept):
        if task is None or names is None:
            task = task or _guess_task(line.answer)
            names = _Names(task)
        kept.check_id(number, line.id)
        with kept.or_named():
            kept.items.append(_scored(path, number, line, task, names))
    answers = kept.finish()
    if task is None:
        raise InputError(f"{path}: the file is empty")
    return task, answers


def _scored(path: Path, number: int, line: _Scored, task: str, names: _Names) -> ScoredAnswer:
    kind = _KINDS[task]
    prediction = line.prediction if isinstance(line.prediction, str) else ""
    gold = _gold(path, number, line.answer, kind)
    correct = _released_correct(path, number, line.score, task)
    return ScoredAnswer(
        id=names.of(line.prompt),
        prompt=line.prompt,
        response=line.response or "",
        prediction=canonical_answer(kind, prediction),
        gold=gold,
        correct=correct,
    )


class _Kept(Generic[_ItemT]):
    """The records of a file that can be used; the others are named in the log."""

    def __init__(self, path: Path) -> None:
        self.items: list[_ItemT] = []
        self._path = path
        self._lines: dict[str, int] = {}
        self._first: InputError | None = None

    def check_id(self, number: int, name: int | str | None) -> None:
        """Refuse the file where two lines share an id."""
        if name is not None and (first := self._lines.setdefault(str(name), number)) != number:
            raise InputError(f"{self._path}:{number}: id {name} is that of line {first} too")

    def named(self, error: InputError) -> None:
        """Name a record that is left out."""
        if self._first:
            _LOG.warning("%s; left out", error)
        else:
            self._first = error

    @contextmanager
    def or_named(self) -> Iterator[None]:
        """Name the record that the block finds malformed, and go on."""
        try:
            yield
        except InputError as error:
            self.named(error)

    def finish(self) -> list[_ItemT]:
        """Return what can be used.

        Raises:
            InputError: There are records, and none of them can be.
        """
        if self._first:
            if not self.items:
                raise self._first
            _LOG.warning("%s; left out", self._first)
        return self.items


class _Names:
    """Names items by their prompts; one that is asked twice gets the count behind its name."""

    def __init__(self, task: str) -> None:
        self._task = task
        self._counts: Counter[str] = Counter()

    def of(self, prompt: str) -> str:
        name = f"{self._task}-{hashlib.sha256(prompt.encode()).hexdigest()[:12]}"
        self._counts[name] += 1
        return name if self._counts[name] == 1 else f"{name}-{self._counts[name]}"


def _released_correct(path: Path, number: int, score: Any, task: str) -> bool:
    if isinstance(score, dict):
        score = score.get("correct")
    if not isinstance(score, int | float):
        raise InputError(f"{path}:{number}: field score: {score!r} is no number")
    # VSP's score is a distance, so none is best; floating-point dust is none.
    return abs(score) < 0.05 if task == "vsp" else score == 1


def _guess_task(answer: str) -> str:
    for task in ("rcm", "vsp", "ate", "mcq"):
        if canonical_answer(_KINDS[task], answer):
            return task
    return "taa"


def _gold(path: Path, number: int, text: str, kind: AnswerKind) -> str:
    gold = canonical_answer(kind, text)
    if gold is None:
        what = "is empty" if not text.strip() else f"{text[:40]!r} is no answer of this task"
        raise InputError(f"{path}:{number}: field answer: {what}")
    return gold


def _read_lines(
    path: Path, kind: type[_LineT], kept: _Kept[_ItemT]
) -> Iterator[tuple[int, _LineT]]:
    """Yield each line's number, from 1, and content; blank lines are an error in such files."""
    decoder = LenientDecoder(kind)
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                try:
                    item = decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    kept.named(InputError(f"{path}:{number}: {error}"))
                    continue
                yield number, item
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error}") from error
