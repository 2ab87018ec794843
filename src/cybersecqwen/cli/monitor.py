"""``monitor``: whether a site's results still look like those that its model was validated on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cybersecqwen.cli.common import EXIT_DONE, EXIT_SOME_FAILED, print_json, printable, warn
from cybersecqwen.core.errors import InputError

if TYPE_CHECKING:
    from cybersecqwen.apps.monitor import MonitorReport

HELP = "watch a site's own results for drift, and sum up its analysts' corrections"
EXAMPLES = ("monitor answers.jsonl", "monitor results --page drift.html")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "results",
        type=Path,
        nargs="+",
        metavar="RESULTS",
        help="JSON lines that map wrote of records, or folders of such files",
    )
    parser.add_argument("--profile", type=Path, metavar="FILE", help="reference (the model's own)")
    parser.add_argument(
        "--records", type=Path, metavar="FILE", help="what was mapped, if results lack its texts"
    )
    parser.add_argument(
        "--corrections",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="corrections that the page exported",
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="write an HTML page")
    parser.add_argument(
        "--training-rows", type=Path, metavar="FILE", help="write the corrections for corpus build"
    )
    parser.add_argument(
        "--make-profile", type=Path, metavar="FILE", help="make a reference of these results"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Watch: 0 without drift, 1 with drift in the last two weeks."""
    from cybersecqwen.apps import monitor

    if arguments.make_profile:
        profile = monitor.save_profile(arguments.results, arguments.make_profile, arguments.records)
        facts = {"profile": str(arguments.make_profile), "made_from": profile.made_from}
        print_json(facts) if arguments.json else print(printable(profile.made_from))
        return EXIT_DONE
    if arguments.training_rows and not arguments.corrections:
        raise InputError("--training-rows: name the corrections: --corrections FILE")
    report = monitor.watch(
        arguments.results,
        profile=arguments.profile,
        records=arguments.records,
        corrections=arguments.corrections,
        page=arguments.page,
        rows=arguments.training_rows,
    )
    if arguments.json:
        print_json(monitor.as_dict(report))
    else:
        print(_describe(report))
    for reason in report.left_out:
        warn(f"no training row: {reason}")
    return EXIT_SOME_FAILED if any(w.alarm for w in report.weeks[-2:]) else EXIT_DONE


def _describe(report: MonitorReport) -> str:
    from cybersecqwen.release.drift import MEASURES

    lines = [f"{report.records:,} results of {report.model}, against {report.reference}"]
    if report.undated:
        lines.append(f"{report.undated:,} of them have no date and are not in any week")
    for verdict in report.weeks:
        if not verdict.comparisons:
            lines.append(f"{verdict.week}  {verdict.counts.records:>6} records: too few to tell")
            continue
        drifted = [c for c in verdict.comparisons if c.alarm]
        told = "; ".join(
            f"{MEASURES[c.measure]} moved by {c.change:.0%} (p {c.p:.1g}), "
            f"most {c.grown[0]} {c.grown[1]:+.0%}"
            for c in drifted
        )
        otherwise = "unusual, for this week alone" if verdict.unusual else "as usual"
        lines.append(f"{verdict.week}  {verdict.counts.records:>6} records: {told or otherwise}")
    if report.feedback:
        given = report.feedback
        lines.append(
            f"corrections: {given.right} of {given.answers} answers confirmed "
            f"({given.low:.0%} to {given.high:.0%}; analysts choose what they judge)"
        )
    return "\n".join(map(printable, lines))
