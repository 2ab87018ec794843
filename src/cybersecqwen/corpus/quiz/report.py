"""What a quiz holds and what was thrown away, in numbers and as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from cybersecqwen.core.rows import QuizRow
from cybersecqwen.core.text.markdown import markdown_table
from cybersecqwen.corpus.cleaning.decontaminate import Overlap
from cybersecqwen.corpus.quiz.rows import QuizTally, letters


class QuizPart(msgspec.Struct, frozen=True):
    """One file of questions.

    Attributes:
        rows: Questions.
        pages: Pages that they are about.
        kinds: Questions by kind.
        sources: Number of questions by source.
        wordings: Number of questions by family of wording.
        paraphrase_levels: By how far they are from the source's text.
        letters: Right answers by letter, for each number of options.
    """

    rows: int
    pages: int
    kinds: dict[str, int]
    sources: dict[str, int]
    wordings: dict[str, int]
    paraphrase_levels: dict[int, int]
    letters: dict[int, dict[str, int]]


class QuizReport(msgspec.Struct, frozen=True):
    """The whole of ``report.json``.

    Attributes:
        name: The recipe's name.
        drafted: Questions drafted.
        removed: Questions thrown away, by reason, then kind.
        overlap_before: Of all questions with the benchmarks.
        overlap_after: The same over the questions that were kept.
        parts: Facts about each part, by its name.
    """

    name: str
    drafted: int
    removed: dict[str, dict[str, int]]
    overlap_before: list[Overlap]
    overlap_after: list[Overlap]
    parts: dict[str, QuizPart]


def describe(
    name: str,
    parts: Mapping[str, Sequence[QuizRow]],
    tally: QuizTally,
    before: list[Overlap],
    after: list[Overlap],
) -> QuizReport:
    """Return a quiz's report."""
    return QuizReport(
        name,
        sum(tally.drafted.values()),
        tally.by_reason(),
        before,
        after,
        {part: _part(rows) for part, rows in parts.items()},
    )


def _part(rows: Sequence[QuizRow]) -> QuizPart:
    return QuizPart(
        rows=len(rows),
        pages=len({row.page for row in rows}),
        kinds=dict(sorted(Counter(row.kind for row in rows).items())),
        sources=dict(Counter(row.source for row in rows).most_common()),
        wordings=dict(sorted(Counter(row.wording for row in rows).items())),
        paraphrase_levels=dict(sorted(Counter(row.paraphrase_level for row in rows).items())),
        letters=letters(rows),
    )


def render(report: QuizReport) -> str:
    """Return the report as Markdown. It quotes no benchmark text."""
    sections = [f"# Quiz {report.name}", f"{report.drafted:,} questions drafted."]
    for name, part in report.parts.items():
        sections += [
            f"## {name}: {part.rows:,} questions about {part.pages:,} pages",
            markdown_table(["source", "questions"], part.sources.items()),
            markdown_table(["wording", "questions"], part.wordings.items()),
            markdown_table(["paraphrase level", "questions"], part.paraphrase_levels.items()),
            markdown_table(
                ["options", "right answers by letter"],
                [
                    (n, ", ".join(f"{a} {c:,}" for a, c in row.items()))
                    for n, row in part.letters.items()
                ],
            ),
            markdown_table(["kind", "questions"], part.kinds.items()),
        ]
    rows = [
        (reason, sum(kinds.values()), ", ".join(f"{k} {c:,}" for k, c in list(kinds.items())[:6]))
        for reason, kinds in report.removed.items()
    ]
    sections += ["## Thrown away", markdown_table(["reason", "questions", "mostly of kind"], rows)]
    both = list(zip(report.overlap_before, report.overlap_after, strict=True))
    head = ["benchmark", "measure", "items met before", "items met after", "rows after"]
    overlaps = [(b.benchmark, b.measure, b.items, a.items, a.rows) for b, a in both]
    sections += ["## Overlap with benchmarks", markdown_table(head, overlaps)]
    return "\n\n".join(sections) + "\n"
