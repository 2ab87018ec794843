from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Refuses what only extras bring, as if it were not installed.
WITHOUT_EXTRAS = """
import importlib.util, sys

ABSENT = {"scipy", "sklearn", "sparse_dot_topn", "torch", "transformers", "peft",
          "trl", "datasets", "accelerate", "onnx", "gguf", "xllamacpp", "fastapi", "uvicorn",
          "httpx", "mcp", "pydantic", "cryptography", "bm25s"}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ABSENT else find_spec(name, *rest)
from cybersecqwen.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def call(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    source = str(Path(__file__).parents[1] / "src")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([source, *sys.path]),
        "HOME": str(home),
        "XDG_DATA_HOME": str(home),
    }
    environment.pop("CYBERSECQWEN_KB", None)
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize(
    "words",
    [
        ("map", "The login form concatenates the user name into the SQL query."),
        ("ask", "How can password spraying be mitigated?"),
        ("kb", "search", "kerberoasting"),
        ("kb", "info"),
        ("info",),
        ("--help",),
    ],
)
def test_the_base_install_is_enough(words: tuple[str, ...], tmp_path: Path) -> None:
    done = call(*words, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("train", "specialist", "RECIPE", "--corpus", "OUT", "--out", "OUT"), "train"),
        (("serve",), "serve"),
        (("map", "sql injection", "--model", "gguf:x"), "llm"),
    ],
)
def test_what_an_extra_brings_is_named(words: tuple[str, ...], extra: str, tmp_path: Path) -> None:
    recipes = Path(__file__).parents[1] / "recipes"
    recipe = recipes / (
        "specialist/embedded.yaml" if extra == "train" else "corpus/specialist.yaml"
    )
    names = {"RECIPE": str(recipe), "OUT": str(tmp_path / "out")}
    done = call(*(names.get(word, word) for word in words), home=tmp_path)
    assert done.returncode == 2, done.stderr
    assert f"[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
