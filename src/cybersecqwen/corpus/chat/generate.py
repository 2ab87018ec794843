"""Records -> questions: drawn, worded, checked, until there are enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Generic, TypeVar

from cybersecqwen.core.records import CvssVector, Labeller
from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.core.text.clean import clean
from cybersecqwen.corpus.chat.description_facts import read_facts
from cybersecqwen.corpus.chat.draft import DraftExample, GenerationContext, LabelledRecord
from cybersecqwen.corpus.chat.keyphrases import Finding
from cybersecqwen.corpus.chat.recipe import AnalystKind, ChatRecipe, MappingAnswer
from cybersecqwen.corpus.chat.rows import texts_of
from cybersecqwen.corpus.chat.sampling import distinct, ordered
from cybersecqwen.corpus.chat.severity import severity_of
from cybersecqwen.corpus.chat.templates import (
    attack_patterns,
    cvss,
    cwe,
    impact_and_fix,
    multiple_choice,
)
from cybersecqwen.corpus.chat.validate import Verifier
from cybersecqwen.corpus.cleaning.decontaminate import BenchmarkFilter, Overlap

KindT = TypeVar("KindT", bound=str)
SourceT = TypeVar("SourceT")

Maker = Callable[[LabelledRecord, GenerationContext, Random], DraftExample | None]

MAPPING: Mapping[MappingAnswer, Maker] = {
    "protocol": cwe.map_protocol,
    "justified": cwe.map_justified,
    "id": cwe.map_id,
}
ANALYST: Mapping[AnalystKind, Maker] = {
    "weakness": cwe.which_weakness,
    "difference": impact_and_fix.difference,
    "gain": impact_and_fix.gains,
    "check": impact_and_fix.checks,
    "fix": impact_and_fix.fix,
    "pattern": attack_patterns.pattern,
    "technique": attack_patterns.technique,
    "vector": cvss.vector,
    "severity": cvss.severity_rating,
    "metric": cvss.metric,
    "choice-weakness": multiple_choice.choose_weakness,
    "choice-advice": multiple_choice.choose_advice,
    "choice-pattern": multiple_choice.choose_pattern,
    "choice-metric": multiple_choice.choose_metric,
}

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
        self.rows = rows

    def neediest(self) -> list[KindT]:
        """Return kinds by the share of their rows that is missing, the greatest first."""
        missing = {k: (w - self._made[k]) / w for k, w in self._wanted.items() if w}
        return sorted((k for k in missing if missing[k] > 0), key=lambda k: (-missing[k], k))

    def took(self, kind: KindT) -> None:
        """Count a row."""
        self._made[kind] += 1


class ExampleGenerator:
    """Makes questions of records.

    Args:
        recipe: The corpus's recipe.
        context: Knowledge.
        vectors: CVSS vectors by CVE id.
        verifier: Checks every row.
        benchmarks: Files that no row may overlap.
    """

    def __init__(
        self,
        recipe: ChatRecipe,
        context: GenerationContext,
        vectors: Mapping[str, Sequence[CvssVector]],
        verifier: Verifier,
        benchmarks: Sequence[Path],
    ) -> None:
        self._recipe = recipe
        self._context = context
        self._vectors = vectors
        self._verifier = verifier
        self._filter = BenchmarkFilter(benchmarks, recipe.near_duplicate, answered=True)
        self.tally = GenerationTally()

    @property
    def overlaps(self) -> list[Overlap]:
        """What the questions had in common with benchmarks, before it was taken out."""
        return self._filter.overlaps

    def ask(self, rows: Sequence[CorpusRow], analyst: int, mapped: int) -> list[DraftExample]:
        """Return up to so many questions about rows, each about another.

        Questions that need a CVSS vector or particular words get the first choice of records;
        what is left over is mapped.
        """
        recipe, seed = self._recipe, self._recipe.seed
        short = [r for r in rows if len(r.text) <= recipe.limits.description and main_label(r)]
        pool = ordered(short, recipe.analyst.draw, main_label, f"{seed} analyst")
        share = _scored_share(recipe.analyst.kinds)
        spread = _spread(pool, self._vectors, round(_SPARE * analyst), share)
        for_analyst = self._distinct(spread)
        drafts = self._analyse(for_analyst, analyst)
        used = {draft.record for draft in drafts}
        rest = [row for row in short if row.id not in used]
        pool = ordered(rest, recipe.mapping.draw, main_label, f"{seed} mapping")
        return drafts + self._map(self._distinct(pool[: round(_SPARE * mapped)]), mapped)

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

    def _analyse(self, rows: Sequence[CorpusRow], wanted: int) -> list[DraftExample]:
        quotas = Quotas(wanted, self._recipe.analyst.kinds)

        def make(row: CorpusRow) -> DraftExample | None:
            case = self._case(row, "nvd" if row.ids("nvd") else "cna")
            for kind in quotas.neediest():
                if draft := self._draft(case, kind, ANALYST[kind]):
                    quotas.took(kind)
                    return draft
            return None

        return self._accepted(rows, make, wanted)

    def _map(self, rows: Sequence[CorpusRow], wanted: int) -> list[DraftExample]:
        kinds = Quotas(wanted, self._recipe.mapping.answers)
        whose = Quotas(wanted, self._recipe.mapping.labellers)

        def make(row: CorpusRow) -> DraftExample | None:
            for who in whose.neediest():
                if not row.ids(who):
                    continue
                case = self._case(row, who)
                for kind in kinds.neediest():
                    if kind == "protocol" and who != "nvd":
                        continue  # its words name no labeller: NVD's is meant
                    if draft := self._draft(case, f"map-{kind}", MAPPING[kind]):
                        whose.took(who)
                        kinds.took(kind)
                        return draft
            return None

        return self._accepted(rows, make, wanted)

    def _case(self, row: CorpusRow, who: Labeller) -> LabelledRecord:
        text, cwe = clean(row.text), row.ids(who)[0]
        return LabelledRecord(
            record=row.id,
            text=text,
            cwe=cwe,
            labeller=who,
            severity=severity_of(self._vectors.get(row.id, ())),
            facts=read_facts(text),
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
            if draft is None:
                self.tally.throw(kind, "nothing to say")
                return None
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
        """Return those drafts that overlap no benchmark, neither as a whole nor in their record."""
        texts = [
            (d.record, d.record, text) for d in batch for text in texts_of(d.prompt, d.response)
        ]
        found = list(self._filter.find(texts))
        kept = []
        for place, draft in enumerate(batch):
            if any(found[2 * place : 2 * place + 2]):
                self.tally.throw(draft.kind, "benchmark")
            else:
                kept.append(draft)
        return kept


def main_label(row: CorpusRow) -> str:
    """Return the weakness that a row is about: NVD's before the CNA's, or an empty string."""
    labels = row.ids("nvd") or row.ids("cna")
    return labels[0] if labels else ""


_SCORED: Mapping[str, float] = {
    "vector": 1.0,
    "severity": 1.0,
    "metric": 1.4,
    "choice-metric": 1.4,
    "gain": 0.6,
    "check": 0.6,
}
"""Kinds that need, or are better for, a CVSS vector, and records with one that a row costs."""


def _scored_share(kinds: Mapping[AnalystKind, float]) -> float:
    wanted = sum(weight * _SCORED.get(kind, 0.0) for kind, weight in kinds.items())
    return min(1.0, wanted / sum(kinds.values()))


def _spread(
    pool: Sequence[CorpusRow], vectors: Mapping[str, Sequence[CvssVector]], size: int, share: float
) -> list[CorpusRow]:
    """Return the first rows of a pool so that a share of them has a CVSS vector, in its order."""
    scored = [row for row in pool if row.id in vectors][: round(share * size)]
    chosen = {row.id for row in scored}
    plain = [row for row in pool if row.id not in chosen][: size - len(scored)]
    chosen |= {row.id for row in plain}
    return [row for row in pool if row.id in chosen]
