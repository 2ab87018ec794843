"""Attacks on the memory of a service: what each sends, and what the process then holds.

    python fuzz/attacks.py [--count 200] [--json FILE]

A service is started for itself, on loopback; nothing is sent elsewhere. Each attack is made from
its family and its number, so one can be repeated with ``--only FAMILY --first N --count 1``.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import re
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

MIB = 1 << 20
_SECONDS = 20.0
"""For one attack; it stops sending then."""


@dataclass(frozen=True)
class Outcome:
    """What an attack came to; memory in MiB, time in seconds.

    Attributes:
        peak: Most that was resident during the attack.
        after: Resident three seconds after it.
        alive: Seconds until the service answered ``/health`` again; -1 if it did not.
    """

    family: str
    number: int
    sent: float
    peak: float
    after: float
    alive: float


@dataclass(frozen=True)
class Target:
    """A service under attack."""

    port: int
    pid: int

    def connect(self) -> socket.socket:
        """Return a new connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)


Attack = Callable[[Target, random.Random], int]
"""Attacks with the given source of variety; returns the bytes sent."""


def _head(method: str, path: str, *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode()


def _push(connection: socket.socket, data: bytes, most: int) -> int:
    """Send data again and again until so much is sent, or nobody takes more."""
    sent, end = 0, time.monotonic() + _SECONDS
    connection.settimeout(2)
    with suppress(OSError):
        while sent < most and time.monotonic() < end:
            sent += connection.send(data)
    return sent


def _drain(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.settimeout(3)
        while connection.recv(1 << 16):
            pass


def trailers(target: Target, chance: random.Random) -> int:
    """Send fields after the last chunk, short or long, without end."""
    size = chance.choice([1, 10, 100, 1000, 8000])
    with target.connect() as connection:
        path = chance.choice(["/health", "/api/map", "/v1/chat/completions", "/nothing"])
        connection.sendall(_head("POST", path, "Transfer-Encoding: chunked") + b"0\r\n")
        line = b"a:" + b"b" * size + b"\r\n"
        return _push(connection, line * (1 + (64 << 10) // len(line)), 200 * MIB)


def pipelined(target: Target, chance: random.Random) -> int:
    """Send requests without waiting; read the answers, or never."""
    path = chance.choice(["/health", "/openapi.json", "/", "/static/app.js", "/none"])
    reads = chance.random() < 0.5
    with target.connect() as connection:
        if reads:
            threading.Thread(target=_drain, args=[connection], daemon=True).start()
        request = _head("GET", path)
        return _push(connection, request * 500, 20 * MIB)


def pipelined_posts(target: Target, chance: random.Random) -> int:
    """Send whole POST requests without waiting."""
    body = json.dumps({"text": "SQL injection " * chance.choice([1, 100])}).encode()
    head = _head(
        "POST", "/api/map", "Content-Type: application/json", f"Content-Length: {len(body)}"
    )
    with target.connect() as connection:
        return _push(connection, (head + body) * 50, 20 * MIB)


def endless_head(target: Target, chance: random.Random) -> int:
    """Send a head that does not end: one name, one value, many fields, or a target."""
    start, piece = chance.choice(
        [
            (b"GET /health HTTP/1.1\r\nHost: localhost\r\n", b"a: b\r\n"),
            (b"GET /health HTTP/1.1\r\nHost: localhost\r\nx: ", b"a" * 100),
            (b"GET /health HTTP/1.1\r\nHost: localhost\r\n", b"a" * 100),
            (b"GET /health?", b"a=b&"),
            (b"", b"\r\n"),
        ]
    )
    with target.connect() as connection:
        connection.sendall(start)
        return _push(connection, piece * 500, 100 * MIB)


def half_heads(target: Target, chance: random.Random) -> int:
    """Open many connections and send each almost a whole head."""
    sent = 0
    held = []
    with suppress(OSError):
        for _ in range(chance.choice([200, 600])):
            connection = target.connect()
            held.append(connection)
            sent += connection.send(b"GET / HTTP/1.1\r\nx: " + b"a" * 60_000)
    time.sleep(1)
    for connection in held:
        connection.close()
    return sent


def chunk_extensions(target: Target, chance: random.Random) -> int:
    """Send chunks of one byte, each with a long extension."""
    with target.connect() as connection:
        connection.sendall(_head("POST", "/api/map", "Transfer-Encoding: chunked"))
        chunk = b"1;" + b"x" * chance.choice([10, 1000, 60_000]) + b"\r\n \r\n"
        return _push(connection, chunk * (1 + 65536 // len(chunk)), 100 * MIB)


_VALUES: tuple[tuple[bytes, bytes], ...] = (
    (b'{"items":[', b"[],"),
    (b'{"items":[', b"{},"),
    (b'{"items":[', b'"",'),
    (b'{"items":[', b"0,"),
    (b'{"items":[', b'{"id":"","text":""},'),
    (b'{"text":"', b"\\u20ac"),
    (b'{"text":"', b"\\ud83d\\ude00"),
    (b'{"text":"', "é".encode()),
    (b'{"model":"cybersecqwen-embedded","messages":[', b'{"role":"user","content":"a"},'),
    (b'{"model":"cybersecqwen-embedded","messages":[{"role":"user","content":[', b'{"a":{"b":1}},'),
    (b'{"model":"cybersecqwen-embedded","messages":[],"x":[', b"[{}],"),
    (b"[" * 100_000, b"["),
    (b'{"a":' * 10_000, b'{"a":'),
    (b'{"question":"', b"what is CWE-79? "),
    (b'{"items":[', b"1e308,"),
    (b'{"items":[', b"9" * 4000 + b","),
)


def _json(chance: random.Random, size: int) -> bytes:
    start, piece = chance.choice(_VALUES)
    body = start + piece * ((size - len(start)) // len(piece))
    endings = {b'{"items":[': b"0]}", b'{"text":"': b'"}', b'{"question":"': b'"}'}
    return body + endings.get(start, b"")


def bodies(target: Target, chance: random.Random) -> int:
    """Send JSON of the largest size allowed that takes much room, on several connections."""
    path = chance.choice(
        ["/api/map", "/api/ask", "/v1/chat/completions", "/v1/completions", "/mcp"]
    )
    body = _json(chance, 4 * MIB - 100)
    head = _head(
        "POST",
        path,
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"Content-Length: {len(body)}",
    )
    threads = [
        threading.Thread(target=_exchange, args=[target, head + body])
        for _ in range(chance.choice([1, 8, 32]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(body) * len(threads)


def held_bodies(target: Target, chance: random.Random) -> int:
    """Send almost all of a large body on many connections, and wait."""
    held, sent = [], 0
    body = b'{"text":"' + b"a" * (4 * MIB - 1000)
    with suppress(OSError):
        for _ in range(chance.choice([50, 150])):
            connection = target.connect()
            connection.settimeout(1)
            held.append(connection)
            connection.sendall(
                _head("POST", "/api/map", f"Content-Length: {4 * MIB}") + body[: len(body) - 10]
            )
            sent += len(body)
    for connection in held:
        connection.close()
    return sent


def _exchange(target: Target, data: bytes) -> None:
    with suppress(OSError), target.connect() as connection:
        connection.settimeout(_SECONDS)
        connection.sendall(data)
        while connection.recv(1 << 16):
            if connection.gettimeout() is None:
                break
            connection.settimeout(2)


def _archive(chance: random.Random) -> bytes:
    """Return an archive or a text of little size that takes much room."""
    out = io.BytesIO()
    kind = chance.randrange(7)
    if kind == 0:  # many empty members
        with zipfile.ZipFile(out, "w") as archive:
            for number in range(chance.choice([50_000, 150_000])):
                archive.writestr(f"{number}.json", b"")
    elif kind == 1:  # many members, each a record without a text
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(20_000):
                archive.writestr(f"{number}.json", b'{"cveMetadata":{"cveId":"CVE-1"}}')
    elif kind == 2:  # a long line
        with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9) as stream:
            for _ in range(1000):
                stream.write(b"a" * MIB)
    elif kind == 3:  # a zip in a zip
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("a.txt", bytes(800 * MIB))
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("b.zip", inner.getvalue())
    elif kind == 4:  # a JSON of many brackets, and one of a long string
        out.write(b'{"vulnerabilities":[' + b'{"cve":{}},' * 1_000_000)
    elif kind == 5:
        out.write(b'{"vulnerabilities":[{"cve":{"id":"' + b"a" * (80 * MIB))
    else:  # a table of many columns, with a long cell
        out.write(b"description," + b"a," * 1_000_000 + b"\n" + b'"' + b"b" * (40 * MIB) + b'"\n')
    return out.getvalue()


def uploads(target: Target, chance: random.Random) -> int:
    """Send a file that unpacks to very much, on one connection or on several."""
    data = _archive(chance)
    head = _head("POST", "/api/map/file", f"Content-Length: {len(data)}")
    threads = [
        threading.Thread(target=_exchange, args=[target, head + data])
        for _ in range(chance.choice([1, 3]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_SECONDS)
    return len(data) * len(threads)


def unread_streams(target: Target, chance: random.Random) -> int:
    """Ask for long answers on many connections, and read none."""
    items = [f"SQL injection in parameter {n} of the login form" for n in range(2000)]
    body = json.dumps({"items": items, "top_k": 1000}).encode()
    head = _head(
        "POST",
        "/api/map",
        "Content-Type: application/json",
        "Accept: application/x-ndjson",
        f"Content-Length: {len(body)}",
    )
    held = []
    with suppress(OSError):
        for _ in range(chance.choice([4, 20])):
            connection = target.connect()
            connection.sendall(head + body)
            held.append(connection)
    time.sleep(5)
    for connection in held:
        connection.close()
    return len(body) * len(held)


FAMILIES: tuple[Attack, ...] = (
    *(trailers, pipelined, pipelined_posts, endless_head, half_heads, chunk_extensions),
    *(bodies, bodies, bodies, held_bodies, uploads, uploads, unread_streams),
)


@contextmanager
def service(*arguments: str) -> Iterator[Target]:
    """Run a service on a free port of loopback."""
    command = [sys.executable, "-m", "cybersecqwen", "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            port = 0
            while not port:
                line = process.stderr.readline().decode()
                found = re.search(r"listening on http://\S+:(\d+)", line)
                port = int(found[1]) if found else 0
                if not line:
                    raise SystemExit("the service did not start")
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield Target(port, process.pid)
        finally:
            process.terminate()


def memory(pid: int, field: str) -> float:
    """Return a size from the kernel's account of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else -1.0


def _alive(target: Target) -> float:
    start = time.monotonic()
    while time.monotonic() < start + 30:
        with suppress(OSError), target.connect() as connection:
            connection.sendall(_head("GET", "/health", "Connection: close"))
            if connection.recv(100).startswith(b"HTTP/1.1 200"):
                return time.monotonic() - start
        time.sleep(0.2)
    return -1.0


def strike(target: Target, number: int, attack: Attack) -> Outcome:
    """Make one attack and measure."""
    Path(f"/proc/{target.pid}/clear_refs").write_text("5")  # the peak counts from here
    sent = attack(target, random.Random(number))
    alive = _alive(target)
    peak = memory(target.pid, "VmHWM")
    time.sleep(3)
    after = memory(target.pid, "VmRSS")
    return Outcome(attack.__name__, number, sent / MIB, peak, after, alive)


def main() -> int:
    """Attack a service; 1 if it died or held more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", help="one family")
    parser.add_argument("--limit", type=float, default=350, help="MiB that may be resident")
    parser.add_argument("--json", type=Path)
    arguments, further = parser.parse_known_args()
    outcomes = []
    with service(*further) as target:
        print(f"at rest: {memory(target.pid, 'VmRSS'):.0f} MiB", flush=True)
        for number in range(arguments.first, arguments.first + arguments.count):
            attack = FAMILIES[number % len(FAMILIES)]
            if arguments.only and attack.__name__ != arguments.only:
                continue
            outcome = strike(target, number, attack)
            outcomes.append(outcome)
            print(
                f"{outcome.family:18} {number:4} sent {outcome.sent:7.1f}  peak "
                f"{outcome.peak:6.0f}  after {outcome.after:6.0f} MiB  "
                f"answers after {outcome.alive:.2f} s",
                flush=True,
            )
            if outcome.alive < 0:
                break
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(o) for o in outcomes], indent=1))
    bad = [o for o in outcomes if o.alive < 0 or o.peak > arguments.limit]
    print(f"{len(outcomes)} attacks, {len(bad)} over {arguments.limit:g} MiB or fatal")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
