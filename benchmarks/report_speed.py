"""Seconds and bytes of a report beyond mapping: rows of real records, with made-up answers.

    python benchmarks/report_speed.py ../shared/data/cve5/vulnrichment.jsonl.gz

The answers are drawn by the record's number, so that no model is asked; the rows are made before
the clock starts, as ``map`` has made them by then.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from cybersecqwen.apps.outputs.rows import RecordRow, RowMaker
from cybersecqwen.apps.report import write_report
from cybersecqwen.core.records import Advisory, Candidate, CwePrediction
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.sources import read_advisories

CWES = ("CWE-79", "CWE-89", "CWE-787", "CWE-125", "CWE-22", "CWE-862", "CWE-416", "CWE-352")


def answer(number: int) -> CwePrediction:
    """Return the answer of a record's number."""
    probabilities = (0.4 + (number % 60) / 100, 0.02, 0.01, 0.005, 0.002)
    candidates = tuple(
        Candidate(CWES[(number + place) % len(CWES)], share)
        for place, share in enumerate(probabilities)
    )
    unsure = probabilities[0] < 0.6
    band = "unsure" if unsure else "sure" if probabilities[0] > 0.9 else "likely"
    first = candidates[0]
    return CwePrediction(first.cwe, first.probability, candidates, unsure, band=band)  # type: ignore[arg-type]


def main() -> None:
    """Write a report of each kind, and print its seconds and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("feed", type=Path)
    feed: Path = parser.parse_args().feed
    maker = RowMaker(shipped_taxonomy(), "made up")
    rows: list[RecordRow] = [
        maker.record_row(record, answer(number))
        for number, record in enumerate(read_advisories(feed))
        if isinstance(record, Advisory)
    ]
    for ending in ("html", "md"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"report.{ending}")
            wall, cpu = time.monotonic(), time.process_time()
            write_report(path, rows, title=feed.name)
            seconds, worked = time.monotonic() - wall, time.process_time() - cpu
            size = path.stat().st_size
        print(
            f"{ending}: {len(rows):,} rows, {seconds:.1f} s by the clock, {worked:.1f} s of the "
            f"processor, {size / 1e6:.1f} MB"
        )


if __name__ == "__main__":
    main()
