"""What answers are made of: quoted sentences, composed sentences, lists, each with its passages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from cybersecqwen.core.records import Answer, AnswerLine, AnswerSection, Passage
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.core.text.terms import terms
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.search import PassageIndex

NOT_FOUND = "Not in the knowledge base."
"""How the text of an answer begins that nothing supports."""

MOST_ITEMS = 60
"""Items of a list that are shown; how many there are is always said."""

_WHOLE = 400  # characters of a passage that is quoted whole
_COMMON_NAME = re.compile(r"\('([^']+)'\)")

PLURALS = {"software": "pieces of software", "category": "categories", "weakness": "weaknesses"}
HEADINGS = PLURALS | {"software": "software"}


@dataclass
class Draft:
    """An answer in the making.

    Attributes:
        direct: The answer itself, in one or two sentences.
        sections: Details.
        subjects: Ids of the pages it is about.
        found: Whether it answers the question.
        recorded: Whether it quotes a record of the local store.
    """

    direct: list[AnswerLine] = field(default_factory=list)
    sections: list[AnswerSection] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    found: bool = True
    recorded: bool = False

    def say(self, text: str, *passages: Passage) -> None:
        """Add a composed sentence to the direct answer."""
        self.direct.append(AnswerLine(text, tuple(dict.fromkeys(p.id for p in passages))))

    def quote(self, passage: Passage, limit: int = 2, *, lead: str = "") -> None:
        """Add a passage's first sentences to the direct answer, behind composed words."""
        self.direct.append(replace(quoted(passage, limit), lead=lead))

    def add(self, heading: str, lines: Iterable[AnswerLine], total: int = 0) -> None:
        """Add a section of lines, where there are any."""
        kept = tuple(dict.fromkeys(lines))
        said = {line.text for line in self.direct}
        kept = tuple(line for line in kept if line.text not in said)
        if kept:
            self.sections.append(AnswerSection(heading, kept, (), max(total, len(kept))))

    def add_list(
        self, heading: str, items: Sequence[str], passages: Iterable[Passage], total: int = 0
    ) -> None:
        """Add a section that lists short items, where there are any.

        Args:
            heading: Its heading.
            items: What is listed.
            passages: What states it.
            total: How many there are, where some are left out already.
        """
        if items:
            lines = tuple(AnswerLine(item, ()) for item in items[:MOST_ITEMS])
            cited = tuple(dict.fromkeys(passage.id for passage in passages))
            self.sections.append(AnswerSection(heading, lines, cited, max(total, len(items))))

    def finished(self, index: PassageIndex, query: Query) -> Answer:
        """Return the answer, its text rendered and its passages gathered."""
        return finish(self, index, query)


def finish(draft: Draft, index: PassageIndex, query: Query) -> Answer:
    """Return the answer that a draft makes."""
    cited = dict.fromkeys(
        citation
        for lines in (draft.direct, *(section.lines for section in draft.sections))
        for line in lines
        for citation in line.citations
    ) | dict.fromkeys(c for section in draft.sections for c in section.citations)
    passages = [p for citation in cited if (p := index.cited(citation)) is not None]
    corrections = tuple(f"{c.typed} read as {c.read}" for c in query.corrections)
    return Answer(
        text=rendered(draft.direct, draft.sections),
        citations=tuple(passage.id for passage in passages),
        passages=tuple(passages),
        direct=tuple(draft.direct),
        sections=tuple(draft.sections),
        corrections=corrections,
        subjects=tuple(dict.fromkeys(draft.subjects or query.subjects)),
        intent=query.intent.value,
    )


def rendered(direct: Sequence[AnswerLine], sections: Sequence[AnswerSection]) -> str:
    """Return an answer as text: the direct answer, then each section under its heading."""
    parts = ["\n".join(map(_line, direct))]
    for section in sections:
        shown = len(section.lines)
        if section.citations or all(not line.citations for line in section.lines):
            items = "; ".join(line.text for line in section.lines)
            more = f"; and {section.total - shown} more" if section.total > shown else ""
            cited = "".join(f"[{citation}]" for citation in section.citations)
            parts.append(f"{section.heading} ({section.total}): {items}{more}. {cited}".rstrip())
            continue
        more = f" ({shown} of {section.total})" if section.total > shown else ""
        lines = "\n".join(f"- {_line(line)}" for line in section.lines)
        parts.append(f"{section.heading}{more}\n{lines}")
    return "\n\n".join(part for part in parts if part)


def _line(line: AnswerLine) -> str:
    cited = "".join(f"[{citation}]" for citation in line.citations)
    return " ".join(part for part in (line.lead, line.text, cited) if part)


def quoted(passage: Passage, limit: int = 2, wanted: Sequence[str] = ()) -> AnswerLine:
    """Quote a passage: the sentences that speak of what is wanted, or its first ones."""
    parts = sentences(passage.text)
    if wanted and len(passage.text) > _WHOLE:
        shared = [len(set(wanted) & set(terms(part))) for part in parts]
        best = sorted(range(len(parts)), key=lambda place: (-shared[place], place))[:limit]
        parts = [parts[place] for place in sorted(best)]
    return AnswerLine(" ".join(parts[:limit]), (passage.id,), quoted=True)


def label(index: PassageIndex, page: str) -> str:
    """Return a page's name and id: ``Kerberoasting (T1558.003)``."""
    title = index.title(page)
    return f"{title} ({page})" if title else page


def short_label(index: PassageIndex, page: str) -> str:
    """Return a page's common name and id: ``Cross-site Scripting (CWE-79)``."""
    title = index.title(page)
    if match := _COMMON_NAME.search(title):
        return f"{match[1]} ({page})"
    return f"{title.rpartition(': ')[2]} ({page})" if title else page


def first_of(count: int, mark: str = ",") -> str:
    """Return how to announce the first of several: ``, the first``; nothing for a single one."""
    return f"{mark} the first" if count > 1 else ""


def labels(index: PassageIndex, pages: Iterable[str]) -> list[str]:
    """Return the pages' names and ids."""
    return [label(index, page) for page in pages]


def counted(number: int, kind: str) -> str:
    """Return a number and what it counts: ``3 groups``, ``1 weakness``, ``no technique``."""
    single = "piece of software" if kind == "software" else kind
    name = single if number in {0, 1} else PLURALS.get(kind, f"{kind}s")
    return f"{number or 'no'} {name}"


def listing(items: Sequence[str], most: int = 12) -> str:
    """Return items in a row, and how many more there are."""
    shown = "; ".join(items[:most])
    return f"{shown}; and {len(items) - most} more" if len(items) > most else shown


def stating(index: PassageIndex, page: str, ids: Iterable[str]) -> list[Passage]:
    """Return the relation passages of a page that name some of the ids."""
    wanted = [f"({name})" for name in ids]
    return [
        passage
        for passage in index.passages_of(page, "relation")
        if any(name in passage.text for name in wanted)
    ]


def stated_relations(index: PassageIndex, page: str, heading: str) -> list[AnswerLine]:
    """Return a page's relations under a heading such as ``Child of: ``, as they are written."""
    return [
        AnswerLine(sentence, (passage.id,), quoted=True)
        for passage in index.passages_of(page, "relation")
        for sentence in sentences(passage.text)
        if sentence.startswith(heading)
    ]


def head(index: PassageIndex, page: str) -> Passage:
    """Return a page's first passage."""
    return index.passage(int(index.places(page)[0]))


def facts(index: PassageIndex, page: str, *names: str) -> list[AnswerLine]:
    """Return a page's facts of some names, such as ``Platforms: Windows.``, each cited."""
    return [
        AnswerLine(sentence, (passage.id,), quoted=True)
        for passage in index.passages_of(page, "facts")
        for sentence in sentences(passage.text)
        if sentence.startswith(tuple(f"{name}: " for name in names))
    ]


def best_first(
    index: PassageIndex, page: str, passages: Sequence[Passage], wanted: Sequence[str]
) -> list[Passage]:
    """Return passages of a page, those first that speak of what is wanted, else as they come."""
    if not wanted:
        return list(passages)
    scores = index.term_scores(wanted)
    places = dict(zip((p.id for p in index.page(page)), index.places(page).tolist(), strict=True))
    return sorted(passages, key=lambda passage: -float(scores[places[passage.id]]))
