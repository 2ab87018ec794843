"""Sums a scored log up: intervals, calibration, hierarchy, classes, commonest mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from cybersecqwen.core import calibration
from cybersecqwen.core.answer_parsing import AnswerKind
from cybersecqwen.core.cvss import MAX_DEVIATION, base_score
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.evaluation.actors import ActorTable, load_actors
from cybersecqwen.evaluation.general_check import kind_of
from cybersecqwen.evaluation.hierarchy import Hierarchy, judge
from cybersecqwen.evaluation.report.choices import OneLetter, SourceScore, choice_fields
from cybersecqwen.evaluation.scoring import Scored
from cybersecqwen.evaluation.statistics import (
    Interval,
    TrialSpread,
    bootstrap_interval,
    share_interval,
    shared_pages,
    trial_spread,
    wilson,
)

COVERAGE = 0.7
"""Share of answers at which selective accuracy is reported."""

COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Further ones, which trace the risk-coverage curve."""

_CONFUSIONS = 20


class ClassScore(msgspec.Struct, frozen=True):
    """One expected id: how often it was expected, found, and claimed."""

    id: str
    name: str
    n: int
    recall: float
    precision: float | None
    f1: float


class Abstention(msgspec.Struct, frozen=True):
    """What a system's own threshold does.

    Attributes:
        coverage: Share that it answers.
        accuracy_answered: Share right of those; None where it answers none.
        accuracy_abstained: What its best guess would have scored on the others.
        backoff: Share of all on which it names a broader id instead.
        backoff_right: Share of those that are the expected id or an ancestor of it.
    """

    coverage: float
    accuracy_answered: float | None
    accuracy_abstained: float | None
    backoff: float
    backoff_right: float | None


class Confusion(msgspec.Struct, frozen=True):
    """A mistake and how often it was made, over all trials."""

    gold: str
    answer: str | None
    count: int


class Summary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A scored log. Shares are from 0 to 1; ``None`` and empty fields are left out of JSON.

    Attributes:
        task: Task name.
        model: The model's SPEC or name.
        protocol: The protocol it was run under.
        reader: The protocol whose reader was used, ``saved`` or ``released``.
        n: Items scored.
        trials: Passes over them.
        complete: Whether the log holds every item of every trial.
        accuracy: Share right, averaged over items and trials. What is unreadable is wrong.
        ci95: Bootstrap interval over items, pages kept together where questions share them;
            Wilson's where all are right or none (``share_interval``).
        wilson95: Wilson's interval, for a single trial.
        spread: Noise of trials and of items, apart.
        trial_accuracies: One per trial.
        released_trials: Accuracies of an imported result's trials, by its makers' reading; only
            the last trial's items were kept.
        parse_failures: Answers that could not be read, over all trials.
        parse_failure_rate: Their share of all answers.
        errors: Answers that the system gave up on, over all trials; unreadable too.
        open_book: Whether the system looks things up.
        mad: Mean absolute deviation of the CVSS base score, the unreadable charged 10.
        mad_ci95: Its bootstrap interval.
        mad_readable: The same over readable answers alone, as CTI-Bench's authors compute it.
        micro_f1: Of ATT&CK ids, pooled over items.
        macro_f1: Of ATT&CK ids, averaged over items.
        plausible: Share that names the right or a related group.
        top5: Share whose expected answer is among the five likeliest.
        ece: Expected calibration error, 15 bins of equal mass.
        ece_equal_width: The same with bins of equal width, as many papers print it.
        brier: Brier score of the stated confidence.
        aurc: Area under the risk-coverage curve.
        accuracy_at_70_coverage: Accuracy over the 70 % that the system is surest of.
        accuracy_by_coverage: The same for further shares.
        abstention: What the system's own threshold does, where it has one.
        hierarchy: CWE answers by their place in the catalogue.
        discouraged_share: Share of readable CWE answers that MITRE discourages or prohibits.
        per_class: Recall, precision and F1 by expected id, commonest first.
        per_class_f1: Mean F1 over the ids that are expected at all, each counting alike.
        by_source: Multiple choice by the source of the page that each question is from: ATT&CK,
            CWE, CAPEC, other. Pages stay together in the intervals.
        one_letter: Multiple choice where nearly all answers are one letter, which says that the
            system does not choose; None for others.
        by_kind: The general check by kind of prompt.
        confusions: The commonest mistakes.
        protocol_sha256: Hash of the protocol it was run under.
        digest: Hash of the log without the clock.
    """

    task: str
    model: str
    protocol: str
    reader: str
    n: int
    trials: int
    complete: bool
    accuracy: float
    ci95: Interval
    parse_failures: int
    parse_failure_rate: float
    errors: int
    open_book: bool
    trial_accuracies: list[float]
    spread: TrialSpread
    released_trials: list[float] = []
    wilson95: Interval | None = None
    mad: float | None = None
    mad_ci95: Interval | None = None
    mad_readable: float | None = None
    micro_f1: float | None = None
    macro_f1: float | None = None
    plausible: float | None = None
    top5: float | None = None
    ece: float | None = None
    ece_equal_width: float | None = None
    brier: float | None = None
    aurc: float | None = None
    accuracy_at_70_coverage: float | None = None
    accuracy_by_coverage: dict[str, float] = {}
    abstention: Abstention | None = None
    hierarchy: Hierarchy | None = None
    discouraged_share: float | None = None
    per_class: list[ClassScore] = []
    per_class_f1: float | None = None
    by_source: dict[str, SourceScore] = {}
    one_letter: OneLetter | None = None
    by_kind: dict[str, SourceScore] = {}
    confusions: list[Confusion] = []
    protocol_sha256: str = ""
    digest: str = ""


def summarise(scored: Scored, actors: ActorTable | None = None) -> Summary:
    """Sum a scored log up, with its intervals."""
    rows, log = scored.rows, scored.log
    table = scored.matrix()
    trials = table.shape[1]
    items = table.mean(axis=1)
    pages = page_groups(scored)
    failures = scored.readings.count(None)
    extra: dict[str, Any] = {}
    if trials == 1:
        extra["wilson95"] = wilson(int(table.sum()), len(table))
    extra |= _EXTRAS[scored.kind](scored, actors or load_actors())
    extra |= _confidence(scored)
    return Summary(
        task=log.header.task,
        model=log.header.model,
        protocol=log.header.protocol,
        reader=scored.reader,
        n=len(table),
        trials=trials,
        complete=log.missing == 0,
        accuracy=float(items.mean()),
        ci95=share_interval(items, pages),
        parse_failures=failures,
        parse_failure_rate=failures / len(rows),
        errors=sum(row.finish == "error" for row in rows),
        open_book=log.header.open_book,
        trial_accuracies=[float(mean) for mean in table.mean(axis=0)],
        released_trials=log.header.released.get("trial_accuracies", []),
        spread=trial_spread(table),
        confusions=_confusions(scored),
        protocol_sha256=log.header.protocol_sha256,
        digest=log.digest(),
        **extra,
    )


def page_groups(scored: Scored) -> list[str] | None:
    """Return each item's source page where several questions share one, else None."""
    return shared_pages([row.source for row in scored.items()])


def deviations(scored: Scored) -> list[float]:
    """Return each row's gap between the base scores; the unreadable is charged the largest."""
    return [
        MAX_DEVIATION if reading is None else abs(base_score(reading) - base_score(row.gold))
        for reading, row in zip(scored.readings, scored.rows, strict=True)
    ]


def _cvss(scored: Scored, _: ActorTable) -> dict[str, Any]:
    gaps = np.array(deviations(scored))
    read = np.array([reading is not None for reading in scored.readings])
    per_item = gaps.reshape(scored.matrix().T.shape).mean(axis=0)
    return {
        "mad": float(gaps.mean()),
        "mad_ci95": bootstrap_interval(per_item, page_groups(scored)),
        "mad_readable": float(gaps[read].mean()) if read.any() else None,
    }


def _techniques(scored: Scored, _: ActorTable) -> dict[str, Any]:
    hits = claimed = wanted = 0
    shares = []
    for reading, row in zip(scored.readings, scored.rows, strict=True):
        said = set(reading.split(",")) if reading else set()
        gold = set(row.gold.split(","))
        hits, claimed, wanted = hits + len(said & gold), claimed + len(said), wanted + len(gold)
        shares.append(2 * len(said & gold) / (len(said) + len(gold)))
    return {"micro_f1": 2 * hits / (claimed + wanted), "macro_f1": float(np.mean(shares))}


def _actor(scored: Scored, actors: ActorTable) -> dict[str, Any]:
    related = [
        reading is not None and actors.related(reading, row.gold)
        for reading, row in zip(scored.readings, scored.rows, strict=True)
    ]
    return {"plausible": float(np.mean(related))}


def _cwe(scored: Scored, _: ActorTable) -> dict[str, Any]:
    golds = [row.gold for row in scored.rows]
    judged = judge(zip(scored.readings, golds, strict=True), shipped_taxonomy())
    return {
        "hierarchy": judged,
        "discouraged_share": judged.discouraged + judged.prohibited,
        "per_class": (classes := _per_class(scored, golds)),
        "per_class_f1": float(np.mean([entry.f1 for entry in classes])),
        "abstention": _abstention(scored),
    }


def _text(scored: Scored, _: ActorTable) -> dict[str, Any]:
    kinds = np.array([kind_of(row.id) for row in scored.items()])
    right = scored.matrix().mean(axis=1)
    found = {}
    for kind in dict.fromkeys(kinds.tolist()):
        own = right[kinds == kind]
        found[kind] = SourceScore(len(own), float(own.mean()), share_interval(own))
    return {"by_kind": found}


_EXTRAS: dict[AnswerKind, Callable[[Scored, ActorTable], dict[str, Any]]] = {
    "cwe": _cwe,
    "choice": lambda scored, _: choice_fields(scored),
    "cvss": _cvss,
    "techniques": _techniques,
    "actor": _actor,
    "text": _text,
}


def _abstention(scored: Scored) -> Abstention | None:
    rows = scored.rows
    withheld = np.array([row.abstained for row in rows])
    if not withheld.any():
        return None
    right = np.array(scored.correct)
    taxonomy = shipped_taxonomy()
    broader = [
        row.backoff == row.gold or row.backoff in taxonomy.ancestors(row.gold)
        for row in rows
        if row.backoff
    ]
    return Abstention(
        coverage=float(1 - withheld.mean()),
        accuracy_answered=float(right[~withheld].mean()) if not withheld.all() else None,
        accuracy_abstained=float(right[withheld].mean()),
        backoff=len(broader) / len(rows),
        backoff_right=sum(broader) / len(broader) if broader else None,
    )


def _per_class(scored: Scored, golds: list[str]) -> list[ClassScore]:
    taxonomy = shipped_taxonomy()
    expected = Counter(golds)
    claimed = Counter(scored.readings)
    hits = Counter(g for g, right in zip(golds, scored.correct, strict=True) if right)
    return [
        ClassScore(
            id=cwe,
            name=taxonomy.name(cwe),
            n=count,
            recall=hits[cwe] / count,
            precision=hits[cwe] / claimed[cwe] if claimed[cwe] else None,
            f1=2 * hits[cwe] / (count + claimed[cwe]),
        )
        for cwe, count in expected.most_common()
    ]


def _confidence(scored: Scored) -> dict[str, Any]:
    rows = scored.rows
    found: dict[str, Any] = {}
    if scored.kind == "cwe" and all(row.candidates for row in rows):
        found["top5"] = float(
            np.mean([row.gold in [name for name, _ in row.candidates[:5]] for row in rows])
        )
    sure = [row.confidence for row in rows if row.confidence is not None]
    if len(sure) == len(rows):
        right = scored.correct
        found |= {
            "ece": calibration.expected_calibration_error(sure, right),
            "ece_equal_width": calibration.expected_calibration_error(sure, right, binning="width"),
            "brier": calibration.brier_score(sure, right),
            "aurc": calibration.risk_coverage(sure, right).area,
            "accuracy_at_70_coverage": calibration.accuracy_at_coverage(sure, right, COVERAGE),
            "accuracy_by_coverage": {
                f"{share:.1f}": calibration.accuracy_at_coverage(sure, right, share)
                for share in COVERAGES
            },
        }
    return found


def _confusions(scored: Scored) -> list[Confusion]:
    wrong = Counter(
        (row.gold, reading)
        for row, reading, right in zip(scored.rows, scored.readings, scored.correct, strict=True)
        if not right
    )
    if scored.kind in ("techniques", "cvss", "text"):
        return []  # sets, vectors and texts hardly repeat
    return [Confusion(gold, said, n) for (gold, said), n in wrong.most_common(_CONFUSIONS)]
