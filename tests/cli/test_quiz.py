from __future__ import annotations

import json
from pathlib import Path

import pytest

from cybersecqwen.cli.main import main
from mitre_files import write_all


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return write_all(tmp_path)


def _recipe(folder: Path, *sources: str) -> Path:
    path = folder / "quiz.yaml"
    path.write_text(f"name: q\nsources: [{', '.join(sources)}]\noptions: [2]\n")
    return path


def test_a_quiz_is_made_of_official_files(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = _recipe(tmp_path, *(path.name for path in files.values()))
    out = tmp_path / "quiz"
    assert main(["corpus", "quiz", str(recipe), "--out", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    rows = [json.loads(line) for name in report["parts"] for line in (out / f"{name}.jsonl").open()]
    assert len(rows) == sum(part["rows"] for part in report["parts"].values()) > 0
    assert all(len(row["choices"]) == 2 for row in rows)


def test_a_file_of_another_kind_is_refused(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.json").write_text('{"neither": 1}')
    out = tmp_path / "quiz"
    assert main(["corpus", "quiz", str(_recipe(tmp_path, "other.json")), "--out", str(out)]) == 2
    assert "other.json: neither a STIX bundle" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.torch
def test_a_reader_is_trained_on_a_quiz(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("accelerate")
    kb, quiz, out = tmp_path / "kb", tmp_path / "quiz", tmp_path / "reader.npz"
    assert main(["kb", "build", "--attack", str(files["attack"]), "--out", str(kb)]) == 0
    quiz.mkdir()
    row = {
        "kind": "technique-tactic",
        "wording": "plain",
        "thinned": 0,
        "question": "Which tactic does Lantern Guessing belong to?",
        "choices": ["Moth Swarm", "Credential Access"],
        "answer": 1,
    }
    for name in ("train", "validation"):
        lines = (json.dumps(row | {"id": f"{name}-{n}"}) + "\n" for n in range(6))
        (quiz / f"{name}.jsonl").write_text("".join(lines))
    recipe = tmp_path / "reader.yaml"
    recipe.write_text("name: r\nhidden: 2\nepochs: 3\n")
    capsys.readouterr()
    words = ["train", "ranker", str(recipe), "--quiz", str(quiz), "--kb", str(kb)]
    assert main([*words, "--out", str(out), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert scores["all"]["questions"] == 6
    assert out.stat().st_size > 0
