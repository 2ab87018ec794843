"""Brings others' saved predictions into logs, so that anything can be compared item by item."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cybersecqwen.core.answer_parsing import canonical_answer
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import sha256_file
from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.actors import load_actors
from cybersecqwen.evaluation.log import (
    Header,
    LogRow,
    Released,
    RunLog,
    Turn,
    questions_sha256,
    write_log,
)
from cybersecqwen.evaluation.protocols import find_protocol
from cybersecqwen.evaluation.provenance import code_state, versions
from cybersecqwen.evaluation.scoring import is_correct, score
from cybersecqwen.evaluation.tasks import Task, find_task

# The release calls its models by the names that their authors' server gave them.
# The release calls its models by the names that their authors' server gave them.
from cybersecqwen.sources.benchmarks import athena_bench, cti_bench, reference_results

# The release calls its models by the names that their authors' server gave them.
_REFERENCE_NAMES = {"v80": "CyberSecQwen-4B", "qwen3-4b-it": "Qwen3-4B-Instruct-2507"}


class ImportCounts(msgspec.Struct, frozen=True):
    """What an import found.

    Attributes:
        task: Task name.
        model: Whose answers they are.
        n: Items.
        released_correct: Right by the released reading.
        correct: Right by our reading of the raw text.
        accuracy: Share right by our reading.
        released_parse_failures: Unread by the release.
        parse_failures: Unread by us.
        changed: Items that the two read differently.
        cut: Items whose raw text may lack its end.
        changed_uncut: Items read differently though their text is whole.
        log: The log written.
    """

    task: str
    model: str
    n: int
    released_correct: int
    correct: int
    accuracy: float
    released_parse_failures: int
    parse_failures: int
    changed: int
    cut: int
    changed_uncut: int
    log: str


@dataclass(frozen=True, slots=True)
class _Answer:
    id: str
    output: str
    gold: str
    released: Released
    source: str = ""
    prompt: str = ""
    cut: bool = False


@dataclass(frozen=True, slots=True)
class _Import:
    task: str
    model: str
    answers: list[_Answer]
    protocol: str = "ref"
    released: dict[str, object] | None = None


def import_results(
    path: Path,
    origin: str,
    output: Path,
    *,
    questions: Mapping[str, Sequence[Question]] | None = None,
    task: str | None = None,
    model: str | None = None,
) -> list[ImportCounts]:
    """Write one log for each task and model in a file of saved predictions.

    Args:
        path: The file.
        origin: ``reference``, ``cti-bench`` or ``athenabench``.
        output: Folder for the logs.
        questions: By task name, the questions answered, to bring prompts and source pages into
            the logs.
        task: Task name, where the file leaves it open.
        model: What to call the model, where the file has one and does not name it.

    Raises:
        InputError: The file cannot be used, or its answers are not to these questions.
    """
    if origin not in ORIGINS:
        raise InputError(f"nothing is known of {origin!r}; there are {', '.join(ORIGINS)}")
    output.mkdir(parents=True, exist_ok=True)
    known = questions or {}
    return [
        _write(found, path, origin, output, known.get(found.task, ()))
        for found in ORIGINS[origin](path, task, model)
    ]


def _from_reference(path: Path, task: str | None, model: str | None) -> Iterable[_Import]:
    results = reference_results.read_results(path)
    name = model or _REFERENCE_NAMES.get(results.model, results.model)
    for subset, content in results.subsets.items():
        kind = find_task(subset).kind
        answers = []
        for item in content.trials[-1].predictions:
            gold = canonical_answer(kind, item.gold)
            if gold is None:
                raise InputError(f"{path}: {subset}: idx {item.idx}: {item.gold!r} is no answer")
            answers.append(
                _Answer(
                    id=cti_bench.question_id(subset.removeprefix("cti-"), item.idx),
                    output=item.pred_raw,
                    gold=gold,
                    released=Released(item.pred, item.correct),
                    source=item.url,
                    cut=item.cut,
                )
            )
        accuracies = [trial.accuracy_total for trial in content.trials]
        facts: dict[str, object] = {
            "model": results.model,
            "trial_accuracies": accuracies,
            "temperature": results.temperature,
            "max_tokens": results.max_tokens,
            "started_at": results.started_at,
        }
        yield _Import(subset, name, answers, released=facts)


def _from_cti_bench(path: Path, task: str | None, model: str | None) -> Iterable[_Import]:
    actors = load_actors()
    for saved in cti_bench.read_saved_answers(path):
        found = find_task(f"cti-{saved.task}")
        answers = []
        for row, (text, gold) in enumerate(zip(saved.answers, saved.gold, strict=True)):
            said = "" if text.upper() == "X" else text
            reading = canonical_answer(found.kind, said) if said else None
            right = is_correct(found.kind, reading, gold, actors)
            name = cti_bench.question_id(saved.task, row)
            answers.append(_Answer(name, said, gold, Released(reading, right)))
        # The files hold bare answers that their authors read out of replies they did not keep.
        yield _Import(found.name, saved.model, answers, protocol="ref")


def _from_athena(path: Path, task: str | None, model: str | None) -> Iterable[_Import]:
    short, scored = athena_bench.read_scored(path, task.removeprefix("athena-") if task else None)
    answers = [
        _Answer(
            id=item.id,
            output=item.response,
            gold=item.gold,
            released=Released(item.prediction, item.correct),
            prompt=item.prompt,
        )
        for item in scored
    ]
    # Runs are kept as MODEL/TASK-scored.jsonl.
    yield _Import(f"athena-{short}", model or path.absolute().parent.name, answers)


ORIGINS: dict[str, Callable[[Path, str | None, str | None], Iterable[_Import]]] = {
    "reference": _from_reference,
    "cti-bench": _from_cti_bench,
    "athenabench": _from_athena,
}
"""Where saved predictions come from, and what reads them."""


def _write(
    found: _Import, path: Path, origin: str, output: Path, questions: Sequence[Question]
) -> ImportCounts:
    task = find_task(found.task)
    protocol = find_protocol(found.protocol)
    by_id = {question.id: question for question in questions}
    rows = [_row(answer, task, protocol.readers[task.kind].read, by_id) for answer in found.answers]
    code = code_state()
    header = Header(
        task=task.name,
        protocol=protocol.name,
        protocol_sha256=protocol.sha256(),
        model=found.model,
        origin=f"import:{origin}",
        seeds=[0],
        items=len(rows),
        data={"name": path.name, "sha256": sha256_file(path)},
        questions_sha256=questions_sha256(questions) if questions else "",
        versions=versions(),
        commit=code.commit,
        dirty=code.dirty,
        released=dict(found.released or {}),
    )
    target = output / f"{task.name}.{_safe(found.model)}.jsonl"
    write_log(target, header, rows)
    return _count(RunLog(target, header, rows))


def _row(
    answer: _Answer,
    task: Task,
    read: Callable[[str, int], str | None],
    questions: dict[str, Question],
) -> LogRow:
    question = questions.get(answer.id)
    if questions and question is None:
        raise InputError(f"{answer.id} is not among the questions given")
    if question is not None and question.gold != answer.gold:
        raise InputError(
            f"{answer.id}: the question expects {question.gold}, the saved answer {answer.gold}; "
            "these are not the same questions"
        )
    prompt = answer.prompt or (question.prompt if question else "")
    options = len(question.choices) if question and question.choices else _options(task)
    return LogRow(
        id=answer.id,
        trial=0,
        seed=0,
        prompt=[Turn("user", prompt)] if prompt else [],
        output=answer.output,
        reading=read(answer.output, options),
        gold=answer.gold,
        options=options,
        source=answer.source or (question.source if question else ""),
        cut=answer.cut,
        released=answer.released,
    )


def _options(task: Task) -> int:
    return 5 if task.name == "athena-mcq" else 4


def _count(log: RunLog) -> ImportCounts:
    ours, theirs = score(log), score(log, "released")
    changed = [
        row.cut
        for row, a, b in zip(log.rows, ours.readings, theirs.readings, strict=True)
        if a != b
    ]
    return ImportCounts(
        task=log.header.task,
        model=log.header.model,
        n=len(log.rows),
        released_correct=sum(theirs.correct),
        correct=sum(ours.correct),
        accuracy=sum(ours.correct) / len(log.rows),
        released_parse_failures=theirs.readings.count(None),
        parse_failures=ours.readings.count(None),
        changed=len(changed),
        cut=sum(row.cut for row in log.rows),
        changed_uncut=changed.count(False),
        log=str(log.path),
    )


def _safe(name: str) -> str:
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in name).strip(".-")
