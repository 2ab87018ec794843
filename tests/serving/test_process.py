"""The service as a process: started, loaded, told to stop, killed."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
import httpx

from cybersecqwen.cli.main import main
from cybersecqwen.specialists.mapper import WINDOW


class Process:
    """``cybersecqwen serve`` on a free port."""

    def __init__(self, files: dict[str, Any], log: Path, *more: str) -> None:
        command = [
            *(sys.executable, "-m", "cybersecqwen", "serve", "--port", "0"),
            *("--model", files["model"], "--kb", str(files["kb"])),
            *("--specialist", files["specialist"]),
            *("--specialist-sha256", files["specialist_sha256"], *more),
        ]
        self.log = log
        with log.open("wb") as stream:
            self.child = subprocess.Popen(command, stderr=stream, stdout=stream)
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())):
            assert self.child.poll() is None, log.read_text()
            time.sleep(0.02)
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"
        while True:
            try:
                httpx.get(f"{self.url}/health", timeout=60).raise_for_status()
                return
            except httpx.TransportError:
                time.sleep(0.02)


@contextmanager
def process(files: dict[str, Any], folder: Path, *more: str) -> Iterator[Process]:
    started = Process(files, folder / f"log-{time.monotonic_ns()}", *more)
    try:
        yield started
    finally:
        started.child.kill()
        started.child.wait()


def send(port: int, path: str, asked: Any) -> socket.socket:
    body = json.dumps(asked)
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    return sock


def _temporary() -> set[str]:
    return {file.name for file in Path(tempfile.gettempdir()).iterdir()}


def test_sigterm_lets_answers_end(files: dict[str, Any], tmp_path: Path) -> None:
    asked = {"model": "scripted", "messages": [{"role": "user", "content": "slow"}]}
    with process(files, tmp_path) as running:
        with send(running.port, "/v1/chat/completions", asked) as sock:
            time.sleep(0.3)
            running.child.send_signal(signal.SIGTERM)
            reply = b""
            while piece := sock.recv(65536):
                reply += piece
        assert reply.startswith(b"HTTP/1.1 200")
        assert b"at last" in reply
        assert running.child.wait(60) == 0
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", running.port))


def test_killed_in_a_batch_the_client_goes_on_where_it_was(
    files: dict[str, Any], tmp_path: Path
) -> None:
    words = ("sql", "read", "write", "free")
    rows = [f"r{n},{words[n % 4]} number {n}" for n in range(16 * WINDOW)]
    data = "\n".join(["id,description", *rows]).encode()
    temporary = _temporary()
    have: list[str] = []
    with process(files, tmp_path) as running:
        # Cut at a line that is whole: what a client keeps.
        with httpx.stream("POST", f"{running.url}/api/map/file", content=data, timeout=60) as reply:
            try:
                for line in reply.iter_lines():
                    have.append(line)
                    if len(have) == 3 * WINDOW + 5:
                        running.child.kill()
            except httpx.TransportError:
                pass
        if have and not have[-1].endswith("}"):
            have.pop()
    assert 3 * WINDOW + 5 <= len(have) < len(rows)
    made = _temporary() - temporary
    assert not [name for name in made if "cybersecqwen" in name], "nothing half-written"
    with process(files, tmp_path) as running:
        rest = httpx.post(
            f"{running.url}/api/map/file", params={"skip": len(have)}, content=data, timeout=60
        )
    ids = [json.loads(line)["id"] for line in [*have, *rest.text.splitlines()]]
    assert ids == [f"r{n}" for n in range(len(rows))]


def test_what_cannot_be_served_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYBERSECQWEN_KB", str(tmp_path / "none"))
    assert main(["serve", "--host", "0.0.0.0"]) == 2
    assert "no loopback address" in capfd.readouterr().err
    assert main(["serve", "--model", "gguf:none.gguf"]) == 2
    assert "no such file" in capfd.readouterr().err
    assert main(["serve", "--kb", str(tmp_path)]) == 2
    assert "no knowledge index" in capfd.readouterr().err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 2
        assert "cannot be listened on" in capfd.readouterr().err


def test_slow_and_endless_heads_are_cut_off(live: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cybersecqwen.serving.server._HEAD_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: local")
        assert sock.recv(100) == b""
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as sock:
        one = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for _ in range(3):
            time.sleep(0.15)  # a connection that is kept may live longer than one head
            sock.sendall(one)
            reply = b""
            while not reply.endswith(b'{"status":"ok"}'):
                reply += sock.recv(4096)
            assert reply.startswith(b"HTTP/1.1 200")
        sock.sendall(one[:9])
        assert sock.recv(100) == b""
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nX: " + b"a" * 70_000)
        assert sock.recv(100).startswith(b"HTTP/1.1 431")
