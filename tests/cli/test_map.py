from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest

from cybersecqwen.cli.main import main

TEXTS = ("sql sql sql", "write read", "scripting", "free free")


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    """Ten records, two of them bad."""
    lines = [
        json.dumps({"id": f"CVE-2024-{n}", "description": TEXTS[n % 4]}).encode() for n in range(8)
    ]
    lines.insert(3, b'{"id": "CVE-2024-90", "descr')
    lines.insert(6, b'{"id": "CVE-2024-91", "description": ""}')
    file = tmp_path / "feed.jsonl"
    file.write_bytes(b"\n".join(lines) + b"\n")
    return file


class Call:
    """What a call of ``map`` printed and returned."""

    def __init__(self, model: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self._model = model
        self._capfd = capfd
        self.out = self.err = ""

    def __call__(self, *arguments: object) -> int:
        self._capfd.readouterr()
        code = main(["map", *map(str, arguments), "--model", str(self._model)])
        self.out, self.err = self._capfd.readouterr()
        return code

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def call(tiny_model: Path, capfd: pytest.CaptureFixture[str]) -> Call:
    return Call(tiny_model, capfd)


def test_formats_named_for_help_are_those_there_are() -> None:
    from cybersecqwen.apps.outputs.registry import FORMAT_NAMES
    from cybersecqwen.cli.map_arguments import OUTPUT_FORMATS

    assert OUTPUT_FORMATS == FORMAT_NAMES


def test_labellers_and_cards_named_for_help_are_those_there_are() -> None:
    from cybersecqwen.cli.arguments import CARDS, LABELLERS
    from cybersecqwen.core.records import Labeller

    for package in ("torch", "accelerate", "peft", "trl", "datasets"):
        pytest.importorskip(package)
    from cybersecqwen.training.lora import memory_plan

    assert get_args(Labeller) == LABELLERS
    assert get_args(memory_plan.Profile) == CARDS


def test_one_text(call: Call) -> None:
    assert call("sql sql sql") == 0
    (row,) = call.rows
    assert row["cwe"] == "CWE-89"
    assert row["model"] == "tiny 1.2.3"
    assert call.err == ""


def test_one_text_as_json_and_as_a_table(call: Call) -> None:
    assert call("sql", "--json", "--top-k", 2) == 0
    assert len(json.loads(call.out)["candidates"]) == 2
    assert call("sql", "--to", "table") == 0
    assert "NVD" in call.out
    assert call.out.count("CWE-89") >= 3  # of both conventions, and among the candidates


def test_labeller_and_threshold(call: Call) -> None:
    assert call("write", "--labeller", "cna", "--threshold", "0.99") == 0
    assert call.rows[0]["cwe"] == "CWE-121"
    assert call.rows[0]["abstained"] is True


def test_argument_that_is_no_utf8(call: Call) -> None:
    assert call(os.fsdecode(b"sql \xff\xfe sql")) == 0
    assert call.rows[0]["cwe"] == "CWE-89"


def test_file_in_order_with_each_problem_named(call: Call, feed: Path) -> None:
    assert call("--input", feed) == 1
    assert [row["id"] for row in call.rows] == [f"CVE-2024-{n}" for n in range(8)]
    assert [row["cwe"] for row in call.rows[:4:3]] == ["CWE-89", "CWE-416"]
    first, second, summary, *_ = call.err.splitlines()
    assert f"{feed}:4" in first
    assert f"{feed}:7" in second
    assert "CVE-2024-91" in second
    assert summary.startswith("10 records in ")
    assert "8 answered (" in summary
    assert summary.endswith("2 problems")
    assert call("--input", feed, "--quiet") == 1
    assert len(call.err.splitlines()) == 2


def test_standard_input(tiny_model: Path, feed: Path) -> None:
    done = run_cli(tiny_model, "--input", "-", stdin=gzip.compress(feed.read_bytes()))
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 8


def test_a_pipe_needs_no_arguments_and_a_dash_means_it(tiny_model: Path, feed: Path) -> None:
    for arguments in ((), ("-",), ("--input", "-")):
        done = run_cli(tiny_model, *arguments, stdin=b"sql injection in the login form\n")
        assert done.returncode == 0, done.stderr
        (row,) = map(json.loads, done.stdout.splitlines())
        assert (row["id"], row["cwe"]) == ("line-1", "CWE-89")
    empty = run_cli(tiny_model)
    assert empty.returncode == 2
    assert empty.stderr.decode().startswith("cybersecqwen: standard input: empty")


def test_a_dash_as_output_is_standard_output(call: Call, feed: Path, tmp_path: Path) -> None:
    assert call("--input", feed, "--output", "-", "--to", "csv") == 1
    assert call.out.startswith("id,cwe")
    assert not (tmp_path / "-").exists()


def test_pasted_records_are_read_as_records(call: Call) -> None:
    record = {
        "dataType": "CVE_RECORD",
        "cveMetadata": {"cveId": "CVE-2099-0191", "state": "PUBLISHED"},
        "containers": {"cna": {"descriptions": [{"lang": "en", "value": "sql sql sql"}]}},
    }
    assert call(json.dumps(record, indent=1)) == 0
    assert (call.rows[0]["id"], call.rows[0]["cwe"]) == ("CVE-2099-0191", "CWE-89")
    assert call('{"id": "r", "description": "sql sql sql"}') == 0
    assert call.rows[0]["id"] == "r"
    assert call('{"unheard": "of"}') != 0
    assert call.out == ""


def test_a_text_that_mentions_a_file_is_a_text(call: Call) -> None:
    assert call("sql injection in login.php") == 0
    assert call.rows[0]["cwe"] == "CWE-89"


def test_too_little_text_is_unsure(capfd: pytest.CaptureFixture[str]) -> None:
    for text in ("x", "some person", "v1.2.3", "description"):
        assert main(["map", text]) == 0
        row = json.loads(capfd.readouterr().out)
        assert row["abstained"] is True, text
        assert row["confidence"] < 0.3
    assert main(["map", "xss"]) == 0
    assert json.loads(capfd.readouterr().out)["cwe"] == "CWE-79"


def test_csv_by_the_outputs_ending(call: Call, feed: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    assert call("--input", feed, "--output", output) == 1
    assert call.out == ""
    assert len(list(csv.DictReader(io.StringIO(output.read_text())))) == 8
    assert sorted(p.name for p in tmp_path.iterdir()) == ["feed.jsonl", "out.csv"]


def test_sarif(call: Call, feed: Path) -> None:
    assert call("--input", feed, "--to", "sarif") == 1
    assert len(json.loads(call.out)["runs"][0]["results"]) == 8


def test_json_is_one_object(call: Call, feed: Path, tmp_path: Path) -> None:
    assert call("--input", feed, "--json") == 1
    found = json.loads(call.out)
    assert len(found["items"]) == 8
    assert [problem["id"] for problem in found["problems"]][1] == "CVE-2024-91"
    assert call("--input", feed, "--json", "--output", tmp_path / "o.jsonl") == 1
    found = json.loads(call.out)
    assert (found["rows"], len(found["problems"])) == (8, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sql", "--input", "FEED"), "one of the two"),
        (("sql", "injection"), "put the text in quotes"),
        (("FEED",), "is a file: map --input"),
        (("FEED", "FEED"), "is a file: map --input"),
        (("nowhere.jsonl",), "no such file"),
        (("CVE-2021-44228",), "is an id"),
        (("CVE-2021-44228, CVE-2014-0160",), "are ids"),
        (("https://example.org/advisory",), "is an address"),
        (("nan",), "no description"),
        (("N/A",), "no description"),
        (("...",), "no description"),
        (("--input", "FEED", "--output", "OUT.xlsy"), "known are .txt, .jsonl"),
        (("--input", "FEED", "--output", "OUT.jsonl", "--resume", "--restart"), "exclude"),
        (("",), "the text is empty"),
        (("\u200b \u202e",), "the text is empty"),
        (("sql", "--top-k", "0"), "--top-k"),
        (("sql", "--threshold", "1.5"), "--threshold"),
        (("sql", "--threshold", "nan"), "--threshold"),
        (("sql", "--output", "OUT"), "--output goes with --input"),
        (("sql", "--resume"), "--resume needs"),
        (("--input", "-", "--output", "OUT", "--resume"), "--resume needs"),
        (("--input", "FEED", "--json", "--to", "csv"), "one JSON object"),
        (("--input", "FEED", "--output", "FEED"), "overwrite"),
        (("--input", "FEED", "--output", "DIR", "--to", "csv"), "no regular file"),
        (("--input", "FEED", "--output", os.devnull, "--to", "csv"), "no regular file"),
        (("--input", "NOWHERE"), "NOWHERE"),
        (("--input", "NOWHERE", "--output", "OUT", "--to", "csv"), "NOWHERE"),
        (("--input", "BINARY"), "BINARY"),
        (("--input", "BINARY", "--to", "sarif"), "BINARY"),
        (("--input", "BINARY", "--output", "OUT.jsonl"), "BINARY"),
        (("--input", "BINARY", "--json"), "BINARY"),
        (("sql", "--labeller", "cna", "--model", "NOWHERE"), "no such model folder"),
        (("sql", "--model", "mock:NOWHERE"), "NOWHERE: cannot be read"),
        (("sql", "--shortlist", "3"), "go with a language model"),
    ],
)
def test_unusable_calls_say_why_and_write_nothing(
    tiny_model: Path,
    feed: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    (tmp_path / "BINARY").write_bytes(bytes(range(256)) * 50)
    (tmp_path / "DIR").mkdir()
    names = {"FEED": feed} | {
        n: tmp_path / n for n in ("OUT", "OUT.jsonl", "OUT.xlsy", "DIR", "NOWHERE", "BINARY")
    }
    model = [] if "--model" in arguments else ["--model", str(tiny_model)]
    before = sorted(tmp_path.iterdir())
    assert main(["map", *(str(names.get(a, a)) for a in arguments), *model]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert message in err
    assert len(err.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_what_a_record_calls_itself_cannot_drive_the_terminal(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "feed.jsonl"
    evil = "CVE-1\x1b]0;owned\x07\u202e"
    file.write_text(
        json.dumps({"id": evil, "description": ""})
        + "\n"
        + json.dumps({"id": evil, "description": "sql"})
    )
    assert call("--input", file, "--to", "table") == 1
    assert "CVE-1" in call.err
    assert not {"\x1b", "\x07", "\u202e"} & set(call.out + call.err)


def test_resuming_with_other_options_is_refused(call: Call, feed: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    assert call("--input", feed, "--output", output) == 1
    written = output.read_bytes()
    output.rename(tmp_path / "out.jsonl.part")
    # What a killed run of other options leaves: its rows and its journal.
    journal = {"input": [], "settings": {}, "model": "", "version": ""}
    (tmp_path / "out.jsonl.part.json").write_text(json.dumps(journal))
    assert call("--input", feed, "--output", output, "--resume") == 2
    assert "other input and settings and model" in call.err
    assert (tmp_path / "out.jsonl.part").read_bytes() == written


def environment() -> dict[str, str]:
    source = Path(__file__).parents[2] / "src"
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(source), *sys.path])}


def run_cli(
    model: Path, *arguments: object, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "cybersecqwen", "map", *map(str, arguments)]
    return subprocess.run(
        [*command, "--model", str(model)],
        input=stdin,
        capture_output=True,
        env=environment(),
        check=False,
        timeout=60,
    )


def said_of_problems(stderr: bytes) -> list[bytes]:
    return [line for line in stderr.splitlines() if b"feed.jsonl:" in line]


def test_killed_at_random_moments_then_resumed(tiny_model: Path, tmp_path: Path) -> None:
    feed = tmp_path / "feed.jsonl"
    with feed.open("w") as stream:
        for n in range(3_000):
            text = "" if n % 997 == 5 else f"{TEXTS[n % 4]} {'free ' * (n % 13)} w{n}"
            stream.write(json.dumps({"id": f"r{n}", "description": text}) + "\n")
    whole, output = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    start = time.monotonic()
    plain = run_cli(tiny_model, "--input", feed, "--output", whole)
    took = time.monotonic() - start
    assert plain.returncode == 1
    chance = random.Random(0)
    command = ["--input", str(feed), "--output", str(output), "--resume"]
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-m", "cybersecqwen", "map", *command, "--model", str(tiny_model)],
            env=environment(),
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.1, 0.9) * took)
        child.send_signal(signal.SIGKILL)
        child.wait()
    last = run_cli(tiny_model, *command)
    assert last.returncode == 1
    assert output.read_bytes() == whole.read_bytes()
    assert said_of_problems(last.stderr) == said_of_problems(plain.stderr)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "feed.jsonl",
        "killed.jsonl",
        "whole.jsonl",
    ]


def test_ctrl_c_ends_at_once_and_the_same_command_goes_on(tiny_model: Path, tmp_path: Path) -> None:
    feed = tmp_path / "feed.jsonl"
    with feed.open("w") as stream:
        for n in range(20_000):
            row = {"id": f"r{n}", "description": f"{TEXTS[n % 4]} {'free ' * (n % 13)} w{n}"}
            stream.write(json.dumps(row) + "\n")
    output = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "cybersecqwen", "map", "--input", str(feed)]
    command += ["--output", str(output), "--model", str(tiny_model)]
    child = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE)
    assert child.stderr is not None
    while not (part := tmp_path / "out.jsonl.part").exists() or part.stat().st_size == 0:
        time.sleep(0.01)
        assert child.poll() is None
    start = time.monotonic()
    for _ in range(3):  # an impatient user
        child.send_signal(signal.SIGINT)
        time.sleep(0.01)
    child.wait(10)
    assert time.monotonic() - start < 2
    assert child.returncode == 130
    (line,) = child.stderr.read().decode().splitlines()
    assert "interrupted after " in line
    assert line.endswith("the same command goes on from there")
    done = subprocess.run(command, env=environment(), capture_output=True, check=False)
    assert done.returncode == 0
    assert b"going on after " in done.stderr
    assert len(output.read_bytes().splitlines()) == 20_000


def test_reader_that_leaves_early(tiny_model: Path, tmp_path: Path) -> None:
    feed = tmp_path / "feed.txt"
    feed.write_text("sql injection\n" * 5_000)
    child = subprocess.Popen(
        [sys.executable, "-m", "cybersecqwen", "map", "--input", str(feed), "--model", tiny_model],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait(30) == 0


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full here")
def test_full_disk_behind_standard_output(tiny_model: Path, feed: Path) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-m", "cybersecqwen", "map", "--input", feed, "--model", tiny_model],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert done.returncode == 2
    assert b"No space left" in done.stderr.splitlines()[-1]
    assert b"Traceback" not in done.stderr


NO_NETWORK = """
import sys

def refuse(event, arguments):
    if event.startswith("socket."):
        raise SystemExit(f"a socket was opened: {event} {arguments}")

sys.addaudithook(refuse)
from cybersecqwen.cli.main import main
code = main(sys.argv[1:])
heavy = sorted({"torch", "transformers", "scipy", "sklearn"} & set(sys.modules))
sys.exit(f"heavy imports: {heavy}" if heavy else code)
"""


def test_no_socket_and_nothing_heavy(tiny_model: Path, feed: Path) -> None:
    for arguments, code in ((["sql injection"], 0), (["--input", str(feed)], 1)):
        done = subprocess.run(
            [sys.executable, "-c", NO_NETWORK, "map", *arguments, "--model", str(tiny_model)],
            capture_output=True,
            env=environment(),
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done.stderr
        assert b"a socket was opened" not in done.stderr
        assert b"heavy imports" not in done.stderr


def test_ids_are_looked_up_in_the_local_store(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store.sqlite"
    monkeypatch.setenv("CYBERSECQWEN_STORE", str(store))
    assert call("CVE-2024-0001") == 2
    assert "fill the local store (data fetch nvd, data import FILE)" in call.err
    feed = tmp_path / "feed.jsonl"
    feed.write_text(json.dumps({"id": "CVE-2024-0001", "description": "sql sql sql"}))
    assert main(["data", "import", str(feed)]) == 0
    assert main(["data", "info"]) == 0
    assert call("cve-2024-0001") == 0
    assert [(row["id"], row["cwe"]) for row in call.rows] == [("CVE-2024-0001", "CWE-89")]
    assert "looked up in the local store, imported today" in call.err
    assert call("CVE-2024-0001", "CVE-2024-0002") == 1
    assert "CVE-2024-0002): no description, and the local store does not know it" in call.err
    listed = tmp_path / "ids.txt"
    listed.write_text("CVE-2024-0001\n")
    assert call("--input", listed) == 0
    assert call.rows[0]["id"] == "CVE-2024-0001"
    scores = tmp_path / "scores.csv"
    rows = "".join(f"CVE-2024-{n:04},0.1,0.5\n" for n in range(1, 202))
    scores.write_text("cve,epss,percentile\n" + rows)
    assert call("--input", scores) == 1
    assert [row["id"] for row in call.rows] == ["CVE-2024-0001"]
    assert call.err.count("the local store does not know it") == 100
    assert "100 more without a description; --json lists each" in call.err
    assert call("--input", scores, "--json", "--output", tmp_path / "out.jsonl") == 1
    assert len(json.loads(call.out)["problems"]) == 201  # and where texts come from


def test_columns_can_be_named(call: Call, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("ticket,finding\nT-1,sql sql sql\n")
    assert call("--input", table) == 2
    assert "--text-column NAME" in call.err
    assert call("--input", table, "--text-column", "finding", "--id-column", "ticket") == 0
    assert [(row["id"], row["cwe"]) for row in call.rows] == [("T-1", "CWE-89")]


def test_a_text_that_comes_again_is_mapped_once(tiny_model: Path) -> None:
    from cybersecqwen.apps.map_stream import MapOptions, map_stream
    from cybersecqwen.core.records import Advisory
    from cybersecqwen.specialists import CweMapper

    mapper = CweMapper.load(str(tiny_model))
    asked: list[Advisory] = []
    real = mapper.map_many

    def counted(texts, **options):  # type: ignore[no-untyped-def]
        asked.extend(texts := list(texts))
        return real(texts, **options)

    mapper.map_many = counted  # type: ignore[method-assign]
    findings = [Advisory(f"CVE-{n % 2}", TEXTS[n % 2]) for n in range(10)]
    outcomes = list(map_stream(findings, mapper, MapOptions()))
    assert [outcome.record for outcome in outcomes] == findings
    assert len({outcome.prediction.cwe for outcome in outcomes if outcome.prediction}) == 2
    assert [record.description for record in asked] == [TEXTS[0], TEXTS[1]]
