"""Everything at once: kills, a full disk, slow clients, many clients, a knowledge base rebuilt.

    python fuzz/chaos.py [--seconds 300] [--json FILE]

Every request is accounted for. Its end is honest if it is answered whole and rightly, refused with
a reason, or cut off by a kill or by the client itself. Anything else is listed, and the run fails.
The service and its clients are on loopback; nothing is sent elsewhere.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent
_PATIENCE = 90.0
_REFUSALS = frozenset({408, 413, 429, 503, 504, 507})
_TEXTS = [
    "SQL injection in the login form lets a remote attacker read the database.",
    "A crafted image makes the decoder write past the end of a heap buffer.",
    "The title parameter is put into the page without encoding, so script runs in the browser.",
    "The download handler does not check the path, so ../ leads out of the folder.",
    "A missing check of the session lets anyone change another user's password.",
]


class Account:
    """What became of every request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.ends: Counter[tuple[str, str]] = Counter()
        self.dishonest: list[str] = []

    def note(self, client: str, end: str) -> None:
        """Count an honest end."""
        with self._lock:
            self.ends[client, end] += 1

    def blame(self, client: str, what: str) -> None:
        """Count an end that is not."""
        with self._lock:
            self.ends[client, "NOT HONEST"] += 1
            self.dishonest.append(f"{client}: {what}")


class Service:
    """The service, which may be down; ``outages`` says when it was killed or stopped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = _free_port()
        self.outages: list[list[float]] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.tracebacks = 0

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = (self._folder / "serve.log").open("ab")
        command = [sys.executable, "-m", "cybersecqwen", "serve", "--port", str(self.port)]
        command += ["--kb", str(self._folder / "kb")]
        environment = {**os.environ, "CYBERSECQWEN_SERVE_BODY_SECONDS": "5"}
        with log:
            self.process = subprocess.Popen(command, stderr=log, env=environment)
        while self.process.poll() is None:
            with suppress(OSError):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/health")
                connection.getresponse().read()
                break
            time.sleep(0.1)
        if self.outages:
            self.outages[-1][1] = time.monotonic()

    def stop(self, number: signal.Signals) -> None:
        """Kill it, or tell it to stop, and wait."""
        assert self.process is not None
        self.outages.append([time.monotonic() - 0.05, float("inf")])
        self.process.send_signal(number)
        self.process.wait()

    def was_out(self, since: float) -> bool:
        """Whether it was down at some time since then."""
        return any(end >= since for _, end in self.outages)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Clients:
    """All who ask, each in a thread of its own until the end.

    Args:
        service: Who is asked.
        account: Who keeps the books.
        end: When to stop, on the monotonic clock.
    """

    def __init__(self, service: Service, account: Account, end: float) -> None:
        self._service = service
        self._account = account
        self._end = end
        self._known: dict[str, str] = {}

    def run(self, name: str, one: Callable[[random.Random], str], seed: int) -> None:
        """Ask again and again; ``one`` returns how a request ended, or raises."""
        chance = random.Random(seed)
        while time.monotonic() < self._end:
            start = time.monotonic()
            try:
                end = one(chance)
            except (OSError, http.client.HTTPException) as error:
                if self._service.was_out(start):
                    self._account.note(name, "cut by a kill")
                    time.sleep(0.2)
                else:
                    self._account.blame(name, f"broke off: {type(error).__name__}: {error}")
                continue
            except ValueError as error:
                self._account.blame(name, str(error))
                continue
            if time.monotonic() - start > _PATIENCE:
                self._account.blame(name, f"took {time.monotonic() - start:.0f} s")
            else:
                self._account.note(name, end)

    def _ask(self, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=_PATIENCE)
        try:
            connection.request("POST", path, body, headers)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def _refused(self, status: int, content: bytes) -> str:
        if status not in _REFUSALS:
            raise ValueError(f"status {status}: {content[:200]!r}")
        if not content.startswith(b"Service Unavailable"):  # too many connections
            json.loads(content)["error"]["message"]
        return f"refused with {status}"

    def map_one(self, chance: random.Random) -> str:
        """Map one text; the same text has the same answer all the time."""
        text = chance.choice(_TEXTS)
        status, content = self._ask("/api/map", json.dumps({"text": text}).encode())
        if status != 200:
            return self._refused(status, content)
        cwe = json.loads(content)["cwe"]
        if self._known.setdefault(text, cwe) != cwe:
            raise ValueError(f"{cwe} where {self._known[text]} was answered before")
        return "answered"

    def map_batch(self, chance: random.Random) -> str:
        """Map a batch as a stream, and count its lines."""
        items = chance.choices(_TEXTS, k=200)
        body = json.dumps({"items": items}).encode()
        status, content = self._ask("/api/map", body, Accept="application/x-ndjson")
        return self._lines(status, content, items)

    def map_file(self, chance: random.Random) -> str:
        """Send a file, and count the answer's lines."""
        items = chance.choices(_TEXTS, k=chance.choice([1, 50, 600]))
        body = "".join(json.dumps({"description": item}) + "\n" for item in items).encode()
        body += b" " * chance.choice([0, 0, 3 << 20])
        status, content = self._ask("/api/map/file", body)
        return self._lines(status, content, items)

    def _lines(self, status: int, content: bytes, items: list[str]) -> str:
        if status != 200:
            return self._refused(status, content)
        lines = [json.loads(line) for line in content.splitlines()]
        if lines and "error" in lines[-1]:
            return "ended by a line that says why"
        if len(lines) != len(items):
            raise ValueError(f"{len(lines)} lines for {len(items)} texts")
        for item, line in zip(items, lines, strict=True):
            if line.get("cwe") != self._known.setdefault(item, line.get("cwe")):
                raise ValueError("a row of another text")
        return "answered"

    def search(self, _: random.Random) -> str:
        """Search the knowledge base, which is rebuilt meanwhile."""
        status, content = self._ask("/api/search", b'{"query": "injection"}')
        if status != 200:
            return self._refused(status, content)
        if not json.loads(content)["passages"]:
            raise ValueError("nothing found")
        return "answered"

    def leave(self, chance: random.Random) -> str:
        """Ask, and leave before the answer."""
        with socket.create_connection(("127.0.0.1", self._service.port), timeout=10) as sock:
            size = chance.choice([10, 100, 3 << 20])
            sock.sendall(_head(chance.choice(["/api/map", "/api/map/file", "/api/ask"]), size))
            with suppress(OSError):
                sock.sendall(b'{"text": "' + b"a" * chance.randrange(size))
            time.sleep(chance.random() / 2)
        return "left"

    def dawdle(self, chance: random.Random) -> str:
        """Send a head or a body piece by piece, or read no answer."""
        with socket.create_connection(("127.0.0.1", self._service.port), timeout=10) as sock:
            sock.sendall(
                _head(chance.choice(["/api/map", "/api/map/file"]), 1000)[: -chance.randrange(3)]
            )
            with suppress(OSError):
                for _ in range(chance.randrange(20)):
                    sock.sendall(b"a")
                    time.sleep(0.5)
        return "left"


def _head(path: str, size: int) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode()


def disturb(service: Service, folder: Path, end: float, pause: float) -> Counter[str]:
    """Kill, stop, fill the disk and rebuild the knowledge base, by turns, until the end."""
    chance = random.Random(1)
    done: Counter[str] = Counter()
    while time.monotonic() + pause < end:
        time.sleep(pause)
        what = ("kill", "rebuild", "full disk", "stop", "rebuild killed")[sum(done.values()) % 5]
        done[what] += 1
        assert service.process is not None
        if what in {"kill", "stop"}:
            service.stop(signal.SIGKILL if what == "kill" else signal.SIGTERM)
            service.start()
        elif what == "full disk":
            limits = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
            time.sleep(pause / 2)
            resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, limits)
        else:
            build = subprocess.Popen(_build(folder), stdout=subprocess.DEVNULL)
            if what == "rebuild killed":
                time.sleep(chance.random() * 2)
                build.kill()
            build.wait()
    return done


def _build(folder: Path) -> list[str]:
    seeds = HERE / "seeds"
    command = [sys.executable, "-m", "cybersecqwen", "kb", "build", "--out", str(folder / "kb")]
    return [*command, "--cwe", str(seeds / "cwe.xml"), "--attack", str(seeds / "stix.json")]


def chaos(seconds: float, folder: Path, clients: int = 8, pause: float = 8.0) -> Account:
    """Let all of it happen for some seconds; return the account."""
    subprocess.run(_build(folder), check=True, stdout=subprocess.DEVNULL)
    service, account = Service(folder), Account()
    service.start()
    end = time.monotonic() + seconds
    group = Clients(service, account, end)
    kinds = [*([group.map_one] * clients), group.map_batch, group.map_file, group.map_file]
    kinds += [group.search, group.leave, group.leave, group.dawdle, group.dawdle]
    threads = [
        threading.Thread(target=group.run, args=[kind.__name__, kind, seed])
        for seed, kind in enumerate(kinds)
    ]
    try:
        for thread in threads:
            thread.start()
        done = disturb(service, folder, end, pause)
        for thread in threads:
            thread.join()
        for what in done.elements():
            account.note("disturbance", what)
    finally:
        service.stop(signal.SIGTERM)
    if b"Traceback" in (folder / "serve.log").read_bytes():
        account.blame("the service", "a traceback in its log")
    left = sorted(p.name for p in folder.iterdir())
    if any(name.startswith((".kb.part", ".kb.old")) for name in left):
        subprocess.run(_build(folder), check=True, stdout=subprocess.DEVNULL)
        left = sorted(p.name for p in folder.iterdir())
    if any(name.startswith(".kb") for name in left):
        account.blame("kb build", f"leftovers: {left}")
    return account


def main() -> int:
    """Run; 1 if a request had no honest end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        account = chaos(arguments.seconds, Path(folder))
    total = sum(n for (client, _), n in account.ends.items() if client != "disturbance")
    for (client, end), count in sorted(account.ends.items()):
        print(f"{client:12} {end:32} {count:7,}")
    for what in account.dishonest[:50]:
        print(what)
    print(f"{total:,} requests, {len(account.dishonest)} without an honest end")
    if arguments.json:
        ends = [[client, end, count] for (client, end), count in sorted(account.ends.items())]
        arguments.json.write_text(json.dumps({"ends": ends, "dishonest": account.dishonest}))
    return 1 if account.dishonest else 0


if __name__ == "__main__":
    sys.exit(main())
