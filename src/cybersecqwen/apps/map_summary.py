"""What became of the records of a job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from cybersecqwen.apps.map_stream import MapOutcome
from cybersecqwen.apps.record_job import ReportProblem
from cybersecqwen.core.taxonomy import Taxonomy

COMMONEST = 5
"""Weaknesses that a summary names."""

SKIPPED_KINDS = ("rejected", "reserved", "withdrawn")
"""Kinds of ``RecordProblem`` that are no failures: records that say of themselves to be ignored."""


class CommonWeakness(msgspec.Struct, frozen=True):
    """A weakness and how many records were given it."""

    cwe: str
    name: str
    records: int


class MapSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a job's records.

    Attributes:
        records: Records of the input, of every kind.
        answered: Those with an answer.
        sure: Of these, those of the band ``sure``; see ``CwePrediction``.
        likely: Those over the threshold that are not.
        unsure: Those whose answer is under the threshold.
        labelled: Records beside these that were left out, since they have a label of their own.
        rejected: Those that the CVE Program or NVD has rejected; not failures.
        reserved: Those whose id is only reserved; not failures.
        withdrawn: Those that were withdrawn; not failures.
        problems: Those that could not be used; each has been reported.
        commonest: Weaknesses given most often, unsure answers left out.
        seconds: Wall-clock time.
        model: Name and version of the model.
        output: The file written; None where rows went to a stream.
    """

    records: int
    answered: int
    sure: int
    likely: int
    unsure: int
    labelled: int
    rejected: int
    reserved: int
    withdrawn: int
    problems: int
    commonest: tuple[CommonWeakness, ...]
    seconds: float
    model: str
    output: str | None = None

    def describe(self) -> str:
        """Return the closing lines of a run over a file."""
        skipped = [
            f"{count:,} {word}, skipped"
            for count, word in (
                (self.labelled, "labelled"),
                (self.rejected, "rejected"),
                (self.reserved, "reserved"),
                (self.withdrawn, "withdrawn"),
            )
            if count
        ]
        bands = f"{self.sure:,} sure, {self.likely:,} likely, {self.unsure:,} unsure"
        counts = [
            f"{self.answered:,} answered ({bands})",
            *skipped,
            f"{self.problems:,} problem{'' if self.problems == 1 else 's'}",
        ]
        noun = "record" if self.records == 1 else "records"
        lines = [f"{self.records:,} {noun} in {self.seconds:,.1f} s: {'; '.join(counts)}"]
        lines += [
            f"  {common.records:7,}  {common.cwe:<8}  {common.name}" for common in self.commonest
        ]
        if self.output:
            lines.append(f"written to {self.output}")
        return "\n".join(lines)


class MapTally:
    """Counts of what became of records.

    Args:
        report: Called with each problem that is a failure, or says something of the input.
    """

    def __init__(self, report: ReportProblem = lambda _: None) -> None:
        self._report = report
        self.records = 0
        self.labelled = 0
        self._answered = 0
        self._sure = 0
        self._unsure = 0
        self._problems: Counter[str] = Counter()
        self._weaknesses: Counter[str] = Counter()

    def add(self, outcomes: Iterable[MapOutcome]) -> None:
        """Count outcomes and report their problems."""
        for outcome in outcomes:
            self._count(outcome)
            if outcome.problem and outcome.problem.kind not in SKIPPED_KINDS:
                self._report(outcome.problem)

    def _count(self, outcome: MapOutcome) -> None:
        if outcome.problem and outcome.problem.kind == "note":
            return  # says something of the input as a whole
        self.records += 1
        if outcome.problem:
            self._problems[outcome.problem.kind] += 1
        elif outcome.prediction:
            self._answered += 1
            if outcome.prediction.abstained:
                self._unsure += 1
            else:
                self._sure += outcome.prediction.band == "sure"
                self._weaknesses[outcome.prediction.cwe] += 1

    def summary(
        self, taxonomy: Taxonomy, *, seconds: float, model: str, output: str | None
    ) -> MapSummary:
        """Return the counts, with the commonest weaknesses named."""
        skipped = {kind: self._problems[kind] for kind in SKIPPED_KINDS}
        # The smaller id first where two are given equally often, so that runs agree.
        commonest = sorted(self._weaknesses.items(), key=lambda item: (-item[1], _number(item[0])))
        return MapSummary(
            records=self.records,
            answered=self._answered,
            sure=self._sure,
            likely=self._answered - self._sure - self._unsure,
            unsure=self._unsure,
            labelled=self.labelled,
            **skipped,
            problems=self._problems.total() - sum(skipped.values()),
            commonest=tuple(
                CommonWeakness(cwe, taxonomy.name(cwe), count)
                for cwe, count in commonest[:COMMONEST]
            ),
            seconds=round(seconds, 2),
            model=model,
            output=output,
        )


def _number(cwe: str) -> int:
    return int(cwe.removeprefix("CWE-"))
