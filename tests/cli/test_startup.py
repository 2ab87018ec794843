"""What a single text imports: start-up is most of the time that its answer takes."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from cybersecqwen.cli.main import main
assert main(["map", "--json", "SQL injection in the login form"]) == 0
needless = {"cybersecqwen.sources", "cybersecqwen.knowledge", "yaml", "tarfile", "jinja2"}
print(sorted(needless & set(sys.modules)), file=sys.stderr)
"""


def test_a_single_text_needs_no_reader_of_files() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stderr.strip() == "[]"
