"""Reports made of held-out pages' sentences, to fit how a technique specialist reads reports.

Nobody has labelled condensed reports, but ATT&CK's pages say which sentences tell of which
technique. A language model tells a page's sentences in a paragraph, several facts in one sentence;
without one they are joined in pairs.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.corpus.journal import Journal
from cybersecqwen.corpus.techniques.rows import ReportRow, TechniqueRow
from cybersecqwen.corpus.techniques.teacher import written

_PROMPT = (
    "Write one fluent paragraph of a threat report that tells all of the facts below, in your own "
    "words and in another order, several facts in one sentence where they fit. Do not copy their "
    "sentences, do not number them, do not name ATT&CK.\n\n{}"
)
_SAMPLING = Sampling(temperature=0.8, top_p=0.95, max_tokens=300)
_TIMES = 2  # that each page is told
_FACTS = (5, 13)
_FEWEST = 3
_LEAST_WORDS = 20
_GROUPS = ("The attackers", "The group", "The threat actor", "The adversary", "They")
_SOFTWARE = ("The malware", "The implant", "The sample", "It", "The backdoor", "The tool")


def pages_facts(rows: Iterable[TechniqueRow], seed: int) -> list[list[TechniqueRow]]:
    """Return the procedure sentences that each report is to tell, several times of each page."""
    draw = random.Random(seed)
    pages: dict[str, list[TechniqueRow]] = defaultdict(list)
    for row in rows:
        if row.kind == "procedure":
            pages[row.group].append(row)
    chosen = []
    for _, found in sorted(pages.items()):
        for number in range(_TIMES):
            part = draw.sample(found, min(len(found), draw.randint(*_FACTS)))
            if len(part) >= _FEWEST:
                chosen.append([_acted(row, number) for row in part])
    return chosen


def joined_reports(facts: Iterable[Sequence[TechniqueRow]]) -> Iterator[ReportRow]:
    """Yield reports whose sentences are two facts each."""
    for part in facts:
        pairs = (part[start : start + 2] for start in range(0, len(part), 2))
        told = [" and ".join(_clauses(pair)) + "." for pair in pairs]
        yield _report(" ".join(told), part)


def written_reports(
    facts: Sequence[Sequence[TechniqueRow]], teacher: Backend, journal: Journal
) -> Iterator[ReportRow]:
    """Yield reports in a language model's words, but for those cut off or that name techniques.

    What the journal knows is not asked again.
    """
    prompts = [_PROMPT.format("\n".join(f"- {row.text}" for row in part)) for part in facts]
    for text, part in zip(written(prompts, _SAMPLING, teacher, journal), facts, strict=True):
        if len(text.split()) >= _LEAST_WORDS:
            yield _report(text, part)


def opened(reports: Iterable[ReportRow], openings: Mapping[str, str]) -> Iterator[ReportRow]:
    """Yield reports that first say what they are about, as reports do, by page."""
    for report in reports:
        text = f"{openings.get(report.group, '')} {report.text}".strip()
        yield ReportRow(text, report.techniques, report.group)


def _report(text: str, part: Sequence[TechniqueRow]) -> ReportRow:
    return ReportRow(text, tuple(row.technique for row in part), part[0].group)


def _clauses(rows: Sequence[TechniqueRow]) -> Iterator[str]:
    for place, row in enumerate(rows):
        text = row.text.rstrip(". ")
        yield text[0].lower() + text[1:] if place else text


def _acted(row: TechniqueRow, number: int) -> TechniqueRow:
    """Return a row with somebody who acts."""
    names = _SOFTWARE if row.group.startswith("S") else _GROUPS
    name = names[number % len(names)]
    start = row.text.startswith("{actor}")
    text = row.text.replace("{actor}", name, 1) if start else row.text
    text = text.replace("{actor}", name[0].lower() + name[1:])
    return TechniqueRow(text, row.technique, row.kind, row.group)
