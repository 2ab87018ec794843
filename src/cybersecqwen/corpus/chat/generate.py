"""Records -> questions: drawn, worded, checked, until there are enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Generic, TypeVar

from cybersecqwen.core.records import Labeller
from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.core.text.clean import clean
from cybersecqwen.corpus.chat.draft import DraftExample
from cybersecqwen.corpus.chat.keyphrases import Finding
from cybersecqwen.corpus.chat.mapping import (
    LabelledRecord,
    MappingContext,
    id_first,
    map_id,
    map_justified,
    map_protocol,
    map_reason,
)
from cybersecqwen.corpus.chat.recipe import ChatRecipe, MappingAnswer
from cybersecqwen.corpus.chat.rows import texts_of
from cybersecqwen.corpus.chat.sampling import distinct, ordered
from cybersecqwen.corpus.chat.stated_impacts import stated_impacts
from cybersecqwen.corpus.chat.validate import Verifier
from cybersecqwen.corpus.cleaning.decontaminate import BenchmarkFilter, Overlap

KindT = TypeVar("KindT", bound=str)
SourceT = TypeVar("SourceT")

Maker = Callable[[LabelledRecord, MappingContext, Random], DraftExample]

MAPPING: Mapping[MappingAnswer, Maker] = {
    "protocol": map_protocol,
    "justified": map_justified,
    "id": map_id,
    "reason": map_reason,
}
_JUSTIFIED = frozenset({"protocol", "justified"})

_ATTEMPTS = 3
_AT_ONCE = 512
_SPARE = 1.6
"""Records drawn for each row that is wanted: near-duplicates and failed drafts cost some."""


@dataclass(slots=True)
class GenerationTally:
    """What became of the questions that were made.

    Attributes:
        accepted: Number of accepted drafts by kind.
        thrown: Number of rejected drafts by kind, then by reason.
        records: Records drawn.
        alike: Of these, those left out because another is nearly the same.
    """

    accepted: Counter[str] = field(default_factory=Counter)
    thrown: dict[str, Counter[str]] = field(default_factory=dict)
    records: int = 0
    alike: int = 0

    def throw(self, kind: str, reason: str) -> None:
        """Count a question that was thrown away."""
        self.thrown.setdefault(kind, Counter())[reason] += 1

    @property
    def rejected(self) -> str:
        """Why questions were thrown away, the commonest reason first."""
        reasons = sum(self.thrown.values(), Counter[str]()).most_common()
        return ", ".join(f"{reason} {count:,}" for reason, count in reasons) or "none was made"


class Quotas(Generic[KindT]):
    """How many rows of each kind are still wanted.

    Args:
        rows: Total number of rows.
        weights: Relative weights.
    """

    def __init__(self, rows: int, weights: Mapping[KindT, float]) -> None:
        total = sum(weights.values())
        self._wanted = {kind: rows * weight / total for kind, weight in weights.items()}
        self._made: Counter[KindT] = Counter()

    def neediest(self) -> list[KindT]:
        """Return kinds by the share of their rows that is missing, the greatest first."""
        missing = {k: (w - self._made[k]) / w for k, w in self._wanted.items() if w}
        return sorted((k for k in missing if missing[k] > 0), key=lambda k: (-missing[k], k))

    def took(self, kind: KindT) -> None:
        """Count a row."""
        self._made[kind] += 1


class ExampleGenerator:
    """Makes questions of records, and checks all.

    Args:
        recipe: The corpus's recipe.
        context: Knowledge.
        verifier: Checks every row.
        benchmarks: Files that no row may overlap.
    """

    def __init__(
        self,
        recipe: ChatRecipe,
        context: MappingContext,
        verifier: Verifier,
        benchmarks: Sequence[Path],
    ) -> None:
        self._recipe = recipe
        self._context = context
        self._verifier = verifier
        self._filter = BenchmarkFilter(benchmarks, recipe.near_duplicate, answered=True)
        self.tally = GenerationTally()

    @property
    def overlaps(self) -> list[Overlap]:
        """What the questions had in common with benchmarks, before it was taken out."""
        return self._filter.overlaps

    def map_records(self, rows: Sequence[CorpusRow], wanted: int) -> list[DraftExample]:
        """Return up to so many questions for a record's weakness, each about another record."""
        recipe = self._recipe
        short = [r for r in rows if len(r.text) <= recipe.limits.description and main_label(r)]
        pool = ordered(short, recipe.mapping.draw, main_label, f"{recipe.seed} mapping")
        kinds = Quotas(wanted, recipe.mapping.answers)
        whose = Quotas(wanted, recipe.mapping.labellers)

        def make(row: CorpusRow) -> DraftExample | None:
            for who in whose.neediest():
                if not row.ids(who):
                    continue
                case = self._case(row, who)
                for kind in kinds.neediest():
                    if kind == "protocol" and who != "nvd":
                        continue  # its words name no labeller: NVD's is meant
                    if kind == "reason" and not case.findings:
                        continue  # a reason that quotes nothing
                    if draft := self._draft(case, f"map-{kind}", self._maker(kind)):
                        whose.took(who)
                        kinds.took(kind)
                        return draft
            return None

        return self._accepted(self._distinct(pool[: round(_SPARE * wanted)]), make, wanted)

    def _maker(self, kind: MappingAnswer) -> Maker:
        maker = MAPPING[kind]
        if kind not in _JUSTIFIED or not self._recipe.mapping.id_first:
            return maker
        return lambda case, context, rng: id_first(maker(case, context, rng))

    def accept(self, drafts: Iterable[DraftExample], wanted: int) -> list[DraftExample]:
        """Return up to so many of the drafts, those that pass every check."""

        def checked(draft: DraftExample) -> DraftExample | None:
            doubt = self._verifier.rejection_reason(draft)
            if doubt:
                self.tally.throw(draft.kind, doubt)
            return None if doubt else draft

        return self._accepted(drafts, checked, wanted)

    def _distinct(self, rows: Sequence[CorpusRow]) -> list[CorpusRow]:
        kept = distinct(rows, self._recipe.limits.alike)
        self.tally.records += len(rows)
        self.tally.alike += len(rows) - len(kept)
        return kept

    def _case(self, row: CorpusRow, who: Labeller) -> LabelledRecord:
        text, cwe = clean(row.text), row.ids(who)[0]
        return LabelledRecord(
            record=row.id,
            text=text,
            cwe=cwe,
            labeller=who,
            impacts=stated_impacts(text),
            findings=self._findings(text, cwe),
        )

    def _findings(self, text: str, cwe: str) -> tuple[Finding, ...]:
        """Return what points to a weakness: words that were learnt, else its name."""
        if found := self._context.evidence.find(text, cwe):
            return found
        span = self._context.graph.named_in(text, cwe)
        return (Finding(text[slice(*span)], 1.0, span[0]),) if span else ()

    def _draft(self, case: LabelledRecord, kind: str, make: Maker) -> DraftExample | None:
        """Return a question that passes, in one of several attempts at wording it."""
        for attempt in range(_ATTEMPTS):
            draft = make(
                case, self._context, Random(f"{self._recipe.seed} {case.record} {kind} {attempt}")
            )
            doubt = self._verifier.rejection_reason(draft)
            if doubt is None:
                return draft
            self.tally.throw(draft.kind, doubt)
        return None

    def _accepted(
        self, rows: Iterable[SourceT], make: Callable[[SourceT], DraftExample | None], wanted: int
    ) -> list[DraftExample]:
        """Return up to so many drafts that also overlap no benchmark, told in batches."""
        accepted: list[DraftExample] = []
        batch: list[DraftExample] = []
        for row in rows:
            if len(batch) == _AT_ONCE or len(accepted) + len(batch) == wanted:
                accepted += self._clean(batch)
                batch = []
            if len(accepted) == wanted:
                break
            if draft := make(row):
                self._verifier.accept(draft)
                batch.append(draft)
        accepted += self._clean(batch)
        self.tally.accepted.update(draft.kind for draft in accepted)
        return accepted

    def _clean(self, batch: Sequence[DraftExample]) -> list[DraftExample]:
        """Return those drafts that overlap no benchmark, neither as a whole nor in a part."""
        texts = [texts_of(draft.prompt, draft.response) for draft in batch]
        found = self._filter.find(
            (draft.record, draft.record, text)
            for draft, its in zip(batch, texts, strict=True)
            for text in its
        )
        kept = []
        for draft, its in zip(batch, texts, strict=True):
            matches = [next(found) for _ in its]
            if any(matches):
                self.tally.throw(draft.kind, "benchmark")
            else:
                kept.append(draft)
        return kept


def main_label(row: CorpusRow) -> str:
    """Return the weakness that a row is about: NVD's before the CNA's, or an empty string."""
    labels = row.ids("nvd") or row.ids("cna")
    return labels[0] if labels else ""
