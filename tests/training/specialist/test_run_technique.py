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
from cybersecqwen.training.lora.tiny_base import write_tiny_base  # noqa: E402
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
averaged: [7]
fit: {{epochs: 5, batch_size: 32, learning_rate: 1e-2}}
teachers:
  - base: {teacher}
    fit: {{epochs: 3, batch_size: 32, learning_rate: 1e-2}}
"""


def made(count: int, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        technique = draw.choice(list(WORDS))
        words = " ".join(draw.choices([*WORDS[technique].split(), "a", "in"], k=8))
        row = {"text": "{actor} " + words, "technique": technique}
        kind = "report" if number % 3 == 0 else "procedure"
        rows.append({**row, "kind": kind, "group": f"S{seed}{number // 6:04}"})
    return rows


def paragraphs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the rows of each group say, as one report."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    return [
        {
            "text": " ".join(row["text"].replace("{actor}", "It") + "." for row in found),
            "techniques": sorted({row["technique"] for row in found}),
            "group": group,
        }
        for group, found in groups.items()
    ]


@pytest.fixture(scope="module")
def technique_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("techniques")
    techniques = [{"id": name, "name": name, "text": text} for name, text in WORDS.items()]
    train, validation = made(160, 1), made(120, 2)
    openings = [
        {"text": f"{row['group']} is a tool.", "name": row["group"], "group": row["group"]}
        for row in train[::6]
    ]
    content = {
        "techniques": techniques,
        "train": train,
        "validation": validation,
        "paragraphs": paragraphs(train),
        "reports": paragraphs(validation),
        "openings": openings,
    }
    for name, rows in content.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "report.json").write_text('{"attack_version": "2026-01-01"}')
    return folder


def test_a_tiny_recipe_makes_a_classifier_that_answers(
    base_folder: Path, technique_corpus: Path, tmp_path: Path
) -> None:
    file = tmp_path / "tiny.yaml"
    # The teacher is a causal language model: an encoder in its place runs the same lines.
    teacher = tmp_path / "language-model"
    write_tiny_base(teacher, list(WORDS.values()))
    file.write_text(RECIPE.format(base=base_folder, teacher=teacher))
    recipe = load_recipe(file, TechniqueRecipe)
    out = tmp_path / "technique"
    stages: list[str] = []
    results = train_technique(
        recipe,
        technique_corpus,
        out,
        resume=False,
        report=lambda stage, _: stages.append(stage),
        open_reader=TechniqueClassifier.from_pretrained,
    )
    assert stages == ["teacher 0", "student 0", "student 1"]
    assert results["reports"]["mean_f1"] > 0.6
    classifier = TechniqueClassifier.from_pretrained(out)
    assert classifier.config.report.bias != 0
    assert classifier.config.scenario is not None
    assert classifier.classify("heap buffer memory write bounds")[0].id == "T1055"
    assert classifier.classify("select union table query database")[0].id == "T1005"
    assert "tiny-technique" in (out / "README.md").read_text()
