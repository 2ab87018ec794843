from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.torch

from cybersecqwen.core.config import load_recipe  # noqa: E402
from cybersecqwen.specialists.technique import TechniqueClassifier  # noqa: E402
from cybersecqwen.training.recipes.technique import TechniqueRecipe  # noqa: E402
from cybersecqwen.training.specialist.run import train_technique  # noqa: E402

WORDS = {
    "T1059": "script page browser cookie markup",
    "T1005": "query database table select union",
    "T1055": "buffer heap write memory bounds",
    "T1083": "path directory file traversal dot",
}
RECIPE = """
name: tiny-technique
base: {base}
layers: [0]
fit: {{epochs: 12, batch_size: 16, learning_rate: 5e-3}}
teachers:
  - base: {base}
    fit: {{epochs: 6, batch_size: 16, learning_rate: 5e-3}}
"""


def made(count: int, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        technique = draw.choice(list(WORDS))
        words = " ".join(draw.choices([*WORDS[technique].split(), "a", "in"], k=8))
        row = {"text": "{actor} " + words, "technique": technique}
        kind = "report" if number % 3 == 0 else "procedure"
        rows.append({**row, "kind": kind, "group": f"S{seed}{number:04}"})
    return rows


@pytest.fixture(scope="module")
def technique_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("techniques")
    techniques = [{"id": name, "name": name, "text": text} for name, text in WORDS.items()]
    content = {"techniques": techniques, "train": made(160, 1), "validation": made(120, 2)}
    for name, rows in content.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "report.json").write_text('{"attack_version": "2026-01-01"}')
    return folder


def test_a_tiny_recipe_makes_a_classifier_that_answers(
    base_folder: Path, technique_corpus: Path, tmp_path: Path
) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(RECIPE.format(base=base_folder))
    recipe = load_recipe(file, TechniqueRecipe)
    out = tmp_path / "technique"
    stages: list[str] = []
    train_technique(
        recipe, technique_corpus, out, resume=False, report=lambda stage, _: stages.append(stage)
    )
    assert stages == ["teacher 0", "student"]
    classifier = TechniqueClassifier.from_pretrained(out)
    assert classifier.classify("heap buffer memory write bounds")[0].id == "T1055"
    assert classifier.classify("select union table query database")[0].id == "T1005"
    assert "tiny-technique" in (out / "README.md").read_text()
