"""Replicas behind nginx, as docs/scale.md sets them up: restarted, killed, passed through."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from llm_server import serving
from running_server import RunningServer

httpx = pytest.importorskip("httpx")
pytest.importorskip("fastapi")
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
if NGINX is None:
    pytest.skip("no nginx (apt-get install nginx)", allow_module_level=True)

SITE = Path(__file__).parents[2] / "deploy" / "nginx-site.conf"
TEXT = "The login form concatenates the user name into the SQL query."


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _configuration(folder: Path, port: int, replicas: list[int]) -> Path:
    """Write nginx's whole configuration around the site that ships."""
    site = SITE.read_text("utf-8").replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    servers = re.findall(r"^    server 127\.0\.0\.1:800\d", site, re.MULTILINE)
    assert len(servers) == len(replicas)
    for line, replica in zip(servers, replicas, strict=True):
        site = site.replace(line, f"    server 127.0.0.1:{replica}")
    kept = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in kept)
    file = folder / "nginx.conf"
    file.write_text(
        f"pid {folder}/pid;\nerror_log {folder}/error.log info;\ndaemon off;\n"
        f"worker_processes 1;\nevents {{ }}\nhttp {{\naccess_log off;\n{paths}{site}}}\n"
    )
    return file


@contextmanager
def proxy(folder: Path, replicas: list[int]) -> Iterator[str]:
    port = _free_port()
    file = _configuration(folder, port, replicas)
    child = subprocess.Popen([str(NGINX), "-c", str(file), "-p", str(folder)])
    try:
        for _ in range(200):
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert child.poll() is None, (folder / "error.log").read_text()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(20)


class Load:
    """Clients that ask one request after the other and keep what did not succeed."""

    def __init__(self, base: str, clients: int, path: str, asked: dict[str, Any]) -> None:
        self.failed: list[str] = []
        self.answered = 0
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(f"{base}{path}", asked))
            for _ in range(clients)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(120)

    def wait_for(self, more: int) -> None:
        """Wait until so many more requests are answered."""
        end, wanted = time.monotonic() + 60, self.answered + more
        while self.answered < wanted and time.monotonic() < end:
            time.sleep(0.02)
        assert self.answered >= wanted, self.failed[:3]

    def _ask(self, url: str, asked: dict[str, Any]) -> None:
        with httpx.Client(timeout=60) as client:
            while not self._ended.is_set():
                try:
                    reply = client.post(url, json=asked)
                    good = reply.status_code == 200 and _is_whole(reply)
                    said = f"{reply.status_code} {reply.text[-200:]}"
                except httpx.HTTPError as error:
                    good, said = False, repr(error)
                if good:
                    self.answered += 1
                else:
                    self.failed.append(said)


def _is_whole(reply: Any) -> bool:
    if "event-stream" in reply.headers["content-type"]:
        return bool(reply.text.rstrip().endswith("data: [DONE]"))
    return "CWE-89" in reply.text


def _restarted(replica: RunningServer, *arguments: str) -> RunningServer:
    """Stop a replica as systemd does, start it again, and wait until it is ready."""
    port = replica.port
    replica.process.terminate()
    assert replica.process.wait(60) == 0
    again = RunningServer(*arguments, port=port)
    assert httpx.get(f"{again.base}/ready", timeout=60).status_code == 200
    return again


def test_nginx_takes_the_configuration(tmp_path: Path) -> None:
    file = _configuration(tmp_path, _free_port(), [8001, 8002])
    command = [str(NGINX), "-t", "-c", str(file), "-p", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


def _writes(handler: BaseHTTPRequestHandler, body: dict[str, Any], _: int) -> None:
    """Answer as vLLM's server streams."""
    assert body["stream"]
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Connection", "close")
    handler.end_headers()
    for word in ("Bind ", "the ", "values."):
        choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
        event = {"id": "1", "object": "chat.completion.chunk", "choices": [choice]}
        handler.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        handler.wfile.flush()
        time.sleep(0.1)
    handler.wfile.write(b"data: [DONE]\n\n")
    handler.close_connection = True


STREAM = "/v1/chat/completions"
ASKED = {"model": "writer", "messages": [{"role": "user", "content": "How?"}], "stream": True}


@dataclass
class Site:
    """Two replicas behind nginx, and what each was started with."""

    base: str
    replicas: list[RunningServer]
    arguments: tuple[str, ...]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(_writes) as upstream, ThreadPoolExecutor(2) as pool:
        model = ("--model", f"openai:{upstream.url}/v1#writer")
        started = [pool.submit(RunningServer, *model) for _ in range(2)]
        replicas = [one.result() for one in started]
        try:
            folder = tmp_path_factory.mktemp("nginx")
            with proxy(folder, [replica.port for replica in replicas]) as base:
                yield Site(base, replicas, model)
        finally:
            for replica in replicas:
                replica.kill()


def test_a_language_model_elsewhere_streams_through(site: Site) -> None:
    with httpx.stream("POST", f"{site.base}{STREAM}", json=ASKED, timeout=60) as reply:
        arrived = [time.monotonic() for line in reply.iter_lines() if "content" in line]
    assert len(arrived) == 3
    assert arrived[2] - arrived[0] > 0.1, "held back until the end"


def test_restarting_one_after_the_other_fails_no_request(site: Site) -> None:
    """Neither of the specialist's nor of the language model's; one that dies, few."""
    with (
        Load(site.base, 3, "/api/map", {"text": TEXT}) as mapped,
        Load(site.base, 2, STREAM, ASKED) as written,
    ):
        mapped.wait_for(20)
        for place in (0, 1):
            site.replicas[place] = _restarted(site.replicas[place], *site.arguments)
            mapped.wait_for(20)
            written.wait_for(5)
        assert mapped.failed == []
        assert written.failed == []
        # One that dies instead: the other goes on, and what it had in hand is asked again,
        # but for answers that were half sent.
        site.replicas[0].kill()
        mapped.wait_for(20)
    assert len(mapped.failed) <= 3, mapped.failed[:5]
    assert len(written.failed) <= 2, written.failed[:5]
