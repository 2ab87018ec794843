"""train lora, export and map, one after another, as a user types them."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import pytest

for module in ("torch", "peft", "trl", "gguf", "xllamacpp", "onnx"):
    pytest.importorskip(module)
pytestmark = pytest.mark.torch

from cybersecqwen.apps.general_card import add_general_check  # noqa: E402
from cybersecqwen.cli.main import main  # noqa: E402
from cybersecqwen.core.model_files import describe_model_files  # noqa: E402
from tiny_chat import write_base, write_corpus  # noqa: E402

RECIPE = """
name: tiny
base: {base}
adapter: {{rank: 4, alpha: 8}}
fit: {{epochs: 1, batch: 16, learning_rate: 5e-3}}
max_tokens: 128
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("job")
    write_base(folder / "base", width=64)
    write_corpus(folder / "corpus")
    (folder / "recipe.yaml").write_text(RECIPE.format(base=folder / "base"))
    return folder


def said(capfd: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, object]:
    capfd.readouterr()
    code = main([str(word) for word in words])
    out, err = capfd.readouterr()
    assert code == 0, err
    found: dict[str, object] = json.loads(out)
    return found


def refused(capfd: pytest.CaptureFixture[str], *words: str | Path) -> str:
    capfd.readouterr()
    assert main([str(word) for word in words]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_the_whole_job(
    place: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = functools.partial(add_general_check, limit=2, max_tokens=2)
    monkeypatch.setattr("cybersecqwen.apps.training.add_general_check", few)
    train = ("train", "lora", place / "recipe.yaml", "--corpus", place / "corpus", "--general")
    results = said(capfd, *train, "--out", place / "adapter", "--json")
    assert results["steps"] == 3
    card = (place / "adapter" / "README.md").read_text()
    told = r"(?s)2 neutral prompts .*this model [01]\.\d{3}\s\[.*paired\. Divergence"
    assert re.search(told, card)
    assert "nor the check" not in card
    checked = describe_model_files(place / "adapter").checked
    assert {"general-base.jsonl", "README.md"} <= set(checked)
    merged = said(capfd, "export", "merge", place / "adapter", "--out", place / "m", "--json")
    assert merged["comparison"]["same_text"] == 5  # type: ignore[index]
    assert json.loads((place / "m" / "check.json").read_text()) == merged
    half = ("export", "adapter", place / "adapter", "--type", "bf16", "--out", place / "half")
    assert said(capfd, *half, "--json")["bytes"]
    file = place / "m.gguf"
    text = place / "corpus" / "train.jsonl"
    made = said(
        capfd, "export", "gguf", place / "m", "--type", "q8_0", "--out", file,
        "--imatrix-text", text, "--threads", "1", "--json",
    )  # fmt: skip
    assert str(made["importance"]).startswith("train.jsonl ")
    assert (place / "m.gguf.check.json").is_file()
    for spec, option in (
        (f"hf:{place / 'adapter'}", "batch_size=1"),
        (f"gguf:{file}", "threads=1"),
    ):
        asked = ("map", "a query joins user input", "--model", spec, "--option", option)
        row = said(capfd, *asked, "--json")
        assert set(row) >= {
            "id", "cwe", "name", "confidence", "candidates", "abstained", "backoff", "model",
        }  # fmt: skip
        assert spec in str(row["model"])
        assert "shortlist of 10" in str(row["model"])


def test_an_explained_row_says_why(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spec = f"hf:{place / 'base'}"
    asked = ("map", "a query joins user input", "--model", spec, "--shortlist", "3")
    row = said(capfd, *asked, "--explain", "--json")
    assert row["reason"]
    assert "shortlist of 3" in str(row["model"])
    assert "no place" in refused(capfd, *asked, "--explain", "--to", "csv")
    assert "go with a language model" in refused(capfd, "map", "text", "--explain")


def test_a_corpus_with_benchmark_items_is_not_learnt(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shared = place / "bench.tsv"
    prompt = (
        "Which harbour did the grey ferry reach when winter storms had closed every other port "
        "along that northern coast?"
    )
    shared.write_text(f"Question\tGT\n{prompt}\tA\n")
    row = json.dumps({"prompt": prompt, "response": "A"})
    (place / "bad.jsonl").write_text(row + "\n")
    recipe = place / "recipe.yaml"
    bad = ("train", "lora", recipe, "--corpus", place / "bad.jsonl", "--out", place / "never")
    assert "1 rows overlap a benchmark" in refused(capfd, *bad, "--against", shared)
    assert not (place / "never").exists()
    clean = ("train", "lora", recipe, "--corpus", place / "corpus" / "train.jsonl")
    said(capfd, *clean, "--out", place / "proven", "--against", shared, "--json")
    record = json.loads((place / "proven" / "training.json").read_text())
    assert set(record["corpus"]["checked_against"]) == {"bench.tsv"}
    assert "bench.tsv" in (place / "proven" / "README.md").read_text()


def test_calls_that_cannot_work_are_refused(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lora = ("train", "lora", place / "recipe.yaml", "--out", place / "x")
    assert "no such corpus" in refused(capfd, *lora, "--corpus", place / "nothing")
    gguf = ("export", "gguf", place / "base", "--out", place / "corpus")
    assert "is there already" in refused(capfd, *gguf)
    assert "no adapter" in refused(capfd, "export", "merge", place / "base", "--out", place / "x")
    nothing = place / "nothing"
    for what in ("merge", "adapter", "gguf"):
        said_of = refused(capfd, "export", what, nothing, "--out", place / "x")
        assert f"{nothing}: no" in said_of
        assert "no such folder; give" in said_of
    assert "holds no train.jsonl" in refused(capfd, *lora, "--corpus", place / "base")


def test_steps_are_timed(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    timed = ("train", "benchmark", place / "recipe.yaml", "--shape", "tiny", "--steps", "1")
    found = said(capfd, *timed, "--example-tokens", "40", "--json")
    assert found["steps"] == 1
