"""Requests that no honest client sends, over raw sockets: what comes back must never be a 500.

    cybersecqwen serve --port 8000 &
    python fuzz/hostile.py --port 8000 --count 10000

Every request is made from its number, so a failure can be repeated with ``--first N --count 1``.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

Kind = Callable[[random.Random], tuple[bytes, str]]

_PATHS = (
    "/api/map",
    "/api/ask",
    "/api/search",
    "/v1/chat/completions",
    "/v1/completions",
    "/api/map/file",
    "/mcp",
)
_SECRETS = (b"root:", b"[build-system]", b"PRIVATE KEY", b"def create_app")
PATIENCE = 120.0
"""Seconds after which an answer that has not ended counts as a hang."""


@dataclass(frozen=True)
class Outcome:
    """What a request came to."""

    number: int
    kind: str
    status: str
    fault: str = ""


def request(
    path: str, body: bytes, *headers: str, method: str = "POST", length: int | None = None
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if length is None:
        length = len(body)
    if length >= 0:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


JSON = "Content-Type: application/json"
CLOSE = "Connection: close"


def malformed(rng: random.Random) -> tuple[bytes, str]:
    whole = json.dumps({"text": "sql", "top_k": 3, "items": None}).encode()
    broken = bytearray(whole[: rng.randrange(len(whole) + 1)])
    for _ in range(rng.randrange(4)):
        broken.insert(rng.randrange(len(broken) + 1), rng.randrange(256))
    deep = rng.choice([b"[", b'{"a":', b'{"text":[']) * rng.choice([10, 1000, 50_000])
    return request(rng.choice(_PATHS), rng.choice([bytes(broken), deep]), JSON, CLOSE), ""


def wrong_types(rng: random.Random) -> tuple[bytes, str]:
    values: list[object] = [None, True, -1, 1e308, 10**400, "", "x" * 5000, [], {}, [[]], {"a": 1}]
    names = ["text", "items", "top_k", "threshold", "labeller", "question", "choices", "query"]
    names += ["limit", "model", "messages", "prompt", "n", "stop", "seed", "stream", "max_tokens"]
    body: dict[str, object] = {name: rng.choice(values) for name in rng.sample(names, 4)}
    if rng.random() < 0.5:
        body["model"] = "cybersecqwen-embedded"
        body["messages"] = rng.choice(
            [[{"role": rng.choice(values), "content": rng.choice(values)}], rng.choice(values)]
        )
    return request(rng.choice(_PATHS), json.dumps(body).encode(), JSON, CLOSE), ""


def bad_utf8(rng: random.Random) -> tuple[bytes, str]:
    noise = bytes(rng.randrange(128, 256) for _ in range(rng.randrange(1, 60)))
    body = rng.choice(
        [
            b'{"text": "' + noise + b'"}',
            noise,
            b'{"text": "\\ud800\\udfff\\ud83d"}',
            b"\xff\xfe" + noise,
        ]
    )
    return request(rng.choice(_PATHS), body, JSON, CLOSE), ""


def huge(rng: random.Random) -> tuple[bytes, str]:
    claimed = rng.choice([5 << 20, 1 << 40, 10**30, 4_294_967_297])
    return request(rng.choice(_PATHS), b"x" * rng.choice([0, 70_000]), JSON, length=claimed), "413"


def chunked(rng: random.Random) -> tuple[bytes, str]:
    size = rng.choice([b"5", b"FFFFFFFFFFFFFFFF", b"-1", b"zz", b"5;ext=" + b"a" * 5000, b""])
    body = size + b"\r\nhello\r\n" + rng.choice([b"0\r\n\r\n", b"", b"0\r\nX: y\r\n\r\n"])
    head = request(rng.choice(_PATHS), body, JSON, "Transfer-Encoding: chunked", CLOSE, length=-1)
    return head, "leave"


def paths(rng: random.Random) -> tuple[bytes, str]:
    up = rng.choice(["../", "..%2f", "%2e%2e/", "..\\", "%252e%252e%252f", "....//", "..%c0%af"])
    target = rng.choice(["etc/passwd", "app.py", "pyproject.toml", "proc/self/environ", "gate.py"])
    start = rng.choice(
        ["/", "/static/", "/static//", "/api/cwe/", "/v1/models/", "//", "/static/./"]
    )
    path = start + up * rng.randrange(1, 9) + target + rng.choice(["", "%00", "?x=", "#f", ";a"])
    return request(path, b"", CLOSE, method=rng.choice(["GET", "HEAD", "GET"])), ""


def headers(rng: random.Random) -> tuple[bytes, str]:
    odd = rng.choice(
        [
            "X: " + "a" * rng.choice([1000, 70_000]),
            *["Content-Length: 3", "Content-Length: abc", "Content-Length: -5"],
            *["Host: evil.example", "Host: localhost:99999999999", "Host:"],
            *["Accept: " + "a/b," * 2000, "Accept: text/event-stream, application/x-ndjson"],
            *["Authorization: Bearer " + "A" * 4000, "Authorization: \udcff\udcfe"],
            *["Origin: null", "Origin: http://[", "Upgrade: websocket", "Expect: 100-continue"],
            *["Content-Type: multipart/form-data", "Content-Type: \udcff", "Content-Encoding: br"],
            *["X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: ::1", "Range: bytes=0-,0-,0-", "Te: x"],
            *["Bad Header: x", ": empty", "A\x00B: c", "X: a\r\n folded", "X: \x01\x02"],
            *["\r\n".join(f"H{n}: v" for n in range(500)), "Transfer-Encoding: gzip, chunked"],
        ]
    )
    return request(rng.choice(_PATHS), b'{"text": "sql"}', odd, JSON, CLOSE), "leave"


def request_lines(rng: random.Random) -> tuple[bytes, str]:
    line = rng.choice(
        [
            *[b"", b"\x16\x03\x01\x02\x00\x01\x00", b"GET", b"GET / HTTP/9.9", b"get / http/1.1"],
            *[b"GET http://evil.example/ HTTP/1.1", b"CONNECT evil.example:443 HTTP/1.1"],
            *[
                b"PRI * HTTP/2.0",
                b"OPTIONS * HTTP/1.1",
                b"TRACE / HTTP/1.1",
                b"GET /\xff\xfe HTTP/1.1",
            ],
            *[b"GET " + b"/a" * 40_000 + b" HTTP/1.1", b"DELETE /api/map HTTP/1.1"],
            *[b"GET /api/cwe/\r\n HTTP/1.1", b"GET /?a=\x00 HTTP/1.1", b"PUT /health HTTP/1.1"],
            bytes(rng.randrange(256) for _ in range(rng.randrange(1, 400))),
        ]
    )
    return line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n", "leave"


def cut_bodies(rng: random.Random) -> tuple[bytes, str]:
    body = b'{"items": ["sql", "read"]}'
    return request(rng.choice(_PATHS), body[: rng.randrange(20)], JSON, length=4000), "leave"


def cancelled_streams(rng: random.Random) -> tuple[bytes, str]:
    asked = {
        "/api/map": {"items": ["sql"] * 3000},
        "/api/ask": {"question": "What is cross-site scripting?"},
        "/v1/chat/completions": {
            "model": "cybersecqwen-embedded",
            "messages": [{"role": "user", "content": "sql"}],
            "stream": True,
        },
    }
    path = rng.choice(sorted(asked))
    accept = f"Accept: {rng.choice(['text/event-stream', 'application/x-ndjson'])}"
    return request(path, json.dumps(asked[path]).encode(), JSON, accept), "cancel"


def odd_files(rng: random.Random) -> tuple[bytes, str]:
    zipped = b"PK\x03\x04" + bytes(rng.randrange(256) for _ in range(200))
    gzipped = b"\x1f\x8b\x08" + bytes(rng.randrange(256) for _ in range(200))
    feed = b'{"vulnerabilities": [' + b'{"cve": {' * rng.randrange(500)
    body = rng.choice([zipped, gzipped, feed, b"\x00" * 100, b"a,b\n" * 100, b'id,description\n"'])
    query = rng.choice(
        [
            *["", "?format=nvd", "?format=x", "?skip=-1", "?skip=99999999999999999999"],
            *["?top_k=0", "?name=../../etc/passwd", "?name=%00", "?threshold=nan"],
            "?format=cve5&labeller=me",
        ]
    )
    return request(f"/api/map/file{query}", body, CLOSE), ""


def pipelined(rng: random.Random) -> tuple[bytes, str]:
    one = request("/api/map", b'{"text": "sql"}', JSON)
    many = one * rng.randrange(2, 8) + rng.choice([b"", b"garbage\r\n\r\n", one[:30]])
    return many, "leave"


KINDS: tuple[Kind, ...] = (
    *(malformed, wrong_types, bad_utf8, huge, chunked, paths, headers, request_lines, cut_bodies),
    *(cancelled_streams, odd_files, pipelined),
)


def send(number: int, host: str, port: int) -> Outcome:
    """Send request ``number`` and judge what comes back."""
    rng = random.Random(number)
    kind = KINDS[number % len(KINDS)]
    data, manner = kind(rng)
    name = kind.__name__
    start = time.monotonic()
    reply = b""
    try:
        with socket.create_connection((host, port), timeout=PATIENCE) as sock:
            with suppress(OSError):  # it may answer, and close, before it has read everything
                sock.sendall(data)
            if manner == "cancel":
                sock.settimeout(5)
                with suppress(OSError):
                    reply = sock.recv(rng.choice([1, 200, 4000]))
                # Fewer bytes than a status line has cannot be judged.
                return _judge(number, name, reply if len(reply) > 12 else b"")
            if manner == "leave":
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_WR)
            try:
                while piece := sock.recv(65536):
                    reply += piece
            except TimeoutError:
                return Outcome(number, name, "none", "hangs")
            except OSError:
                pass  # reset after an answer that was not waited for
    except OSError as error:
        return Outcome(number, name, "none", f"no connection: {error}")
    if time.monotonic() - start > PATIENCE:
        return Outcome(number, name, "none", "hangs")
    return _judge(number, name, reply)


def _judge(number: int, kind: str, reply: bytes) -> Outcome:
    if not reply:
        return Outcome(number, kind, "closed")
    status = reply[9:12].decode("latin-1")
    if not reply.startswith(b"HTTP/1.") or not status.isdigit():
        return Outcome(number, kind, status, "no HTTP")
    if status == "500":
        return Outcome(number, kind, status, "500")
    if any(secret in reply for secret in _SECRETS):
        return Outcome(number, kind, status, "gives a file away")
    return Outcome(number, kind, status)


def outcomes(host: str, port: int, first: int, count: int, clients: int = 16) -> Iterator[Outcome]:
    """Send ``count`` requests, several at a time."""
    with ThreadPoolExecutor(clients) as pool:
        yield from pool.map(lambda number: send(number, host, port), range(first, first + count))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10_000)
    arguments = parser.parse_args()
    seen: Counter[tuple[str, str]] = Counter()
    faults = []
    for outcome in outcomes(arguments.host, arguments.port, arguments.first, arguments.count):
        seen[outcome.kind, outcome.status] += 1
        if outcome.fault:
            faults.append(outcome)
    for (kind, status), number in sorted(seen.items()):
        print(f"{kind:18} {status:7} {number}")
    for fault in faults[:50]:
        print(f"FAULT {fault}")
    print(f"{sum(seen.values())} requests, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
