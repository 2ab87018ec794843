"""Reports made of pages' sentences: to learn from, and to fit how reports are read.

Nobody has labelled condensed reports, but ATT&CK's pages say which sentences tell of which
technique. A language model tells a page's sentences in a paragraph, several facts in one sentence,
or in an entry of few sentences; without one they are joined in pairs.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.technique_rows import OpeningRow, ReportRow, TechniqueRow
from cybersecqwen.corpus.journal import Journal
from cybersecqwen.corpus.techniques.teacher import written

_PARAGRAPH = (
    "{}{}\n\nWrite one fluent paragraph that describes {} and tells all of the facts above, "
    "several of them in one sentence where they fit, in your own words and with their technical "
    "details. No headings, no list, no numbers; do not mention ATT&CK. Answer with the paragraph "
    "and nothing else."
)
_ENTRY = (
    "{}{}\n\nWrite a short entry of two to four sentences on {} for an encyclopedia of threats. "
    "Condense all of the facts above into it, several of them in each sentence as brief phrases, "
    "in your own words. No headings, no list, no numbers; do not mention ATT&CK. Answer with the "
    "entry and nothing else."
)
_SAMPLING = Sampling(temperature=0.9, top_p=0.95, max_tokens=300)
_TIMES = 4  # that each page is told
_FACTS = (4, 12)
_FEWEST = 3
_LEAST_WORDS = 20
_FORMS = ((_PARAGRAPH, 0.5), (_ENTRY, 0.4))
"""What reports are asked for as, and the share of a fact's words in one that tells it."""

_GROUPS = ("The attackers", "The group", "The threat actor", "The adversary", "They")
_SOFTWARE = ("The malware", "The implant", "The sample", "It", "The backdoor", "The tool")
_WORD = re.compile(r"[a-z0-9_][a-z0-9_.\-]{2,}[a-z0-9_]")
_STEM = 5  # characters by which words are compared
_EVERYWHERE = frozenset(
    {
        "with",
        "that",
        "from",
        "this",
        "have",
        "been",
        "their",
        "uses",
        "used",
        "using",
        "also",
        "into",
        "which",
        "other",
        "system",
        "adversary",
        "attackers",
        "malware",
        "group",
        "actor",
        "threat",
        "implant",
        "sample",
    }
)


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
        techniques = tuple(dict.fromkeys(row.technique for row in part))
        yield ReportRow(" ".join(told), techniques, part[0].group)


def written_reports(
    facts: Sequence[Sequence[TechniqueRow]],
    openings: Mapping[str, OpeningRow],
    teacher: Backend,
    journal: Journal,
) -> Iterator[ReportRow]:
    """Yield reports in a language model's words, but for those that name techniques.

    A fact that a report has hardly a word of counts as unsure: a model leaves some out.
    """
    forms = [_FORMS[place % len(_FORMS)] for place in range(len(facts))]
    prompts = [
        _prompt(form, part, openings.get(part[0].group))
        for (form, _), part in zip(forms, facts, strict=True)
    ]
    texts = written(prompts, _SAMPLING, teacher, journal)
    for text, (_, share), part in zip(texts, forms, facts, strict=True):
        sure = {row.technique for row in part if _told(row.text, text, share)}
        if len(text.split()) >= _LEAST_WORDS and len(sure) >= _FEWEST:
            unsure = {row.technique for row in part} - sure
            yield ReportRow(text, tuple(sorted(sure)), part[0].group, tuple(sorted(unsure)))


def opened(reports: Iterable[ReportRow], openings: Mapping[str, OpeningRow]) -> Iterator[ReportRow]:
    """Yield reports that first say what they are about, as reports do, by page."""
    for report in reports:
        opening = openings.get(report.group)
        text = f"{opening.text} {report.text}" if opening else report.text
        yield ReportRow(text, report.techniques, report.group, report.unsure)


def _prompt(form: str, part: Sequence[TechniqueRow], opening: OpeningRow | None) -> str:
    facts = "\n".join(f"- {row.text}" for row in part)
    if opening is None:
        return form.format("", facts, "the intruders")
    return form.format(f"{opening.text}\n", facts, opening.name)


def _told(fact: str, report: str, share: float) -> bool:
    words = _stems(fact)
    return len(words & _stems(report)) >= share * len(words)


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in _WORD.findall(text.lower()) if word not in _EVERYWHERE}


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
