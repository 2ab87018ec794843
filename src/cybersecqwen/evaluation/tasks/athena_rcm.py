"""AthenaBench RCM: the CWE id behind newer CVEs."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task
from cybersecqwen.sources.benchmarks import athena_bench


def _load(path: Path, options: LoadOptions) -> list[Question]:
    return athena_bench.read_questions(path, "rcm")


TASK = Task(
    name="athena-rcm",
    title="CVE to CWE (AthenaBench RCM)",
    kind="cwe",
    load=_load,
)
