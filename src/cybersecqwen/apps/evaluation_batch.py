"""Many systems on many tasks as one job: a log each, one report, gone on with after a kill."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from cybersecqwen import __version__
from cybersecqwen.apps.evaluation import run_evaluation, write_report
from cybersecqwen.apps.progress import JobProgress, OnProgress, ignore
from cybersecqwen.core.config import Recipe, load_recipe
from cybersecqwen.core.engine import Engine
from cybersecqwen.core.errors import CyberSecQwenError, InputError
from cybersecqwen.core.files import sha256_file, write_json
from cybersecqwen.core.locks import exclusive
from cybersecqwen.core.records import Labeller
from cybersecqwen.evaluation.log import read_log
from cybersecqwen.evaluation.plan import RunOptions
from cybersecqwen.evaluation.report.summary import Summary
from cybersecqwen.evaluation.tasks import find_task

STATE = "batch.json"
"""What is done of a batch, beside its logs."""


class BatchTask(Recipe, frozen=True, kw_only=True):
    """A task of a batch; fields as in ``RunOptions``.

    Attributes:
        task: Its name.
        name: What its logs begin with, where a task stands there twice.
        data: Question file, relative to the batch's folder; empty for the shipped one.
        gold: File with the expected answers, likewise.
        limit: Questions at most.
        since: Earliest publication date of a hold-out's rows.
        without_near_duplicates: Whether to leave out a hold-out's near-duplicates.
    """

    task: str
    name: str = ""
    data: str = ""
    gold: str = ""
    limit: int | None = None
    since: str = ""
    without_near_duplicates: bool = False


class BatchSystem(Recipe, frozen=True, kw_only=True):
    """A system of a batch; fields as in ``RunOptions``.

    Attributes:
        model: SPEC of the system.
        name: What its logs end with; empty for the model's SPEC.
        tasks: Names of the tasks that it is asked; none for all.
        protocol: Protocol name.
        knowledge: Folder of a knowledge base, relative to the batch's folder.
        train: Rows for the SVM baseline, likewise.
        trials: Passes over the questions.
        max_tokens: New tokens at most.
        seed: Of the first trial.
        labeller: Whose labels a specialist follows.
        base_model: Whether to ask as the protocol asks base models.
        shortlist: Of the embedded specialist's likeliest ids, from which a model chooses.
        shortlist_weight: Exponent of the specialist's probabilities.
        backend: Options of a language model's backend, such as ``concurrency`` and
            ``requests_per_minute`` of an endpoint.
        choice: Fields of ``MultipleChoiceConfig``.
    """

    model: str
    name: str = ""
    tasks: tuple[str, ...] = ()
    protocol: str | None = None
    knowledge: str = ""
    train: str = ""
    trials: int | None = None
    max_tokens: int | None = None
    seed: int = 42
    labeller: Labeller = "nvd"
    base_model: bool = False
    shortlist: int | None = None
    shortlist_weight: float | None = None
    backend: dict[str, Any] = msgspec.field(default_factory=dict)
    choice: dict[str, Any] | None = None


class EvaluationBatch(Recipe, frozen=True, kw_only=True):
    """Every system on every task.

    Attributes:
        title: Heading of the report.
        tasks: What is asked.
        systems: Who is asked.
    """

    title: str = "Evaluation report"
    tasks: tuple[BatchTask, ...]
    systems: tuple[BatchSystem, ...]


class BatchJob(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of one system on one task.

    Attributes:
        name: Of the log, without its ending.
        summary: The scores; None where there are none.
        failed: Answers that the system gave up on; they count as wrong until asked again.
        problem: Why there are no scores.
        key: What the job was, and the log that it left, as a hash.
    """

    name: str
    summary: Summary | None = None
    failed: int = 0
    problem: str = ""
    key: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether every question has its answer."""
        return self.summary is not None and not self.failed


class BatchResult(msgspec.Struct, frozen=True):
    """What came of a batch.

    Attributes:
        jobs: In the order of systems, then tasks.
        report: Files of the report; none where no job has scores.
    """

    jobs: list[BatchJob]
    report: list[str]


def run_batch(
    recipe: Path,
    output: Path,
    *,
    data: Path | None = None,
    actors: Sequence[Path] = (),
    on_progress: OnProgress = ignore,
    on_job: Callable[[BatchJob], None] = lambda _: None,
    engine: Engine | None = None,
) -> BatchResult:
    """Put every task to every system, and report on all of them.

    A batch that was killed goes on: whole logs are not asked again, nor are their models opened. A
    job that cannot be done is named, and the others go on.

    Args:
        recipe: The YAML file.
        output: Folder for logs, the report and ``batch.json``.
        data: Folder that the recipe's paths are relative to; None for its own.
        actors: Files with more names of threat actors.
        on_progress: Told of each answer; stages are the jobs.
        on_job: Told of each job that ends.
        engine: As for ``run_evaluation``.

    Raises:
        InputError: The recipe cannot be used, or another run writes the folder.
    """
    batch = load_recipe(recipe, EvaluationBatch)
    planned = dict(_planned(batch, data or recipe.parent))
    output.mkdir(parents=True, exist_ok=True)
    with exclusive(output):
        known = {job.name: job for job in _read_state(output / STATE)}
        jobs: list[BatchJob] = []
        for name, options in planned.items():
            job = _done(known.get(name), options, output)
            if job is None:
                job = _run(name, options, output, actors, on_progress, engine)
            jobs.append(job)
            known[name] = job
            write_json(output / STATE, list(known.values()))
            on_job(job)
        logs = [output / f"{job.name}.jsonl" for job in jobs if job.summary]
        report = write_report(logs, output, batch.title, actors=actors) if logs else []
    return BatchResult(jobs, [str(path) for path in report])


def _planned(batch: EvaluationBatch, folder: Path) -> Iterator[tuple[str, RunOptions]]:
    """Yield each job's name and options."""
    names: set[str] = set()
    known = {task.name or task.task for task in batch.tasks}
    for system in batch.systems:
        if unknown := sorted(set(system.tasks) - known):
            raise InputError(f"{system.model}: there is no task {unknown[0]} in this batch")
        for task in batch.tasks:
            find_task(task.task)
            label = task.name or task.task
            if system.tasks and label not in system.tasks:
                continue
            name = _file_name(f"{label}.{system.name or system.model}")
            if name in names:
                raise InputError(f"two jobs are called {name}: give them a name")
            names.add(name)
            yield name, _options(task, system, folder)


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-")


def _options(task: BatchTask, system: BatchSystem, folder: Path) -> RunOptions:
    def place(name: str) -> Path | None:
        return folder / name if name else None

    given = msgspec.structs.asdict(task) | msgspec.structs.asdict(system)
    for name in ("name", "tasks"):
        del given[name]
    for name in ("data", "gold", "knowledge", "train"):
        given[name] = place(given[name])
    return RunOptions(**given)


def _run(
    name: str,
    options: RunOptions,
    output: Path,
    actors: Sequence[Path],
    on_progress: OnProgress,
    engine: Engine | None,
) -> BatchJob:
    log = output / f"{name}.jsonl"

    def tell(progress: JobProgress) -> None:
        on_progress(replace(progress, stage=name))

    try:
        found = run_evaluation(options, log, actors=actors, on_progress=tell, engine=engine)
        return BatchJob(name, found.summary, len(found.failed), key=_key(options, log))
    except CyberSecQwenError as error:
        return BatchJob(name, problem=str(error))


def _done(job: BatchJob | None, options: RunOptions, output: Path) -> BatchJob | None:
    """Return what an earlier run has done, if it is whole and still what is asked for."""
    if job is None or not job.is_whole:
        return None
    log = output / f"{job.name}.jsonl"
    return job if log.exists() and job.key == _key(options, log) else None


def _key(options: RunOptions, log: Path) -> str:
    """Return a hash of what was asked, of the questions' file and of the log."""
    data = options.data or find_task(options.task).shipped
    parts = [
        __version__,
        repr(options),
        sha256_file(data) if data else "",
        read_log(log).digest(),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _read_state(path: Path) -> list[BatchJob]:
    if not path.exists():
        return []
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[BatchJob])
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
