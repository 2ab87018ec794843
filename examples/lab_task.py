"""A task of your own for the lab: its questions, two systems, a paired comparison."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from cybersecqwen import evaluate
from cybersecqwen.apps.evaluation import compare
from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.tasks import LoadOptions, Task, register

FEED = Path(__file__).with_name("feed.jsonl")


def load(path: Path, options: LoadOptions) -> list[Question]:
    """Read the questions: a record's text, and the weakness that its author gave it."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        Question(row["cve"], "my-feed", row["description"], row["cwe"][0], text=row["description"])
        for row in rows
        if row["cwe"]
    ]


TASK = Task(name="my-feed", title="Our own records", kind="cwe", load=load)


def main() -> None:
    """Answer the task following two conventions, and print how often each is right."""
    register(TASK)  # in a package of your own, an entry point does this
    with TemporaryDirectory() as folder:
        logs = [Path(folder) / f"{labeller}.jsonl" for labeller in ("nvd", "cna")]
        for log in logs:
            found = evaluate("my-feed", FEED, output=log, labeller=log.stem)
            print(f"{log.stem}: {found.accuracy:.2f} of {found.summary.n} right")
        (pair,) = compare(logs).pairs
    test = pair.test
    print(f"difference {test.difference:+.2f} [{test.ci95.low:+.2f}, {test.ci95.high:+.2f}]")


if __name__ == "__main__":
    main()
