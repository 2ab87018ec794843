"""A service in small: a tiny specialist, a made-up knowledge base, a scripted language model."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("mcp")
import uvicorn
from starlette.testclient import TestClient

from cybersecqwen.core.records import Entry, Section
from cybersecqwen.knowledge.index import build
from cybersecqwen.serving.server import Server, configure
from cybersecqwen.serving.service import Service, open_service
from cybersecqwen.serving.settings import ServeSettings
from cybersecqwen.sources.catalogues.cwe_text import read_cwe_text
from cybersecqwen.sources.catalogues.stix import read_stix
from cybersecqwen.specialists import CweMapper
from mitre_files import write_all
from serving_help import opened
from tiny_specialist import write_model

SCRIPTING = Entry(
    "CWE-79",
    "Cross-site Scripting",
    "weakness",
    aliases=("XSS",),
    sections=(
        Section("description", "Cross-site scripting puts a stranger's script into a page."),
        Section("mitigation", "Cross-site scripting is prevented by encoding what is shown."),
    ),
)

RULES = [
    {"match": "broken", "error": "the model gave up"},
    {"match": "slow", "reply": "at last", "delay_s": 1.5},
    {"match": "count", "reply": "one two three four five six seven eight"},
    {"reply": "It is CWE-79. STOP here."},
]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Settings that name a specialist, a knowledge base and a script."""
    folder = tmp_path_factory.mktemp("serving")
    mitre = write_all(folder)
    cwe = read_cwe_text(mitre["cwe"])
    cwe = replace(cwe, entries=(*cwe.entries, SCRIPTING))
    build([read_stix(mitre["attack"]), read_stix(mitre["capec"]), cwe], folder / "kb")
    specialist = write_model(folder / "tiny")
    script = folder / "scripted.jsonl"
    script.write_text("".join(json.dumps(rule) + "\n" for rule in RULES), "utf-8")
    return {
        "specialist": str(specialist),
        "specialist_sha256": CweMapper.load(specialist).digest,
        "kb": folder / "kb",
        "model": f"mock:{script}",
    }


@pytest.fixture(scope="module")
def no_kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CYBERSECQWEN_KB", str(tmp_path_factory.mktemp("empty") / "none"))
        yield


@pytest.fixture(scope="module")
def client(files: dict[str, Any]) -> Iterator[TestClient]:
    with opened(**files) as client:
        yield client


@pytest.fixture(scope="module")
def bare(files: dict[str, Any], no_kb: None) -> Iterator[TestClient]:
    """A service without a language model and without a knowledge base."""
    names = ("specialist", "specialist_sha256")
    with opened(**{name: files[name] for name in names}) as client:
        yield client


class Live:
    """A service on a free loopback port, in a thread."""

    def __init__(self, settings: ServeSettings) -> None:
        self.service: Service = open_service(settings)
        config: uvicorn.Config = configure(settings, self.service)
        self._socket = config.bind_socket()
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.server = Server(config, self.service)
        self._thread = threading.Thread(target=self.server.run, args=([self._socket],))

    def start(self) -> None:
        self._thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join()


@pytest.fixture(scope="session")
def start_live() -> Iterator[Callable[..., Live]]:
    running: list[Live] = []

    def start(**settings: Any) -> Live:
        live = Live(ServeSettings(port=0, **settings))
        running.append(live)
        live.start()
        return live

    yield start
    for live in running:
        live.stop()


@pytest.fixture(scope="session")
def live(start_live: Callable[..., Live], files: dict[str, Any]) -> Live:
    return start_live(**files)
