"""The page's logic, tested in Node.js, and its types, checked by TypeScript where that is there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_logic() -> None:
    tests = sorted(str(path) for path in (ROOT / "tests" / "page").glob("*.test.mjs"))
    assert tests
    done = subprocess.run(["node", "--test", *tests], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.skipif(shutil.which("tsc") is None, reason="needs TypeScript's tsc on the path")
def test_the_types() -> None:
    command = ["tsc", "--noEmit", "-p", str(ROOT / "jsconfig.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
