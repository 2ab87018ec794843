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
    assert call.out.startswith("CWE-89 ")


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
    first, second = call.err.splitlines()
    assert f"{feed}:4" in first
    assert f"{feed}:7" in second
    assert "CVE-2024-91" in second


def test_standard_input(tiny_model: Path, feed: Path) -> None:
    done = run_cli(tiny_model, "--input", "-", stdin=gzip.compress(feed.read_bytes()))
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 8


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
        ((), "give a text or --input"),
        (("sql", "--input", "FEED"), "one of the two"),
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
        (("--input", "FEED", "--output", "DIR"), "no regular file"),
        (("--input", "FEED", "--output", os.devnull), "no regular file"),
        (("--input", "NOWHERE"), "NOWHERE"),
        (("--input", "NOWHERE", "--output", "OUT"), "NOWHERE"),
        (("--input", "BINARY"), "BINARY"),
        (("--input", "BINARY", "--to", "sarif"), "BINARY"),
        (("--input", "BINARY", "--output", "OUT"), "BINARY"),
        (("--input", "BINARY", "--json"), "BINARY"),
        (("sql", "--labeller", "cna", "--model", "NOWHERE"), "no such model folder"),
        (("sql", "--model", "mock:NOWHERE"), "cannot read the script"),
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
    names = {"FEED": feed} | {n: tmp_path / n for n in ("OUT", "DIR", "NOWHERE", "BINARY")}
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


def test_killed_at_random_moments_then_resumed(tiny_model: Path, tmp_path: Path) -> None:
    feed = tmp_path / "feed.jsonl"
    with feed.open("w") as stream:
        for n in range(12_000):
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
    assert last.stderr == plain.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "feed.jsonl",
        "killed.jsonl",
        "whole.jsonl",
    ]


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
    child.wait(30)


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
