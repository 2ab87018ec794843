from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.torch

from cybersecqwen.apps.training import train_specialist  # noqa: E402
from cybersecqwen.core.errors import InputError, ModelError  # noqa: E402
from cybersecqwen.specialists.severity import SeverityScorer  # noqa: E402
from cybersecqwen.training.recipes.severity import SeverityRecipe  # noqa: E402
from cybersecqwen.training.recipes.specialist import Fit  # noqa: E402

LEAK = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
SCRIPT = "CVSS:3.1/AV:N/AC:L/PR:L/UI:R/S:C/C:L/I:L/A:N"
LOCAL = "CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:H/I:H/A:H"
VECTORS = {"CWE-79": SCRIPT, "CWE-89": LEAK, "CWE-787": LOCAL, "CWE-22": LEAK}

RECIPE = """
name: tiny-severity
base: {base}
layers: [0]
min_piece_count: 1
fit: {{epochs: 12, batch_size: 16, learning_rate: 8e-3}}
pretrain: {{fit: {{epochs: 1, batch_size: 32, learning_rate: 1e-3}}}}
views: {{padded: 0.05, empty: 0.02, most_sentences: 2}}
teachers:
  - base: {base}
    fit: {{epochs: 6, batch_size: 16, learning_rate: 5e-3}}
"""


@pytest.fixture(scope="module")
def scored_corpus(corpus_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny corpus whose rows have the vectors of their weaknesses."""
    folder = tmp_path_factory.mktemp("scored")
    for file in corpus_folder.glob("*.jsonl"):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows:
            if row["labels"]:
                vector = VECTORS[row["labels"]["nvd"][0]]
                row["vectors"] = {"nvd": [vector], "cna": [vector]}
        (folder / file.name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_a_tiny_recipe_makes_a_scorer_that_answers(
    base_folder: Path, scored_corpus: Path, tmp_path: Path
) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(RECIPE.format(base=base_folder))
    out = tmp_path / "severity"
    stages: list[str] = []
    results = train_specialist(
        file,
        scored_corpus,
        out,
        kind="severity",
        on_progress=lambda progress: stages.append(progress.stage.partition(":")[0]),
    )
    assert isinstance(results, dict)
    assert results["description"]["nvd"]["rows"] > 0
    assert stages == ["teacher 0", "student"]
    assert not out.with_name("severity.work").exists()
    scorer = SeverityScorer.from_pretrained(out)
    texts = ["script page browser markup cookie in product", "buffer heap memory bounds write"]
    first, second = scorer.score_many(texts)
    assert first.vector == SCRIPT
    assert second.vector == LOCAL
    assert first.score == 5.4
    assert "tiny-severity" in (out / "README.md").read_text()
    assert scorer.config.words == 0.15
    reading = next(scorer.read(texts[:1], "nvd"))
    wordless = SeverityScorer.from_pretrained(without_words(out, tmp_path))
    alone = next(wordless.read(texts[:1], "nvd"))
    # What the words say is added to the logits of version 3.1, and to no others.
    differs = abs(reading.logits - alone.logits) > 1e-4
    assert differs[:66].mean() > 0.5
    assert not differs[66:].any()
    (out / "words.npz").write_bytes(b"")
    with pytest.raises(ModelError, match="damaged"):
        SeverityScorer.from_pretrained(out)


def without_words(folder: Path, place: Path) -> Path:
    """Return a copy of a model that knows no words."""
    copy = shutil.copytree(folder, place / "without")
    config = json.loads((copy / "config.json").read_text())
    del config["words"], config["sha256"]["words.npz"]
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def test_a_corpus_without_vectors_is_refused(corpus_folder: Path, tmp_path: Path) -> None:
    recipe = SeverityRecipe(name="none", fit=Fit(epochs=1, batch_size=8, learning_rate=1e-3))
    with pytest.raises(InputError, match="no rows with CVSS vectors"):
        train_specialist(recipe, corpus_folder, tmp_path / "out", kind="severity")
