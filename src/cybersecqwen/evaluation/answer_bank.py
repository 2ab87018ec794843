"""The bank of questions: asked as people type them, judged by what the answer cites.

Half of the bank, told by a hash of the question, is for measuring only: whoever changes how
questions are understood looks at the other half.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from cybersecqwen.core.config import read_yaml
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.passages import page_of
from cybersecqwen.core.records import Answer, Question

TASK_NAME = "answers"

SHIPPED = Path(__file__).with_name("answer_bank.yaml")
"""The questions that come with the package."""

Half = Literal["first", "last", "all"]
Verdict = Literal["well", "clumsy", "wrong", "refused"]
"""``well``: right and cited. ``clumsy``: about the right page, but not all that is asked.
``wrong``: about another page, or what must not be cited, or an answer where there is none.
``refused``: none where there is one."""

_CITATION = re.compile(r"\[([A-Z][\w.-]*(?:#[\w.-]+)?)\]")
_ID = re.compile(r"\b(?:(?:CWE|CAPEC)-\d+|T\d{4}(?:\.\d{3})?|TA\d{4}|[SGMCA]\d{4}|D[SC]\d{4})\b")
_REFUSED = re.compile(r"^Not in the knowledge base\b")


class BankQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A question and what its answer has to be.

    Attributes:
        question: As somebody types it.
        kind: What it asks for.
        odd: Whether it has typing errors or odd spellings.
        before: Earlier questions of the same conversation.
        must: Ids of pages that are all cited.
        any: Ids of pages of which at least one is cited.
        never: Ids of pages that are not cited.
        never_part: Parts of pages that are not cited, such as ``procedure``.
        says: Regular expressions that the answer's text matches, each.
        total: How many entries are asked for: all are named, or their number is said.
        some: A few of them, one of which is named.
        refuse: Whether nothing in the knowledge base answers it.
    """

    question: str
    kind: str
    odd: bool = False
    before: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    never_part: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    total: int = 0
    some: tuple[str, ...] = ()
    refuse: bool = False

    @property
    def half(self) -> Half:
        """Which half it belongs to."""
        text = " ".join([*self.before, self.question])
        return "last" if hashlib.sha256(text.encode()).digest()[0] % 2 else "first"


class BankScore(msgspec.Struct, frozen=True):
    """How questions of the bank were answered.

    Attributes:
        answerable: Number of questions that have an answer.
        well: Share of them answered well.
        clumsy: Share answered clumsily.
        wrong: Share answered wrongly.
        refused: Share refused.
        unanswerable: Number of questions that have none.
        rightly_refused: Share of those that were refused.
        by_kind: Number of verdicts by kind of question.
        missed: Questions not answered well, each with its verdict.
    """

    answerable: int
    well: float
    clumsy: float
    wrong: float
    refused: float
    unanswerable: int
    rightly_refused: float
    by_kind: dict[str, dict[str, int]]
    missed: list[str]


def read_bank(path: Path = SHIPPED, half: Half = "all") -> list[BankQuestion]:
    """Return the questions of a bank, or of one half.

    Raises:
        InputError: The file cannot be read, or has a wrong or unknown key.
    """
    try:
        questions = msgspec.convert(read_yaml(path), list[BankQuestion])
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: no bank of questions: {error}") from error
    return [question for question in questions if half in ("all", question.half)]


def load_questions(path: Path = SHIPPED) -> list[Question]:
    """Return the bank as questions of a task; the expected answer is the rubric, as JSON.

    Raises:
        InputError: The file cannot be used.
    """
    numbers: Counter[str] = Counter()
    questions = []
    for item in read_bank(path):
        numbers[item.kind] += 1
        asked = "\n".join([*item.before, item.question])
        questions.append(
            Question(
                id=f"{item.half}-{item.kind}-{numbers[item.kind]:03d}",
                task=TASK_NAME,
                prompt=asked,
                gold=msgspec.json.encode(item).decode(),
                text=asked,
            )
        )
    return questions


def verdict(item: BankQuestion, text: str) -> Verdict:
    """Judge an answer by its text, in which citations stand in square brackets."""
    if _REFUSED.match(text.strip()):
        return "well" if item.refuse else "refused"
    citations = _CITATION.findall(text)
    pages = {page_of(citation) for citation in citations}
    parts = {citation.partition("#")[2].partition("-")[0] for citation in citations}
    right = pages & {*item.must, *item.any}
    if item.refuse or not right or pages & set(item.never) or parts & set(item.never_part):
        return "wrong"
    whole = set(item.must) <= pages and (not item.any or bool(pages & set(item.any)))
    said = all(re.search(pattern, text) for pattern in item.says)
    return "well" if whole and said and _lists(item, text) else "clumsy"


def _lists(item: BankQuestion, text: str) -> bool:
    """Whether a text names all of what is asked for, or some of it and how many there are."""
    if not item.total:
        return True
    named = set(_ID.findall(text)) - {*item.must, *item.any}
    counted = re.search(rf"\b{item.total}\b", text) is not None
    return bool(named & set(item.some)) and (counted or len(named) >= item.total)


def holds(gold: str, answer: str) -> bool:
    """Whether an answer is right and cited, by a rubric as ``load_questions`` gives it."""
    return verdict(rubric(gold), answer) == "well"


@lru_cache(maxsize=1024)
def rubric(gold: str) -> BankQuestion:
    """Return the rubric that a question of the task carries."""
    return msgspec.json.decode(gold, type=BankQuestion)


def measure(
    ask: Callable[[str, Sequence[str]], Answer], questions: Iterable[BankQuestion]
) -> BankScore:
    """Ask questions and judge the answers.

    Args:
        ask: Answers a question, given the earlier questions of its conversation.
        questions: Questions of the bank.
    """
    by_kind: dict[str, Counter[str]] = defaultdict(Counter)
    answerable: Counter[str] = Counter()
    unanswerable: Counter[str] = Counter()
    missed = []
    for item in questions:
        found = verdict(item, ask(item.question, item.before).text)
        by_kind[item.kind][found] += 1
        (unanswerable if item.refuse else answerable)[found] += 1
        if found != "well":
            missed.append(f"{found}: {item.question} ({item.kind})")
    shares = {name: answerable[name] / max(1, answerable.total()) for name in _VERDICTS}
    return BankScore(
        answerable=answerable.total(),
        **shares,
        unanswerable=unanswerable.total(),
        rightly_refused=unanswerable["well"] / max(1, unanswerable.total()),
        by_kind={kind: dict(counts) for kind, counts in by_kind.items()},
        missed=missed,
    )


_VERDICTS: tuple[Verdict, ...] = ("well", "clumsy", "wrong", "refused")
