"""What corpora need beyond the base install is asked for by name, and only by who builds them."""

from __future__ import annotations

import subprocess
import sys

import pytest

BLOCKED = """
import sys, importlib.abc
class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"scipy", "sklearn", "sparse_dot_topn"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
import importlib.util as util
found = util.find_spec
util.find_spec = lambda name, package=None: (
    None if name in {"scipy", "sklearn", "sparse_dot_topn"} else found(name, package)
)
"""


def run_without(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + code], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_building_says_which_extra_it_needs() -> None:
    said = run_without(
        "from cybersecqwen.core.errors import MissingExtraError\n"
        "from cybersecqwen.corpus.cleaning.similarity import prepare\n"
        "try:\n"
        "    prepare(['a text'], 8)\n"
        "except MissingExtraError as error:\n"
        "    print(error)\n"
    )
    assert "scipy, sklearn, sparse_dot_topn" in said
    assert "[corpus]" in said


@pytest.mark.parametrize(
    "module",
    [
        "cybersecqwen.apps.corpus",
        "cybersecqwen.corpus.chat.report",
        "cybersecqwen.corpus.records.report",
        "cybersecqwen.corpus.chat.recipe",
        "cybersecqwen.apps.evaluation",
        "cybersecqwen.cli.corpus",
        "cybersecqwen.cli.eval",
    ],
)
def test_reading_and_evaluating_need_none(module: str) -> None:
    run_without(f"import {module}\n")
