"""How long work goes on for a client that has left, or past a limit, wherever it stands.

    python fuzz/leaving.py [--kind NAME ...] [--json FILE]

Every kind of large file is sent to a service of its own on loopback. Once the service works on it,
the client leaves; what counts is the processor time that the service still uses, and the seconds
until it is at rest. Then the same file is sent with ``job_seconds=1``, and what counts is how long
after that the answer ends. On a machine with other work, seconds are more than they need be.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from attacks import Target, service
from large_kinds import KINDS, write

_NOT_RECORDS = ("XML", "STIX", "results", "questions")
_PATIENCE = 60.0
_JOB_SECONDS = 1.0


@dataclass(frozen=True)
class Stop:
    """When work ended.

    Attributes:
        used: Processor seconds that were used after the client left.
        rest: Seconds until the service was at rest after that.
        late: Seconds from the limit to the end of the answer; -1 where it was done before.
        end: How the answer to the limit ended.
    """

    kind: str
    used: float
    rest: float
    late: float
    end: str


def used(pid: int) -> float:
    """Return the processor seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _sent(target: Target, file: Path) -> socket.socket:
    connection = target.connect()
    connection.settimeout(_PATIENCE)
    head = (
        f"POST /api/map/file HTTP/1.1\r\nHost: localhost\r\nContent-Length: {file.stat().st_size}"
    )
    connection.sendall(f"{head}\r\n\r\n".encode())
    with file.open("rb") as stream, suppress(OSError):
        while piece := stream.read(1 << 20):
            connection.sendall(piece)
    return connection


def leave(target: Target, file: Path, after: float) -> tuple[float, float]:
    """Send a file, leave; return processor seconds used from then on, and seconds until rest."""
    connection = _sent(target, file)
    time.sleep(after)
    connection.close()
    start, before = time.monotonic(), used(target.pid)
    last, since = before, start
    while time.monotonic() - since < 0.5 and time.monotonic() - start < _PATIENCE:
        time.sleep(0.02)
        now = used(target.pid)
        if now - last > 0.01:  # an idle service's clockwork uses less
            last, since = now, time.monotonic()
    return last - before, since - start


def limited(target: Target, file: Path) -> tuple[float, str]:
    """Send a file; return how long after the limit its answer ended, and how."""
    connection = _sent(target, file)
    start = time.monotonic()
    answer = b""
    with suppress(OSError):
        while piece := connection.recv(1 << 16):
            answer = (answer + piece)[-2000:] if answer else piece
            if answer.endswith(b"0\r\n\r\n") or b"content-length" in answer.lower():
                break
    took = time.monotonic() - start
    stopped = b"not done within" in answer or answer.startswith(b"HTTP/1.1 504")
    end = "504" if stopped else answer[9:12].decode("ascii", "replace")
    return (took - _JOB_SECONDS if stopped else -1.0), end


@contextmanager
def _large(kind: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield write(kind, Path(folder))
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Measure; 1 if work went on for longer than allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = [kind for kind in KINDS if not kind.startswith(_NOT_RECORDS)]
    parser.add_argument("--kind", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--limit", type=float, default=1.0, help="processor seconds")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    stops = []
    os.environ["CYBERSECQWEN_SERVE_JOB_SECONDS"] = str(_JOB_SECONDS)
    with service() as short:
        del os.environ["CYBERSECQWEN_SERVE_JOB_SECONDS"]
        with service() as target:
            for kind in arguments.kind:
                with _large(kind) as file:
                    spent, rest = leave(target, file, 0.5)
                    late, end = limited(short, file)
                stops.append(Stop(kind, spent, rest, late, end))
                mark = "LATE" if spent > arguments.limit or late > arguments.limit else ""
                print(
                    f"{kind:24} left: {spent:5.2f} s used, at rest after {rest:5.2f} s; limit: "
                    f"{end}, {late:5.2f} s after it {mark}",
                    flush=True,
                )
    bad = [s for s in stops if s.used > arguments.limit or s.late > arguments.limit]
    print(f"{len(stops)} kinds, {len(bad)} at work for over {arguments.limit:g} s")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(stop) for stop in stops], indent=1))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
