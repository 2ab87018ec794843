"""The tasks by name: a new one is a file beside this one and a line in the registry.

Another package brings tasks of its own by an entry point in the group ``cybersecqwen.tasks`` that
names a ``Task``; a program makes its own known by ``register``.
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

_REGISTERED: dict[str, Task] = {}

__all__ = ["ENTRY_POINTS", "REGISTRY", "LoadOptions", "Task", "find_task", "register"]


def register(task: Task) -> None:
    """Make a task known to this process, so that its logs can be scored, compared and reported.

    Raises:
        InputError: One of ours has that name.
    """
    if any(task.name == ours.name for ours in REGISTRY):
        raise InputError(f"there is a task {task.name!r} already")
    _REGISTERED[task.name] = task


def find_task(name: str) -> Task:
    """Return a task by its name: one of ours, a registered one, or one that a package brings.

    Raises:
        InputError: There is none of that name, or what a package brings is no task.
    """
    known = {task.name: task for task in REGISTRY} | _REGISTERED
    if name in known:
        return known[name]
    brought = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name not in brought:
        raise InputError(f"no task {name!r}; there are {', '.join([*known, *brought])}")
    task = brought[name].load()
    if not isinstance(task, Task):
        raise InputError(f"the entry point {brought[name].value} names no evaluation task")
    return task
