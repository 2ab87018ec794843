"""The tasks by name: a new one is a file beside this one and a line in the registry.

Another package brings tasks of its own by an entry point in the group ``cybersecqwen.tasks`` that
names a ``Task``.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from cybersecqwen.core.errors import InputError
from cybersecqwen.evaluation.tasks import answers, cwe_holdout, general, published, quiz
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task

ENTRY_POINTS = "cybersecqwen.tasks"
"""Group of entry points by which other packages bring tasks."""

REGISTRY: tuple[Task, ...] = (
    *published.PUBLISHED,
    cwe_holdout.TASK,
    quiz.TASK,
    general.TASK,
    answers.TASK,
)

__all__ = ["ENTRY_POINTS", "REGISTRY", "LoadOptions", "Task", "find_task"]


def find_task(name: str) -> Task:
    """Return a task by its name: one of ours, else one that another package brings.

    Raises:
        InputError: There is none of that name, or what a package brings is no task.
    """
    known = {task.name: task for task in REGISTRY}
    if name in known:
        return known[name]
    brought = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name not in brought:
        raise InputError(f"no task {name!r}; there are {', '.join([*known, *brought])}")
    task = brought[name].load()
    if not isinstance(task, Task):
        raise InputError(f"the entry point {brought[name].value} names no evaluation task")
    return task
