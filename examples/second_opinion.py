"""Where a record's own weakness and ours differ: what a CNA may want to look at again."""

from __future__ import annotations

import sys
from pathlib import Path

from cybersecqwen import Advisory, CweMapper, read_advisories
from cybersecqwen.core.taxonomy import shipped_taxonomy


def main(feed: Path) -> None:
    """Print each record whose weakness is not among our three likeliest, with the reason."""
    mapper, taxonomy = CweMapper.load(), shipped_taxonomy()
    agreed = 0
    for record in read_advisories(feed):
        if not isinstance(record, Advisory):
            continue
        stated = [label.cwe for label in record.labels]
        prediction = mapper.map(record.description, labeller="cna", top_k=3)
        likely = [candidate.cwe for candidate in prediction.candidates]
        if set(stated) & set(likely) or not likely:
            agreed += 1
            continue
        print(f"{record.id}: the record says {', '.join(stated) or 'nothing'}")
        for candidate in prediction.candidates:
            name = taxonomy.name(candidate.cwe)
            print(f"  {candidate.probability:.2f}  {candidate.cwe}  {name}")
    print(f"{agreed} records: theirs is among our three likeliest")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("feed.jsonl"))
