"""Two runs on one output, again and again: a run that says 0 must have made what stands there.

python fuzz/overlap.py [--tries 50] [--first 0] [--verb NAME]
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

SEEDS = Path(__file__).parent / "seeds"
VERBS = ("map jsonl", "map csv", "kb build", "corpus build", "eval run")


def _command(verb: str, folder: Path, which: str, out: Path) -> list[str]:
    start = [sys.executable, "-m", "cybersecqwen"]
    match verb:
        case "map jsonl" | "map csv":
            return [*start, "map", "--input", str(folder / f"{which}.jsonl"), "--output", str(out)]
        case "kb build":
            source = ["--cwe", str(SEEDS / "cwe.xml")]
            if which == "b":
                source += ["--attack", str(SEEDS / "stix.json")]
            return [*start, "kb", "build", *source, "--out", str(out)]
        case "corpus build":
            return [
                *start,
                "corpus",
                "build",
                str(folder / f"{which}.yaml"),
                "--data",
                str(folder),
                "--out",
                str(out),
            ]
        case _:
            limit = "40" if which == "a" else "30"
            words = ["cti-rcm", "--data", str(folder / "rcm.tsv"), "--protocol", "constrained"]
            return [*start, "eval", "run", *words, "--limit", limit, "--output", str(out)]


def _ending(verb: str) -> str:
    return {"map csv": ".csv", "map jsonl": ".jsonl", "eval run": ".jsonl"}.get(verb, "")


def _prepare(folder: Path) -> None:
    texts = ["SQL injection in the login form", "a heap overflow in the parser", "path traversal"]
    for which, count in (("a", 900), ("b", 400)):
        rows = [
            {"id": f"{which}{n}", "description": f"{texts[n % 3]} of part {n}", "cwe": "CWE-89"}
            for n in range(count)
        ]
        (folder / f"{which}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        source = {"path": f"{which}.jsonl", "format": "jsonl", "labels_from": "nvd"}
        (folder / f"{which}.yaml").write_text(
            json.dumps({"name": which, "sources": [source], "benchmarks": ["rcm.tsv"]})
        )
    questions = [
        f"u\tCVE-2099-{n:04}: {texts[n % 3]}\tPrompt {n} {texts[n % 3]}\tCWE-89" for n in range(60)
    ]
    (folder / "rcm.tsv").write_text("URL\tDescription\tPrompt\tGT\n" + "\n".join(questions) + "\n")


def _digest(out: Path, verb: str) -> str:
    """Return a hash of what a run made, apart from times."""
    if not out.exists():
        return "nothing"
    files = sorted(f for f in out.rglob("*") if f.is_file()) if out.is_dir() else [out]
    digest = sha256()
    for file in files:
        content = file.read_bytes()
        if verb == "eval run":
            rows = [json.loads(line) for line in content.splitlines()]
            content = json.dumps([(r.get("id"), r.get("output")) for r in rows[1:]]).encode()
        digest.update((file.name.encode() if out.is_dir() else b"") + content)
    return digest.hexdigest()


def main() -> int:
    """Run; 1 if an end was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=50)
    parser.add_argument("--first", type=int, default=0, help="number of the first try")
    parser.add_argument("--verb", nargs="+", choices=VERBS, default=VERBS, help="leave out others")
    arguments = parser.parse_args()
    ends: Counter[tuple[str, str]] = Counter()
    tried = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(folder)
        alone: dict[tuple[str, str], tuple[str, float]] = {}
        for number in range(arguments.first, arguments.first + arguments.tries):
            verb = VERBS[number % len(VERBS)]
            if verb not in arguments.verb:
                continue
            tried += 1
            chance = random.Random(number)
            for which in "ab":
                if (verb, which) not in alone:
                    out = folder / f"alone-{which}{_ending(verb)}"
                    start = time.monotonic()
                    run = subprocess.run(
                        _command(verb, folder, which, out), capture_output=True, check=False
                    )
                    if run.returncode:
                        print(verb, run.stderr.decode()[-300:])
                        return 2
                    alone[verb, which] = (_digest(out, verb), time.monotonic() - start)
                    subprocess.run(["rm", "-rf", str(out)], check=True)
            out = folder / f"out{number}{_ending(verb)}"
            runs = {}
            first = subprocess.Popen(_command(verb, folder, "a", out), stderr=subprocess.PIPE)
            time.sleep(chance.random() * 0.3 * alone[verb, "a"][1])
            second = subprocess.Popen(_command(verb, folder, "b", out), stderr=subprocess.PIPE)
            for which, process in (("a", first), ("b", second)):
                _, err = process.communicate()
                runs[which] = (process.returncode, err.decode())
            found = _digest(out, verb)
            said = {which for which, (code, _) in runs.items() if code == 0}
            made = {which for which in "ab" if alone[verb, which][0] == found}
            refused = all(
                code == 2 and ("is writing it" in err or "other" in err or "already" in err)
                for which, (code, err) in runs.items()
                if which not in said
            )
            right = bool(made & said) and refused if said else found == "nothing"
            if not right:
                print(f"try {number} {verb}: {runs}, made {made}")
            ends[verb, f"{len(said)} said 0" if right else "WRONG"] += 1
            left = [p.name for p in folder.iterdir() if p.name.startswith(f".{out.name}")]
            if left:
                ends[verb, f"leftovers {left}"] += 1
    for (verb, end), count in sorted(ends.items()):
        print(f"{verb:14} {end:20} {count}")
    wrong = sum(count for (_, end), count in ends.items() if "said 0" not in end)
    print(f"{tried} tries, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
