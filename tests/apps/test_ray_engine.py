from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from cybersecqwen import CweMapper
from cybersecqwen.apps.engine import EngineSpec, LocalEngine, open_engine
from cybersecqwen.apps.map_job import MapJob, MapOptions, run_map_job
from cybersecqwen.apps.map_stream import map_stream, map_windows
from cybersecqwen.cli.main import main
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.records import Advisory, Candidate, CwePrediction, Labeller, RecordProblem

ray = pytest.importorskip("ray")

from cybersecqwen.apps.ray_engine import RayEngine  # noqa: E402

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


class StandIn:
    """Answers by the text; some texts end its process, some are not to its taste."""

    name = "stand-in"
    digest = "0"
    window = 8

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def map(self, text: str, **_: object) -> CwePrediction:
        return next(self.map_many([text]))

    def map_many(
        self, texts: Iterable[str], *, labeller: Labeller = "nvd", **_: object
    ) -> Iterator[CwePrediction]:
        for text in texts:
            time.sleep(self.seconds)
            if "deadly" in text:
                os._exit(9)
            if "wrong" in text:
                raise ModelError("no such labeller")
            cwe = f"CWE-{len(text)}"
            yield CwePrediction(cwe, 0.5, (Candidate(cwe, 0.5),), abstained=False, backoff=None)


@pytest.fixture(scope="module")
def engine() -> Iterator[RayEngine]:
    yield RayEngine("", 2)
    ray.shutdown()


def _records(count: int, odd: str = "") -> list[Advisory]:
    texts = [f"a vulnerable text {'x' * (n % 13)}" for n in range(count)]
    return [Advisory(f"r{n}", odd if odd and n == 21 else text) for n, text in enumerate(texts)]


def test_two_workers_give_what_one_process_gives(
    engine: RayEngine, tiny_model: Path, tmp_path: Path
) -> None:
    source = tmp_path / "feed.jsonl"
    words = ("sql", "write", "read", "free")
    lines = [
        json.dumps({"id": f"CVE-2099-{n:04}", "description": f"{words[n % 4]} {'sql ' * (n % 9)}"})
        for n in range(3_000)
    ]
    source.write_text("\n".join([*lines, '{"id": "CVE-2099-9999"}', "{"]))
    outputs = []
    for chosen in (LocalEngine(), engine):
        sink = io.BytesIO()
        problems: list[RecordProblem] = []
        job = MapJob(source=source, classifier=CweMapper.load(tiny_model), engine=chosen)
        summary = run_map_job(job, sink=sink, report=problems.append)
        outputs.append((sink.getvalue(), problems, summary.records, summary.commonest))
    assert outputs[0] == outputs[1]
    assert outputs[0][0].count(b"\n") == 3_000
    assert len(outputs[0][1]) == 2


def test_a_record_that_ends_workers_is_named_and_passed_over(engine: RayEngine) -> None:
    found = [
        outcome
        for window in map_windows(
            _records(50, "a deadly text"), StandIn(), MapOptions(), engine=engine
        )
        for outcome in window
    ]
    assert [o.record.id for o in found if o.record] == [f"r{n}" for n in range(50) if n != 21]
    assert found[21].problem == RecordProblem("record 22", "r21", "ended every worker that read it")


def test_what_the_model_raises_arrives_as_it_is(engine: RayEngine) -> None:
    with pytest.raises(ModelError, match="no such labeller"):
        list(map_windows(_records(50, "wrong"), StandIn(), MapOptions(), engine=engine))


def test_no_more_is_drawn_ahead_than_keeps_the_workers_busy(engine: RayEngine) -> None:
    drawn = 0

    def records() -> Iterator[Advisory]:
        nonlocal drawn
        for record in _records(400):
            drawn += 1
            yield record

    windows = map_windows(records(), StandIn(), MapOptions(), engine=engine)
    next(windows)
    assert drawn <= 5 * StandIn.window
    windows.close()


def test_a_worker_killed_in_the_middle_changes_nothing(engine: RayEngine) -> None:
    expected = [o.prediction for o in map_stream(_records(200), StandIn(), MapOptions())]
    found = []
    windows = map_windows(_records(200), StandIn(0.005), MapOptions(), engine=engine)
    for number, window in enumerate(windows):
        found += [outcome.prediction for outcome in window]
        if number in {3, 9}:
            os.kill(_a_worker(), signal.SIGKILL)
    assert found == expected


def _a_worker() -> int:
    """Return the process id of one of the actors."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True)
    return next(
        int(line.split()[0]) for line in listed.stdout.splitlines() if "ray::_Worker" in line
    )


def test_engines_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert EngineSpec.parse(None) == EngineSpec("local")
    assert EngineSpec.parse("ray", 3) == EngineSpec("ray", "", 3)
    assert EngineSpec.parse("ray:10.0.0.1:6379").address == "10.0.0.1:6379"
    assert EngineSpec.parse("ray://head:10001").address == "ray://head:10001"
    monkeypatch.setenv("CYBERSECQWEN_ENGINE", "ray")
    assert EngineSpec.parse(None).scheme == "ray"
    assert isinstance(open_engine(EngineSpec.parse("local")), LocalEngine)
    for wrong in ("dask", "local:x"):
        with pytest.raises(InputError, match="no engine"):
            EngineSpec.parse(wrong)
    with pytest.raises(InputError, match="--workers"):
        EngineSpec.parse("local", 2)


def test_the_command_line_takes_it(
    engine: RayEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "feed.jsonl"
    source.write_text('{"id": "CVE-2099-0001", "description": "SQL injection in the login form"}\n')
    for chosen in ("local", "ray"):
        output = tmp_path / f"{chosen}.jsonl"
        call = ["map", "--input", str(source), "--output", str(output), "--engine", chosen]
        assert main(call) == 0
    assert (tmp_path / "ray.jsonl").read_bytes() == (tmp_path / "local.jsonl").read_bytes()
    capsys.readouterr()
