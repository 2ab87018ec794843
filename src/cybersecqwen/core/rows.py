"""The rows of files that this package writes and reads again: corpora, conversations, quizzes.

Each type is the schema of one kind of JSONL file. ``corpus`` writes them; ``training`` and
``evaluation`` read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.jsonl import read_rows

CVE_ID = re.compile(r"CVE-(\d{4})-(\d{4,})", re.IGNORECASE)

REPLAY_FILE = "replay.jsonl"
"""In a corpus's folder: a base's own answers to neutral prompts, to be learnt beside the corpus."""

REPLAY_KIND = "replay"
"""Kind of those rows."""

MOST_OPTIONS = 10
"""Options of a multiple-choice question, at most."""


def labels_of(
    nvd: tuple[str, ...] = (), cna: tuple[str, ...] = (), adp: tuple[str, ...] = ()
) -> dict[str, tuple[str, ...]]:
    """Return the labels of a corpus row: every labeller's ids, empty where it assigned none."""
    return {"nvd": nvd, "cna": cna, "adp": adp}


class CorpusRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A labelled description: a line of a corpus's ``train.jsonl`` or ``validation.jsonl``.

    Attributes:
        id: CVE id.
        text: Description as published.
        published: ``YYYY-MM-DD``, or an empty string when unknown.
        labels: Weakness ids per labeller, each in the labeller's own order, the main one first.
        near_train_duplicate: In validation only: whether a training row is a near-duplicate.
        title: The CNA's title of the record.
        assigner: Short name of the CNA.
        product: Vendor and product, as ``core.text.record`` writes them.
        hosts: Host names of the references.
        vectors: CVSS vectors of versions 3 and 4 per scorer, each in the scorer's own order.
    """

    id: str
    text: str
    published: str
    labels: dict[str, tuple[str, ...]]
    near_train_duplicate: bool = False
    title: str = ""
    assigner: str = ""
    product: str = ""
    hosts: tuple[str, ...] = ()
    vectors: dict[str, tuple[str, ...]] = {}

    def ids(self, labeller: str) -> tuple[str, ...]:
        """Return the ids that a labeller assigned."""
        return self.labels.get(labeller, ())

    @property
    def labelled(self) -> bool:
        """Whether any labeller assigned an id."""
        return any(self.labels.values())

    @property
    def scored(self) -> bool:
        """Whether anybody published a CVSS vector."""
        return any(self.vectors.values())

    @property
    def year(self) -> int | None:
        """Year of publication, else the id's year, else None."""
        if self.published:
            return int(self.published[:4])
        match = CVE_ID.match(self.id)
        return int(match[1]) if match else None


class _StoredCorpusRow(msgspec.Struct):
    """A line as any version of this package wrote it, or as a user's own file has it."""

    id: str
    text: str
    published: str = ""
    labels: dict[str, tuple[str, ...]] = {}
    near_train_duplicate: bool = False
    familiar: bool = False  # the key's name up to version 0.1
    title: str = ""
    assigner: str = ""
    product: str = ""
    hosts: tuple[str, ...] = ()
    vectors: dict[str, tuple[str, ...]] = {}


def read_corpus_rows(path: Path) -> Iterator[tuple[int, CorpusRow]]:
    """Yield the rows of a corpus file with their line numbers, counted from 1.

    Raises:
        InputError: The file is missing or a line is not a corpus row; the message names the line.
    """
    for number, row in read_rows(path, _StoredCorpusRow, "not a corpus row"):
        near = row.near_train_duplicate or row.familiar
        yield (
            number,
            CorpusRow(
                row.id,
                row.text,
                row.published,
                row.labels,
                near,
                row.title,
                row.assigner,
                row.product,
                row.hosts,
                row.vectors,
            ),
        )


class TrainingLine(msgspec.Struct, frozen=True):
    """A line of anybody's training data, with what is there of it.

    A corpus row of ours has ``text`` and ``labels``, a conversation ``prompt`` and ``response``;
    files of others name a description ``description``, or hold ``messages`` with a ``role`` and
    a ``content`` each.
    """

    id: str | int = ""
    cve: str = ""
    source: str = ""
    text: str = ""
    description: str = ""
    prompt: str = ""
    response: str = ""
    messages: tuple[dict[str, str], ...] = ()
    labels: dict[str, tuple[str, ...]] | None = None
    kind: str = ""


class ChatRow(msgspec.Struct, frozen=True):
    """A supervised conversation turn: a line of a chat corpus.

    Attributes:
        prompt: User message.
        response: Assistant message to learn.
        source: Record and passages that the response is taken from.
        kind: Question kind, for the mixture report.
    """

    prompt: str
    response: str
    source: str = ""
    kind: str = ""


def read_chat_rows(path: Path) -> Iterator[tuple[int, ChatRow]]:
    """Yield the rows of a chat corpus's file with their line numbers, counted from 1.

    Raises:
        InputError: The file is missing, or a line is no such row; the message names the line.
    """
    for number, row in read_rows(path, ChatRow, "no prompt and response"):
        if not row.prompt.strip() or not row.response.strip():
            raise InputError(f"{path}:{number}: an empty prompt or response")
        yield number, row


class QuizRow(msgspec.Struct, frozen=True):
    """A multiple-choice question with its evidence: a line of a quiz's file.

    Attributes:
        id: Unique within the quiz and stable for one recipe and one version of the sources.
        kind: What is asked, such as ``technique-mitigation``.
        wording: Family of the wording: ``plain``, ``exam``, ``analyst`` or ``terse``.
        paraphrase_level: 0 verbatim, 1 shortened, 2 shortened, reworded and with words left out.
        question: The question.
        choices: Options, in order.
        answer: Index of the right option, from 0.
        page: Id of the page that decides.
        passage: Citation id of the passage that decides.
        evidence: That passage's text.
        source: Name of the source it comes from.
        version: That source's version.
    """

    id: str
    kind: str
    wording: str
    paraphrase_level: int
    question: str
    choices: tuple[str, ...]
    answer: int
    page: str
    passage: str
    evidence: str
    source: str
    version: str

    @property
    def right(self) -> str:
        """The right option."""
        return self.choices[self.answer]


class _StoredQuizRow(msgspec.Struct):
    """A line as any version of this package wrote it, or as a user's own file has it."""

    id: str
    question: str
    choices: tuple[str, ...]
    answer: int
    kind: str = ""
    wording: str = ""
    paraphrase_level: int = 0
    thinned: int = 0  # the key's name up to version 0.1
    page: str = ""
    passage: str = ""
    evidence: str = ""
    source: str = ""
    version: str = ""


def read_quiz_rows(path: Path) -> Iterator[tuple[int, QuizRow]]:
    """Yield a quiz's questions with their line numbers, counted from 1.

    Raises:
        InputError: The file is missing, a line is no question, its answer is no option, or its id
            is an earlier line's; the message names the line.
    """
    seen: dict[str, int] = {}
    for number, row in read_rows(path, _StoredQuizRow, "no question of a quiz"):
        where = f"{path}:{number}: {row.id}"
        if seen.setdefault(row.id, number) != number:
            raise InputError(f"{where}: the id is that of line {seen[row.id]} too")
        if not (2 <= len(row.choices) <= MOST_OPTIONS and 0 <= row.answer < len(row.choices)):
            raise InputError(f"{where}: the answer is none of 2 to {MOST_OPTIONS} options")
        yield (
            number,
            QuizRow(
                row.id,
                row.kind,
                row.wording,
                row.paraphrase_level or row.thinned,
                row.question,
                row.choices,
                row.answer,
                row.page,
                row.passage,
                row.evidence,
                row.source,
                row.version,
            ),
        )
