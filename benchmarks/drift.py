"""How often ``monitor`` finds a shift within two weeks, and how often it raises a false alarm.

Weeks are drawn from real results, whole publication days at a time, so that a week's records
resemble each other as they do in a feed. Shifts replace a share of a week's records:

    labels       by records of one weakness, of those that the pool has
    texts        by results of texts of another kind (--texts)
    truncated    by results of the same feed's texts cut short (--truncated)
    unsure       by records that the model left to a person

A fifth kind is printed apart: all results follow another labeller's convention (--labeller).

    cybersecqwen map --input feed.jsonl --output pool.jsonl       # and so for the other files
    python benchmarks/drift.py --pool pool.jsonl --texts other.jsonl --truncated short.jsonl \
        --labeller cna.jsonl
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from pathlib import Path

from cybersecqwen.release.drift import DriftTest
from cybersecqwen.release.results_profile import (
    ResultRow,
    count_weeks,
    familiarity,
    make_profile,
    read_results,
)

LABELS = ("CWE-79", "CWE-89", "CWE-787", "CWE-416", "CWE-862")


class Pool:
    """Results by publication day.

    Args:
        path: What ``map`` wrote of the records.
        seed: Of all draws.
        apart: Whether later weeks are of other days than the reference.
    """

    def __init__(self, path: Path, seed: int, *, apart: bool = False) -> None:
        self._draw = random.Random(seed)
        days: dict[str, list[ResultRow]] = defaultdict(list)
        for row in read_results(path):
            days[row.published[:10]].append(row)
        self._days = list(days.values())
        self._apart = apart
        self.rows = [row for day in self._days for row in day]

    def reference(self, weeks: int, size: int) -> list[tuple[str, ResultRow]]:
        """Return the reference's weeks; with days apart, each day is in one of them, if any."""
        if not self._apart:
            return [(f"r{n}", row) for n in range(weeks) for row in self.week(size)]
        self._draw.shuffle(self._days)
        found = []
        for number in range(weeks):
            rows: list[ResultRow] = []
            for _ in range(7):
                rows += self._days.pop()
            found += [(f"r{number}", row) for row in self.sample(rows, min(size, len(rows)))]
        self.rows = [row for day in self._days for row in day]
        return found

    def week(self, size: int) -> list[ResultRow]:
        """Return a sample of the records of seven days drawn at random."""
        rows: list[ResultRow] = []
        while len(rows) < size:
            rows = [row for day in self._draw.choices(self._days, k=7) for row in day]
        return self._draw.sample(rows, size)

    def sample(self, rows: list[ResultRow], size: int) -> list[ResultRow]:
        """Return some of these rows."""
        return self._draw.sample(rows, size)

    def shifted(self, size: int, share: float, others: list[ResultRow]) -> list[ResultRow]:
        """Return a week a share of whose records are others."""
        week = self.week(size)
        count = int(share * size)
        self._draw.shuffle(week)
        return week[count:] + self._draw.choices(others, k=count)


def main() -> None:
    """Print how many shifts were found, and how many weeks without one raised an alarm."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pool", type=Path, required=True)
    for name in ("--texts", "--truncated", "--labeller"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--size", type=int, default=400, help="records a week")
    parser.add_argument("--share", type=float, default=0.4, help="records that shift, 0 to 1")
    parser.add_argument("--reference", type=int, default=26, help="weeks of the reference")
    parser.add_argument("--quiet-weeks", type=int, default=20)
    parser.add_argument("--apart", action="store_true", help="later weeks are of other days")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    pool = Pool(arguments.pool, arguments.seed, apart=arguments.apart)
    reference = pool.reference(arguments.reference, arguments.size)
    profile = make_profile(reference, "model", "pool")
    test, unfamiliar = DriftTest(profile), familiarity(profile)

    def alarms(weeks: list[list[ResultRow]]) -> list[bool]:
        counted = [count_weeks([("w", row) for row in week], unfamiliar)[0] for week in weeks]
        return [verdict.alarm for verdict in test.judge(counted)]

    size = arguments.size
    false = sum(alarms([pool.week(size) for _ in range(arguments.quiet_weeks + 1)]))
    print(f"without a shift: {false} alarms in {arguments.quiet_weeks} weeks")
    others = {f"labels {cwe}": [row for row in pool.rows if row.cwe == cwe] for cwe in LABELS} | {
        f"{kind} {number}": list(read_results(getattr(arguments, kind)))
        for kind in ("texts", "truncated")
        for number in range(5)
    }
    unsure = [row for row in pool.rows if row.abstained]
    others |= {f"unsure {number}": unsure for number in range(5)}
    found = 0
    for name, rows in others.items():
        hit = any(
            alarms(
                [pool.week(size), *(pool.shifted(size, arguments.share, rows) for _ in range(2))]
            )
        )
        found += hit
        print(f"{name}: {'found' if hit else 'MISSED'}")
    print(f"shifts found within two weeks: {found} of {len(others)}")
    switched = list(read_results(arguments.labeller))
    found = sum(
        any(alarms([pool.week(size), *(pool.sample(switched, size) for _ in range(2))]))
        for _ in range(5)
    )
    print(f"switched to another labeller's convention: found {found} of 5 times")


if __name__ == "__main__":
    main()
