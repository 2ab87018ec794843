"""What jobs over Ray cost and survive on one machine: bytes, overhead, kills, memory, scaling.

    python benchmarks/ray_jobs.py same     feed.jsonl.gz
    python benchmarks/ray_jobs.py overhead feed.jsonl.gz --limit 8000
    python benchmarks/ray_jobs.py kills    feed.jsonl.gz --limit 4000 --tries 20
    python benchmarks/ray_jobs.py node
    python benchmarks/ray_jobs.py memory   --records 1000000
    python benchmarks/ray_jobs.py cluster  --workers 8

Each prints one JSON object. ``memory``, ``cluster`` and ``node`` put a stand-in in the model's
place, which sleeps instead of computing; the others map with the shipped model. A driver that is
killed: ``benchmarks/killed.py``.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

from cybersecqwen.apps.map_job import MapJob, run_map_job
from cybersecqwen.apps.map_stream import MapOptions, map_windows
from cybersecqwen.apps.ray_engine import RayEngine
from cybersecqwen.core.engine import Engine, LocalEngine
from cybersecqwen.core.records import Advisory, Candidate, CwePrediction

WINDOW = 256


class StandIn:
    """Answers by the length of a text, after a sleep for each window.

    Args:
        seconds: To sleep for a window.
    """

    name = "stand-in"
    digest = "0"
    window = WINDOW

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def map_many(self, texts: Iterable[str], **_: object) -> Iterator[CwePrediction]:
        """Answer texts, in order."""
        found = list(texts)
        time.sleep(self.seconds)
        for text in found:
            cwe = f"CWE-{len(text)}"
            yield CwePrediction(cwe, 0.5, (Candidate(cwe, 0.5),), abstained=False)


def main() -> int:
    """Run one measurement and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=sorted(MEASUREMENTS))
    parser.add_argument("feed", nargs="?", type=Path)
    parser.add_argument("--limit", type=int, help="records of the feed to take (all)")
    parser.add_argument("--records", type=int, default=1_000_000, help="synthetic ones")
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--workers", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = MEASUREMENTS[arguments.what](arguments, Path(folder))
    print(json.dumps({"what": arguments.what, "load": os.getloadavg()[0]} | found, indent=1))
    return 0 if found.pop("good", True) else 1


def same(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Map a feed by one process and by two workers."""
    feed = taken(arguments, folder)
    rows = [mapped(feed, folder, *engine) for engine in ((), ("--engine", "ray", "--workers", "2"))]
    return {"runs": rows, "good": rows[0]["sha256"] == rows[1]["sha256"]}


def overhead(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Map records by two one-core workers and by one process with two threads, in turns.

    The model is loaded and the workers are started before the clock is.
    """
    from cybersecqwen.specialists import CweMapper

    feed = taken(arguments, folder)
    ray_engine = RayEngine("", 2)
    rates: dict[str, list[dict[str, float]]] = {"local": [], "ray": []}
    for _ in range(3):
        for name, engine in (("local", LocalEngine()), ("ray", ray_engine)):
            mapper = CweMapper.load(threads=2)
            windows = map_windows(records_of(feed), mapper, MapOptions(), engine=engine)
            first = len(next(windows))
            start, busy = time.monotonic(), cpu_seconds()
            rest = sum(map(len, windows))
            seconds, spent = time.monotonic() - start, cpu_seconds() - busy
            rates[name].append(
                {"a_second": rest / seconds, "a_cpu_second": rest / spent, "records": rest + first}
            )
    best = {name: max(run["a_second"] for run in runs) for name, runs in rates.items()}
    cheapest = {name: max(run["a_cpu_second"] for run in runs) for name, runs in rates.items()}
    return {
        "runs": rates,
        "ratio_by_the_clock": best["ray"] / best["local"],
        "ratio_by_cpu": cheapest["ray"] / cheapest["local"],
    }


def kills(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Kill one of two workers at a random moment of each run, and compare the outputs."""
    from cybersecqwen.specialists import CweMapper

    feed = taken(arguments, folder)
    engine = RayEngine("", 2)
    mapper = CweMapper.load()
    moments = random.Random(0)

    def output(name: str, chosen: Engine) -> tuple[str, float]:
        file = folder / name
        start = time.monotonic()
        run_map_job(MapJob(source=feed, classifier=mapper, output=file, engine=chosen))
        seconds = time.monotonic() - start
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        file.unlink()
        return digest, seconds

    expected, _ = output("local", LocalEngine())
    quiet, seconds = output("quiet", engine)
    same_bytes = killed = 0
    for number in range(arguments.tries):
        ended = threading.Event()
        hit: list[int] = []
        after = moments.uniform(0, seconds)
        killer = threading.Thread(target=kill_later, args=(after, ended, hit, moments))
        killer.start()
        found, _ = output(f"try-{number}", engine)
        ended.set()
        killer.join()
        same_bytes += found == expected
        killed += bool(hit)
        print(f"try {number + 1}: killed {hit} after {after:.1f} s, {found[:12]}", file=sys.stderr)
    return {
        "tries": arguments.tries,
        "killed_midway": killed,
        "same": same_bytes,
        "good": quiet == expected and same_bytes == arguments.tries,
    }


def kill_later(
    seconds: float, ended: threading.Event, hit: list[int], moments: random.Random
) -> None:
    """Kill a worker after so many seconds, unless the run ends before; note which."""
    if not ended.wait(seconds) and (workers := processes("ray::_Worker")):
        pid = moments.choice(sorted(workers))
        os.kill(pid, signal.SIGKILL)
        hit.append(pid)


def node(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Take a machine of a simulated cluster of three away in the middle of a job."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    lost, _ = (cluster.add_node(num_cpus=1) for _ in range(2))
    cluster.wait_for_nodes()
    engine = RayEngine(cluster.address, 3)
    records = list(synthetic(40 * WINDOW))
    expected = [o.prediction for w in map_windows(records, StandIn(), MapOptions()) for o in w]
    found = []
    windows = map_windows(records, StandIn(0.2), MapOptions(), engine=engine)
    for number, window in enumerate(windows):
        found += [outcome.prediction for outcome in window]
        if number == 8:
            cluster.remove_node(lost)
    ray.shutdown()
    cluster.shutdown()
    return {"records": len(found), "good": found == expected}


def memory(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Watch the memory of driver and workers over many synthetic records.

    The file is written first. Memory is what a process has to itself: the unique set size (USS),
    without pages that it shares with others.
    """
    source = folder / "records.jsonl"
    with source.open("w") as lines:
        for record in synthetic(arguments.records):
            lines.write(json.dumps({"id": record.id, "description": record.description}) + "\n")
    engine = RayEngine("", 2)
    samples: list[dict[str, float]] = []
    ended = threading.Event()
    start = time.monotonic()
    watcher = threading.Thread(target=watch, args=(start, samples, ended))
    watcher.start()
    job = MapJob(source=source, classifier=StandIn(), output=folder / "out.jsonl", engine=engine)
    summary = run_map_job(job)
    ended.set()
    watcher.join()
    found: dict[str, Any] = {"records": summary.records, "seconds": time.monotonic() - start}
    good = True
    for name in ("driver", "workers"):
        after = [sample[name] for sample in samples if sample["seconds"] >= 60]
        first = after[0] if after else float("nan")
        found[name] = {"mib_at_60_s": first, "most_mib": max(after, default=0.0)}
        found[name]["growth"] = found[name]["most_mib"] / first - 1
        good = good and found[name]["growth"] <= 0.1
    return found | {"samples": samples[:: max(1, len(samples) // 20)], "good": good}


def watch(start: float, samples: list[dict[str, float]], ended: threading.Event) -> None:
    """Note the memory of this process and of its workers, in MiB, twice a second."""
    while not ended.wait(0.5):
        workers = [unique_mib(pid) for pid in processes("ray::_Worker")]
        samples.append(
            {
                "seconds": round(time.monotonic() - start, 1),
                "driver": unique_mib(os.getpid()),
                "workers": sum(workers),
                "count": len(workers),
            }
        )


def cluster(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Compare many workers with one, with a model that sleeps half a second for a window."""
    rates = {}
    # The cores are Ray's own reckoning: a worker that sleeps needs none.
    engine = RayEngine("", arguments.workers)
    for workers in (1, 2, 4, arguments.workers):
        engine.workers = workers
        count = 24 * workers * WINDOW
        windows = map_windows(synthetic(count), StandIn(0.5), MapOptions(), engine=engine)
        for _ in range(2 * workers):
            next(windows)  # until each worker has answered
        start = time.monotonic()
        rates[workers] = sum(map(len, windows)) / (time.monotonic() - start)
    ratio = rates[arguments.workers] / rates[1]
    return {"records_a_second": rates, "ratio": ratio, "good": ratio >= 7 * arguments.workers / 8}


def synthetic(count: int) -> Iterator[Advisory]:
    """Yield made-up records."""
    for number in range(count):
        text = f"A flaw in component {number} lets attackers read {'x' * (number % 200)}."
        yield Advisory(f"CVE-2099-{number:07}", text)


def records_of(feed: Path) -> Iterator[Any]:
    """Yield a feed's records."""
    from cybersecqwen.sources import read_advisories

    return read_advisories(feed)


def taken(arguments: argparse.Namespace, folder: Path) -> Path:
    """Return the feed, or as many lines of it as are wanted, as a file of its own."""
    feed: Path = arguments.feed
    if arguments.limit is None:
        return feed
    part = folder / "feed.jsonl"
    with gzip.open(feed, "rb") if feed.suffix == ".gz" else feed.open("rb") as lines:
        part.write_bytes(b"".join(islice(lines, arguments.limit)))
    return part


def mapped(feed: Path, folder: Path, *engine: str) -> dict[str, Any]:
    """Run ``map`` on a feed; return what came of it."""
    output = folder / "out.jsonl"
    command = [sys.executable, "-m", "cybersecqwen", "map", "--quiet", "--input", str(feed)]
    start, busy = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*command, "--output", str(output), *engine], check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    content = output.read_bytes()
    output.unlink()
    return {
        "engine": " ".join(engine) or "local",
        "exit": done.returncode,
        "rows": content.count(b"\n"),
        "seconds": round(time.monotonic() - start, 1),
        "driver_cpu_seconds": round(
            after.ru_utime + after.ru_stime - busy.ru_utime - busy.ru_stime
        ),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def processes(title: str) -> list[int]:
    """Return the ids of this process's descendants with a title, as ``ps`` shows it."""
    listed = subprocess.run(
        ["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
    )
    parents, titles = {}, {}
    for line in listed.stdout.splitlines()[1:]:
        pid, parent, shown = line.split(None, 2)
        parents[int(pid)], titles[int(pid)] = int(parent), shown

    def is_ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and is_ours(parents[pid]))

    return [pid for pid, shown in titles.items() if title in shown and is_ours(pid)]


def unique_mib(pid: int) -> float:
    """Return a process's memory that it shares with no other, in MiB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    private = [line for line in lines if line.startswith(("Private_Clean", "Private_Dirty"))]
    return sum(int(line.split()[1]) for line in private) / 1024


def cpu_seconds() -> float:
    """Return the processor time of this process and of all of Ray's."""
    total = 0.0
    titles = ("ray::", "raylet/raylet", "gcs_server", "ray/_private", "ray/autoscaler")
    for pid in {os.getpid(), *(pid for title in titles for pid in processes(title))}:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


MEASUREMENTS = {
    "same": same,
    "overhead": overhead,
    "kills": kills,
    "node": node,
    "memory": memory,
    "cluster": cluster,
}

if __name__ == "__main__":
    sys.exit(main())
