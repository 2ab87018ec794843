"""The public names: each is there, is documented, and costs nothing until it is used."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import cybersecqwen
from cybersecqwen.core.errors import InputError

NAMES = [name for name in cybersecqwen.__all__ if name != "__version__"]


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_documented_with_its_parts(name: str) -> None:
    found = getattr(cybersecqwen, name)
    assert inspect.getdoc(found)
    assert f"``{name}``" in (cybersecqwen.__doc__ or "")
    parts = inspect.getmembers(found, inspect.isroutine) if inspect.isclass(found) else []
    own = [part for part, _ in parts if not part.startswith("_") and part in vars(found)]
    assert all(inspect.getdoc(getattr(found, part)) for part in own)


def test_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, cybersecqwen\n"
        "assert set(cybersecqwen.__all__) <= set(dir(cybersecqwen))\n"
        "heavy = {'numpy', 'onnxruntime', 'torch', 'msgspec', 'tokenizers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = cybersecqwen.Nothing


def test_evaluate_runs_a_task_and_gives_its_scores(tmp_path: Path) -> None:
    data = tmp_path / "quiz.jsonl"
    data.write_text('{"id": "q", "question": "?", "choices": ["a", "b"], "answer": 1}\n')
    script = tmp_path / "mock.jsonl"
    script.write_text('{"reply": "Answer: B"}\n')
    seen: list[tuple[int, int | None]] = []
    found = cybersecqwen.evaluate(
        "quiz",
        data,
        output=tmp_path / "log.jsonl",
        model=f"mock:{script}",
        trials=2,
        on_progress=lambda progress: seen.append((progress.done, progress.total)),
    )
    assert (found.accuracy, found.summary.n, found.failed) == (1.0, 1, [])
    assert [result.name for result in found.baselines] == ["majority", "retrieval"]
    assert seen == [(0, 2), (1, 2), (2, 2)]
    with pytest.raises(InputError, match="no option 'trails'"):
        cybersecqwen.evaluate("quiz", data, output=tmp_path / "other", trails=2)


def test_build_corpus_takes_a_recipe_of_each_kind(tmp_path: Path) -> None:
    from small_corpus import write_small

    recipe = write_small(tmp_path / "data")
    stages: list[str] = []
    built = cybersecqwen.build_corpus(
        recipe,
        tmp_path / "out",
        data=recipe.parent,
        on_progress=lambda progress: stages.append(progress.stage),
    )
    assert (built.folder / "train.jsonl").is_file()
    assert stages
    with pytest.raises(InputError, match="a: cannot be read"):
        cybersecqwen.build_corpus(recipe, tmp_path / "x", teacher="mock:a")
