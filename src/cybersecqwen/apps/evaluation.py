"""Evaluations: run a task on any system, score and compare logs, import others' answers, report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cybersecqwen.apps.progress import OnProgress, counted, ignore
from cybersecqwen.core.atomic_folder import atomic_folder
from cybersecqwen.core.engine import Engine
from cybersecqwen.core.errors import InputError
from cybersecqwen.evaluation.actors import load_actors
from cybersecqwen.evaluation.compare import LogComparison, compare_logs
from cybersecqwen.evaluation.divergence import Divergence, measure_divergence
from cybersecqwen.evaluation.ensemble_weight import WEIGHTS, Mix, fit_mix, write_mixed
from cybersecqwen.evaluation.general_check import load_questions, spaced
from cybersecqwen.evaluation.importers import ImportCounts, import_results
from cybersecqwen.evaluation.log import LogRow, read_log
from cybersecqwen.evaluation.plan import BaselineResult, RunOptions, prepare, run_baselines
from cybersecqwen.evaluation.report.summary import Summary, summarise
from cybersecqwen.evaluation.report.write import write_report as write_pages
from cybersecqwen.evaluation.runner import run
from cybersecqwen.evaluation.scoring import available_readings, score
from cybersecqwen.evaluation.tasks import LoadOptions, find_task
from cybersecqwen.llm import open_backend


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation run.

    Attributes:
        summary: The scores, each with its interval.
        baselines: Cheap systems on the same questions.
        log: The file that holds every prompt and answer.
        failed: Answers that the system gave up on; they count as wrong until asked again.
    """

    summary: Summary
    baselines: list[BaselineResult]
    log: Path
    failed: list[LogRow]

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0 to 1."""
        return self.summary.accuracy


@dataclass(frozen=True)
class LogScores:
    """A log scored by every protocol's parser.

    Attributes:
        log: The file.
        summaries: The log's own protocol first.
        missing: Answers that it lacks.
        torn: Whether its last line is unfinished.
    """

    log: Path
    summaries: list[Summary]
    missing: int
    torn: bool


def evaluate(
    task: str,
    data: str | Path | None = None,
    *,
    output: str | Path,
    model: str = "embedded",
    actors: Sequence[Path] = (),
    on_progress: OnProgress = ignore,
    **options: Any,
) -> Evaluation:
    """Put a task's questions to a system, log every answer, and score them.

    A log that is there already is gone on with.

    Args:
        task: Name of a task, such as ``cti-rcm``.
        data: Question file; None for the one that the package ships, if it does.
        output: Log file.
        model: SPEC of the system.
        actors: Files with more names of threat actors.
        on_progress: Told of each answer.
        options: Further fields of ``RunOptions``, such as ``protocol`` or ``knowledge``.

    Raises:
        InputError: An option or a file cannot be used.
        MissingExtraError: The system needs an optional package that is not installed.
        ModelError: The system cannot answer.
    """
    known = {field.name for field in dataclasses.fields(RunOptions)}
    if unknown := sorted(options.keys() - known):
        raise InputError(f"no option {unknown[0]!r} of an evaluation; there are {sorted(known)}")
    given = RunOptions(task, None if data is None else Path(data), model, **options)
    return run_evaluation(given, Path(output), actors=actors, on_progress=on_progress)


def run_evaluation(
    options: RunOptions,
    output: Path,
    *,
    actors: Sequence[Path] = (),
    on_progress: OnProgress = ignore,
    engine: Engine | None = None,
) -> Evaluation:
    """Run, log and score; see ``evaluate``.

    Args:
        options: What to ask of what.
        output: Log file.
        actors: Files with more names of threat actors.
        on_progress: Told of each answer.
        engine: Where questions are answered; None for this process. An endpoint is asked by this
            process in any case.
    """
    plan = prepare(options)
    total = len(plan.questions) * len(plan.seeds)
    for _ in counted(run(plan, output, engine), "answers", total, on_progress):
        pass
    log = read_log(output)
    table = load_actors(actors)
    return Evaluation(
        summarise(score(log, actors=table), table),
        run_baselines(plan, options),
        output,
        [row for row in log.rows if row.finish == "error"],
    )


def score_log(path: Path, *, actors: Sequence[Path] = ()) -> LogScores:
    """Score a log again, by the parser of every protocol that its text can be read by.

    Raises:
        InputError: It is no log, or holds no answer.
    """
    log = read_log(path)
    table = load_actors(actors)
    summaries = [summarise(score(log, name, table), table) for name in available_readings(log)]
    return LogScores(path, summaries, log.missing, log.torn)


def compare(
    paths: Sequence[Path], *, actors: Sequence[Path] = (), first_only: bool = False
) -> LogComparison:
    """Test the differences between logs of one task, item by item.

    Args:
        paths: The logs.
        actors: Files with more names of threat actors.
        first_only: Whether to test the first log against each other alone.

    Raises:
        InputError: The logs do not belong together.
    """
    logs = [read_log(path) for path in paths]
    return compare_logs(logs, load_actors(actors), first_only=first_only)


def fit_ensemble(
    model: Path, ranker: Path, *, weight: float | None = None, output: Path | None = None
) -> Mix:
    """Fit the option ranker's weight beside a language model, from the logs of both.

    Args:
        model: Log of a language model with ``ranker_weight=0``.
        ranker: Log of ``--model embedded`` on the same questions.
        weight: The weight to take instead of fitting one.
        output: Where to write the log that a run with this weight would have written.

    Raises:
        InputError: The weight is no exponent, or the logs do not belong together.
    """
    if weight is not None and not 0 <= weight < float("inf"):
        raise InputError(f"--weight must be 0 or more, not {weight:g}")
    logs = read_log(model), read_log(ranker)
    mix = fit_mix(*logs, WEIGHTS if weight is None else (weight,))
    if output is not None:
        write_mixed(*logs, mix.weight, output)
    return mix


def import_answers(
    file: Path,
    origin: str,
    output: Path,
    *,
    questions: Mapping[str, Path] | None = None,
    gold: Path | None = None,
    task: str | None = None,
    model: str | None = None,
) -> list[ImportCounts]:
    """Bring others' saved answers into logs.

    Args:
        file: The saved answers.
        origin: ``reference``, ``cti-bench`` or ``athenabench``.
        output: Folder for the logs.
        questions: Question files by task, to bring prompts and source pages into the logs.
        gold: File of expected answers, for cti-taa.
        task: The task, where the file leaves it open.
        model: What to call the model.

    Raises:
        InputError: A file cannot be used.
    """
    loaded = {
        name: find_task(name).load(path, LoadOptions(gold))
        for name, path in (questions or {}).items()
    }
    return import_results(file, origin, output, questions=loaded, task=task, model=model)


def measure_model_divergence(
    base: str, model: str, *, limit: int | None = None, options: Mapping[str, Any] | None = None
) -> Divergence:
    """Measure how far a fine-tuned model has moved from its base on the general check's prompts.

    Args:
        base: SPEC of the model before fine-tuning.
        model: SPEC of the model after it.
        limit: Prompts at most; None for all.
        options: Of both models' backends.

    Raises:
        InputError: A SPEC names no language model.
        MissingExtraError: A model needs an optional package that is not installed.
        ModelError: A model cannot be loaded, or gives no probabilities.
    """
    given = dict(options or {})
    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1, not {limit}")
    prompts = [question.prompt for question in spaced(load_questions(), limit)]
    return measure_divergence(open_backend(base, **given), open_backend(model, **given), prompts)


def write_report(
    paths: Sequence[Path], folder: Path, title: str, *, actors: Sequence[Path] = ()
) -> list[Path]:
    """Write one HTML page and one Markdown file about logs; return their paths.

    A new folder appears with both. In one that is there, what else it holds stays, and each page
    is the old or the new one whenever the process dies.

    Raises:
        InputError: A file is no log.
    """
    logs, table = [read_log(p) for p in paths], load_actors(actors)
    if folder.exists():
        return list(write_pages(logs, folder, title, table))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(folder) as part:
        names = [page.name for page in write_pages(logs, part, title, table)]
    return [folder / name for name in names]
