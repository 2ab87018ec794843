"""CTI-Bench TAA: the group behind an anonymised report."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task
from cybersecqwen.sources.benchmarks import cti_bench


def _load(path: Path, options: LoadOptions) -> list[Question]:
    if options.gold is None:
        raise InputError(
            f"{path}: CTI-Bench keeps the expected answers apart: give the file of saved answers "
            "(cti-taa-responses.tsv) as --gold"
        )
    return cti_bench.read_questions(path, "taa", options.gold)


TASK = Task(
    name="cti-taa",
    title="Report to threat actor (CTI-Bench TAA)",
    kind="actor",
    load=_load,
)
