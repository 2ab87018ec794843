from __future__ import annotations

import gzip
import io
import json
import logging
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from serving_help import opened

TOKEN = "a-token-of-some-length"
TEXT = {"text": "sql"}


@pytest.fixture(scope="module")
def guarded(files: dict[str, Any]) -> Iterator[TestClient]:
    with opened(**files, host="0.0.0.0", token=TOKEN) as client:
        yield client


def test_every_answer_has_security_headers(client: TestClient) -> None:
    for path in ("/health", "/nope", "/openapi.json"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


def test_token(guarded: TestClient) -> None:
    assert guarded.get("/health").status_code == 200
    for given in (None, "Bearer wrong", f"Basic {TOKEN}", "Bearer", "Bearer \u00e9".encode()):
        headers: Any = {} if given is None else {"Authorization": given}
        for path in ("/ready", "/api/info", "/v1/models", "/metrics", "/openapi.json", "/mcp"):
            reply = guarded.get(path, headers=headers)
            assert reply.status_code == 401, (path, given)
            assert reply.headers["www-authenticate"] == "Bearer"
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.post("/api/map", json=TEXT, headers=right).status_code == 200
    assert guarded.get("/api/info", headers={"Host": "any.example", **right}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "127.0.0.2", "x:"])
def test_other_names_are_refused_on_loopback(client: TestClient, host: str) -> None:
    reply = client.get("/api/info", headers={"Host": host})
    assert reply.status_code == 421
    assert reply.json()["error"]["code"] == "bad_host"


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000"])
def test_own_names_are_served(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200


def test_allowed_hosts(files: dict[str, Any]) -> None:
    with opened(**files, allowed_hosts=("Desk.example",)) as client:
        assert client.get("/health", headers={"Host": "desk.example:80"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_pages_of_other_origins_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    reply = client.post("/api/map", json=TEXT, headers=headers)
    assert reply.status_code == 403
    same = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/map", json=TEXT, headers=same).status_code == 200
    assert client.options("/api/map", headers=headers).status_code == 405


def test_limits_of_size(files: dict[str, Any]) -> None:
    with opened(**files, max_body_bytes=100, max_file_bytes=200, max_items=2) as client:
        assert client.post("/api/map", json={"items": ["a", "b"]}).status_code == 200
        many = client.post("/api/map", json={"items": ["a", "b", "c"]})
        assert (many.status_code, many.json()["error"]["code"]) == (413, "too_many_items")
        for path, size in (("/api/map", 101), ("/api/map/file", 201)):
            assert client.post(path, content=b"x" * size).status_code == 413
            pieces = iter([b"x" * 50] * (size // 50 + 1))
            reply = client.post(path, content=pieces)
            assert reply.status_code == 413, path
        assert client.post("/api/map/file", content=b"sql\n" * 50).status_code == 200


def test_slow_bodies_time_out(start_live: Callable[..., Any], files: dict[str, Any]) -> None:
    live = start_live(**files, body_seconds=0.3)
    head = "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nhalf"
    for path in ("/api/map", "/api/map/file"):
        with socket.create_connection(("127.0.0.1", live.port), timeout=60) as sock:
            sock.sendall(head.format(path).encode())
            reply = b""
            while piece := sock.recv(4096):
                reply += piece
        assert reply.startswith(b"HTTP/1.1 408"), path


def test_time_limit_of_an_answer(files: dict[str, Any]) -> None:
    asked = {"model": "scripted", "messages": [{"role": "user", "content": "slow"}]}
    with opened(**files, answer_seconds=0.2) as client:
        reply = client.post("/v1/chat/completions", json=asked)
        assert (reply.status_code, reply.json()["error"]["code"]) == (504, "timeout")


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_full_queue_is_429_with_retry_after(
    start_live: Callable[..., Any], files: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    live = start_live(**files, answer_queue=0)
    release = threading.Event()

    def held(*_: Any) -> Iterator[str]:
        release.wait(60)
        yield "late"

    asked = {"model": "scripted", "messages": [{"role": "user", "content": "count"}]}
    body = json.dumps(asked)
    with monkeypatch.context() as patch:
        patch.setattr(live.service.backend, "stream", held)
        with socket.create_connection(("127.0.0.1", live.port)) as first:
            first.sendall(
                f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                f"application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            wait_until(lambda: live.service.answers.busy)
            reply = httpx.post(f"{live.url}/v1/chat/completions", json=asked, timeout=60)
            assert reply.status_code == 429
            assert int(reply.headers["retry-after"]) >= 1
        assert live.service.answers.busy
        release.set()
        # The first client has left: its place is free as soon as the model has noticed.
        wait_until(lambda: not live.service.answers.busy)
    reply = httpx.post(f"{live.url}/v1/chat/completions", json=asked, timeout=60)
    assert reply.status_code == 200


def test_texts_waiting_are_bounded(files: dict[str, Any]) -> None:
    with opened(**files, queue=1) as client:
        service: Any = client.app.state.service  # type: ignore[attr-defined]
        service.batcher._running = 2  # as if both workers were busy
        service.batcher._waiting.extend([("a", None, _Future())])
        reply = client.post("/api/map", json=TEXT)
        assert reply.status_code == 429
        service.batcher._running = 0
        service.batcher._waiting.clear()
        assert client.post("/api/map", json=TEXT).status_code == 200


class _Future:
    def done(self) -> bool:
        return False


def test_texts_stay_out_of_the_log(files: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    secret = "the-secret-sql-text"
    log = logging.getLogger("cybersecqwen.serve")
    log.addHandler(caplog.handler)
    log.setLevel(logging.INFO)
    try:
        with opened(**files) as client:
            client.post("/api/map", json={"text": secret})
            client.post("/api/ask", json={"question": secret})
            client.get(f"/api/cwe/{secret}")
            client.get(f"/{secret}?q={secret}")
            client.post("/api/map", content=secret)
        assert "POST /api/map 200" in caplog.text
        assert secret not in caplog.text
        with opened(**files, log_texts=True) as client:
            client.post("/api/map", json={"text": secret})
        assert secret in caplog.text
    finally:
        log.removeHandler(caplog.handler)


def test_a_fault_is_a_500_that_says_nothing_of_the_text(
    files: dict[str, Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the-secret-sql-text")

    log = logging.getLogger("cybersecqwen.serve")
    log.addHandler(caplog.handler)
    try:
        with opened(**files) as client:
            service: Any = client.app.state.service  # type: ignore[attr-defined]
            monkeypatch.setattr(service.mapper, "map_many", fail)
            reply = client.post("/api/map", json=TEXT)
        assert reply.status_code == 500
        assert reply.json()["error"]["code"] == "internal"
        assert "RuntimeError at" in caplog.text
        assert "the-secret" not in caplog.text + reply.text
    finally:
        log.removeHandler(caplog.handler)


def test_all_bodies_together_are_bounded(
    start_live: Callable[..., Any], files: dict[str, Any]
) -> None:
    live = start_live(**files, body_memory_bytes=4 << 20)
    head = f"POST /api/map HTTP/1.1\r\nHost: localhost\r\nContent-Length: {3 << 20}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as first:
        first.sendall(head.encode() + b"x" * (5 << 19))
        wait_until(lambda: httpx.get(f"{live.url}/health").status_code == 200)
        with socket.create_connection(("127.0.0.1", live.port), timeout=60) as second:
            second.sendall(head.encode() + b"x" * (5 << 19))
            assert second.recv(12) == b"HTTP/1.1 429"
    wait_until(lambda: httpx.post(f"{live.url}/api/map", json=TEXT).status_code == 200)


def test_values_of_a_body_are_bounded(client: TestClient) -> None:
    reply = client.post("/api/map", content=b'{"items":[' + b"[]," * 200_000 + b"0]}")
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "too_many_values")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (
            b"POST /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"400",
        ),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\n", b"431"),
    ],
)
def test_fields_without_end(
    start_live: Callable[..., Any], files: dict[str, Any], sent: bytes, status: bytes
) -> None:
    live = start_live(**files)
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as sock:
        sock.sendall(sent)
        try:
            for _ in range(1000):
                sock.sendall(b"a: b\r\n" * 1000)
            raise AssertionError("6 MB of fields were taken")
        except OSError:
            pass
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as sock:
        sock.sendall(sent + b"a: b\r\n" * (20_000 if status == b"431" else 3))
        assert sock.recv(12) == b"HTTP/1.1 " + status


def test_of_many_pipelined_requests_the_first_are_answered(
    start_live: Callable[..., Any], files: dict[str, Any]
) -> None:
    live = start_live(**files)
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000)
        reply = b""
        while piece := sock.recv(1 << 16):
            reply += piece
    assert 1 < reply.count(b"HTTP/1.1 200") < 100


def test_work_ends_with_its_client(start_live: Callable[..., Any], files: dict[str, Any]) -> None:
    live = start_live(**files, jobs=1)
    bomb = gzip.compress(b"a" * (900 << 20), 1)
    head = f"POST /api/map/file HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(bomb)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as sock:
        sock.sendall(head.encode() + bomb)
        wait_until(lambda: live.service.jobs.open == 1)
    start = time.monotonic()
    wait_until(lambda: live.service.jobs.open == 0)
    assert time.monotonic() - start < 1


def test_an_upload_that_trickles_takes_no_turn(
    start_live: Callable[..., Any], files: dict[str, Any]
) -> None:
    live = start_live(**files, jobs=1)
    head = b"POST /api/map/file HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nsql"
    with ExitStack() as slow:
        for _ in range(10):
            sock = slow.enter_context(socket.create_connection(("127.0.0.1", live.port)))
            sock.sendall(head)
        reply = httpx.post(f"{live.url}/api/map/file", content=b"sql\n", timeout=60)
        assert reply.status_code == 200


def test_an_archive_inside_takes_no_more_disk_than_a_file_may(files: dict[str, Any]) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.txt", b"sql\n" * 500_000)
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.zip", inner.getvalue())
    with opened(**files, max_file_bytes=1 << 20) as client:
        reply = client.post("/api/map/file", content=outer.getvalue())
        assert (reply.status_code, reply.json()["error"]["code"]) == (413, "too_large")
        assert client.post("/api/map/file", content=b"sql\n").status_code == 200
