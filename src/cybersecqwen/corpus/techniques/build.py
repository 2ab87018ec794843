"""Sentences with the ATT&CK technique they tell of, to teach a technique specialist.

Procedure sentences and descriptions come from ATT&CK's own bundle, sentences of threat reports
from TRAM 2. What CTI-ATE is made of, the procedure sentences of its 60 source pages, is left out,
and so is whatever says much the same as one of its texts.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import write_json
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.jsonl import write_rows
from cybersecqwen.core.records import Catalogue, Entry
from cybersecqwen.core.technique_rows import (
    OpeningRow,
    ReportRow,
    TechniqueEntry,
    TechniqueRow,
)
from cybersecqwen.core.text.clean import clean
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.corpus.cleaning.decontaminate import BenchmarkFilter
from cybersecqwen.corpus.journal import Journal
from cybersecqwen.corpus.records.recipe import NearDuplicate
from cybersecqwen.corpus.techniques.page_reports import (
    joined_reports,
    opened,
    pages_facts,
    written_reports,
)
from cybersecqwen.corpus.techniques.teacher import (
    held_out_scenarios,
    written_scenarios,
    written_wordings,
)
from cybersecqwen.sources.benchmarks.cti_bench import read_tsv
from cybersecqwen.sources.catalogues.stix import read_stix

_HEADING = re.compile(r"^(.{1,80}?) \(([SGC]\d{4})\): ")
_PAGE = re.compile(r"/([SGC]\d{4})/?")
_SEED = 5
_OPENING = 2  # sentences
_WORDED = 5  # words of a sentence that is said in other words
_RowT = TypeVar("_RowT", TechniqueRow, ReportRow)


def build_technique_corpus(
    bundle: Path, reports: Path, benchmark: Path, out: Path, teacher: Backend | None = None
) -> dict[str, Any]:
    """Write the corpus's files of lines, and ``report.json``.

    ``train``, ``paragraphs`` and ``openings`` are to learn from; ``validation``, ``scenarios`` and
    ``reports`` are held out: one page in ten and one report in five are, by a hash of their names,
    and ``reports.jsonl`` is made of those pages. ``techniques.jsonl`` has what can be answered
    with. What a teacher has written when the build is killed is kept beside the
    folder, and the next build goes on from there.

    Args:
        bundle: ATT&CK's enterprise bundle.
        reports: TRAM 2's sentences with one label each.
        benchmark: CTI-ATE.
        out: Folder to write into.
        teacher: Writes scenarios of each technique, other wordings of sentences and reports on
            pages; without one there are no scenarios, no wordings and no paragraphs, and the
            sentences of reports are joined.

    Raises:
        InputError: A file cannot be read.
        ModelError: The teacher cannot answer at all.
    """
    catalogue = read_stix(bundle)
    excluded = _source_pages(benchmark)
    whole = [*_attack_rows(catalogue), *_report_rows(reports, catalogue)]
    rows = [row for row in whole if row.group not in excluded]
    resembling = BenchmarkFilter([benchmark], NearDuplicate(containment=0.5, cosine=0.8))
    kept = _apart(rows, resembling)
    out.mkdir(parents=True, exist_ok=True)
    held_out = [row for row in kept if _held_out(row)]
    train = [row for row in kept if not _held_out(row)]
    entries = [TechniqueEntry(e.id, e.name, clean(_description(e))) for e in _techniques(catalogue)]
    journal = Journal(out.with_name(f".{out.name}.reports.jsonl"))
    openings = _openings(catalogue)
    written = _written(train, entries, openings, teacher, journal)
    left_out = excluded | {row.group for row in held_out}
    parts: dict[str, Sequence[msgspec.Struct]] = {
        "train": [*train, *_apart(written.train, resembling)],
        "paragraphs": _apart(written.paragraphs, resembling),
        "openings": [row for group, row in openings.items() if group not in left_out],
        "validation": held_out,
        "scenarios": _apart(written.scenarios, resembling),
        "reports": _apart(_told(held_out, openings, teacher, journal), resembling),
        "techniques": entries,
    }
    report: dict[str, Any] = {
        "attack_version": catalogue.version,
        "source_pages_left_out": len(excluded),
        "their_sentences": len(whole) - len(rows),
        "near_benchmark": len(rows) - len(kept),
        **{name: len(lines) for name, lines in parts.items()},
        **({"teacher": teacher.name} if teacher else {}),
    }
    for name, lines in parts.items():
        write_rows(out / f"{name}.jsonl", lines)
    write_json(out / "report.json", report)
    journal.remove()
    return report


@dataclass(frozen=True)
class _Written:
    """What a language model wrote of what is not held out, and scenarios that are."""

    train: list[TechniqueRow]
    paragraphs: list[ReportRow]
    scenarios: list[TechniqueRow]


def _written(
    train: Sequence[TechniqueRow],
    entries: Sequence[TechniqueEntry],
    openings: Mapping[str, OpeningRow],
    teacher: Backend | None,
    journal: Journal,
) -> _Written:
    if teacher is None:
        return _Written([], [], [])
    more = [*written_scenarios(entries, train, teacher, journal, _SEED)]
    more += written_wordings(_sentences(train), teacher, journal, _SEED)
    facts = pages_facts(train, _SEED)
    return _Written(
        more,
        [*written_reports(facts, openings, teacher, journal)],
        [*held_out_scenarios(entries, teacher, journal, _SEED)],
    )


def _told(
    held_out: Sequence[TechniqueRow],
    openings: Mapping[str, OpeningRow],
    teacher: Backend | None,
    journal: Journal,
) -> list[ReportRow]:
    """Return reports on the held-out pages."""
    facts = pages_facts(held_out, _SEED)
    if teacher is None:
        return [*opened(joined_reports(facts), openings)]
    return [*written_reports(facts, openings, teacher, journal)]


def _source_pages(benchmark: Path) -> set[str]:
    """Return the ids of the pages that CTI-ATE is made of."""
    found = (_PAGE.search(row["URL"]) for row in read_tsv(benchmark, ["URL"]))
    return {match[1] for match in found if match}


def _apart(rows: Sequence[_RowT], resembling: BenchmarkFilter) -> list[_RowT]:
    """Return the rows that say nothing much like a benchmark's texts."""
    found = resembling.find(("", "", row.text) for row in rows)
    return [row for row, matches in zip(rows, found, strict=True) if not matches]


def _techniques(catalogue: Catalogue) -> list[Entry]:
    return [e for e in catalogue.entries if e.kind == "technique" and not e.withdrawn]


def _description(entry: Entry) -> str:
    return next((s.text for s in entry.sections if s.kind == "description"), entry.name)


def _openings(catalogue: Catalogue) -> dict[str, OpeningRow]:
    """Return how the page of each group, campaign and piece of software begins."""
    return {
        entry.id: OpeningRow(
            " ".join(sentences(clean(_description(entry)))[:_OPENING]), entry.name, entry.id
        )
        for entry in catalogue.entries
        if entry.id[:1] in ("S", "G", "C") and not entry.withdrawn
    }


def _sentences(rows: Sequence[TechniqueRow]) -> list[TechniqueRow]:
    return [
        row
        for row in rows
        if row.kind in ("procedure", "report") and len(row.text.split()) >= _WORDED
    ]


def _attack_rows(catalogue: Catalogue) -> Iterator[TechniqueRow]:
    aliases = {e.id: (e.name, *e.aliases) for e in catalogue.entries}
    for entry in _techniques(catalogue):
        yield TechniqueRow(entry.name.replace(": ", " "), entry.id, "name", entry.id)
        for sentence in sentences(clean(_description(entry))):
            yield TechniqueRow(sentence, entry.id, "description", entry.id)
        for section in entry.sections:
            match = _HEADING.match(section.text)
            if section.kind == "procedure" and match:
                text = _without_names(section.text[match.end() :], aliases.get(section.about, ()))
                yield TechniqueRow(clean(text), entry.id, "procedure", section.about)


def _without_names(text: str, names: Sequence[str]) -> str:
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"\b{re.escape(name)}\b", "{actor}", text)
    return text


class _Sentence(msgspec.Struct):
    text: str
    label: str
    doc_title: str


def _report_rows(path: Path, catalogue: Catalogue) -> Iterator[TechniqueRow]:
    known = {entry.id for entry in _techniques(catalogue)}
    try:
        content = gzip.decompress(path.read_bytes())
        found = msgspec.json.decode(content, type=list[_Sentence])
    except (OSError, EOFError, msgspec.DecodeError) as error:
        raise InputError(f"{path}: no TRAM 2 sentences: {error}") from error
    for sentence in found:
        if sentence.label in known:
            yield TechniqueRow(clean(sentence.text), sentence.label, "report", sentence.doc_title)


def _held_out(row: TechniqueRow) -> bool:
    if row.kind not in {"procedure", "report"}:
        return False
    every = 10 if row.kind == "procedure" else 5
    return int.from_bytes(hashlib.sha256(row.group.encode()).digest()[:8], "big") % every == 0
