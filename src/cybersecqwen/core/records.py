"""The records that cross rooms.

Everything a parser yields, a model reads or an evaluation scores is one of these frozen
dataclasses; no room hands another a bare dictionary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

_NUMBER_IN_FILE = re.compile(r"(?::\d+|: (?:record|line) \d+.*)$")

LabelSource = Literal["nvd", "cna", "adp", "other"]
"""Who assigned a label or a score: NVD's analysts, the CVE's own CNA, CISA as authorised data
publisher, or anyone else (a database, a scanner, a table that does not say)."""

Labeller = Literal["nvd", "cna"]
"""Whose labelling convention a prediction should follow."""


Band = Literal["sure", "likely", "unsure"]
"""How far an answer can be trusted, by what validation showed for such answers."""

AdvisoryState = Literal["published", "reserved", "rejected", "withdrawn"]
"""What its publisher says of a record: it counts, it has no content yet, its CNA rejected it, its
database took it back."""

ProblemKind = Literal["failed", "no_description", "rejected", "reserved", "withdrawn", "note"]
"""Why a record is not answered. ``failed`` and ``no_description`` are failures; the three states
are counted and no failure; a ``note`` says something of the input and stands for no record."""

ColumnValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class CweLabel:
    """A weakness id somebody assigned to an advisory.

    Attributes:
        cwe: Canonical id such as ``CWE-79``.
        source: Who assigned it.
        assigner: Their name as the input gives it, such as ``nvd@nist.gov`` or ``GitHub``; empty
            where it gives none.
    """

    cwe: str
    source: LabelSource
    assigner: str = ""


@dataclass(frozen=True, slots=True)
class CvssVector:
    """A CVSS vector string and who published it.

    Attributes:
        vector: The vector as published, such as ``CVSS:3.1/AV:N/AC:L/...``.
        version: ``2.0``, ``3.0``, ``3.1`` or ``4.0``.
        source: Who scored it.
        assigner: Their name as the input gives it; empty where it gives none.
    """

    vector: str
    version: str
    source: LabelSource
    assigner: str = ""


@dataclass(frozen=True, slots=True)
class Advisory:
    """One vulnerability record, from whatever feed it came.

    Attributes:
        id: CVE id, or the id the input gave its row.
        description: English description, in full, exactly as published.
        labels: Weakness labels in the order their source gives them.
        cvss: CVSS vectors, likewise.
        published: Publication date as ``YYYY-MM-DD``, or an empty string when unknown.
        references: Reference URLs.
        title: Headline, or an empty string.
        aliases: Other ids of the same vulnerability, such as the CVE of a GHSA.
        assigner: Who assigned the id or wrote the record, as the input names them.
        affected: Pairs of vendor (or ecosystem) and product; either may be empty.
        modified: When it was last changed, as its source writes it (ISO 8601), or empty.
        state: What its publisher says of it.
        where: File and line, or file and record number, for messages.
        line: Line of the file where the record stands, from 1; 0 where that is not known.
        columns: What the input has beside, by its own names and in its order, to be carried
            through to outputs; nested values as JSON text.
    """

    id: str
    description: str
    labels: tuple[CweLabel, ...] = ()
    cvss: tuple[CvssVector, ...] = ()
    published: str = ""
    references: tuple[str, ...] = ()
    title: str = ""
    aliases: tuple[str, ...] = ()
    assigner: str = ""
    affected: tuple[tuple[str, str], ...] = ()
    modified: str = ""
    state: AdvisoryState = "published"
    where: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)
    columns: tuple[tuple[str, ColumnValue], ...] = field(default=(), compare=False)

    def cwes(self, source: LabelSource) -> tuple[str, ...]:
        """Return the ids that ``source`` assigned, in its own order, each once."""
        return tuple(dict.fromkeys(lab.cwe for lab in self.labels if lab.source == source))

    @property
    def file(self) -> str:
        """The file it stands in: ``where`` without the line or the record's number."""
        return _NUMBER_IN_FILE.sub("", self.where)


@dataclass(frozen=True, slots=True)
class RecordProblem:
    """A record of the input that could not be used, and why.

    Parsers yield it in the record's place, so that a stream keeps its order and nothing
    disappears silently.

    Attributes:
        where: File and line, or file and record number, counted from 1.
        id: The record's id if it could be read, else an empty string.
        reason: What is wrong, in a sentence a user can act on.
        kind: Whether it is a failure, the state of a record that needs no answer, or a note.
        advisory: What could be read of the record all the same, for a store that keeps states.
    """

    where: str
    id: str
    reason: str
    kind: ProblemKind = "failed"
    advisory: Advisory | None = field(default=None, compare=False, repr=False)

    @property
    def is_failure(self) -> bool:
        """Whether the record should have been answered and could not be."""
        return self.kind in {"failed", "no_description"}

    def row(self) -> dict[str, str]:
        """Return it as outputs write it: ``where``, ``id``, ``reason`` and ``kind``."""
        return {"where": self.where, "id": self.id, "reason": self.reason, "kind": self.kind}

    def __str__(self) -> str:
        name = f" ({self.id})" if self.id else ""
        return f"{self.where}{name}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a knowledge entry's text.

    Attributes:
        kind: As in ``Passage``.
        text: Plain text, paragraphs divided by a blank line.
        about: Id of the other entry that it concerns: the mitigation, the group whose procedure
            it is; else an empty string.
    """

    kind: str
    text: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One page of a knowledge source: a weakness, attack pattern, technique, group, mitigation ...

    Attributes:
        id: The source's own id, such as ``CWE-79``, ``CAPEC-66``, ``T1059.001`` or ``G0016``.
        name: Its name.
        kind: ``weakness``, ``category``, ``view``, ``attack pattern``, ``technique``, ``tactic``,
            ``software``, ``group``, ``campaign``, ``mitigation`` ...
        aliases: Other names.
        sections: Its text.
        links: Pairs of a relation and the id it leads to, such as ``("child of", "CWE-74")``.
        withdrawn: Whether its source has deprecated or revoked it.
        replaced_by: What its source says to use instead.
        subkind: What its source says more exactly: ``malware`` or ``tool`` of a software entry;
            else empty.
    """

    id: str
    name: str
    kind: str
    aliases: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    withdrawn: bool = False
    replaced_by: tuple[str, ...] = ()
    subkind: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A knowledge source, read.

    Attributes:
        name: ``cwe``, ``capec``, ``enterprise-attack`` ...
        version: Its own version, or its date where it states none.
        date: Date of its newest entry as ``YYYY-MM-DD``.
        sha256: Of the file's bytes as they lie on disk.
        entries: What it holds, withdrawn entries too.
        problems: What could not be read.
    """

    name: str
    version: str
    date: str
    sha256: str
    entries: tuple[Entry, ...]
    problems: tuple[RecordProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A citable piece of the knowledge base.

    Attributes:
        id: Citation id, such as ``CWE-79#mitigation-2`` or ``T1059.001``.
        title: Name of the entry it belongs to.
        kind: ``description``, ``mitigation``, ``procedure``, ``detection``, ``consequence``,
            ``relation`` and so on.
        text: Clean text.
    """

    id: str
    title: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """One item of an evaluation task.

    Attributes:
        id: Unique and stable within its task.
        task: Task name such as ``cti-rcm``.
        prompt: The text put to a system.
        choices: Answer options for multiple choice, in letter order.
        gold: The expected answer.
        source: Page or record that the question came from. Never shown to a system.
        text: The bare subject (the CVE description, the question itself), without instructions.
    """

    id: str
    task: str
    prompt: str
    gold: str
    choices: tuple[str, ...] = ()
    source: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible weakness and its calibrated probability (0 to 1)."""

    cwe: str
    probability: float


@dataclass(frozen=True, slots=True)
class TechniquePrediction:
    """What a specialist says of the technique that a text is on.

    Attributes:
        candidates: Likeliest techniques' ids with their probabilities (0 to 1), best first.
        abstained: Whether the first one's is under the threshold of the specialist, ``model``.
    """

    candidates: tuple[tuple[str, float], ...]
    abstained: bool
    model: str


@dataclass(frozen=True, slots=True)
class CwePrediction:
    """What a specialist says of one text.

    Attributes:
        cwe: The answer: the likeliest id; when the model abstains, still its best guess.
        confidence: Calibrated probability (0 to 1) that ``cwe`` is what the labeller would say.
        candidates: Likeliest ids with their probabilities, best first. Over all ids that the
            model knows they add up to 1.
        abstained: Whether ``confidence`` is under the threshold.
        backoff: On abstention, the nearest ancestor whose summed probability reaches the
            threshold, if there is one.
        reason: Why, where a language model was asked to write it.
        band: ``sure`` where validation was right in 95 of 100 such answers or more, ``likely``
            where the threshold is met, else ``unsure``.
    """

    cwe: str
    confidence: float
    candidates: tuple[Candidate, ...]
    abstained: bool
    backoff: Candidate | None = None
    reason: str = ""
    band: Band = "unsure"


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """A line of an answer.

    Attributes:
        text: What it says.
        citations: Ids of the passages that support it.
        quoted: Whether it stands in its passage word for word; else it is composed.
        lead: Composed words before a quotation, such as whose it is.
    """

    text: str
    citations: tuple[str, ...]
    quoted: bool = False
    lead: str = ""


@dataclass(frozen=True, slots=True)
class AnswerSection:
    """Details of an answer under a heading.

    Attributes:
        heading: What they are.
        lines: The details.
        citations: Ids of the passages that support them all, where the lines cite none.
        total: How many there are in all; more than lines where some are left out.
    """

    heading: str
    lines: tuple[AnswerLine, ...]
    citations: tuple[str, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A written answer and the passages it stands on.

    Attributes:
        text: The whole answer, each line followed by the ids it cites in square brackets.
        citations: Ids of the passages it cites, in order of first use.
        passages: The passages cited, in that order.
        found: Whether the knowledge base supports an answer; if not, ``text`` says so.
        unsupported: Sentences of ``text`` that the passages they cite do not support, or that
            cite none.
        prediction: What the specialist says, where the question describes a vulnerability.
        direct: The answer itself, in a sentence or two, without the details.
        sections: The details.
        corrections: What was read otherwise than it was typed, such as ``atack read as attack``.
        nearest: Ids of the pages nearest to a question that none answers.
        subjects: Ids of the pages that it is about, for a follow-up to refer to.
        intent: What the question was understood to ask for.
        from_memory: Whether a language model wrote it from memory, no passage supporting it.
        question: The question as it was read, cleaned and on one line.
    """

    text: str
    citations: tuple[str, ...] = ()
    passages: tuple[Passage, ...] = ()
    found: bool = True
    unsupported: tuple[str, ...] = ()
    prediction: CwePrediction | None = None
    direct: tuple[AnswerLine, ...] = ()
    sections: tuple[AnswerSection, ...] = ()
    corrections: tuple[str, ...] = ()
    nearest: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    intent: str = ""
    from_memory: bool = False
    question: str = ""


@dataclass(frozen=True, slots=True)
class ChoiceAnswer:
    """An option of a multiple-choice question, and why.

    Attributes:
        best: Place of the chosen option, from 0.
        probabilities: Probability of each option; they add up to 1.
        passages: The passage that supports each option best, or None where none does.
        held: Probability (0 to 1) that the knowledge base answers the question at all.
    """

    best: int
    probabilities: tuple[float, ...]
    passages: tuple[Passage | None, ...]
    held: float = 1.0

    @property
    def passage(self) -> Passage | None:
        """The passage that decides."""
        return self.passages[self.best]
