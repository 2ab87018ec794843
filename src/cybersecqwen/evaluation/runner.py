"""Runs a system over a task, appending to a log that a kill cannot spoil."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np

from cybersecqwen.core.answer_parsing import AnswerParser
from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.engine import Engine
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.files import sha256_file
from cybersecqwen.core.interfaces import Retriever
from cybersecqwen.core.locks import exclusive
from cybersecqwen.core.prompts import render_question
from cybersecqwen.core.records import Passage, Question
from cybersecqwen.evaluation.general_check import spaced
from cybersecqwen.evaluation.log import (
    OCCASION,
    Header,
    LogRow,
    RunLog,
    Timings,
    Turn,
    encode_row,
    questions_sha256,
    read_log,
    write_log,
)
from cybersecqwen.evaluation.protocols import Protocol
from cybersecqwen.evaluation.provenance import code_state, versions
from cybersecqwen.evaluation.spread import OpenSystem, spread
from cybersecqwen.evaluation.systems.base import Asked, Response, Retrieve, System, bare_text
from cybersecqwen.evaluation.tasks import Task

PASSAGES = 8
"""Passages shown to a language model that answers open-book."""


@dataclass(frozen=True)
class RunPlan:
    """A run, ready to start.

    Attributes:
        task: What is asked.
        questions: Questions of one trial, in order.
        protocol: How questions are put and answers read.
        system: What answers.
        model: The SPEC to log.
        data: The question file.
        seeds: One per trial.
        base_model: Whether worked examples are shown.
        knowledge_sha256: What the log should say of the open book.
        open_system: Opens the system once more, in another process; None where that would not
            make answers come faster.
    """

    task: Task
    questions: Sequence[Question]
    protocol: Protocol
    system: System
    model: str
    data: Path
    seeds: Sequence[int]
    base_model: bool = False
    knowledge_sha256: str = ""
    open_system: OpenSystem | None = None

    @property
    def reader(self) -> AnswerParser:
        """How this protocol reads this task's answers."""
        return self.protocol.readers[self.task.kind]

    def header(self) -> Header:
        """Return the heading that this run's log has."""
        code = code_state()
        template = self.protocol.template(self.task.kind)
        return Header(
            task=self.task.name,
            protocol=self.protocol.name,
            protocol_sha256=self.protocol.sha256(),
            model=self.model,
            system=self.system.identity,
            open_book=self.system.open_book,
            knowledge_sha256=self.knowledge_sha256,
            base_model=self.base_model,
            sampling={
                "temperature": self.protocol.temperature,
                "top_p": self.protocol.top_p,
                "max_tokens": self.protocol.max_tokens,
            }
            if self.system.sampled
            else {},
            seeds=list(self.seeds),
            items=len(self.questions),
            data={"name": self.data.name, "sha256": sha256_file(self.data)},
            questions_sha256=questions_sha256(self.questions),
            template_sha256=hashlib.sha256(msgspec.json.encode(template)).hexdigest(),
            versions=versions(),
            commit=code.commit,
            dirty=code.dirty,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def select_questions(
    questions: Sequence[Question], task: Task, protocol: Protocol, limit: int | None
) -> list[Question]:
    """Return the questions that a protocol asks: duplicates dropped if it says so, then the limit.

    They are the first ones; of a task whose prompts stand kind by kind, evenly spaced ones.

    Raises:
        InputError: None is left.
    """
    kept = [
        question
        for question in questions
        if not (protocol.drop_duplicates and question.id in task.duplicates)
    ]
    if not kept:
        raise InputError("no question is left to ask")
    return spaced(kept, limit) if task.kind == "text" else kept[:limit]


def run(plan: RunPlan, output: Path, engine: Engine | None = None) -> Iterator[LogRow]:
    """Answer what the log does not hold yet, yielding rows as they are written.

    A log that is there already is continued: whole lines stay, an unfinished last line and items
    on which the system gave up are asked again. When the iterator is exhausted the log holds every
    item of every trial, in order.

    Args:
        plan: What to ask.
        output: The log.
        engine: Where questions are answered; None for this process. The log is the same.

    Raises:
        LockedError: Another run writes ``output``.
        InputError: ``output`` is the log of another run, or no log; the message says what differs.
        ModelError: The system stopped before it had answered everything.
    """
    with exclusive(output):
        reader = plan.reader
        log = _open_log(plan.header(), output)
        done = {(row.id, row.trial) for row in log.rows}
        with output.open("ab") as stream:
            for trial, seed in enumerate(plan.seeds):
                missing = [
                    place
                    for place, question in enumerate(plan.questions)
                    if (question.id, trial) not in done
                ]
                if not missing:
                    continue
                asked = ask(plan, plan.system, seed)
                for span in _spans(missing):
                    for place, response in _answers(plan, asked, seed, span, engine):
                        row = _row(asked[place], response, trial, seed, reader)
                        stream.write(encode_row(row))
                        stream.flush()
                        yield row
        _put_in_order(plan, output)


def _answers(
    plan: RunPlan, asked: Sequence[Asked], seed: int, wanted: range, engine: Engine | None
) -> Iterator[tuple[int, Response]]:
    """Yield the places wanted with their responses, starting where a batch starts."""
    align = plan.system.align
    start = wanted.start // align * align
    places = range(start, wanted.stop)
    sampling = Sampling(
        plan.protocol.temperature,
        plan.protocol.top_p,
        plan.protocol.max_tokens,
        seed=seed,
        first_index=start,
    )
    if engine and engine.spreads and plan.open_system:
        answers = spread(plan.open_system, asked, places, align, sampling, engine)
    else:
        answers = plan.system.answer(asked[start : wanted.stop], sampling)
    answered = start
    for place, response in zip(places, answers, strict=False):
        if place in wanted:
            yield place, response
        answered = place + 1
    if answered != wanted.stop:
        raise ModelError(f"{plan.model} stopped after {answered} of {len(asked)} questions")


def ask(plan: RunPlan, system: System, seed: int) -> list[Asked]:
    """Return a trial's questions as they are put to a system."""
    template = plan.protocol.template(plan.task.kind)
    shots = plan.protocol.shots if plan.base_model else 0
    # One more than shown, to stand in where the question itself is among those drawn.
    drawn = np.random.default_rng(seed).permutation(len(plan.questions))[: shots + 1]
    pool = [plan.questions[place] for place in drawn] if shots else []

    def put(question: Question, passages: Sequence[Passage]) -> Asked:
        examples = [example for example in pool if example.id != question.id][:shots]
        messages = render_question(question, template, examples, passages)
        return Asked(question, messages, tuple(passages))

    return [system.ask(question, put) for question in plan.questions]


def found_by(retriever: Retriever) -> Retrieve:
    """Return what finds passages by a question and its options."""

    def search(question: Question) -> list[Passage]:
        query = " ".join([bare_text(question), *question.choices])
        return [passage for passage, _ in retriever.search(query, PASSAGES)]

    return search


def _row(asked: Asked, response: Response, trial: int, seed: int, reader: AnswerParser) -> LogRow:
    question = asked.question
    options = len(question.choices) or 4
    return LogRow(
        id=question.id,
        trial=trial,
        seed=seed,
        prompt=[Turn(turn.role, turn.content) for turn in asked.messages],
        output=response.text,
        reading=reader.read(response.text, options),
        gold=question.gold,
        options=options,
        source=question.source,
        confidence=response.confidence,
        candidates=list(response.candidates),
        abstained=response.abstained,
        backoff=response.backoff,
        finish=response.finish,
        error=response.error,
        timings=Timings(response.seconds, response.new_tokens),
    )


def _spans(places: Sequence[int]) -> Iterator[range]:
    """Yield each run of neighbouring places."""
    for _, group in groupby(enumerate(places), lambda pair: pair[1] - pair[0]):
        run_of = [place for _, place in group]
        yield range(run_of[0], run_of[-1] + 1)


def _open_log(header: Header, output: Path) -> RunLog:
    if not output.exists():
        write_log(output, header)
        return RunLog(output, header, [])
    log = read_log(output)
    old, new = (msgspec.structs.asdict(h) for h in (log.header, header))
    differ = [name for name in old if name not in OCCASION and old[name] != new[name]]
    if differ:
        raise InputError(
            f"{output}: is the log of another run ({', '.join(differ)} differ); give another "
            "--output, or remove it"
        )
    kept = [row for row in log.rows if row.finish != "error"]
    if log.torn or len(kept) != len(log.rows):
        write_log(output, log.header, kept)
    return RunLog(output, log.header, kept)


def _put_in_order(plan: RunPlan, output: Path) -> None:
    """Items asked again stand at the end; put them back where an unbroken run has them."""
    log = read_log(output)
    place = {question.id: number for number, question in enumerate(plan.questions)}
    rows = sorted(log.rows, key=lambda row: (row.trial, place[row.id]))
    if rows != log.rows:
        write_log(output, log.header, rows)
