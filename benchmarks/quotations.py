"""How many of the words that answers quote stand in the text that they are about.

    python benchmarks/quotations.py LOG...
    python benchmarks/quotations.py --texts RECORDS MAPPED...

For logs of ``eval run cti-rcm --protocol ref``, or, with the records that were mapped (JSON lines
with ``id`` and ``text`` or ``description``), for what ``map --explain`` made of them. A quotation
is what stands between double quotes, three characters or more; case, spaces, and commas and full
stops at its ends do not count.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from cybersecqwen.core.text.quotations import quotations_stand
from cybersecqwen.evaluation.log import read_log


def logged(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what was shown and what was answered, for each row of an evaluation's log."""
    for row in read_log(path).rows:
        yield " ".join(turn.content for turn in row.prompt), row.output


def mapped(path: Path, texts: Path) -> Iterator[tuple[str, str]]:
    """Yield a record's text and the reason of its mapping, for each mapped row that has one."""
    records = map(json.loads, texts.read_text("utf-8").splitlines())
    known = {record["id"]: record.get("text") or record["description"] for record in records}
    for row in map(json.loads, path.read_text("utf-8").splitlines()):
        if row.get("reason"):
            yield known[row["id"]], row["reason"]


def counted(answers: Iterable[tuple[str, str]]) -> str:
    """Return in words how many quotations stand in the text."""
    rows = quoted = standing = quoting = whole = 0
    for text, answer in answers:
        found = list(quotations_stand(answer, text))
        rows += 1
        quoted += len(found)
        standing += sum(found)
        quoting += bool(found)
        whole += bool(found) and all(found)
    return (
        f"{rows:,} answers, {quoting:,} with a quotation; {standing:,} of {quoted:,} quotations "
        f"stand in the text; in {whole:,} answers all do"
    )


def main() -> None:
    """Print a line for each file."""
    parser = argparse.ArgumentParser(description="how many quotations stand in the text")
    parser.add_argument("paths", type=Path, nargs="+", metavar="LOG|MAPPED")
    parser.add_argument("--texts", type=Path, metavar="RECORDS", help="what was mapped")
    given = parser.parse_args()
    for path in given.paths:
        answers = mapped(path, given.texts) if given.texts else logged(path)
        print(f"{path}: {counted(answers)}")


if __name__ == "__main__":
    main()
