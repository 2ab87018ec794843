"""A task of your own for the lab: its questions, two systems, a paired comparison."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from cybersecqwen import CweMapper
from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.log import read_log
from cybersecqwen.evaluation.protocols import find_protocol
from cybersecqwen.evaluation.runner import RunPlan, run
from cybersecqwen.evaluation.scoring import score
from cybersecqwen.evaluation.systems.specialist import SpecialistSystem
from cybersecqwen.evaluation.tasks import register
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task

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
    register(TASK)  # so that its logs can be scored, compared and reported
    questions = TASK.load(FEED, LoadOptions())
    mapper = CweMapper.load()
    with TemporaryDirectory() as folder:
        for labeller in ("nvd", "cna"):
            log = Path(folder) / f"{labeller}.jsonl"
            system = SpecialistSystem(mapper, labeller)
            plan = RunPlan(
                TASK, questions, find_protocol("constrained"), system, labeller, FEED, [0]
            )
            for _ in run(plan, log):
                pass
            right = score(read_log(log)).correct
            print(f"{labeller}: {sum(right):g} of {len(right)} right")


if __name__ == "__main__":
    main()
