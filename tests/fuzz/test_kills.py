"""A short run of ``fuzz/kills.py``, and of ``fuzz/large_files.py`` with its files made small."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone")


@linux
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("verb", ["kb build", "bundle key"])
def test_a_verb_killed_at_its_system_calls_loses_nothing(verb: str, tmp_path: Path) -> None:
    from kill_cases import CASES
    from kills import strike

    if verb == "bundle key":
        pytest.importorskip("cryptography")
    count = strike(CASES[verb], tmp_path, most=6)
    assert count.wrong == []
    assert count.kills >= 5
    assert count.calls > 10


@linux
def test_large_files_take_little_memory(tmp_path: Path) -> None:
    kinds = ["CSV, one cell", "JSON record of lists", "JSON array of lists", "zip in zip"]
    out = tmp_path / "peaks.json"
    # A process of its own: Linux counts the peak of whoever starts a program as that program's.
    words = ["--kind", *kinds, "--verb", "data import", "--seconds", "20", "--json", str(out)]
    script = Path(__file__).parents[2] / "fuzz" / "large_files.py"
    subprocess.run([sys.executable, str(script), *words], check=True, capture_output=True)
    peaks = json.loads(out.read_text("utf-8"))
    assert [peak["kind"] for peak in peaks] == kinds
    for peak in peaks:
        assert peak["wrong"] == ""
        assert peak["code"] is not None, f"{peak['kind']}: not done in 20 s of the processor"
        assert peak["peak"] < 600
