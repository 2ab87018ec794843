"""Load a running service from this process and say what it did.

    cybersecqwen serve --port 8000 &
    python benchmarks/serve_load.py texts.jsonl --clients 200 --seconds 60

``texts.jsonl`` is anything with one ``{"description": ...}`` a line. Each client sends one text to
``/api/map``, waits for its answer and sends the next, over a connection that it keeps. Errors other
than 429 are counted by status; a 429 is counted apart and obeyed. ``--pid`` adds the service's
resident memory before, after a warm-up and at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class Tally:
    """What came back."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)


def requests_of(path: Path, host: str, limit: int) -> list[bytes]:
    """Return whole HTTP requests, made once, so that the client costs little."""
    made = []
    with path.open("rb") as lines:
        for line in itertools.islice(lines, limit):
            body = json.dumps({"text": json.loads(line)["description"]}).encode()
            made.append(
                b"POST /api/map HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (host.encode(), len(body), body)
            )
    return made


async def client(
    host: str, port: int, requests: list[bytes], first: int, end: float, tally: Tally
) -> None:
    """Ask until the time is up."""
    reader, writer = await asyncio.open_connection(host, port)
    loop = asyncio.get_running_loop()
    for number in itertools.count(first, 997):
        if loop.time() >= end:
            break
        start = loop.time()
        try:
            writer.write(requests[number % len(requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            lower = head.lower()
            place = lower.index(b"content-length:") + 15
            await reader.readexactly(int(lower[place : lower.index(b"\r", place)]))
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            tally.statuses[type(error).__name__] += 1
            reader, writer = await asyncio.open_connection(host, port)
            continue
        status = head[9:12].decode()
        tally.statuses[status] += 1
        if status == "200":
            tally.seconds.append(loop.time() - start)
        elif status == "429":
            place = lower.index(b"retry-after:") + 12
            await asyncio.sleep(float(lower[place : lower.index(b"\r", place)]))
    writer.close()


async def load(url: str, requests: list[bytes], clients: int, seconds: float) -> Tally:
    """Run all clients for a time."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    tally = Tally()
    end = asyncio.get_running_loop().time() + seconds
    await asyncio.gather(
        *(client(host, port, requests, number * 31, end, tally) for number in range(clients))
    )
    return tally


def resident(pid: int | None) -> float | None:
    """Return a process's resident memory in MB, where /proc has it."""
    if pid is None:
        return None
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1e3
    return None


def processor(pid: int | None) -> float:
    """Return the processor seconds that a process has used."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> int:
    """Load, and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("texts", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--warm-up", type=float, default=5.0)
    parser.add_argument("--limit", type=int, default=20_000, help="texts to read")
    parser.add_argument("--pid", type=int, help="the service's process")
    arguments = parser.parse_args()
    requests = requests_of(arguments.texts, urlsplit(arguments.url).netloc, arguments.limit)
    before = resident(arguments.pid)
    asyncio.run(load(arguments.url, requests, arguments.clients, arguments.warm_up))
    warm = resident(arguments.pid)
    used, own = processor(arguments.pid), time.process_time()
    start = time.monotonic()
    tally = asyncio.run(load(arguments.url, requests, arguments.clients, arguments.seconds))
    wall = time.monotonic() - start
    ordered = sorted(tally.seconds)
    answered = len(ordered)
    report = {
        "clients": arguments.clients,
        "seconds": round(wall, 1),
        "statuses": dict(tally.statuses),
        "texts_per_second": round(answered / wall, 1),
        "p50_ms": round(ordered[answered // 2] * 1e3, 1) if answered else None,
        "p99_ms": round(ordered[int(answered * 0.99)] * 1e3, 1) if answered else None,
        "service_cpu_seconds": round(processor(arguments.pid) - used, 1),
        "client_cpu_seconds": round(time.process_time() - own, 1),
        "resident_mb": {"before": before, "warm": warm, "after": resident(arguments.pid)},
    }
    print(json.dumps(report, indent=1))
    return 0 if answered else 1


if __name__ == "__main__":
    sys.exit(main())
