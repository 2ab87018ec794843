from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cybersecqwen.core.engine import LocalEngine
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.interfaces import Retriever
from cybersecqwen.core.records import Passage
from cybersecqwen.evaluation.log import read_log, write_log
from cybersecqwen.evaluation.protocols import find_protocol, for_base_model
from cybersecqwen.evaluation.runner import RunPlan, found_by, run, select_questions
from cybersecqwen.evaluation.systems.language_model import WritingSystem
from cybersecqwen.evaluation.systems.specialist import SpecialistSystem
from cybersecqwen.evaluation.tasks import LoadOptions, find_task

MakeBackend = Callable[..., Any]


def make_plan(file: Path, backend: Any, protocol: str = "ref", trials: int = 2) -> RunPlan:
    task = find_task("cti-rcm")
    chosen = find_protocol(protocol)
    questions = select_questions(task.load(file, LoadOptions()), task, chosen, None)
    return RunPlan(
        task, questions, chosen, WritingSystem(backend), "fake:model", file, range(42, 42 + trials)
    )


def finish(plan: RunPlan, output: Path) -> bytes:
    for _ in run(plan, output):
        pass
    log = read_log(output)
    assert log.missing == 0
    return b"".join(output.read_bytes().splitlines(keepends=True)[1:])


def test_a_run_logs_everything(rcm_file: Path, make_backend: MakeBackend, tmp_path: Path) -> None:
    plan = make_plan(rcm_file, make_backend())
    finish(plan, tmp_path / "log.jsonl")
    log = read_log(tmp_path / "log.jsonl")
    assert [(row.id, row.trial, row.seed) for row in log.rows] == [
        (f"rcm-{n:04d}", trial, 42 + trial) for trial in (0, 1) for n in range(4)
    ]
    first = log.rows[0]
    assert first.prompt[0].content == "Map it: CWE-79"
    assert (first.output, first.reading, first.gold) == ("42/0: CWE-79", "CWE-79", "CWE-79")
    assert (first.timings.seconds, first.timings.new_tokens) == (0.25, 3)
    header = log.header
    assert header.sampling == {"temperature": 0.3, "top_p": 1.0, "max_tokens": 512}
    assert header.protocol_sha256 == find_protocol("ref").sha256()
    assert header.data["name"] == "rcm.tsv"
    assert {"cybersecqwen", "python", "numpy"} <= set(header.versions)
    assert len(header.questions_sha256) == len(header.template_sha256) == 64
    # The page that holds the answer is logged, never shown.
    assert "nvd" in first.source
    assert "nvd" not in first.prompt[0].content


@pytest.mark.parametrize(("batch_size", "restart"), [(1, 3), (2, 2), (8, 0)])
def test_an_interrupted_run_resumes_at_a_batch_and_ends_the_same(
    rcm_file: Path, make_backend: MakeBackend, tmp_path: Path, batch_size: int, restart: int
) -> None:
    whole = finish(make_plan(rcm_file, make_backend()), tmp_path / "whole.jsonl")
    backend = make_backend(fail_at=3, batch_size=batch_size)
    plan = make_plan(rcm_file, backend)
    with pytest.raises(KeyboardInterrupt):
        finish(plan, tmp_path / "broken.jsonl")
    assert len(read_log(tmp_path / "broken.jsonl").rows) == 3
    assert finish(plan, tmp_path / "broken.jsonl") == whole
    assert backend.calls == [(42, 0), (42, restart), (43, 0)]


def test_a_finished_run_asks_nothing(
    rcm_file: Path, make_backend: MakeBackend, tmp_path: Path
) -> None:
    plan = make_plan(rcm_file, make_backend())
    before = finish(plan, tmp_path / "log.jsonl")
    backend = make_backend()
    assert finish(make_plan(rcm_file, backend), tmp_path / "log.jsonl") == before
    assert backend.calls == []


def test_items_the_system_gave_up_on_are_asked_again_and_put_back_in_place(
    rcm_file: Path, make_backend: MakeBackend, tmp_path: Path
) -> None:
    output = tmp_path / "log.jsonl"
    plan = make_plan(rcm_file, make_backend())
    whole = finish(plan, output)
    log = read_log(output)
    rows = list(log.rows)
    for place in (1, 6):
        rows[place] = msgspec.structs.replace(
            rows[place], output="", reading=None, finish="error", error="HTTP 500"
        )
    write_log(output, log.header, rows)
    assert finish(plan, output) == whole


def test_another_runs_log_is_left_alone(
    rcm_file: Path, make_backend: MakeBackend, tmp_path: Path
) -> None:
    output = tmp_path / "log.jsonl"
    finish(make_plan(rcm_file, make_backend()), output)
    before = output.read_bytes()
    with pytest.raises(InputError, match=r"another run .*protocol.*differ"):
        finish(make_plan(rcm_file, make_backend(), "faith", trials=1), output)
    (tmp_path / "notes.txt").write_text("mine\n")
    with pytest.raises(InputError, match="not an evaluation log"):
        finish(make_plan(rcm_file, make_backend()), tmp_path / "notes.txt")
    assert output.read_bytes() == before
    assert (tmp_path / "notes.txt").read_text() == "mine\n"


def test_a_backend_that_stops_early_is_an_error_and_loses_nothing(
    rcm_file: Path, make_backend: MakeBackend, tmp_path: Path
) -> None:
    backend = make_backend()
    plan = make_plan(rcm_file, backend)
    generate = backend.generate
    backend.generate = lambda *given: itertools.islice(generate(*given), 2)
    with pytest.raises(ModelError, match="stopped after 2 of 4"):
        finish(plan, tmp_path / "log.jsonl")
    assert len(read_log(tmp_path / "log.jsonl").rows) == 2


def test_base_models_see_worked_examples_redrawn_each_trial_but_never_the_question(
    rcm_file: Path, make_backend: MakeBackend, tmp_path: Path
) -> None:
    plan = make_plan(rcm_file, make_backend(), "paper-2025", trials=3)
    protocol = replace(for_base_model(plan.protocol), shots=2)
    finish(replace(plan, protocol=protocol, base_model=True), tmp_path / "log.jsonl")
    rows = read_log(tmp_path / "log.jsonl").rows
    for row, question in zip(rows, itertools.cycle(plan.questions), strict=False):
        examples, _, asked = row.prompt[0].content.rpartition("CVE Description: ")
        assert asked == f"{question.text}\nAnswer:"
        assert examples.count("Answer: CWE-") == 2
        assert question.text not in examples
    assert len({row.prompt[0].content for row in rows if row.id == "rcm-0000"}) > 1


def test_a_specialist_reads_the_bare_text(
    rcm_file: Path, specialist: Any, make_backend: MakeBackend, tmp_path: Path
) -> None:
    plan = make_plan(rcm_file, make_backend(), "constrained", trials=1)
    plan = replace(plan, system=SpecialistSystem(specialist, "nvd"))
    finish(plan, tmp_path / "log.jsonl")
    log = read_log(tmp_path / "log.jsonl")
    first = log.rows[0]
    assert first.prompt[0].content == plan.questions[0].text
    assert (first.reading, first.confidence) == ("CWE-79", 0.9)
    assert first.candidates[0] == ("CWE-79", 0.9)
    assert log.header.system == {"name": "fake 1.0", "labeller": "nvd", "digest": "d1"}


def test_a_specialists_questions_are_divided_among_workers(
    rcm_file: Path, specialist: Any, make_backend: MakeBackend, tmp_path: Path
) -> None:
    """In batches that one process answers together too."""
    plan = make_plan(rcm_file, make_backend(), "constrained", trials=1)
    questions = [
        replace(plan.questions[0], id=f"q{number}", text=f"text {number}") for number in range(300)
    ]
    system = SpecialistSystem(specialist, "nvd")
    plan = replace(plan, system=system, questions=questions, open_system=lambda: system)
    sizes: list[int] = []

    class Counting(LocalEngine):
        spreads = True

        def run(self, make: Any, windows: Any, lost: Any, *, threads: int = 1) -> Any:
            answer = make()
            for window in windows:
                sizes.append(len(window))
                yield answer(window)

    list(run(plan, tmp_path / "spread.jsonl", Counting()))
    finish(plan, tmp_path / "log.jsonl")
    assert sizes == [128, 128, 44]
    spread, own = (read_log(tmp_path / f"{name}.jsonl").digest() for name in ("spread", "log"))
    assert spread == own


def test_passages_open_the_book(rcm_file: Path, make_backend: MakeBackend, tmp_path: Path) -> None:
    class Shelf:
        def search(self, query: str, limit: int = 8) -> list[tuple[Passage, float]]:
            return [(Passage("CWE-79", "XSS", "description", f"on {query}"), 1.0)]

    shelf: Retriever = Shelf()
    system = WritingSystem(make_backend(), found_by(shelf))
    plan = replace(make_plan(rcm_file, make_backend(), trials=1), system=system)
    finish(plan, tmp_path / "log.jsonl")
    log = read_log(tmp_path / "log.jsonl")
    assert log.header.open_book
    assert f"[CWE-79] XSS: on {plan.questions[0].text}" in log.rows[0].prompt[0].content


def test_faith_drops_the_duplicates(tmp_path: Path) -> None:
    task = find_task("cti-rcm")
    rows = "".join(f"u{n}\td{n}\tp{n}\tCWE-79\n" for n in range(300))
    file = tmp_path / "rcm.tsv"
    file.write_text("URL\tDescription\tPrompt\tGT\n" + rows)
    questions = task.load(file, LoadOptions())
    kept = select_questions(questions, task, find_protocol("faith"), None)
    assert len(kept) == 299
    assert "rcm-0243" not in {question.id for question in kept}
    assert len(select_questions(questions, task, find_protocol("ref"), 7)) == 7


def test_a_killed_process_loses_nothing(rcm_file: Path, tmp_path: Path) -> None:
    # More rows, so that a kill lands in the middle.
    head, *rows = rcm_file.read_text().splitlines()
    rcm_file.write_text("\n".join([head, *rows * 25]))
    script = tmp_path / "mock.jsonl"
    script.write_text(
        '{"match": "CWE-79", "reply": "CWE-79", "delay_s": 0.004}\n'
        '{"reply": "CWE-20", "delay_s": 0.003}\n'
    )
    whole, killed = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"

    def command(output: Path) -> list[str]:
        words = ["-m", "cybersecqwen", "eval", "run", "cti-rcm", "--data", str(rcm_file)]
        options = ["--model", f"mock:{script}", "--trials", "2", "--output", str(output)]
        return [sys.executable, *words, *options]

    def call(output: Path) -> None:
        subprocess.run(command(output), check=True, capture_output=True)

    call(whole)
    moments = random.Random(0)
    landed = 0
    for _ in range(3):
        process = subprocess.Popen(command(killed), stdout=subprocess.DEVNULL)
        before = len(read_log(killed).rows) if killed.exists() else 0
        deadline = time.monotonic() + 20
        # Past the start of Python, which would swallow most random moments.
        while time.monotonic() < deadline and process.poll() is None:
            if killed.exists() and len(read_log(killed).rows) > before:
                break
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.15))
        if process.poll() is None:
            landed += 1
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
    call(killed)
    assert landed
    assert read_log(killed).digest() == read_log(whole).digest()
