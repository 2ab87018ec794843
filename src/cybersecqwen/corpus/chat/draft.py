"""What a question about a record is made from, and the question once it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from cybersecqwen.core.answer_parsing import AnswerKind
from cybersecqwen.core.passages import page_of
from cybersecqwen.core.prompts import passage_block
from cybersecqwen.core.records import Labeller, Passage
from cybersecqwen.corpus.chat.description_facts import Facts
from cybersecqwen.corpus.chat.keyphrases import Finding, KeyphraseModel
from cybersecqwen.corpus.chat.severity import SCORERS, Severity
from cybersecqwen.corpus.chat.weakness_graph import ConfusionNeighbours, WeaknessGraph

Book = Literal["open", "closed"]

LABELLER_NAMES: dict[Labeller, str] = {"nvd": "NVD", "cna": "the CNA"}


@dataclass(frozen=True, slots=True)
class GenerationContext:
    """What is the same for every record.

    Attributes:
        graph: Knowledge entries.
        evidence: Phrases that point to weaknesses.
        neighbours: Weaknesses that are taken for each other.
    """

    graph: WeaknessGraph
    evidence: KeyphraseModel
    neighbours: ConfusionNeighbours


@dataclass(frozen=True, slots=True)
class LabelledRecord:
    """A record and what is known of it.

    Attributes:
        record: CVE id.
        text: Description, cleaned.
        cwe: Main label.
        labeller: Who gave it.
        severity: Its CVSS v3 vector, if it has one.
        facts: What the text says.
        findings: Which of its words point to the label.
    """

    record: str
    text: str
    cwe: str
    labeller: Labeller
    severity: Severity | None
    facts: Facts
    findings: tuple[Finding, ...]

    @property
    def quotes(self) -> tuple[str, ...]:
        """The words that point to the label."""
        return tuple(finding.quote for finding in self.findings)


@dataclass(frozen=True, slots=True)
class DraftExample:
    """A question with its answer, before it has been checked.

    Attributes:
        kind: Question kind.
        prompt: User message, passages included.
        response: Assistant message.
        record: CVE id that it is about, or an empty string.
        passages: What the answer stands on besides the prompt.
        gold: What the answer must be read as, or an empty string.
        reads: How: as a weakness, a letter or a vector.
        options: Number of letters, for a choice.
        mark: Words that an answer in other words must keep, such as a last line.
    """

    kind: str
    prompt: str
    response: str
    record: str
    passages: tuple[Passage, ...] = ()
    gold: str = ""
    reads: AnswerKind | None = None
    options: int = 0


def describe(case: LabelledRecord, *, severity: bool = False, weakness: bool = False) -> str:
    """Return the record as a question shows it, the description last."""
    lines = []
    if severity and case.severity:
        lines.append(f"CVSS ({SCORERS[case.severity.source]}): {case.severity.vector}")
    if weakness:
        lines.append(f"Weakness ({LABELLER_NAMES[case.labeller]}): {case.cwe}")
    lines.append(f"CVE Description: {case.text}")
    return "\n".join(lines)


def ask(question: str, record: str, shown: Sequence[Passage] = ()) -> str:
    """Return the user message: passages, then the question, then the record."""
    parts = [passage_block(shown)] if shown else []
    return "\n\n".join([*parts, question, record])


def cite(passage: Passage, book: Book) -> str:
    """Return a citation mark: of the passage where it is shown, else of its page."""
    return f"[{passage.id if book == 'open' else page_of(passage.id)}]"


def shuffled(passages: Sequence[Passage], rng: Random) -> list[Passage]:
    """Return distinct passages in any order."""
    distinct = list({passage.id: passage for passage in passages}.values())
    rng.shuffle(distinct)
    return distinct
