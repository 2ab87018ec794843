"""Many systems on many tasks as one job: what it leaves, how it goes on, and how it asks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen.apps.evaluation_batch import BatchJob, run_batch
from cybersecqwen.cli.main import main
from cybersecqwen.core.errors import InputError
from cybersecqwen.evaluation.log import read_log
from llm_server import Server, serving

pytest.importorskip("httpx")

MOST = 3
"""Requests that the stand-in bears at once."""

QUESTIONS = "URL\tQuestion\tOption A\tOption B\tOption C\tOption D\tPrompt\tGT\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [f"u\tq{n}\ta\tb\tc\td\tnumber {n}\t{'AB'[n % 2]}\n" for n in range(12)]
    (tmp_path / "mcq.tsv").write_text(QUESTIONS + "".join(lines))
    heading = "URL\tDescription\tPrompt\tGT\n"
    rows = [f"u\tflaw {n}\tWhich? flaw {n}\tCWE-79\n" for n in range(4)]
    (tmp_path / "rcm.tsv").write_text(heading + "".join(rows))
    (tmp_path / "mock.jsonl").write_text('{"reply": "CWE-79. Answer: B"}\n')
    return tmp_path


@pytest.fixture
def endpoint() -> Iterator[Server]:
    """Stand in for vLLM's server: too much at once is refused as it refuses it."""
    under_way = threading.Semaphore(MOST)

    def answer(handler: BaseHTTPRequestHandler, body: dict[str, Any], _: int) -> None:
        status, said = 429, {"error": {"message": "busy", "type": "overloaded"}}
        if under_way.acquire(blocking=False):
            try:
                threading.Event().wait(0.02)
                choice = {"index": 0, "message": {"role": "assistant", "content": "Answer: A"}}
                usage = {"prompt_tokens": 9, "completion_tokens": 3}
                done = {"choices": [choice | {"finish_reason": "stop"}], "usage": usage}
                status, said = 200, {"id": "1", "object": "chat.completion", **done}
            finally:
                under_way.release()
        data = json.dumps(said).encode()
        handler.send_response(status)
        if status == 429:
            handler.send_header("Retry-After", "1")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    with serving(answer) as server:
        yield server


def _batch(folder: Path, *systems: str) -> Path:
    file = folder / "batch.yaml"
    listed = "".join(f"  - {{{system}}}\n" for system in systems)
    file.write_text(
        "title: A comparison\n"
        "tasks:\n  - {task: cti-mcq, data: mcq.tsv}\n  - {task: cti-rcm, data: rcm.tsv}\n"
        f"systems:\n{listed}"
    )
    return file


def test_one_job_one_report(folder: Path, endpoint: Server, tmp_path: Path) -> None:
    systems = (
        f'model: "mock:{folder}/mock.jsonl", name: scripted, trials: 2',
        f'model: "openai:{endpoint.url}/v1#m", name: endpoint, tasks: [cti-mcq], trials: 1, '
        f"backend: {{concurrency: {MOST}, requests_per_minute: 3000}}",
        'model: "baseline:majority", name: majority',
    )
    done: list[str] = []
    found = run_batch(
        _batch(folder, *systems), tmp_path / "out", on_job=lambda job: done.append(job.name)
    )
    assert done == [
        *("cti-mcq.scripted", "cti-rcm.scripted", "cti-mcq.endpoint"),
        *("cti-mcq.majority", "cti-rcm.majority"),
    ]
    assert all(job.is_whole for job in found.jobs)
    assert [job.summary.accuracy for job in found.jobs if job.summary] == [0.5, 1, 0.5, 0.5, 1]
    assert endpoint.most_under_way <= MOST
    assert endpoint.times[-1] - endpoint.times[0] > 0.9 * 11 * 60 / 3000
    page = (tmp_path / "out" / "report.html").read_text()
    assert "A comparison" in page
    assert "majority" in page


def test_a_batch_goes_on_where_it_was(folder: Path, tmp_path: Path) -> None:
    recipe = _batch(
        folder, f'model: "mock:{folder}/mock.jsonl", name: scripted', "model: 'mock:none'"
    )
    out = tmp_path / "out"

    def stop(job: BatchJob) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(recipe, out, on_job=stop)
    first = (out / "cti-mcq.scripted.jsonl").stat().st_mtime_ns
    log = out / "cti-rcm.scripted.jsonl"
    found = run_batch(recipe, out)
    assert (out / "cti-mcq.scripted.jsonl").stat().st_mtime_ns == first, "asked again"
    problems = {job.name: job.problem for job in found.jobs if job.problem}
    assert list(problems) == ["cti-mcq.mock-none", "cti-rcm.mock-none"]
    assert all("none" in problem for problem in problems.values())
    # What is cut off by a kill is asked again, and the log is the same.
    digest = read_log(log).digest()
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-3]) + b'{"id": "x')
    (job,) = [job for job in run_batch(recipe, out).jobs if job.name == "cti-rcm.scripted"]
    assert job.is_whole
    assert read_log(log).digest() == digest


def test_a_changed_job_is_no_longer_done(folder: Path, tmp_path: Path) -> None:
    out, scripted = tmp_path / "out", f'model: "mock:{folder}/mock.jsonl", name: scripted'
    assert all(job.is_whole for job in run_batch(_batch(folder, scripted), out).jobs)
    found = run_batch(_batch(folder, f"{scripted}, seed: 7"), out)
    assert ["another run" in job.problem for job in found.jobs] == [True, True]


def test_the_verb(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = _batch(folder, f'model: "mock:{folder}/mock.jsonl", name: s', "model: 'mock:none'")
    call = ["eval", "batch", str(recipe), "--output", str(tmp_path / "out")]
    assert main(call) == 1
    told = capsys.readouterr()
    assert "0.5000" in told.out
    assert "report.html" in told.out
    assert "cti-mcq.mock-none: " in told.err
    assert main([*call, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [job["name"] for job in found["jobs"]][:2] == ["cti-mcq.s", "cti-rcm.s"]
    assert main([*call[:2], str(_batch(folder, "model: 'mock:none'")), *call[3:]]) == 2


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ("model: embedded, tasks: [cti-taa]", "no task cti-taa"),
        ("model: embedded, nonsense: 1", "nonsense"),
        ("name: x", "model"),
    ],
)
def test_a_wrong_recipe_is_refused(folder: Path, tmp_path: Path, system: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        run_batch(_batch(folder, system), tmp_path / "out")
    with pytest.raises(InputError, match="two jobs"):
        run_batch(_batch(folder, "model: embedded", "model: embedded"), tmp_path / "out")
