"""A model on the hub that cannot be had is told at once, and what is here asks nobody."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from huggingface_hub import constants

from cybersecqwen.core import hub
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.hub import require_reachable


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What a hub on this machine is asked, which has no model."""
    requests: list[str] = []

    class NoModels(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            requests.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), NoModels)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield requests
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_the_hub_answers_is_left_to_the_loader(asked: list[str]) -> None:
    require_reachable("org/none")
    assert asked == ["/org/none/resolve/main/config.json"]


def test_what_is_here_asks_nobody(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_reachable(str(tmp_path))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: "/cache/config.json")
    require_reachable("org/cached")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"org/none: no such folder.*HF_HUB_OFFLINE forbids"):
        require_reachable("org/none")
    assert asked == []


def test_a_hub_that_refuses_or_is_silent_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        for listening in (False, True):
            if listening:
                silent.listen()
            start = time.monotonic()
            with pytest.raises(ModelError, match=r"org/none: .*127\.0\.0\.1:\d+\) does not answer"):
                require_reachable("org/none")
            assert time.monotonic() - start < 2
