"""Records of many sources -> one per id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from cybersecqwen.core.records import Advisory, LabelSource, RecordProblem
from cybersecqwen.core.rows import CVE_ID, CorpusRow, labels_of
from cybersecqwen.core.text.clean import normalised
from cybersecqwen.core.text.record import host_names, product_name
from cybersecqwen.corpus.records.rows import LABELLERS, Removal, Stage, id_order


@dataclass(slots=True)
class SourceCounts:
    """What one source brought.

    Attributes:
        records: Usable records, one per line or entry.
        new: Ids that no earlier source had.
        unreadable: Records that could not be used.
        rejected: Records that say that their CVE was rejected.
        other_text: Records whose id an earlier source had with another text, which was kept.
        by_year: Records by year of publication (or of the id, where no date is given).
    """

    records: int = 0
    new: int = 0
    unreadable: int = 0
    rejected: int = 0
    other_text: int = 0
    by_year: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class _MergedEntry:
    text: str = ""
    published: str = ""
    labels: dict[LabelSource, list[str]] = field(default_factory=dict)
    title: str = ""
    assigner: str = ""
    product: str = ""
    hosts: tuple[str, ...] = ()
    vectors: dict[LabelSource, list[str]] = field(default_factory=dict)


class Merger:
    """Gathers records by id, one source after another.

    The first description of an id stays, as does its first publication date; labels add up, those
    of one labeller in the order in which sources bring them. Memory grows with the distinct ids,
    not with the sources.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _MergedEntry] = {}
        self._removed: list[Removal] = []

    def add(self, records: Iterable[Advisory | RecordProblem]) -> SourceCounts:
        """Take in one source to its end and return what it brought."""
        counts = SourceCounts()
        for record in records:
            if isinstance(record, RecordProblem):
                self._note(record, counts)
            else:
                self._take(record, counts)
        return counts

    def _note(self, problem: RecordProblem, counts: SourceCounts) -> None:
        if problem.kind == "note":
            return
        rejected = problem.kind in {"rejected", "withdrawn"}
        counts.rejected += rejected
        counts.unreadable += not rejected
        reason = f"{problem.where}: {problem.reason}"
        stage: Stage = "rejected" if rejected else "unreadable"
        self._removed.append(Removal(problem.id, stage, reason=reason))

    def _take(self, record: Advisory, counts: SourceCounts) -> None:
        key = record.id.upper() if CVE_ID.fullmatch(record.id) else record.id
        counts.records += 1
        if year := CorpusRow(key, "", record.published, {}).year:
            counts.by_year[year] += 1
        entry = self._entries.get(key)
        if entry is None:
            counts.new += 1
            entry = self._entries[key] = _MergedEntry()
        text = record.description.strip()
        if not entry.text:
            entry.text = text
        elif text and text != entry.text and normalised(text) != normalised(entry.text):
            counts.other_text += 1
        entry.published = entry.published or record.published
        for label in record.labels:
            ids = entry.labels.setdefault(label.source, [])
            if label.cwe not in ids:
                ids.append(label.cwe)
        entry.title = entry.title or record.title
        entry.assigner = entry.assigner or record.assigner
        entry.product = entry.product or product_name(record.affected)
        entry.hosts = entry.hosts or host_names(record.references)
        for scored in record.cvss:
            vectors = entry.vectors.setdefault(scored.source, [])
            if scored.version[:1] in "34" and scored.vector not in vectors:
                vectors.append(scored.vector)

    def finish(self) -> tuple[list[CorpusRow], list[Removal]]:
        """Return one row per id, in the order of ids, and what could not become one."""
        rows = []
        for key in sorted(self._entries, key=id_order):
            entry = self._entries[key]
            if not normalised(entry.text):
                reason = "the description has no word in Latin letters or digits"
                self._removed.append(Removal(key, "unreadable", reason=reason))
                continue
            labels = labels_of(*(tuple(entry.labels.get(who, ())) for who in LABELLERS))
            rows.append(
                CorpusRow(
                    key,
                    entry.text,
                    entry.published,
                    labels,
                    title=entry.title,
                    assigner=entry.assigner,
                    product=entry.product,
                    hosts=entry.hosts,
                    vectors={
                        who: tuple(found) for who in LABELLERS if (found := entry.vectors.get(who))
                    },
                )
            )
        return rows, self._removed
