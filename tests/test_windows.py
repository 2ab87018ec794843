"""What Windows lacks is taken away here: every verb's module must be importable all the same."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "cybersecqwen"

WITHOUT_UNIX = """
import os, sys

ABSENT = {"resource", "fcntl", "pwd", "grp", "termios", "uvloop"}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in ABSENT:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
for name in ("sysconf", "sched_getaffinity", "getuid", "fork"):
    if hasattr(os, name):
        delattr(os, name)
from cybersecqwen.cli.main import VERBS, build_parser
import cybersecqwen.apps.map_stream, cybersecqwen.core.resources
build_parser()
assert cybersecqwen.core.resources.usable_memory() > 0
assert cybersecqwen.core.resources.usable_cores() > 0
"""


def test_imports_without_what_only_unix_has() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(SOURCE.parent), *sys.path])}
    # The lock's own module asks sys.platform which of the two systems' modules to import.
    code = "import cybersecqwen.core.locks\n" + WITHOUT_UNIX
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_module_imports_what_only_unix_has_unguarded() -> None:
    found = []
    for file in SOURCE.rglob("*.py"):
        for node in ast.parse(file.read_text("utf-8")).body:  # top level: not in an if or a try
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if {"resource", "fcntl", "pwd", "grp", "termios", "uvloop"} & set(names):
                found.append(str(file.relative_to(SOURCE)))
    assert found == []
