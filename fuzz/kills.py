"""Each verb that writes, killed before each of its system calls that change the disk.

    python fuzz/kills.py [--verb NAME ...] [--most 150] [--json FILE]

Linux with strace. A first run lists the calls that touch the verb's folder; then the verb is run
once for each, with SIGKILL at that very call (strace's fault injection). After each kill the output
must be the old one or the new one, whole (or absent, where there was none); the next run must make
the new one, and nothing else may be left beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kill_cases import CASES, Case

_CALLS = (
    *("openat", "open", "creat", "write", "writev", "pwrite64", "pwritev", "sendfile"),
    *("copy_file_range", "rename", "renameat", "renameat2", "link", "linkat", "symlink"),
    *("symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "truncate", "ftruncate"),
    *("fallocate", "fsync", "fdatasync", "flock", "chmod", "fchmod", "fchmodat", "close"),
)
_PRELOADED = (
    *("cli.main", "cli.map", "cli.data", "cli.kb", "cli.corpus", "cli.eval", "cli.bundle"),
    *("cli.monitor", "cli.assess", "cli.audit", "apps.map_job", "apps.assess", "apps.audit"),
    *("apps.corpus", "apps.evaluation", "apps.bundle", "apps.monitor", "apps.store"),
    *("release.drift", "release.monitor_page", "release.create", "release.signing"),
    *("evaluation.runner", "evaluation.plan", "evaluation.systems"),
    *("specialists", "knowledge", "sources", "evaluation.report", "corpus.records"),
)
"""What verbs import, so that each of their runs takes as little time as it can."""

_LINE = re.compile(r"^(\d+) +(\w+)\(")
_KILLED = -9


@dataclass
class Count:
    """What came of a verb's kills.

    Attributes:
        calls: System calls that touch its folder.
        kills: Kills that struck.
        old: After how many the old output stood, or none where there was none.
        new: After how many the new one stood.
        wrong: What was lost, half made or left over, or a next run that failed.
    """

    verb: str
    calls: int = 0
    kills: int = 0
    old: int = 0
    new: int = 0
    wrong: list[str] = field(default_factory=list)


def run(case: Case, folder: Path, inject: str = "", log: Path | None = None) -> int:
    """Run a verb in a forked process, traced if that is asked for; return its exit status."""
    go_read, go_write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.close(go_write)
            os.read(go_read, 1)
            quiet = os.open(folder.parent / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            os.chdir(folder.parent)
            code = case.act(folder)
            sys.stdout.flush()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 98
        finally:
            os._exit(code)
    os.close(go_read)
    tracer = _traced(child, inject, log) if inject or log else None
    os.write(go_write, b"g")
    os.close(go_write)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if tracer:
        tracer.wait()
        if tracer.stderr:
            tracer.stderr.close()
    return code


def _traced(child: int, inject: str, log: Path | None) -> subprocess.Popen[bytes]:
    command = ["strace", "-f", "-y", "-p", str(child), "-o", str(log or "/dev/null")]
    if inject:
        name, number = inject.split(":")
        command += ["-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}"]
    else:
        command += ["-e", f"trace=?{',?'.join(_CALLS)}"]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert tracer.stderr is not None
    line = tracer.stderr.readline()
    if b"attached" not in line:
        raise SystemExit(f"strace: {line.decode()}")
    return tracer


def calls(log: Path, folder: Path) -> list[str]:
    """Return the calls that touch a folder, as ``NAME:NUMBER``, counted as strace counts them."""
    seen: Counter[tuple[str, str]] = Counter()
    found = {}
    for line in log.read_text(errors="replace").splitlines():
        if match := _LINE.match(line):
            thread, name = match.groups()
            seen[thread, name] += 1
            reading = name.startswith("open") and "O_WRONLY" not in line and "O_RDWR" not in line
            if str(folder) in line and not reading:
                found[f"{name}:{seen[thread, name]}"] = None
    return list(found)


def state(case: Case, folder: Path) -> str:
    """Return a digest of a verb's outputs, ``nothing`` where there are none."""
    digest = hashlib.sha256()
    some = False
    for name in case.outputs:
        output = folder / name
        files = sorted(f for f in output.rglob("*") if f.is_file()) if output.is_dir() else [output]
        for file in files:
            if file.is_file():
                some = True
                digest.update(f"{file.relative_to(folder)}\0".encode())
                digest.update(case.content(file))
    return digest.hexdigest() if some else "nothing"


def beside(folder: Path) -> set[str]:
    """Return the names in a folder, hidden ones too."""
    return {entry.name for entry in folder.iterdir()}


def _fresh(case: Case, folder: Path, start: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(start, folder, symlinks=True)
    if case.before:
        case.before(folder)


def _apart(action: Callable[[], None]) -> None:
    """Do something in a process of its own, so that forks of this one are as at the start."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise SystemExit("what the verb needs cannot be made")


def strike(case: Case, root: Path, most: int) -> Count:
    """Kill a verb at each of its calls; return what came of it."""
    count = Count(case.name)
    for module in (*_PRELOADED, *case.imports):
        with suppress(ImportError):
            importlib.import_module(f"cybersecqwen.{module}")
    start, folder = root / "start", root / "work"
    folder.mkdir()
    _apart(lambda: case.prepare(folder))  # at the path where it will be run
    folder.rename(start)
    _fresh(case, folder, start)
    old = state(case, folder)
    log = root / "log"
    if code := run(case, folder, log=log):
        count.wrong.append(f"unbroken: {code}: {(root / 'said').read_text()[-300:]}")
        return count
    found = calls(log, folder)
    count.calls = len(found)
    new, names = state(case, folder), beside(folder)
    if old == new:
        count.wrong.append("the verb changes nothing")
    step = max(1.0, len(found) / most)
    for at in sorted({int(n * step) for n in range(min(most, len(found)))}):
        _fresh(case, folder, start)
        if run(case, folder, found[at]) != _KILLED:
            continue
        count.kills += 1
        for problem in _judged(case, folder, (old, new), names, count):
            count.wrong.append(f"{found[at]}: {problem}")
    return count


def _judged(
    case: Case, folder: Path, ends: tuple[str, str], names: set[str], count: Count
) -> Iterator[str]:
    after = state(case, folder)
    count.old += after == ends[0]
    count.new += after == ends[1]
    if after not in ends and not (case.partial and case.partial(folder)):
        yield f"after the kill neither the old nor the new output: {sorted(beside(folder))}"
    left = beside(folder)
    if case.once and after == ends[1]:
        return  # done: another run is refused, as it should be
    if code := run(case, folder):
        said = (folder.parent / "said").read_text()[-300:]
        yield f"the next run ended with {code} (after the kill: {sorted(left)}): {said}"
    elif state(case, folder) != ends[1]:
        yield "the next run made something else"
    elif more := beside(folder) - names:
        yield f"left over: {sorted(more)}"


def main() -> int:
    """Kill; 1 if anything was lost or left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verb", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--most", type=int, default=150, help="kills of a verb")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    counts = []
    for verb in arguments.verb:
        case = CASES[verb]
        with tempfile.TemporaryDirectory() as root:
            counts.append(count := strike(case, Path(root), arguments.most))
        print(
            f"{verb:18} {count.calls:5} calls, {count.kills:4} kills: {count.old:4} old, "
            f"{count.new:4} new, {len(count.wrong)} wrong",
            flush=True,
        )
        for what in count.wrong[:10]:
            print(f"    {what}", flush=True)
    wrong = sum(len(count.wrong) for count in counts)
    print(f"{sum(count.kills for count in counts):,} kills, {wrong} wrong")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(count) for count in counts], indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
