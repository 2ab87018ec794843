"""CTI-Bench VSP: the CVSS v3.1 base vector that NVD gave a CVE."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task
from cybersecqwen.sources.benchmarks import cti_bench


def _load(path: Path, options: LoadOptions) -> list[Question]:
    return cti_bench.read_questions(path, "vsp")


TASK = Task(
    name="cti-vsp",
    title="CVE to CVSS v3.1 vector (CTI-Bench VSP)",
    kind="cvss",
    load=_load,
)
