"""The kill harness must pass what recovers and fail what does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HARNESS = Path(__file__).parents[2] / "benchmarks" / "killed.py"


def run(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, HARNESS, "--tries=3", *options, "--", "sh", "-c", script, "sh", "{out}"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_that_starts_over_leaves_the_same() -> None:
    done = run('sleep 0.3; echo done > "$1"')
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 outputs are the same" in done.stdout


def test_a_command_that_appends_without_looking_is_caught() -> None:
    done = run('echo row >> "$1"; sleep 0.5; echo end >> "$1"')
    assert done.returncode == 1, done.stdout + done.stderr
    assert "3 of 3 outputs are the same" not in done.stdout


def test_times_in_an_output_can_be_left_out() -> None:
    script = 'mkdir -p "$1"; echo same > "$1/model"; date +%N > "$1/time"'
    assert run(script).returncode == 1
    assert run(script, "--only", "model").returncode == 0
    assert run(script, "--digest", "cat {out}/model").returncode == 0


def test_a_command_that_leaves_nothing_is_no_success() -> None:
    done = run("exit 2")
    assert done.returncode == 2
    assert "nothing to compare" in done.stdout
