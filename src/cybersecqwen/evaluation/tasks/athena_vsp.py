"""AthenaBench VSP: the CVSS v3.1 base vector of newer CVEs."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task
from cybersecqwen.sources.benchmarks import athena_bench


def _load(path: Path, options: LoadOptions) -> list[Question]:
    return athena_bench.read_questions(path, "vsp")


TASK = Task(
    name="athena-vsp",
    title="CVE to CVSS v3.1 vector (AthenaBench VSP)",
    kind="cvss",
    load=_load,
)
