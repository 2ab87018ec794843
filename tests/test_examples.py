"""Every example runs, on the package as it ships, and says something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SAYS = {
    "triage_a_feed.py": "CWE-79: 1",
    "second_opinion.py": "the record says CWE-",
    "agent_over_mcp.py": "CWE-22",
    "lab_task.py": "nvd: ",
}


def test_all_are_tried_and_named() -> None:
    files = {path.name for path in EXAMPLES.glob("*.py")}
    assert files == SAYS.keys()
    text = (EXAMPLES / "README.md").read_text("utf-8")
    assert all(f"`{name}`" in text for name in files)


@pytest.mark.parametrize("name", SAYS)
def test_runs(name: str, tmp_path: Path) -> None:
    if name == "agent_over_mcp.py":
        pytest.importorskip("mcp")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert SAYS[name] in done.stdout
