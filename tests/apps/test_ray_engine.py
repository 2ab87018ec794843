from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from cybersecqwen import Assessor, CweMapper
from cybersecqwen.apps.assess_job import AssessJob, run_assess_job
from cybersecqwen.apps.assess_stream import assess_windows
from cybersecqwen.apps.audit import Differences
from cybersecqwen.apps.corpus import build_corpus
from cybersecqwen.apps.engine import EngineSpec, open_engine
from cybersecqwen.apps.evaluation import run_evaluation
from cybersecqwen.apps.map_job import MapJob, MapOptions, run_map_job
from cybersecqwen.apps.map_stream import map_stream, map_windows
from cybersecqwen.cli.main import main
from cybersecqwen.core.engine import LocalEngine
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.records import (
    Advisory,
    Candidate,
    CweLabel,
    CwePrediction,
    Labeller,
    RecordProblem,
)
from cybersecqwen.evaluation.log import read_log
from cybersecqwen.evaluation.plan import RunOptions
from cybersecqwen.knowledge.base import KnowledgeBase
from small_corpus import write_small

# Their processes yield to the tests beside them otherwise.
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
ray = pytest.importorskip("ray")

from cybersecqwen.apps.ray_engine import RayEngine  # noqa: E402

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


class StandIn:
    """Answers by the text; some texts end its process, some are not to its taste."""

    name = "stand-in"
    digest = "0"

    def __init__(self, seconds: float = 0.0, window: int = 8) -> None:
        self.seconds = seconds
        self.window = window

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


@dataclass
class Cluster:
    """A cluster on this machine, as ``--engine ray`` starts it for a process."""

    engine: RayEngine
    session: Path
    at_exit: list[Callable[[], object]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One for all tests here; the last of them ends it."""
    registered: list[Callable[[], object]] = []
    with pytest.MonkeyPatch.context() as patch:
        # The engine's own alone: Ray registers its own in the real one.
        stand_in = SimpleNamespace(register=lambda *call: registered.append(partial(*call)))
        patch.setattr("cybersecqwen.apps.ray_engine.atexit", stand_in)
        engine = RayEngine("", 2)
    yield Cluster(engine, Path(ray.nodes()[0]["ObjectStoreSocketName"]).parents[1], registered)
    ray.shutdown()


@pytest.fixture
def engine(cluster: Cluster) -> RayEngine:
    return cluster.engine


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


def test_assessments_and_audits_are_the_same(engine: RayEngine, tmp_path: Path) -> None:
    source = tmp_path / "feed.jsonl"
    said = "injection in the login form lets remote attackers read the database"
    rows = [
        {"id": f"r{n}", "description": f"{('SQL', 'LDAP')[n % 2]} {said} {n}"} for n in range(90)
    ]
    source.write_text("\n".join([*map(json.dumps, rows), '{"id": "empty"}']))
    assessor = Assessor.from_pretrained(knowledge=KnowledgeBase.load())
    labels = (CweLabel("CWE-20", "cna"),)
    records = [Advisory(row["id"], row["description"], labels=labels) for row in rows]
    outputs, audits = [], []
    for chosen in (LocalEngine(), engine):
        sink = io.BytesIO()
        problems: list[RecordProblem] = []
        job = AssessJob(source=source, assessor=assessor, engine=chosen)
        summary = run_assess_job(job, sink=sink, report=problems.append)
        outputs.append((sink.getvalue(), problems, replace(summary, seconds=0.0)))
        audits.append(list(assess_windows(records, assessor, Differences(), engine=chosen)))
    assert outputs[0] == outputs[1]
    assert outputs[0][0].count(b"\n") == 90
    assert b"citation" in outputs[0][0]
    assert audits[0] == audits[1]
    assert sum(outcome.row is not None for window in audits[0] for outcome in window) == 90


@pytest.mark.parametrize("protocol", ["ref", "constrained"])
def test_an_evaluation_logs_the_same(engine: RayEngine, tmp_path: Path, protocol: str) -> None:
    questions, script = tmp_path / "mcq.tsv", tmp_path / "mock.jsonl"
    heading = "URL\tQuestion\tOption A\tOption B\tOption C\tOption D\tPrompt\tGT"
    lines = [f"u{n // 2}\tq{n}\ta\tb\tc\td\tpage {n}\t{'ABCD'[n % 4]}" for n in range(50)]
    questions.write_text("\n".join([heading, *lines]) + "\n")
    scores = {letter: -float(place) for place, letter in enumerate("BADC", 1)}
    rules = [{"match": "page 7", "error": "no"}, {"reply": "Answer: B", "scores": scores}]
    script.write_text("\n".join(map(json.dumps, rules)))
    trials = 2 if protocol == "ref" else None
    options = RunOptions("cti-mcq", questions, f"mock:{script}", protocol, trials=trials)
    logs = []
    for name, chosen in (("local", LocalEngine()), ("ray", engine)):
        found = run_evaluation(options, tmp_path / f"{name}.jsonl", engine=chosen)
        logs.append((read_log(found.log).digest(), found.summary, len(found.failed)))
    assert logs[0] == logs[1]
    assert logs[0][1].n == 50


def test_a_corpus_is_built_the_same(engine: RayEngine, tmp_path: Path) -> None:
    pytest.importorskip("sparse_dot_topn")
    recipe = write_small(tmp_path / "data")
    for name, chosen in (("local", LocalEngine()), ("ray", engine)):
        build_corpus(recipe, tmp_path / name, engine=chosen)
    files = sorted(file.name for file in (tmp_path / "local").iterdir())
    assert "removed.jsonl" in files
    for name in files:
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()


def test_a_record_that_ends_workers_is_named_and_passed_over(
    engine: RayEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of what becomes of workers that die: test_crew.py, with processes that start faster."""
    monkeypatch.setattr("cybersecqwen.apps.crew._TRIES", 1)
    model = StandIn(window=2)
    windows = map_windows(_records(26, "a deadly text"), model, MapOptions(), engine=engine)
    found = [outcome for window in windows for outcome in window]
    assert [o.record.id for o in found if o.record] == [f"r{n}" for n in range(26) if n != 21]
    assert found[21].problem == RecordProblem("record 22", "r21", "ended every worker that read it")


def test_a_model_that_cannot_be_sent_is_refused(engine: RayEngine) -> None:
    model = StandIn()
    model.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="cannot be sent"):
        list(map_windows(_records(5), model, MapOptions(), engine=engine))


def test_what_the_model_raises_arrives_as_it_is(engine: RayEngine) -> None:
    with pytest.raises(ModelError, match="no such labeller"):
        list(map_windows(_records(50, "wrong"), StandIn(), MapOptions(), engine=engine))


def test_a_worker_killed_in_the_middle_changes_nothing(engine: RayEngine) -> None:
    expected = [o.prediction for o in map_stream(_records(200), StandIn(), MapOptions())]
    found = []
    windows = map_windows(_records(200), StandIn(0.005), MapOptions(), engine=engine)
    for number, window in enumerate(windows):
        found += [outcome.prediction for outcome in window]
        if number == 3:
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
    """With a language model, which each worker opens for itself, and the shipped specialist."""
    source, script = tmp_path / "feed.jsonl", tmp_path / "mock.jsonl"
    source.write_text('{"id": "CVE-2099-0001", "description": "SQL injection in the login form"}\n')
    script.write_text('{"scores": {"CWE-89": -0.1}}\n')
    for chosen in ("local", "ray"):
        call = ["map", "--input", str(source), "--model", f"mock:{script}", "--shortlist", "1"]
        call += ["--output", str(tmp_path / f"{chosen}.jsonl"), "--engine", chosen]
        assert main(call) == 0
    assert (tmp_path / "ray.jsonl").read_bytes() == (tmp_path / "local.jsonl").read_bytes()
    assert b"shortlist of 1" in (tmp_path / "ray.jsonl").read_bytes()
    assert capsys.readouterr().out == ""


def test_a_cluster_of_its_own_leaves_nothing(cluster: Cluster) -> None:
    assert (cluster.session / "logs").is_dir()
    (end,) = cluster.at_exit
    end()
    assert not cluster.session.exists()
    assert not ray.is_initialized()
