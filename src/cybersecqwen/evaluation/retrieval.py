"""How well the knowledge base finds and answers: recall of pages, citations, honest refusals."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from cybersecqwen.core.passages import page_of
from cybersecqwen.core.records import Answer, Passage
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.core.text.terms import ids_in
from cybersecqwen.evaluation.synthetic_questions import MadeQuestion
from cybersecqwen.knowledge.base import KnowledgeBase

DEPTHS = (1, 3, 5, 10)
"""At how many pages recall is reported."""

_ATTACK_PAGE = re.compile(r"attack\.mitre\.org/(?:\w+/)+([A-Z]{1,2}\d{4})(?:/(\d{3}))?")
_OTHER_PAGE = re.compile(r"(cwe|capec)\.mitre\.org/data/definitions/(\d+)")


class Recall(msgspec.Struct, frozen=True):
    """How often the page that a question was written from is among the first pages found.

    Attributes:
        n: Questions.
        at: Share of them, by the number of pages looked at.
    """

    n: int
    at: dict[int, float]


class PageRecall(msgspec.Struct, frozen=True):
    """Recall of pages over questions.

    Attributes:
        groups: ``all``, ``no id`` (the question names none), ``with an id``, and the sources.
        left_out: Questions that come from no page of the knowledge base.
        seconds: Processor time of a search, on average.
    """

    groups: dict[str, Recall]
    left_out: int
    seconds: float


def page_at(url: str) -> str:
    """Return the id of the MITRE page at an address, or an empty string."""
    if match := _ATTACK_PAGE.search(url):
        return f"{match[1]}.{match[2]}" if match[2] else match[1]
    if match := _OTHER_PAGE.search(url):
        return f"{match[1].upper()}-{match[2]}"
    return ""


class Sought(msgspec.Struct, frozen=True):
    """A question, its options if any, and the id of its page, which the search is not shown."""

    text: str
    page: str
    choices: tuple[str, ...] = ()


def page_recall(knowledge: KnowledgeBase, asked: Iterable[Sought]) -> PageRecall:
    """Search for the page of each question."""
    places: dict[str, list[int]] = defaultdict(list)
    left_out = 0
    start = time.process_time()
    for sought in asked:
        text, page = sought.text, sought.page
        if not len(knowledge.places(page)):
            left_out += 1
            continue
        found = knowledge.pages(text, max(DEPTHS), sought.choices)
        place = found.index(page) if page in found else max(DEPTHS)
        source = page.partition("-")[0].lower() if "-" in page else "attack"
        for group in ("all", "with an id" if ids_in(text) else "no id", source):
            places[group].append(place)
    spent = time.process_time() - start
    return PageRecall(
        groups={
            group: Recall(len(all_), {k: sum(p < k for p in all_) / len(all_) for k in DEPTHS})
            for group, all_ in places.items()
        },
        left_out=left_out,
        seconds=spent / max(1, len(places["all"])),
    )


class AnswerCheck(msgspec.Struct, frozen=True):
    """What came of asking questions of our own.

    Attributes:
        answered: Share of the answerable questions that got an answer.
        right_page: Share of the answerable questions whose answer cites the page asked for.
        right_part: Share whose answer quotes the part asked for: that page's passage of that kind.
        sentences: Sentences quoted.
        held: Share of them that stand, word for word, in the passage they cite.
        refused: Share of the unanswerable questions that were refused.
        wrongly_refused: Answerable questions refused, each with its kind.
        wrongly_answered: Unanswerable questions answered, each with its kind.
    """

    answered: float
    right_page: float
    right_part: float
    sentences: int
    held: float
    refused: float
    wrongly_refused: list[str]
    wrongly_answered: list[str]


def check_answers(
    knowledge: KnowledgeBase,
    ask: Callable[[str], Answer],
    answerable: Sequence[MadeQuestion],
    unanswerable: Sequence[MadeQuestion],
) -> AnswerCheck:
    """Ask questions whose answers are known, and some that have none."""
    answers = [ask(question.text) for question in answerable]
    quoted = [held for answer in answers for held in _quotes(knowledge, answer)]
    missed = [q for q, a in zip(answerable, answers, strict=True) if not a.found]
    wrong = [question for question in unanswerable if ask(question.text).found]
    pairs = list(zip(answerable, answers, strict=True))
    return AnswerCheck(
        answered=1 - len(missed) / len(answers),
        right_page=sum(any(page_of(c) == q.page for c in a.citations) for q, a in pairs)
        / len(answers),
        right_part=sum(_has_part(q, a) for q, a in pairs) / len(answers),
        sentences=len(quoted),
        held=sum(quoted) / max(1, len(quoted)),
        refused=1 - len(wrong) / len(unanswerable),
        wrongly_refused=[f"{q.text} ({q.kind})" for q in missed],
        wrongly_answered=[f"{q.text} ({q.kind})" for q in wrong],
    )


def _quotes(knowledge: KnowledgeBase, answer: Answer) -> list[bool]:
    """Return, for each sentence quoted, whether the passage it cites holds it word for word."""
    lines = [*answer.direct, *(line for section in answer.sections for line in section.lines)]
    held = []
    for line in lines:
        if line.quoted:
            cited = [passage for c in line.citations if (passage := knowledge.cited(c))]
            held.append(any(line.text in passage.text for passage in cited))
    return held


def _has_part(question: MadeQuestion, answer: Answer) -> bool:
    return any(
        page_of(passage.id) == question.page and _is_part(passage, question.kind, answer)
        for passage in answer.passages
    )


def _is_part(passage: Passage, kind: str, answer: Answer) -> bool:
    if passage.kind == kind:
        return True
    if passage.kind not in {"relation", "facts"}:
        return False
    heading = f"{kind}: "
    return any(
        sentence in answer.text or any(name in answer.text for name in ids_in(sentence))
        for sentence in sentences(passage.text)
        if sentence.startswith(heading)
    )
