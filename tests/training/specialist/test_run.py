from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.torch

from cybersecqwen.core.config import load_recipe  # noqa: E402
from cybersecqwen.core.errors import InputError  # noqa: E402
from cybersecqwen.core.files import sha256_file  # noqa: E402
from cybersecqwen.training.lora.tiny_base import write_tiny_base  # noqa: E402
from cybersecqwen.training.recipes.specialist import SpecialistRecipe  # noqa: E402
from cybersecqwen.training.specialist.run import train_specialist  # noqa: E402
from killing import killed_when  # noqa: E402

RECIPE = """
name: tiny
base: {base}
layers: [0]
labellers: [nvd, cna]
min_piece_count: 1
fit: {{epochs: 8, batch_size: 16, learning_rate: 8e-3}}
pretrain: {{fit: {{epochs: 1, batch_size: 32, learning_rate: 1e-3}}}}
supervision: {{soft: 0.5}}
refit: {{labellers: [cna], rows: 100, epochs: 2, keep: 0.3, taught: 0.3}}
years: {{first: 2021, last: 2024, assumed: 2024, names: 0.7}}
views: {{year: 0.4, assumed: 0.4}}
teachers:
  - base: {teacher}
    fit: {{epochs: 4, batch_size: 16, learning_rate: 5e-3}}
    views: {{year: 0.6, padded: 0, empty: 0}}
"""


# The teacher is a causal language model: an encoder in its place runs the same lines.
@pytest.fixture(scope="module")
def recipe_file(base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    teacher = folder / "language-model"
    write_tiny_base(teacher, ["a script in a page, a query of a table, a write to a heap buffer"])
    path = folder / "tiny.yaml"
    path.write_text(RECIPE.format(base=base_folder, teacher=teacher))
    return path


@pytest.fixture(scope="module")
def trained(
    recipe_file: Path, corpus_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("models") / "tiny"
    recipe = load_recipe(recipe_file, SpecialistRecipe)
    results = train_specialist(recipe, corpus_folder, out, resume=False, report=lambda *_: None)
    assert results is not None
    assert results.int8["nvd"].accuracy > 0.9
    assert results.int8["cna"].accuracy > 0.9
    assert abs(results.int8["nvd"].accuracy - results.float32["nvd"].accuracy) < 0.05
    return out


def test_the_folder_answers_through_the_runtime(trained: Path) -> None:
    from cybersecqwen.specialists import CweMapper

    mapper = CweMapper.load(trained)
    assert mapper.map("a flaw in query database table select").cwe == "CWE-89"
    assert (
        mapper.map("a heap buffer memory write bounds flaw in product", labeller="cna").cwe
        == "CWE-787"
    )


def test_a_record_is_read_as_of_its_year_and_a_text_as_of_none(trained: Path) -> None:
    from cybersecqwen.core.records import Advisory
    from cybersecqwen.specialists import CweMapper

    mapper = CweMapper.load(trained)
    text = "a flaw in query of a product"
    dated = [Advisory("a", text, published=day) for day in ("2024-05-01", "2021-05-01")]
    bare, late, early, clamped = mapper.probabilities(
        [text, *dated, Advisory("CVE-2009-1111", text)], labeller="nvd"
    )
    assert early.tolist() == clamped.tolist()
    assert late.tolist() != early.tolist()
    assert bare.tolist() not in (late.tolist(), early.tolist())


def test_the_card_and_curves_come_from_the_run(trained: Path) -> None:
    assert "4 CWE ids" in (trained / "README.md").read_text()
    assert '"loss"' in (trained / "training.json").read_text()
    assert not trained.with_name("tiny.work").exists()


def test_a_taken_folder_or_another_runs_work_is_refused(
    trained: Path, recipe_file: Path, corpus_folder: Path, tmp_path: Path
) -> None:
    recipe = load_recipe(recipe_file, SpecialistRecipe)
    with pytest.raises(InputError, match="is there already"):
        train_specialist(recipe, corpus_folder, trained, resume=True, report=lambda *_: None)
    work = tmp_path / "new.work"
    work.mkdir()
    (work / "run.txt").write_text("something else")
    with pytest.raises(InputError, match="another recipe or corpus"):
        train_specialist(
            recipe, corpus_folder, tmp_path / "new", resume=True, report=lambda *_: None
        )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_and_resumed_it_makes_the_same_model(
    trained: Path, recipe_file: Path, corpus_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tiny"
    work = tmp_path / "tiny.work"
    recipe = load_recipe(recipe_file, SpecialistRecipe)

    def run() -> None:
        train_specialist(recipe, corpus_folder, out, resume=True, report=lambda *_: None)

    # Killed between stages, where a run has most to remember.
    for reached in ("teacher-0/model.safetensors", "student/pretrain/model.safetensors"):
        killed_when((work / reached).exists, run)
    run()
    assert sha256_file(out / "model.onnx") == sha256_file(trained / "model.onnx")
    assert not work.exists()
