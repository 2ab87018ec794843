"""Questions that a language model writes from passages, put as no wording of ours puts them.

Each is read by the model once more, beside its passage: kept is what it then answers rightly in
two orders of the options. That takes out questions that the passage does not answer and options
that are right by mistake, as far as the model sees it.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.ensemble import softmax
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.passages import page_of
from cybersecqwen.core.prompts import LETTERS, option_lines
from cybersecqwen.core.records import Passage
from cybersecqwen.core.rows import QuizRow
from cybersecqwen.core.text.clean import clean
from cybersecqwen.corpus.catalogue_graph import CatalogueGraph, CatalogueLibrary
from cybersecqwen.corpus.journal import Journal, key_of
from cybersecqwen.corpus.quiz.recipe import QuizRecipe

WRITTEN = "written"
"""Kind and wording of these questions."""

_ASK = """\
Write one multiple-choice question for a certification exam about {catalogue}. The text below must \
answer it, but the reader of the exam does not see the text: never write "the text", "the passage" \
or "described". {how}
Write exactly five lines and nothing else:
Q: the question
R: the right answer
W: a wrong answer that sounds plausible
W: another wrong answer
W: another wrong answer

Text: {title} ({page}{part}). {text}"""
_HOW = (
    "Ask it directly.",
    "Name the id {page} in the question.",
    "Name the subject in the question, without any id.",
    "Do not name the subject; describe it, and let the right answer be its name.",
    "Describe a short situation first, then ask.",
    'Ask with "Which of the following".',
    "Ask for the purpose or the reason.",
    "Ask which is the BEST or the MOST likely.",
    "Ask for a detail that only somebody who knows the page would know.",
    "Let the answers be short names.",
    "Let the answers be whole sentences of similar length.",
    "Ask in one short line.",
)
_CHECK = "Text: {title}. {text}\n\n{question}\n\n{options}\n\n" + (
    "Reply with the letter of the best answer alone."
)
# Share of the passages of a kind that are asked about; descriptions come first on a page.
_SHARES = {
    "description": 1.0, "background": 0.9, "mitigation": 0.8, "flow": 0.7, "detection": 0.65,
    "prerequisite": 0.6, "introduction": 0.6, "consequence": 0.5, "skill": 0.5, "resource": 0.5,
    "example": 0.3, "relation": 0.3, "note": 0.3, "facts": 0.25, "procedure": 0.12, "mapping": 0.1,
}  # fmt: skip
_SHOWN = 130  # words of a passage
_LEAST_TEXT = 60  # characters of a passage
_WRONG = 3
_LEAST_SHARE = 0.6
_LINE = re.compile(r"^\W*(?:\d+[.)]\s*)?([QRW])\d?\**\s*[:.)]\s*(.+?)\s*$")
_LETTERED = re.compile(r"^[A-D][.)]\s+")
_TELLS = re.compile(
    r"\b(?:the|this|above|given|provided) (?:text|passage|description|excerpt|information)\b|"
    r"\bdescribed (?:above|in)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Request:
    passage: Passage
    page: str
    text: str
    prompt: str


def written_questions(
    graph: CatalogueGraph,
    library: CatalogueLibrary,
    recipe: QuizRecipe,
    teacher: Backend,
    journal: Journal,
) -> list[QuizRow]:
    """Return the questions that a teacher writes and, beside their passages, answers.

    Args:
        graph: The pages.
        library: The catalogues that the graph was made of.
        recipe: How many to ask for, from which seed, of what lengths.
        teacher: The language model.
        journal: Keeps what it has written.

    Raises:
        InputError: The teacher gives no probabilities.
        ModelError: The teacher cannot answer.
    """
    if "score" not in teacher.capabilities:
        raise InputError(f"{teacher.name}: a quiz's teacher must give probabilities")
    requests = _requests(graph, library, recipe)
    rows = []
    for request, answer in zip(requests, _answers(requests, teacher, journal), strict=True):
        parsed = _parsed(answer, recipe)
        if parsed is None or not _answered(teacher, request, *parsed):
            continue
        question, choices = parsed
        rows.append(_row(library, recipe, request, question, choices))
    return rows


def _requests(
    graph: CatalogueGraph, library: CatalogueLibrary, recipe: QuizRecipe
) -> list[_Request]:
    draw = random.Random(f"{recipe.seed} {WRITTEN}")
    found = []
    for passage in library.passages:
        page = page_of(passage.id)
        share = _SHARES.get(passage.kind, 0.0) if page in graph.entries else 0.0
        share += passage.kind == "description" and passage.id == page
        times = int(share) + (draw.random() < share % 1)
        if len(passage.text) < _LEAST_TEXT:
            continue
        text = " ".join(passage.text.split()[:_SHOWN])
        part = "" if passage.kind == "description" else f", {passage.kind}"
        for _ in range(times):
            prompt = _ASK.format(
                catalogue=_catalogue(page),
                how=draw.choice(_HOW).format(page=page),
                title=passage.title,
                page=page,
                part=part,
                text=text,
            )
            found.append(_Request(passage, page, text, prompt))
    draw.shuffle(found)
    return found[: recipe.written]


def _catalogue(page: str) -> str:
    name = page.partition("-")[0]
    return name if name in {"CWE", "CAPEC"} else "MITRE ATT&CK"


def _answers(requests: Sequence[_Request], teacher: Backend, journal: Journal) -> Iterator[str]:
    """Yield what the teacher writes for each request; what the journal knows is not asked again."""
    asked = {
        key_of(teacher.name, place, request.prompt): (Message("user", request.prompt),)
        for place, request in enumerate(requests)
    }
    sampling = Sampling(temperature=0.8, top_p=0.95, max_tokens=190)
    for line in journal.answers(teacher, asked, sampling).values():
        yield line.text if line.finish == "stop" else ""


def _parsed(answer: str, recipe: QuizRecipe) -> tuple[str, tuple[str, ...]] | None:
    """Return a question and its options, the right one first; None where it is not in form."""
    said: dict[str, list[str]] = {"Q": [], "R": [], "W": []}
    for line in answer.splitlines():
        if match := _LINE.match(line):
            said[match[1]].append(clean(match[2].strip("* ")))
    if len(said["Q"]) != 1 or len(said["R"]) != 1 or len(said["W"]) < _WRONG:
        return None
    question = said["Q"][0]
    choices = tuple(_LETTERED.sub("", c) for c in (said["R"][0], *said["W"][:_WRONG]))
    least, most = recipe.lengths.question
    fits = least <= len(question) <= most and not _TELLS.search(question)
    distinct = len({choice.lower().rstrip(". ") for choice in choices}) == len(choices)
    if not fits or not distinct or max(map(len, choices)) > recipe.lengths.option:
        return None
    return question, choices


def _answered(teacher: Backend, request: _Request, question: str, choices: tuple[str, ...]) -> bool:
    """Whether the teacher, with the passage before it, finds the first option, in two orders."""
    total = [0.0] * len(choices)
    forward = list(range(len(choices)))
    for order in (forward, forward[::-1]):
        prompt = _CHECK.format(
            title=request.passage.title,
            text=request.text,
            question=question,
            options=option_lines([choices[place] for place in order]),
        )
        scores = teacher.score((Message("user", prompt),), list(LETTERS[: len(choices)]))
        for place, share in zip(order, softmax(scores), strict=True):
            total[place] += share / 2
    return total[0] == max(total) and total[0] >= _LEAST_SHARE


def _row(
    library: CatalogueLibrary,
    recipe: QuizRecipe,
    request: _Request,
    question: str,
    choices: tuple[str, ...],
) -> QuizRow:
    key = hashlib.blake2b(question.encode(), digest_size=5).hexdigest()
    order = list(range(len(choices)))
    random.Random(f"{recipe.seed} {key}").shuffle(order)
    catalogue = library.catalogue_of(request.page)
    return QuizRow(
        id=f"{WRITTEN}-{request.page}-{key}",
        kind=f"{WRITTEN}-{request.passage.kind}",
        wording=WRITTEN,
        paraphrase_level=2,
        question=question,
        choices=tuple(choices[place] for place in order),
        answer=order.index(0),
        page=request.page,
        passage=request.passage.id,
        evidence=request.passage.text,
        source=catalogue.name,
        version=catalogue.version,
    )
