"""CTI-Bench RCM: the CWE id that NVD gave a CVE."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task
from cybersecqwen.sources.benchmarks import cti_bench

# Rows that repeat an earlier row's description, 0-based, as FAITH 0.3.2 drops them.
_DUPLICATES = (243, 453, 531, 600, 602, 681, 689, 691, 776, 788)


def _load(path: Path, options: LoadOptions) -> list[Question]:
    return cti_bench.read_questions(path, "rcm")


TASK = Task(
    name="cti-rcm",
    title="CVE to CWE (CTI-Bench RCM)",
    kind="cwe",
    load=_load,
    duplicates=frozenset(cti_bench.question_id("rcm", row) for row in _DUPLICATES),
)
