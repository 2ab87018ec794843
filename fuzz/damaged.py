"""Damaged, mislabelled and hostile files over the command line and the service.

    python fuzz/damaged.py [--count 1000] [--processes 100] [--server 1000] [--seeds FOLDER ...]

Each file is made from its number out of real ones: cut off, under a wrong ending, two formats one
behind the other, bytes replaced, packed in each other, or a bomb. Whatever it is, ``map --input``
ends with status 0, 1 or 2 (2 in one line, nothing written) and no traceback, the service answers
with rows, problems or a refusal, no row's text is markup, and neither takes more than 1 GiB.
Most files go through ``main()`` in this process, with the model loaded once.
"""

from __future__ import annotations

import argparse
import bz2
import functools
import gzip
import io
import json
import lzma
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
FORMATS = HERE.parent.parent / "shared" / "data" / "formats"
ENDINGS = (".json", ".jsonl", ".csv", ".txt", ".xlsx", ".yaml", ".md", ".xml", ".gz", ".zip", "")
LIMIT_BYTES = 1 << 30

_MARKUP = re.compile(r"\s*(?:[{}\[\]]|<[!?/a-zA-Z]+>|\"[\w$@-]+\"\s*:|```|%PDF|PK\x03)")
_LISTENING = re.compile(r"listening on (http://\S+)")


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file and how it was made."""

    kind: str
    name: str
    content: bytes


def seed_files(folders: list[Path]) -> list[tuple[str, bytes]]:
    """Return names and contents of the files in some folders, the largest left out."""
    files = sorted(f for folder in folders for f in folder.rglob("*") if f.is_file())
    return [(f.name, f.read_bytes()) for f in files if f.stat().st_size < 1 << 18]


def damage(number: int, seeds: list[tuple[str, bytes]]) -> Damaged:
    """Return the file of a number; the same one each time."""
    draw = random.Random(number)
    name, content = draw.choice(seeds)
    other_name, other = draw.choice(seeds)
    kind = draw.choice(
        ("cut", "tail", "ending", "glued", "inserted", "noise", "packed", "random", "bomb")
    )
    if kind == "bomb":
        return Damaged(kind, f"b{draw.choice(ENDINGS)}", draw.choice(BOMBS)(draw))
    if kind == "ending":
        return Damaged(kind, Path(name).stem + draw.choice(ENDINGS), content)
    if kind == "packed":
        return Damaged(kind, name + draw.choice((".gz", ".zip", "")), _packed(draw, content))
    return Damaged(kind, draw.choice((name, other_name)), _mutated(kind, draw, content, other))


def _mutated(kind: str, draw: random.Random, content: bytes, other: bytes) -> bytes:
    at, to = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    if kind == "noise":
        noisy = bytearray(content or b"x")
        for _ in range(draw.choice((1, 10, 200))):
            noisy[draw.randrange(len(noisy))] = draw.randrange(256)
        return bytes(noisy)
    signs = bytes(draw.choice(b'abc {}[]",:<>=#-\n;\t\x00\xff') for _ in range(2000))
    return {
        "cut": content[:at],
        "tail": content[at:],
        "glued": content + draw.choice((b"", b"\n")) + other,
        "inserted": content[:at] + other[: to - at] + content[at:],
        "random": draw.choice((signs, draw.randbytes(999))),
    }[kind]


def _packed(draw: random.Random, content: bytes) -> bytes:
    for _ in range(draw.randint(1, 5)):
        if draw.random() < 0.3:
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("a", content)
                archive.writestr("README", "words")
            content = out.getvalue()
        else:
            content = draw.choice((gzip.compress, bz2.compress, lzma.compress))(content)
    return content[: draw.choice((len(content), draw.randrange(len(content) + 1)))]


@functools.cache
def _zeros(megabytes: int, filling: bytes) -> bytes:
    return gzip.compress(filling * ((megabytes << 20) // len(filling)), compresslevel=9)


def _zip_of(content: bytes, copies: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(copies):
            archive.writestr(f"{number}.json", content)
    return out.getvalue()


BOMBS: tuple[Callable[[random.Random], bytes], ...] = (
    lambda _: _zeros(256, b" "),
    lambda _: _zeros(256, b"["),
    lambda _: _zeros(256, b'{"a":'),
    lambda _: _zeros(256, b'{"id":"a","description":"'),
    lambda _: _zeros(128, b"a,"),
    lambda _: gzip.compress(b'"a\n' * (1 << 14)),
    lambda _: gzip.compress(
        b'{"CVE-2099-0001":{"x":[1,2,3],"y":{"z":"words of it"}},"b":[0]}\n' * (1 << 13)
    ),
    lambda _: gzip.compress(b"[" + b"[[],{}]," * (1 << 20) + b"1]"),
    lambda _: gzip.compress(b'{"a":' + b'{"b":[{"c":0}],"d":"e"},"f":' * (1 << 20) + b"0}"),
    lambda _: gzip.compress(_zeros(256, b"\x00")),
    lambda draw: _zip_of(b"x" * (1 << 20), draw.choice((3, 40))),
    lambda _: _zip_of(_zip_of(_zip_of(b" " * (1 << 20), 6), 6), 6),
    lambda _: b"id: A-1\nmodified: x\na: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
    lambda _: b"id: A-1\nmodified: x\na: " + b"[" * 50_000,
    lambda _: b"cve,description\n" + b'"' + b"x\n" * (1 << 18),
    lambda _: b"a" * (40 << 20),
)


class FaultError(Exception):
    """What must not happen."""


def check_rows(lines: str) -> int:
    """Return how many lines of NDJSON are rows.

    Raises:
        FaultError: One is no JSON, or its text is markup.
    """
    rows = 0
    for line in filter(None, lines.split("\n")):
        row = json.loads(line)
        if "cwe" in row:
            rows += 1
            if _MARKUP.match(row.get("description") or ""):
                raise FaultError(f"a row whose text is markup: {row['description'][:100]!r}")
    return rows


def check_run(status: int, out: bytes, said: str) -> int:
    """Return the rows of a run of ``map``.

    Raises:
        FaultError: It ended otherwise than it may.
    """
    if "Traceback" in said or status not in {0, 1, 2}:
        raise FaultError(f"status {status}: {said[-600:]}")
    if status == 2 and (out or len(said.strip().splitlines()) != 1):
        raise FaultError(f"status 2 with {len(out)} bytes of rows: {said[-600:]}")
    return check_rows(out.decode("utf-8"))


def in_process(path: Path) -> int:
    """Run ``map --input`` in this process."""
    from cybersecqwen.cli.main import main

    binary = io.BytesIO()
    out, said = io.TextIOWrapper(binary, encoding="utf-8", write_through=True), io.StringIO()
    with redirect_stdout(out), redirect_stderr(said):
        status = main(["map", "--input", str(path), "--to", "jsonl"])
    return check_run(status, binary.getvalue(), said.getvalue())


def in_a_process(path: Path) -> int:
    """Run ``map --input`` in a process of its own, its memory measured."""
    command = [sys.executable, "-m", "cybersecqwen", "map", "--input", str(path), "--to", "jsonl"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=600)
    return check_run(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))


class Server:
    """A service in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "cybersecqwen", "serve", "--port", "0"]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr
        for line in self._process.stderr:
            if found := _LISTENING.search(line):
                self._base = found[1]
                break
        else:
            raise FaultError("the server did not start")
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - for as long as the server
        # What it logs must not fill the pipe.
        self._drain = subprocess.Popen(
            ["cat"], stdin=self._process.stderr, stdout=self._log, stderr=subprocess.DEVNULL
        )

    def check(self, file: Damaged) -> int:
        """Send a file; return how many rows came back.

        Raises:
            FaultError: The answer is none that may be.
        """
        request = urllib.request.Request(
            f"{self._base}/api/map/file?name={urllib.request.quote(file.name)}",
            file.content,
            {"Content-Type": "application/octet-stream"},
        )
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                lines = answer.read().decode("utf-8")
        except urllib.error.HTTPError as error:
            body = error.read()
            if error.code >= 500 or "message" not in json.loads(body)["error"]:
                raise FaultError(f"{error.code}: {body[:300]!r}") from error
            return 0
        return check_rows(lines)

    @property
    def peak_bytes(self) -> int:
        """The most memory that the process has held."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        return 1024 * int(re.findall(r"VmHWM:\s+(\d+)", text)[0])

    def stop(self) -> None:
        """End it.

        Raises:
            FaultError: Its log has a traceback.
        """
        self._process.terminate()
        self._process.wait(60)
        self._drain.wait(60)
        self._log.seek(0)
        if "Traceback" in (log := self._log.read()):
            raise FaultError(f"the server's log: {log[-2000:]}")


def cache_model() -> None:
    """Load the model once for all runs in this process."""
    from cybersecqwen.specialists import CweMapper

    CweMapper.load = functools.cache(CweMapper.load)  # type: ignore[method-assign,assignment]


def main() -> int:
    """Try all files; print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=100)
    parser.add_argument("--server", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=Path, nargs="*", default=[FORMATS])
    arguments = parser.parse_args()
    seeds = seed_files([HERE / "seeds", *arguments.seeds])
    counts: Counter[str] = Counter()
    faults: list[str] = []
    start = time.monotonic()
    server = Server() if arguments.server else None
    cache_model()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.first, arguments.first + arguments.count):
            file = damage(number, seeds)
            path = Path(folder, file.name)
            path.write_bytes(file.content)
            ways: list[tuple[str, Callable[[], int]]] = []
            if number % 10 == 0 and counts["process"] < arguments.processes:
                ways.append(("process", functools.partial(in_a_process, path)))
            else:
                ways.append(("main", functools.partial(in_process, path)))
            if server and number < arguments.first + arguments.server:
                ways.append(("server", functools.partial(server.check, file)))
            for way, run in ways:
                counts[way] += 1
                try:
                    rows = run()
                    counts[f"{way}: {'rows' if rows else 'none'}"] += 1
                except Exception as error:
                    faults.append(f"{number} {way} {file.kind} {file.name}: {error!r:.900}")
                    print(faults[-1], flush=True)
            path.unlink()
    peaks = {
        "process": 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
        "main": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    if server:
        # The largest of the children is the server itself, once it has been waited for.
        peaks["server"] = server.peak_bytes
        try:
            server.stop()
        except FaultError as error:
            faults.append(str(error))
            print(faults[-1])
    faults += [f"{way}: {peak:,} bytes" for way, peak in peaks.items() if peak > LIMIT_BYTES]
    memory = {way: f"{peak >> 20:,} MiB" for way, peak in peaks.items()}
    print(dict(counts), memory, f"{time.monotonic() - start:.0f} s", f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    os.environ.setdefault("CYBERSECQWEN_STORE", os.devnull + ".none")
    sys.exit(main())
