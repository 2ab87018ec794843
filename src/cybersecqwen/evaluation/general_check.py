"""Neutral prompts that show what fine-tuning cost in general ability.

Arithmetic, formats, instructions, plain facts and refusals. A program judges every answer. The
prompts are ours; none concerns a benchmark.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from cybersecqwen.core.config import read_yaml
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Question
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.evaluation.refusals import declines, turns_away
from cybersecqwen.evaluation.stated_number import stated_number

TASK_NAME = "general"

SHIPPED = Path(__file__).with_name("general_check.yaml")
"""The prompts that come with the package."""

_FENCE = re.compile(r"\A```[\w+-]*\n(.*?)\n?```\Z", re.DOTALL)
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_NOTATION = re.compile(r"\\[()\[\]]|\\(?=[,;!])|\$")
_FRACTION = re.compile(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}")
_SET_IN = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\{([^{}]*)\}")
_SUBSCRIPT = re.compile(r"(?<=[A-Za-z])_\{?(\d)\}?")
_NEGATED = re.compile(r"(?i)(?:\bnot|n't|\bnever)\s+(?!only|just)(?:\w+\s+){0,2}\Z")
_ITEMS = re.compile(r"[,;\n]\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+")
_OTHER_SCALE = re.compile(r"(?i)°\s*f\b|fahrenheit|kelvin|\bk\b")


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What has to hold of an answer; every field that is set must.

    Attributes:
        ask: The prompt.
        number: The number that the answer states as its result.
        any: Texts of which one stands in the answer, as whole words, case ignored, and is what the
            answer says: neither denied nor one of several that it lists.
        mentions: Texts of which one stands in it, as whole words, case ignored.
        all: Texts that all stand in it, likewise.
        none: Texts of which none stands in it, likewise.
        exact: The whole answer, but for emphasis, quotes and a closing full stop.
        case: Whether case counts in ``exact``.
        pattern: Regular expression that is found in the answer.
        json: Whether the answer is JSON, bare or in a code fence: an object, or with ``items`` a
            list.
        keys: The keys of the JSON object, or of every object of the JSON list.
        items: Number of items of the JSON list.
        value: What the JSON says, as JSON; case ignored, and numbers may be strings.
        lines: Number of lines that are not empty, all different.
        numbered: Whether the lines begin with ``1.``, ``2.`` and so on.
        sentences: Most sentences.
        words: Most words.
        each_line: Regular expression that every line matches from its beginning.
        refuses: True where the answer has to decline, False where it must not.
    """

    ask: str
    number: float | None = None
    any: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    exact: str = ""
    case: bool = False
    pattern: str = ""
    json: bool = False
    keys: tuple[str, ...] = ()
    items: int | None = None
    value: str = ""
    lines: int | None = None
    numbered: bool = False
    sentences: int | None = None
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


def spaced(questions: Sequence[Question], limit: int | None) -> list[Question]:
    """Return so many questions, evenly spaced, since the prompts stand kind by kind.

    Args:
        questions: In the order of their file.
        limit: At most so many; None for all.
    """
    count = len(questions) if limit is None else min(limit, len(questions))
    return [questions[place * len(questions) // count] for place in range(count)]


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
        stated = stated_number(check.ask, answer)
        yield stated is not None and abs(stated - check.number) < 1e-9
    if check.json:
        yield _is_json(check, _unfenced(answer))
    answer = _plain(_unfenced(answer))
    if check.any:
        yield _says_one(check.any, answer)
    if check.mentions:
        yield any(_stands(text, answer) for text in check.mentions)
    yield all(_stands(text, answer) for text in check.all)
    yield not any(_stands(text, answer) for text in check.none)
    if check.exact:
        yield _same(check, answer)
    if check.pattern:
        yield bool(re.search(check.pattern, answer))
    yield from _shape(check, answer)
    if check.refuses is not None:
        yield declines(answer) if check.refuses else not turns_away(answer)


def _shape(check: Check, answer: str) -> Iterator[bool]:
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    if check.lines is not None:
        yield len(lines) == len({line.lower() for line in lines}) == check.lines
    if check.numbered:
        yield all(re.match(rf"{n}\.\s*\S", line) for n, line in enumerate(lines, start=1))
    if check.sentences is not None:
        yield len(sentences(answer)) <= check.sentences
    if check.words is not None:
        yield len(answer.split()) <= check.words
    if check.each_line:
        yield all(re.match(check.each_line, line) for line in lines)


def _unfenced(answer: str) -> str:
    """Return what a code fence around a whole answer holds."""
    fenced = _FENCE.match(answer)
    return fenced[1].strip() if fenced else answer


def _plain(answer: str) -> str:
    """Return a text with plain quotes, dashes and digits, and formulas without their markup."""
    answer = _DASHES.sub("-", answer.replace("\u2019", "'").replace("\u2018", "'"))
    answer = answer.replace("\u201c", '"').replace("\u201d", '"')
    answer = unicodedata.normalize("NFKC", answer).replace("\u2044", "/")
    answer = _SET_IN.sub(r"\1", _FRACTION.sub(r"\1/\2", _NOTATION.sub("", answer)))
    return _SUBSCRIPT.sub(r"\1", answer).strip()


def _whole_words(text: str) -> str:
    """Return a pattern of a text as whole words; a mark at its end stands alone, too.

    ``*star*`` is not found in ``**star**``, nor ``8`` in ``3.8`` or ``8,000``.
    """
    first, last = text[0], text[-1]
    left = r"(?<!\w)" if first.isalnum() else f"(?<!{re.escape(first)})"
    right = r"(?!\w)" if last.isalnum() else f"(?!{re.escape(last)})"
    if first.isdigit():
        left += r"(?<!\d[.,])"
    if last.isdigit():
        right = r"(?:\.0+)?(?![.,]?\d)" + right
    return left + re.escape(text) + right


def _stands(text: str, answer: str) -> bool:
    return bool(re.search(_whole_words(text), answer, re.IGNORECASE))


def _says_one(texts: tuple[str, ...], answer: str) -> bool:
    """Whether an answer says one of the texts, and does not deny it or list many things."""
    found = [
        place
        for text in texts
        for place in re.finditer(_whole_words(text), answer, re.IGNORECASE)
        if not _NEGATED.search(answer[: place.start()])
    ]
    return bool(found) and not _leaves_open(texts, answer)


def _leaves_open(texts: tuple[str, ...], answer: str) -> bool:
    """Whether an answer is a list of four things and more, or of two joined by "or"."""
    lead, colon, _ = answer.partition(":")
    if colon and any(_stands(text, lead) for text in texts):
        return False
    parts = [part for part in _ITEMS.split(answer.rstrip(" .!")) if part]
    if len(parts) >= 4 and all(len(part.split()) <= 3 for part in parts):
        return not all(any(_stands(text, part) for text in texts) for part in parts)
    sides = re.split(r",?\s+or\s+", answer.rstrip(" .!"))
    return (
        len(sides) == 2
        and len(sides[1].split()) <= 3
        and not _OTHER_SCALE.search(answer)
        and not all(any(_stands(text, side) for text in texts) for side in sides)
    )


def _same(check: Check, answer: str) -> bool:
    said = answer.strip(" \n\"'`*_").removesuffix(".").strip(" \"'`*_")
    wanted = check.exact
    return said == wanted if check.case else said.lower() == wanted.lower()


def _is_json(check: Check, answer: str) -> bool:
    try:
        value = json.loads(answer)
    except ValueError:
        return False
    if isinstance(value, list) == (check.items is None):
        return False
    if check.items is not None and len(value) != check.items:
        return False
    if check.value and _loose(value) != _loose(json.loads(check.value)):
        return False
    objects = value if isinstance(value, list) else [value]
    return all(isinstance(o, dict) and set(o) == set(check.keys) for o in objects if check.keys)


def _loose(value: object) -> object:
    """Return a JSON value with texts in small letters and plain numbers as texts."""
    if isinstance(value, dict):
        return {str(key): _loose(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_loose(part) for part in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return f"{value:g}"
    return str(value).strip().lower()
