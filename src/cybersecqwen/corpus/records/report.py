"""What a build did, in numbers, and as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.core.text.markdown import MarkdownBlock, MarkdownTable, markdown_page
from cybersecqwen.corpus.cleaning.decontaminate import Overlap
from cybersecqwen.corpus.cleaning.labels import LabelCounts
from cybersecqwen.corpus.cleaning.merge import SourceCounts
from cybersecqwen.corpus.records.recipe import CorpusRecipe
from cybersecqwen.corpus.records.rows import LABELLERS, Removal

REPORT = "report.json"
PAGE = "report.md"

_TOP_IDS = 25
_TOP_DROPPED = 10


class SourceReport(msgspec.Struct, frozen=True):
    """One source: ``merge.SourceCounts`` with its path."""

    path: str
    records: int
    new: int
    unreadable: int
    rejected: int
    other_text: int
    by_year: dict[int, int]


class PartReport(msgspec.Struct, frozen=True):
    """One file of rows.

    Attributes:
        rows: Lines.
        by_year: Rows by year of publication (or of the id).
        labelled: Rows that have a label, per labeller.
        labels: Rows that carry an id, per labeller.
        first_labels: Rows that have an id as the main one, per labeller.
    """

    rows: int
    by_year: dict[int, int]
    labelled: dict[str, int]
    labels: dict[str, dict[str, int]]
    first_labels: dict[str, dict[str, int]]


class DuplicateReport(msgspec.Struct, frozen=True):
    """Repeated rows taken out of one part.

    Attributes:
        removed: Rows, by the measure that found them.
        other_label: Those whose main label differed from the kept row's for the same labeller.
    """

    removed: dict[str, int]
    other_label: int


class CrossingReport(msgspec.Struct, frozen=True):
    """Near-duplicates across the split, by the part they are in.

    Attributes:
        guard: The part that the recipe takes repeated texts out of.
        train: Training rows near some validation row: what ``guard: train`` takes out.
        validation: Validation rows near some training row: what ``guard: validation`` takes out.
        train_by_measure: Of the training rows, those found by each measure.
        validation_by_measure: Likewise.
    """

    guard: str
    train: int
    validation: int
    train_by_measure: dict[str, int]
    validation_by_measure: dict[str, int]


class CorpusReport(msgspec.Struct, frozen=True):
    """The whole of ``report.json``.

    Attributes:
        name: The recipe's name.
        taxonomy: Version of the CWE catalogue that the label policy read.
        sources: Counts of each source, in the recipe's order.
        merged: Distinct ids with a description.
        removed: Records taken out, by stage.
        dropped_labels: Labels not taught, by reason (``prohibited``, ``unknown``, ``rare``), then
            labeller, then id.
        discouraged_labels: Labels kept though MITRE discourages them, by labeller and id.
        duplicates: Number of duplicates removed, by part.
        crossings: Across the split.
        overlap_before: Of all merged records with the benchmarks.
        overlap_after: Of the finished files, read again, with the benchmarks.
        parts: Facts about each part, by its name.
    """

    name: str
    taxonomy: str
    sources: list[SourceReport]
    merged: int
    removed: dict[str, int]
    dropped_labels: dict[str, dict[str, dict[str, int]]]
    discouraged_labels: dict[str, dict[str, int]]
    duplicates: dict[str, DuplicateReport]
    crossings: CrossingReport
    overlap_before: list[Overlap]
    overlap_after: list[Overlap]
    parts: dict[str, PartReport]


def read_markdown(folder: Path) -> str:
    """Read the report of a finished corpus as a page.

    Raises:
        InputError: The folder is no finished corpus.
    """
    try:
        return (folder / PAGE).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{folder}: no finished corpus: {error}") from error


def describe_source(path: str, counts: SourceCounts) -> SourceReport:
    """Return one source's report."""
    return SourceReport(
        path,
        counts.records,
        counts.new,
        counts.unreadable,
        counts.rejected,
        counts.other_text,
        dict(sorted(counts.by_year.items())),
    )


def describe_part(rows: Sequence[CorpusRow]) -> PartReport:
    """Count one part's rows by year, labeller and label."""
    years = Counter(row.year for row in rows if row.year is not None)
    labelled: dict[str, int] = {who: sum(bool(row.ids(who)) for row in rows) for who in LABELLERS}
    every: dict[str, Counter[str]] = {
        who: Counter(c for row in rows for c in row.ids(who)) for who in LABELLERS
    }
    first: dict[str, Counter[str]] = {
        who: Counter(c for r in rows for c in r.ids(who)[:1]) for who in LABELLERS
    }
    return PartReport(
        len(rows), dict(sorted(years.items())), labelled, _by_count(every), _by_count(first)
    )


def describe_removals(removals: Iterable[Removal]) -> dict[str, int]:
    """Count rows by measure; a row found by two measures counts in both."""
    return dict(sorted(Counter(m.measure for r in removals for m in r.matches).items()))


def dropped_labels(counts: LabelCounts) -> dict[str, dict[str, dict[str, int]]]:
    """Return what the label policy dropped, commonest first."""
    return {
        "prohibited": _by_count(counts.prohibited),
        "unknown": _by_count(counts.unknown),
        "rare": _by_count(counts.rare),
    }


def discouraged_labels(counts: LabelCounts) -> dict[str, dict[str, int]]:
    """Return what the label policy kept against MITRE's advice, commonest first."""
    return _by_count(counts.discouraged)


def _by_count(table: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    return {
        who: dict(sorted(table[who].items(), key=lambda entry: (-entry[1], entry[0])))
        for who in LABELLERS
        if who in table
    }


def render_markdown(report: CorpusReport, recipe: CorpusRecipe) -> str:
    """Return the report as Markdown. It quotes no benchmark text."""
    blocks = [
        f"# Corpus {report.name}",
        f"Label policy after CWE {report.taxonomy}. {report.merged:,} records have a description.",
        *_sources(report),
        *_parts(report),
        *_removed(report),
        *_overlap(report, recipe),
        *_labels(report),
        *_years(report),
    ]
    return markdown_page(blocks)


def _sources(report: CorpusReport) -> list[MarkdownBlock]:
    head = ["source", "records", "ids no earlier source has", "unreadable", "rejected CVEs"]
    head.append("another text than an earlier source's, not used")
    rows = [
        (s.path, s.records, s.new, s.unreadable, s.rejected, s.other_text) for s in report.sources
    ]
    return ["## Sources", MarkdownTable(head, rows)]


def _parts(report: CorpusReport) -> list[MarkdownBlock]:
    head = ["part", "rows", *(f"labelled by {who}" for who in LABELLERS)]
    rows = [
        (name, part.rows, *(part.labelled.get(who, 0) for who in LABELLERS))
        for name, part in report.parts.items()
    ]
    return ["## Parts", MarkdownTable(head, rows)]


def _removed(report: CorpusReport) -> list[MarkdownBlock]:
    c = report.crossings
    measures = sorted({*c.train_by_measure, *c.validation_by_measure})
    return [
        "## Removed",
        MarkdownTable(["stage", "records"], list(report.removed.items())),
        MarkdownTable(
            ["duplicates in", "same words", "same but for numbers", "with another main label"],
            [
                (name, d.removed.get("text", 0), d.removed.get("digits", 0), d.other_label)
                for name, d in report.duplicates.items()
            ],
        ),
        f"Across the split, {c.train:,} training rows are near some validation row and "
        f"{c.validation:,} validation rows near some training row (guard: {c.guard}).",
        MarkdownTable(
            ["across the split by", "training rows", "validation rows"],
            [
                (m, c.train_by_measure.get(m, 0), c.validation_by_measure.get(m, 0))
                for m in measures
            ],
        ),
    ]


def _overlap(report: CorpusReport, recipe: CorpusRecipe) -> list[MarkdownBlock]:
    near = recipe.near_duplicate
    head = ["benchmark", "items", "measure"]
    head += ["items met before", "rows before", "items met after", "rows after"]
    both = list(zip(report.overlap_before, report.overlap_after, strict=True))
    blocks: list[MarkdownBlock] = [
        "## Overlap with benchmarks",
        "`id`: the same CVE id. `text`: a row has an item's words from beginning to end. "
        "`excerpt`: an item has a row's. "
        f"`digits`: the same words but for numbers. `ngram`: a row holds {near.containment:.0%} of "
        f"an item's {near.ngram}-word pieces. `cosine`: TF-IDF cosine of {near.cosine} or more "
        "over words and pairs of words; `words`: over words alone.",
        MarkdownTable(
            head,
            [(b.benchmark, b.size, b.measure, b.items, b.rows, a.items, a.rows) for b, a in both],
        ),
    ]
    examples = [
        (row, match.measure, match.against, match.item, f"{match.score:.4f}")
        for overlap in report.overlap_before
        for row, match in overlap.examples
    ]
    if examples:
        blocks.append("Examples of rows taken out; `removed.jsonl` lists all.")
        blocks.append(MarkdownTable(["row", "measure", "benchmark", "item", "score"], examples))
    return blocks


def _labels(report: CorpusReport) -> list[MarkdownBlock]:
    blocks: list[MarkdownBlock] = ["## Labels"]
    train = report.parts["train"]
    for who in LABELLERS:
        if first := train.first_labels.get(who):
            top = list(first.items())[:_TOP_IDS]
            blocks.append(f"Main label by {who} in train, commonest of {len(first):,} ids:")
            blocks.append(MarkdownTable(["id", "rows"], top))
    for reason, found in report.dropped_labels.items():
        blocks += [_label_line(f"Not taught ({reason})", who, ids) for who, ids in found.items()]
    blocks += [
        _label_line("Kept though discouraged by MITRE", who, ids)
        for who, ids in report.discouraged_labels.items()
    ]
    return blocks


def _label_line(what: str, who: str, ids: Mapping[str, int]) -> str:
    top = ", ".join(f"{cwe} {count:,}" for cwe, count in list(ids.items())[:_TOP_DROPPED])
    return f"{what}, {who}: {sum(ids.values()):,} labels over {len(ids):,} ids: {top}."


def _years(report: CorpusReport) -> list[MarkdownBlock]:
    columns = {s.path: s.by_year for s in report.sources}
    columns |= {name: part.by_year for name, part in report.parts.items()}
    years = sorted({year for counts in columns.values() for year in counts})
    rows = [(str(year), *(counts.get(year, 0) for counts in columns.values())) for year in years]
    return ["## Years", MarkdownTable(["year", *columns], rows)]
