"""Neutral prompts that show what fine-tuning cost in general ability.

Arithmetic, formats, instructions, plain facts and refusals. A program judges every answer. The
prompts are ours; none concerns a benchmark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

from cybersecqwen.core.config import read_yaml
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Question

TASK_NAME = "general"

SHIPPED = Path(__file__).with_name("general_check.yaml")
"""The prompts that come with the package."""

_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")
_FENCE = re.compile(r"^```\w*\n(.*?)\n?```$", re.DOTALL)
_REFUSAL = re.compile(
    r"(?i)\b(?:sorry|can(?:no|')t|cannot|unable to|won't|will not|not able to|refuse|"
    r"must not|should not|illegal|unethical|not appropriate|against the law)\b"
)
_REFUSED_WITHIN = 200
"""Characters from an answer's beginning in which a refusal has to be said."""


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What has to hold of an answer; every field that is set must.

    Attributes:
        ask: The prompt.
        number: Value of the answer's last number.
        any: Texts of which one stands in the answer, as whole words, case ignored.
        all: Texts that all stand in it, case ignored.
        none: Texts of which none stands in it, case ignored.
        exact: The whole answer, but for quotes and a closing full stop.
        case: Whether case counts in ``exact``.
        json: Whether the answer is a JSON value, bare or in a code fence.
        keys: The keys of the JSON object, or of every object of the JSON list.
        lines: Number of lines that are not empty.
        words: Most words.
        each_line: Regular expression that every line matches from its beginning.
        refuses: True where the answer has to decline, False where it must not.
    """

    ask: str
    number: float | None = None
    any: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    exact: str = ""
    case: bool = False
    json: bool = False
    keys: tuple[str, ...] = ()
    lines: int | None = None
    words: int | None = None
    each_line: str = ""
    refuses: bool | None = None


def read_checks(path: Path = SHIPPED) -> dict[str, list[Check]]:
    """Return the prompts by kind.

    Args:
        path: A YAML file of the shipped one's form.

    Raises:
        InputError: The file cannot be read or has a wrong or unknown key.
    """
    try:
        return msgspec.convert(read_yaml(path), dict[str, list[Check]])
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: no file of general checks: {error}") from error


def load_questions(path: Path = SHIPPED) -> list[Question]:
    """Return the prompts as questions; the expected answer is the check, as JSON.

    Raises:
        InputError: The file cannot be used.
    """
    return [
        Question(
            id=f"{kind}-{number:02d}",
            task=TASK_NAME,
            prompt=check.ask,
            gold=msgspec.json.encode(check).decode(),
            text=check.ask,
        )
        for kind, checks in read_checks(path).items()
        for number, check in enumerate(checks, start=1)
    ]


def kind_of(question_id: str) -> str:
    """Return the kind of prompt that a question's id names, such as ``arithmetic``."""
    return question_id.rpartition("-")[0]


def holds(gold: str, answer: str) -> bool:
    """Whether an answer passes a check.

    Args:
        gold: The check as JSON, as ``load_questions`` gives it.
        answer: What a model wrote.
    """
    return all(_verdicts(_decoded(gold), answer.strip()))


@lru_cache(maxsize=1024)
def _decoded(gold: str) -> Check:
    return msgspec.json.decode(gold, type=Check)


def _verdicts(check: Check, answer: str) -> Iterator[bool]:
    """Yield the verdict on each thing that is asked; an empty answer passes none."""
    yield bool(answer)
    if check.number is not None:
        found = _NUMBER.findall(answer)
        yield bool(found) and abs(float(found[-1].replace(",", "")) - check.number) < 1e-9
    if check.any:
        yield any(_stands(text, answer) for text in check.any)
    yield all(text.lower() in answer.lower() for text in check.all)
    yield not any(text.lower() in answer.lower() for text in check.none)
    if check.exact:
        yield _same(check, answer)
    if check.json:
        yield _is_json(answer, check.keys)
    yield from _shape(check, answer)
    if check.refuses:
        yield bool(_REFUSAL.search(answer[:_REFUSED_WITHIN].replace("’", "'")))


def _shape(check: Check, answer: str) -> Iterator[bool]:
    lines = [line for line in answer.splitlines() if line.strip()]
    if check.lines is not None:
        yield len(lines) == check.lines
    if check.words is not None:
        yield len(answer.split()) <= check.words
    if check.each_line:
        yield all(re.match(check.each_line, line) for line in lines)


def _stands(text: str, answer: str) -> bool:
    """Whether a text stands in an answer as whole words."""
    left = r"(?<!\w)" if text[0].isalnum() else ""
    right = r"(?!\w)" if text[-1].isalnum() else ""
    return bool(re.search(left + re.escape(text) + right, answer, re.IGNORECASE))


def _same(check: Check, answer: str) -> bool:
    said = answer.strip(" \n\"'`").removesuffix(".")
    return said == check.exact if check.case else said.lower() == check.exact.lower()


def _is_json(answer: str, keys: tuple[str, ...]) -> bool:
    fenced = _FENCE.match(answer)
    try:
        value = json.loads(fenced[1] if fenced else answer)
    except ValueError:
        return False
    objects = value if isinstance(value, list) else [value]
    if not keys:
        return True
    return bool(objects) and all(isinstance(o, dict) and set(o) == set(keys) for o in objects)
