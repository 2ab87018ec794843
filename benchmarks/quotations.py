"""How many of the words that answers quote stand in the text that they are about.

    python benchmarks/quotations.py LOG...

For logs of ``eval run cti-rcm --protocol ref``. A quotation is what stands between double quotes,
three characters or more; case, spaces, and commas and full stops at its ends do not count.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from cybersecqwen.evaluation.log import read_log

QUOTED = re.compile(r'"([^"]{3,})"|“([^”]{3,})”')


def plain(text: str) -> str:
    """Return a text in lower case with single spaces, without punctuation at its ends."""
    return re.sub(r"\s+", " ", text.lower()).strip(" .,")


def main(paths: list[str]) -> None:
    """Print a line for each log."""
    for path in paths:
        quoted = standing = answers = whole = 0
        rows = read_log(Path(path)).rows
        for row in rows:
            shown = plain(" ".join(turn.content for turn in row.prompt))
            found = [plain(a or b) in shown for a, b in QUOTED.findall(row.output)]
            quoted += len(found)
            standing += sum(found)
            answers += bool(found)
            whole += bool(found) and all(found)
        print(
            f"{path}: {len(rows):,} answers, {answers:,} with a quotation; {standing:,} of "
            f"{quoted:,} quotations stand in the text; in {whole:,} answers all do"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
