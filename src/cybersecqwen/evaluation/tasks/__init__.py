"""The tasks by name. A new one is a file beside this one and a line in the registry."""

from __future__ import annotations

from cybersecqwen.core.errors import InputError
from cybersecqwen.evaluation.tasks import (
    answers,
    athena_ate,
    athena_mcq,
    athena_rcm,
    athena_taa,
    athena_vsp,
    cti_ate,
    cti_mcq,
    cti_rcm,
    cti_taa,
    cti_vsp,
    cwe_holdout,
    general,
    quiz,
)
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task

REGISTRY = (
    cti_rcm.TASK,
    cti_mcq.TASK,
    cti_vsp.TASK,
    cti_ate.TASK,
    cti_taa.TASK,
    athena_rcm.TASK,
    athena_mcq.TASK,
    athena_vsp.TASK,
    athena_ate.TASK,
    athena_taa.TASK,
    cwe_holdout.TASK,
    quiz.TASK,
    general.TASK,
    answers.TASK,
)
TASKS = {task.name: task for task in REGISTRY}

__all__ = ["REGISTRY", "TASKS", "LoadOptions", "Task", "find_task"]


def find_task(name: str) -> Task:
    """Return a task by its name.

    Raises:
        InputError: There is none of that name.
    """
    if name not in TASKS:
        raise InputError(f"no task {name!r}; there are {', '.join(TASKS)}")
    return TASKS[name]
