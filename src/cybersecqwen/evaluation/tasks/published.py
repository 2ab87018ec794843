"""The tasks of published benchmarks: CTI-Bench and AthenaBench."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from cybersecqwen.core.answer_parsing import AnswerKind
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task
from cybersecqwen.sources.benchmarks import athena_bench, cti_bench

# Rows of CTI-Bench RCM that repeat an earlier row's description, 0-based, as FAITH 0.3.2 drops
# them.
_RCM_DUPLICATES = (243, 453, 531, 600, 602, 681, 689, 691, 776, 788)

# Subtask, kind of its answers, what is asked (CTI-Bench), what is asked (AthenaBench).
_SUBTASKS: tuple[tuple[str, AnswerKind, str, str], ...] = (
    ("rcm", "cwe", "CVE to CWE", "CVE to CWE"),
    ("mcq", "choice", "CTI knowledge, multiple choice", "CTI knowledge, five options"),
    ("vsp", "cvss", "CVE to CVSS v3.1 vector", "CVE to CVSS v3.1 vector"),
    ("ate", "techniques", "Text to ATT&CK techniques", "Scenario to ATT&CK technique"),
    ("taa", "actor", "Report to threat actor", "Incident to threat actor"),
)


def _read_cti(subtask: str, path: Path, options: LoadOptions) -> list[Question]:
    if subtask != "taa":
        return cti_bench.read_questions(path, subtask)
    if options.gold is None:
        raise InputError(
            f"{path}: CTI-Bench keeps the expected answers apart: give the file of saved answers "
            "(cti-taa-responses.tsv) as --gold"
        )
    return cti_bench.read_questions(path, subtask, options.gold)


def _read_athena(subtask: str, path: Path, options: LoadOptions) -> list[Question]:
    return athena_bench.read_questions(path, subtask)


def _tasks(
    prefix: str,
    benchmark: str,
    titles: dict[str, str],
    read: Callable[[str, Path, LoadOptions], list[Question]],
) -> tuple[Task, ...]:
    return tuple(
        Task(
            name=f"{prefix}-{subtask}",
            title=f"{titles[subtask]} ({benchmark} {subtask.upper()})",
            kind=kind,
            load=partial(read, subtask),
            duplicates=_duplicates(prefix, subtask),
        )
        for subtask, kind, *_ in _SUBTASKS
    )


def _duplicates(prefix: str, subtask: str) -> frozenset[str]:
    if (prefix, subtask) != ("cti", "rcm"):
        return frozenset()
    return frozenset(cti_bench.question_id("rcm", row) for row in _RCM_DUPLICATES)


PUBLISHED = (
    *_tasks("cti", "CTI-Bench", {name: title for name, _, title, _ in _SUBTASKS}, _read_cti),
    *_tasks(
        "athena", "AthenaBench", {name: title for name, _, _, title in _SUBTASKS}, _read_athena
    ),
)
