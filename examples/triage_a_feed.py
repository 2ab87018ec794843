"""A feed of records to a list of what to look at first."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from cybersecqwen import Advisory, CweMapper, read_advisories

# What a site finds urgent is its own choice: here, what lets a stranger run code or read data.
URGENT = {"CWE-78", "CWE-89", "CWE-94", "CWE-122", "CWE-416", "CWE-502", "CWE-787"}


def main(feed: Path) -> None:
    """Print the feed's records by weakness, urgent ones first, doubtful ones last."""
    mapper = CweMapper.load()
    records = []
    for record in read_advisories(feed):
        if isinstance(record, Advisory):
            records.append(record)
        else:  # what could not be read is named, never dropped in silence
            print(f"{record.where}: {record.reason}", file=sys.stderr)
    groups: dict[str, list[str]] = defaultdict(list)
    predictions = mapper.map_many(record.description for record in records)
    for record, prediction in zip(records, predictions, strict=True):
        certain = "unsure" if prediction.abstained else f"{prediction.confidence:.2f}"
        group = "to read by a person" if prediction.abstained else prediction.cwe
        groups[group].append(f"  {record.id}  {certain:>6}  {record.description[:70]}")
    for group in sorted(groups, key=lambda name: (name not in URGENT, not name.startswith("CWE"))):
        print(f"{group}{' (urgent)' if group in URGENT else ''}: {len(groups[group])}")
        print("\n".join(groups[group]))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("feed.jsonl"))
