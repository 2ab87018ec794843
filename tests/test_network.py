"""What leaves the machine, and what is left on it, seen by the kernel: Python's own audit events do
not see what a library does in C++, and so did not see ONNX Runtime's usage reporting.

Each verb that must not use the network runs under strace in a home of its own.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from traced_process import STRACE, Sandbox

pytestmark = pytest.mark.skipif(STRACE is None, reason="no strace here; .ci/run installs it")

WATCHED_SECONDS = 14
"""ONNX Runtime 1.32, its reporting on, looked its collector up 9 s after it was imported."""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "sandbox")


def write_feed(path: Path, records: int) -> None:
    texts = (
        "SQL injection in the login form of product {} lets remote attackers read the database.",
        "Heap overflow in the image decoder of product {} allows code execution by a crafted file.",
        "The search page of product {} does not encode its parameter, which allows scripting.",
    )
    with path.open("w") as stream:
        for number in range(records):
            text = texts[number % len(texts)].format(f"{number}x{number * 7919}")
            stream.write(json.dumps({"id": f"r{number}", "description": text}) + "\n")


def test_the_trace_shows_a_look_up_and_a_file(sandbox: Sandbox) -> None:
    code = (
        "import pathlib, socket\n"
        "with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s: s.connect(('192.0.2.1', 53))\n"
        "pathlib.Path.home().joinpath('left').write_text('x')\n"
    )
    command = [STRACE or "", "-f", "-qq", "-o", str(sandbox.trace), sys.executable, "-c", code]
    subprocess.run(command, env=os.environ | {"HOME": str(sandbox.home)}, check=True)
    assert any("192.0.2.1" in line for line in sandbox.sent())
    assert str(sandbox.home / "left") in sandbox.created()


def test_long_runs_of_map_and_serve(tmp_path: Path) -> None:
    """Reporting that is on begins some seconds into a run; both run at the same time."""
    pytest.importorskip("uvicorn")
    mapping, service = Sandbox(tmp_path / "map"), Sandbox(tmp_path / "serve")
    write_feed(mapping.work / "feed.jsonl", 100_000)
    child = mapping.start("map", "--input", "feed.jsonl", "--output", "rows.jsonl")
    serving = service.start("serve", "--port", "0")
    address = _address(serving)
    end = time.monotonic() + WATCHED_SECONDS
    asked = {
        "/api/map": {"text": "SQL injection in the login form"},
        "/api/ask": {"question": "How can password spraying be mitigated?"},
        "/api/search": {"query": "kerberoasting"},
    }
    while time.monotonic() < end:
        for path, body in asked.items():
            request = urllib.request.Request(
                address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=30) as reply:
                assert reply.status == 200
        time.sleep(1)
    assert child.poll() is None
    mapping.interrupt(child)
    assert child.wait(30) == 130
    mapping.check()
    service.interrupt(serving, signal.SIGTERM)
    serving.communicate(timeout=60)
    service.check()


def _address(serving: subprocess.Popen[bytes]) -> str:
    """Return the address that a service says it listens on."""
    assert serving.stderr is not None
    while line := serving.stderr.readline().decode():
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    raise AssertionError("the service ended")


@pytest.mark.parametrize(
    "words",
    [
        ("map", "SQL injection in the login form"),
        ("demo",),
        ("ask", "How can password spraying be mitigated?"),
        ("kb", "search", "kerberoasting"),
        ("doctor",),
        ("info",),
    ],
    ids=lambda words: words[0],
)
def test_short_verbs(sandbox: Sandbox, words: tuple[str, ...]) -> None:
    done = sandbox.run(*words)
    assert done.returncode == 0, done.stderr
    sandbox.check()


def test_kb_build(sandbox: Sandbox) -> None:
    from mitre_files import write_all

    files = write_all(sandbox.work)
    done = sandbox.run("kb", "build", "--attack", str(files["attack"]), "--out", "kb")
    assert done.returncode == 0, done.stderr
    sandbox.check()


def test_eval_run(sandbox: Sandbox) -> None:
    rows = [
        {
            "cve_id": f"CVE-2024-{number}",
            "Description": "SQL injection in the login form",
            "GT": "CWE-89",
            "URL": f"https://nvd.nist.gov/vuln/detail/CVE-2024-{number}",
            "Prompt": "Map this description to a CWE: SQL injection in the login form",
        }
        for number in range(1000, 1040)
    ]
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    (sandbox.work / "rcm.tsv").write_text("\n".join(lines) + "\n")
    done = sandbox.run("eval", "run", "cti-rcm", "--data", "rcm.tsv", "--output", "log.jsonl")
    assert done.returncode == 0, done.stderr
    sandbox.check()


def test_mcp(sandbox: Sandbox) -> None:
    pytest.importorskip("mcp")
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    call = {"name": "map_cve", "arguments": {"text": "SQL injection in the login form"}}
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": call},
    ]
    child = sandbox.start("mcp", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    for message in messages:
        child.stdin.write(json.dumps(message).encode() + b"\n")
    child.stdin.flush()
    replies = []
    while len(replies) < 3:
        replies.append(json.loads(child.stdout.readline()))
    assert "CWE-89" in json.dumps(replies[-1])
    child.communicate(timeout=60)
    sandbox.check()
