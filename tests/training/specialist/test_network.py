from __future__ import annotations

import re
from pathlib import Path

import pytest

from traced_process import STRACE, Sandbox
from training.specialist.test_run import RECIPE

pytestmark = pytest.mark.skipif(STRACE is None, reason="no strace here; .ci/run installs it")


def test_training_sends_nothing_and_leaves_nothing_elsewhere(
    base_folder: Path, corpus_folder: Path, tmp_path: Path
) -> None:
    sandbox = Sandbox(tmp_path / "sandbox")
    # Every stage once, as short as can be: what it learns is not looked at.
    short = re.sub(r"epochs: \d+", "epochs: 1", RECIPE)
    (sandbox.work / "tiny.yaml").write_text(short.format(base=base_folder, teacher=base_folder))
    done = sandbox.run(
        "train", "specialist", "tiny.yaml", "--corpus", str(corpus_folder), "--out", "model"
    )
    assert done.returncode == 0, done.stderr
    sandbox.check()
