"""Kill a command at random moments, run it again, and compare what it leaves with a quiet run's.

    python benchmarks/killed.py --tries 20 -- \
        cybersecqwen map --input feed.json.gz --to jsonl --output {out}

``{out}`` in the command stands for the output, a file or a folder, which is fresh in each try. Each
try starts the command in a process group of its own, sends it SIGKILL after a random share of the
quiet run's time, up to ``--kills`` times, and then lets it end. Outputs are compared byte for byte;
``--only GLOB`` compares a folder's files of that name alone (where others hold times), and
``--digest COMMAND`` compares what a command prints of the output instead.

Exit status: 0 when every try left the same output, 1 when one did not, 2 when there is none.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    """Run the tries and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--kills", type=int, default=1, help="in a try, at most (1)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument("--only", metavar="GLOB", default="*", help="files of a folder to compare")
    parser.add_argument("--digest", metavar="COMMAND", help="compare what this prints of {out}")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        quiet = Path(folder, "quiet", "out")
        start = time.monotonic()
        expected_status = finish(arguments.command, quiet)
        seconds = time.monotonic() - start
        expected = fingerprint(quiet, arguments)
        print(f"quiet run: {seconds:.1f} s, exit {expected_status}, {expected[:16]}", flush=True)
        if expected == "nothing":
            print("the quiet run leaves no output: there is nothing to compare")
            return 2
        same = killed = 0
        for number in range(arguments.tries):
            out = Path(folder, f"try-{number}", "out")
            hits = 0
            for _ in range(arguments.kills):
                hits += kill(arguments.command, out, moments.uniform(0, seconds))
            status = finish(arguments.command, out)
            found = fingerprint(out, arguments)
            same += found == expected and status == expected_status
            killed += hits > 0
            print(f"try {number + 1}: killed {hits} times, exit {status}, {found[:16]}", flush=True)
    print(f"{same} of {arguments.tries} outputs are the same; {killed} runs were killed midway")
    return 0 if same == arguments.tries else 1


def filled(command: list[str], out: Path) -> list[str]:
    """Return the command with its output's place filled in."""
    out.parent.mkdir(parents=True, exist_ok=True)
    return [word.replace("{out}", str(out)) for word in command]


def finish(command: list[str], out: Path) -> int:
    """Run to the end; return the exit status."""
    return subprocess.run(
        filled(command, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    ).returncode


def kill(command: list[str], out: Path, seconds: float) -> bool:
    """Run for some seconds, then SIGKILL the whole process group; say whether it still ran."""
    process = subprocess.Popen(
        filled(command, out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True


def fingerprint(out: Path, arguments: argparse.Namespace) -> str:
    """Return the SHA-256 of an output, or of what the digest command prints of it."""
    digest = hashlib.sha256()
    if arguments.digest:
        words = filled(shlex.split(arguments.digest), out)
        digest.update(subprocess.run(words, capture_output=True, check=True).stdout)
    elif out.is_dir():
        for file in sorted(path for path in out.rglob(arguments.only) if path.is_file()):
            digest.update(f"{file.relative_to(out)}\0".encode())
            digest.update(file.read_bytes())
    elif out.exists():
        digest.update(out.read_bytes())
    else:
        return "nothing"
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
