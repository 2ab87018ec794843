"""The tutorial runs as it stands, says what it shows, and needs nothing but the public names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cybersecqwen

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"
CODE = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))
SHOWN = "".join(re.findall(r"```text\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))


def test_the_public_names_are_enough() -> None:
    imported = re.findall(r"^from (\S*cybersecqwen\S*) import (.*)$", CODE, re.MULTILINE)
    assert {module for module, _ in imported} == {"cybersecqwen"}
    names = {name.strip() for _, line in imported for name in line.split(",")}
    assert names <= set(cybersecqwen.__all__)
    assert "import cybersecqwen." not in CODE


def test_it_says_what_the_page_shows(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == SHOWN
