"""The memory of each verb that reads files, over files of 100 MB and archives that unpack to more.

    python fuzz/large_files.py [--kind NAME ...] [--verb NAME ...] [--limit 600] [--json FILE]

Each kind is given to the verbs that could make something of it. Each run has some seconds of
processor time; one that is still at work then is stopped, and its peak until then counts.
Ends that are wrong: more memory than the limit, a traceback, an exit status other than 0, 1, 2, a
message of over 64 KiB. (The limit on address space is not used: what is wanted is the peak.)
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from large_kinds import KINDS, write

_MESSAGE_BYTES = 64 << 10


@dataclass(frozen=True)
class Peak:
    """How a run ended.

    Attributes:
        code: Exit status; None where it was stopped after its time.
        peak: Most memory that was resident, in MiB.
        seconds: Of processor time.
        wrong: What is wrong with its end, if anything is.
    """

    verb: str
    kind: str
    code: int | None
    peak: float
    seconds: float
    wrong: str


def commands(file: Path, folder: Path) -> dict[str, list[str]]:
    """Return the arguments of every verb that reads a file of others."""
    recipe = folder / "recipe.yaml"
    source = {"path": file.name, "labels_from": "nvd"}
    recipe.write_text(json.dumps({"name": "large", "sources": [source]}))
    path, out = str(file), str(folder / "out")
    return {
        "map": ["map", "--input", path, "--output", f"{out}.jsonl", "--restart"],
        "map xlsx": ["map", "--input", path, "--output", f"{out}.xlsx", "--restart"],
        "map html": ["map", "--input", path, "--output", f"{out}.html", "--restart"],
        "map cve5": ["map", "--input", path, "--to", "cve5", "--output", f"{out}.zip", "--restart"],
        "assess": ["assess", "--input", path, "--output", f"{out}.a.jsonl"],
        "audit": ["audit", "--input", path, "--output", f"{out}.b.jsonl"],
        "data import": ["data", "import", path, "--store", f"{out}.sqlite"],
        "corpus build": ["corpus", "build", str(recipe), "--data", str(folder), "--out", out],
        "recipe": ["corpus", "build", path, "--out", out],
        "kb build --cwe": ["kb", "build", "--cwe", path, "--out", f"{out}.kb"],
        "kb build --attack": ["kb", "build", "--attack", path, "--out", f"{out}.kb"],
        "eval run": ["eval", "run", "cti-rcm", "--data", path, "--limit", "5", "--protocol",
                     "constrained", "--output", f"{out}.log"],
        "eval score": ["eval", "score", path],
        "monitor": ["monitor", path],
        "corrections": ["monitor", path, "--corrections", path],
        "info": ["info", path],
        "bundle verify": ["bundle", "verify", path, "--allow-unsigned"],
        "serve --config": ["serve", "--config", path, "--port", "0"],
    }  # fmt: skip


def measure(verb: str, kind: str, arguments: list[str], folder: Path, seconds: int) -> Peak:
    """Run a verb and return the most memory that it took."""
    log = folder / "stderr"
    files = [
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    ]
    command = [sys.executable, "-m", "cybersecqwen", *arguments]
    process = os.posix_spawn(sys.executable, command, dict(os.environ), file_actions=files)
    resource.prlimit(process, resource.RLIMIT_CPU, (seconds, seconds + 5))
    _, status, used = os.wait4(process, 0)
    ended = os.waitstatus_to_exitcode(status)
    code = None if ended in {-signal.SIGXCPU, -signal.SIGKILL} else ended
    with log.open("rb") as stream:
        said = stream.read(_MESSAGE_BYTES + 1)
    wrong = ""
    if b"Traceback" in said or b"fault of this program" in said:
        wrong = said[-300:].decode("utf-8", "replace")
    elif code not in {0, 1, 2, None}:
        wrong = f"ended with {code}"
    elif len(said) > _MESSAGE_BYTES and code in {0, 2}:  # 1 names each bad record
        wrong = "an endless message"
    return Peak(verb, kind, code, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime, wrong)


def _verbs(kind: str) -> list[str]:
    """Return the verbs that read such files; the readers of records are tried with all."""
    verbs = ["map", "data import", "corpus build"]
    further = {
        "rows|record|one text": ["map xlsx", "map html", "map cve5", "assess", "audit"],
        "JSON|STIX|XML|CSAF": ["kb build --cwe", "kb build --attack"],
        "JSON|YAML|one line": ["recipe", "serve --config", "info"],
        "JSON|results|blank|zeros": ["monitor", "corrections", "eval score"],
        "JSON l|CSV|TSV|questions|one line": ["eval run"],
        "zip|JSON of": ["bundle verify"],
    }
    for words, more in further.items():
        if any(word in kind for word in words.split("|")):
            verbs += more
    return verbs


def _written(kind: str, folder: Path) -> Path:
    """Write the file in a process of its own, whose memory is not counted to the runs."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            write(kind, folder)
            code = 0
        finally:
            os._exit(code)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise SystemExit(f"{kind}: cannot be written")
    return folder / KINDS[kind][0]


def main() -> int:
    """Run; 1 if an end was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--verb", nargs="+")
    parser.add_argument("--limit", type=float, default=600, help="MiB that may be resident")
    parser.add_argument("--seconds", type=int, default=30, help="of processor time for each run")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    peaks = []
    for kind in arguments.kind:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            words = commands(_written(kind, folder), folder)
            for verb in arguments.verb or _verbs(kind):
                peak = measure(verb, kind, words[verb], folder, arguments.seconds)
                peaks.append(peak)
                mark = "OVER" if peak.peak > arguments.limit else "WRONG" if peak.wrong else ""
                end = "stopped" if peak.code is None else f"exit {peak.code}"
                cost = f"{peak.peak:6.0f} MiB {peak.seconds:6.1f} s"
                print(f"{verb:18} {kind:24} {end:8} {cost} {mark}", flush=True)
                if peak.wrong:
                    print(peak.wrong, flush=True)
    bad = [p for p in peaks if p.wrong or p.peak > arguments.limit]
    most = max(peaks, key=lambda p: p.peak)
    print(f"{len(peaks)} runs, {len(bad)} wrong or over {arguments.limit:g} MiB; most ", end="")
    print(f"{most.peak:.0f} MiB ({most.verb}, {most.kind})")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(p) for p in peaks], indent=1))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
