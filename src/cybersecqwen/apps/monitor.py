"""Watch a site's own results for drift and feedback, and write one page about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cybersecqwen.core.errors import InputError, require_extra
from cybersecqwen.core.files import atomic_write, write_text
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.release.results_profile import (
    Profile,
    ResultRow,
    count_weeks,
    familiarity,
    make_profile,
    read_profile,
    read_results,
    week_of,
    write_profile,
)

if TYPE_CHECKING:
    from cybersecqwen.release.drift import WeekVerdict
    from cybersecqwen.release.feedback import FeedbackSummary

PROFILES = Path(__file__).parents[1] / "release" / "profiles"
"""Profiles of the models that ship."""


@dataclass(frozen=True)
class MonitorReport:
    """What a site's results say.

    Attributes:
        model: Name and version of the model.
        reference: What they are compared with.
        records: Number of results.
        undated: How many have neither a record's date nor a day in the file's name.
        weeks: Verdicts, oldest first.
        feedback: What corrections say; None without any.
        left_out: Corrections that are no training rows, and why.
    """

    model: str
    reference: str
    records: int
    undated: int
    weeks: tuple[WeekVerdict, ...]
    feedback: FeedbackSummary | None
    left_out: tuple[str, ...]

    @property
    def alarms(self) -> list[str]:
        """The weeks with drift."""
        return [verdict.week for verdict in self.weeks if verdict.alarm]


def watch(
    results: Sequence[Path],
    *,
    profile: Path | None = None,
    records: Path | None = None,
    corrections: Sequence[Path] = (),
    page: Path | None = None,
    rows: Path | None = None,
) -> MonitorReport:
    """Compare results with a reference week by week, and sum up corrections.

    Args:
        results: JSON lines that ``map`` wrote of records, or folders of such files. A row's week
            is that of its record's date; where it has none, of a day ``YYYY-MM-DD`` in the
            file's name.
        profile: The reference; None for the one that ships with the model.
        records: What was mapped, for dates and texts that the results do not have.
        corrections: Files that the page exported.
        page: HTML page to write.
        rows: File of training rows to write, from the corrections.

    Raises:
        InputError: A file cannot be used, or results are of another model than the reference.
        MissingExtraError: The ``monitor`` extra is not installed.
    """
    require_extra("monitor", "scipy")
    from cybersecqwen.release.drift import DriftTest
    from cybersecqwen.release.feedback import read_corrections, summarise_feedback, training_rows

    dated, undated, model = _read(results, records)
    reference = read_profile(profile) if profile else _shipped_profile(model)
    if model and reference.model != model:
        raise InputError(
            f"results of {model}, a reference of {reference.model}: make one with "
            "cybersecqwen monitor --make-profile"
        )
    weeks = tuple(DriftTest(reference).judge(count_weeks(dated, familiarity(reference))))
    said = read_corrections(corrections)
    made, left_out = training_rows(said, shipped_taxonomy())
    report = MonitorReport(
        model=model,
        reference=reference.made_from,
        records=len(dated) + undated,
        undated=undated,
        weeks=weeks,
        feedback=summarise_feedback(said) if corrections else None,
        left_out=tuple(left_out),
    )
    if rows:
        with atomic_write(rows) as stream:
            stream.writelines(msgspec.json.encode(row) + b"\n" for row in made)
    if page:
        from cybersecqwen.release.monitor_page import render_page

        write_text(page, render_page(report, reference))
    return report


def save_profile(results: Sequence[Path], output: Path, records: Path | None = None) -> Profile:
    """Make a reference of results that are known to be good, and write it.

    Args:
        results: As for ``watch``.
        output: The file.
        records: As for ``watch``.

    Raises:
        InputError: A file cannot be used, or the results are of several models.
    """
    dated, _, model = _read(results, records)
    names = ", ".join(path.name for path in results)
    profile = make_profile(dated, model, f"{names}: {len(dated):,} results of {model}")
    write_profile(output, profile)
    return profile


def as_dict(report: MonitorReport) -> dict[str, Any]:
    """Return a report as ``--json`` prints it."""
    value = asdict(report)
    value["alarms"] = report.alarms
    value["weeks"] = [
        {
            "week": verdict.week,
            "records": verdict.counts.records,
            "alarm": verdict.alarm,
            "unusual": verdict.unusual,
            "measures": [asdict(comparison) for comparison in verdict.comparisons],
        }
        for verdict in report.weeks
    ]
    return value


def _read(
    results: Sequence[Path], records: Path | None
) -> tuple[list[tuple[str, ResultRow]], int, str]:
    """Return the rows with their weeks, how many have none, and the one model they are of."""
    dated, undated, models = [], 0, Counter[str]()
    known = _texts(records) if records else {}
    for path in results:
        files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
        for file in files:
            otherwise = _day_in(file.name)
            for row in read_results(file):
                models[row.model] += 1
                if row.id in known:
                    row = msgspec.structs.replace(row, **known[row.id])  # noqa: PLW2901
                week = week_of(row, otherwise)
                if week is None:
                    undated += 1
                else:
                    dated.append((week, row))
    if not models:
        raise InputError(f"{', '.join(map(str, results))}: no results")
    if len(models) > 1:
        told = ", ".join(f"{name or 'unnamed'} ({count})" for name, count in models.most_common())
        raise InputError(f"results of several models, which are watched one by one: {told}")
    return dated, undated, next(iter(models))


def _texts(records: Path) -> dict[str, dict[str, str]]:
    """Return date and text of each record, by its id."""
    from cybersecqwen.core.records import Advisory
    from cybersecqwen.sources.detect import read_advisories

    return {
        record.id: {"published": record.published, "description": record.description}
        for record in read_advisories(records)
        if isinstance(record, Advisory)
    }


def _day_in(name: str) -> date | None:
    found = re.search(r"\d{4}-\d{2}-\d{2}", name)
    try:
        return date.fromisoformat(found[0]) if found else None
    except ValueError:
        return None


def _shipped_profile(model: str) -> Profile:
    path = PROFILES / f"{model.replace(' ', '-')}.json"
    if not path.is_file():
        raise InputError(
            f"no reference ships for {model or 'an unnamed model'}: make one of results that are "
            "known to be good, with cybersecqwen monitor --make-profile"
        )
    return read_profile(path)
