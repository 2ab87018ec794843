from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cybersecqwen
from cybersecqwen.core.config import load_recipe
from cybersecqwen.core.errors import InputError
from cybersecqwen.corpus.records.build import build_records
from cybersecqwen.corpus.records.recipe import CorpusRecipe
from small_corpus import BENCHMARK_TEXT, TEXTS, write_small

FILES = [
    "manifest.json",
    "removed.jsonl",
    "report.json",
    "report.md",
    "train.jsonl",
    "unlabelled.jsonl",
    "validation.jsonl",
]


def _build(folder: Path, out: Path, **changes: str) -> Path:
    path = write_small(folder)
    text = path.read_text()
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text)
    build_records(load_recipe(path, CorpusRecipe), folder, out)
    return out


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _hashes(folder: Path) -> dict[str, str]:
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.iterdir())}


def test_every_record_ends_in_one_place_with_its_reason(tmp_path: Path) -> None:
    out = _build(tmp_path / "data", tmp_path / "out")
    assert sorted(f.name for f in out.iterdir()) == FILES
    assert _lines(out / "train.jsonl") == [
        {
            "id": "CVE-2020-0001",
            "text": TEXTS["overflow"],
            "published": "2020-03-04",
            "labels": {"nvd": ["CWE-787"], "cna": ["CWE-122"], "adp": []},
        },
        {
            "id": "CVE-2021-0003",
            "text": TEXTS["script"] + " in 2.0",
            "published": "2021-03-05",
            "labels": {"nvd": ["CWE-80"], "cna": [], "adp": []},
        },
        {
            "id": "CVE-2024-0007",
            "text": TEXTS["race"],
            "published": "2024-01-17",
            "labels": {"nvd": ["CWE-416"], "cna": [], "adp": []},
        },
    ]
    assert [r["id"] for r in _lines(out / "validation.jsonl")] == ["CVE-2024-0006"]
    unlabelled = _lines(out / "unlabelled.jsonl")
    assert [r["id"] for r in unlabelled] == ["CVE-2019-0010", "CVE-2021-0004"]
    removed = {r["id"]: r for r in _lines(out / "removed.jsonl")}
    assert {name: r["stage"] for name, r in removed.items()} == {
        "CVE-2019-0011": "rejected",
        "CVE-2020-0005": "benchmark",
        "CVE-2023-9999": "benchmark",
        "CVE-2020-0002": "duplicate",
        "CVE-2024-0008": "guard",
    }
    assert removed["CVE-2019-0011"]["reason"].startswith("cna.jsonl:3: ")
    assert removed["CVE-2020-0005"]["matches"][0]["item"] == "CVE-2023-9999"


def test_the_guard_can_spare_validation_or_mark_it(tmp_path: Path) -> None:
    out = _build(tmp_path / "a", tmp_path / "out-a", **{"guard: validation": "guard: train"})
    assert len(_lines(out / "validation.jsonl")) == 2
    assert "CVE-2024-0007" not in {r["id"] for r in _lines(out / "train.jsonl")}
    out = _build(tmp_path / "b", tmp_path / "out-b", **{"guard: validation": "guard: mark"})
    kept = {r["id"]: r.get("near_train_duplicate", False) for r in _lines(out / "validation.jsonl")}
    assert sorted(kept.values()) == [False, True]
    assert kept["CVE-2024-0008"]
    assert "CVE-2024-0007" in {r["id"] for r in _lines(out / "train.jsonl")}
    crossings = json.loads((out / "report.json").read_text())["crossings"]
    assert (crossings["train"], crossings["validation"]) == (1, 1)


def test_the_report_has_the_numbers_and_no_benchmark_text(tmp_path: Path) -> None:
    out = _build(tmp_path / "data", tmp_path / "out")
    report = json.loads((out / "report.json").read_text())
    assert [(s["path"], s["records"], s["new"]) for s in report["sources"]] == [
        ("nvd.jsonl", 9, 9),
        ("cna.jsonl", 2, 1),
    ]
    assert report["merged"] == 10
    assert report["dropped_labels"]["prohibited"] == {"nvd": {"CWE-264": 1}}
    assert report["duplicates"]["train"] == {"removed": {"digits": 1}, "other_label": 1}
    before = {o["measure"]: (o["items"], o["rows"]) for o in report["overlap_before"]}
    assert before["id"] == (1, 1)
    assert before["text"] == (1, 1)
    assert all((o["items"], o["rows"]) == (0, 0) for o in report["overlap_after"])
    assert report["parts"]["train"]["first_labels"]["cna"] == {"CWE-122": 1}
    for name in FILES:
        assert BENCHMARK_TEXT not in (out / name).read_text()
    page = (out / "report.md").read_text()
    assert "| bench.tsv | 1 | id | 1 | 1 | 0 | 0 |" in page
    assert "| CVE-2020-0005 | text | bench.tsv | CVE-2023-9999 | 1.0000 |" in page


def test_the_manifest_names_every_input_and_output_by_hash(tmp_path: Path) -> None:
    out = _build(tmp_path / "data", tmp_path / "out")
    manifest = json.loads((out / "manifest.json").read_text())
    hashes = _hashes(out)
    del hashes["manifest.json"]
    assert manifest["outputs"] == hashes
    inputs = _hashes(tmp_path / "data")
    del inputs["small.yaml"]
    assert manifest["inputs"] == inputs
    assert manifest["package"] == cybersecqwen.__version__
    assert manifest["recipe"]["near_duplicate"]["cosine"] == 0.8


def test_a_folder_of_files_is_a_source_and_every_file_of_it_an_input(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_small(data)
    (data / "feeds").mkdir()
    (data / "nvd.jsonl").rename(data / "feeds" / "nvd.jsonl")
    recipe = data / "small.yaml"
    recipe.write_text(recipe.read_text().replace("path: nvd.jsonl", "path: feeds"))
    build_records(load_recipe(recipe, CorpusRecipe), data, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert sorted(manifest["inputs"]) == ["bench.tsv", "cna.jsonl", "feeds/nvd.jsonl"]
    assert len(_lines(tmp_path / "out" / "train.jsonl")) == 3


def test_another_folder_another_hash_seed_the_same_bytes(tmp_path: Path) -> None:
    here = _hashes(_build(tmp_path / "data", tmp_path / "out"))
    recipe = write_small(tmp_path / "elsewhere" / "data")
    command = _command(recipe, tmp_path / "other")
    environment = _environment() | {"PYTHONHASHSEED": "12345"}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert _hashes(tmp_path / "other") == here


def test_a_missing_source_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    write_small(tmp_path / "data")
    (tmp_path / "data" / "cna.jsonl").unlink()
    recipe = load_recipe(tmp_path / "data" / "small.yaml", CorpusRecipe)
    with pytest.raises(InputError, match=r"cna\.jsonl"):
        build_records(recipe, tmp_path / "data", tmp_path / "out")
    assert [f.name for f in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("moment", [".", "train.jsonl"])
def test_killed_and_run_again_the_output_is_the_same(tmp_path: Path, moment: str) -> None:
    recipe = write_small(tmp_path / "data")
    whole = _build(tmp_path / "data", tmp_path / "whole")
    out = tmp_path / "out"
    process = subprocess.Popen(_command(recipe, out), env=_environment())
    while process.poll() is None and not (tmp_path / ".out.part" / moment).exists():
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not out.exists()
    assert (tmp_path / ".out.part" / moment).exists()
    subprocess.run(_command(recipe, out), env=_environment(), check=True)
    assert _hashes(out) == _hashes(whole)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["data", "out", "whole"]


def _command(recipe: Path, out: Path) -> list[str]:
    code = (
        "import sys; from pathlib import Path\n"
        "from cybersecqwen.core.config import load_recipe\n"
        "from cybersecqwen.corpus.records.build import build_records\n"
        "from cybersecqwen.corpus.records.recipe import CorpusRecipe\n"
        "recipe, out = map(Path, sys.argv[1:])\n"
        "build_records(load_recipe(recipe, CorpusRecipe), recipe.parent, out)\n"
    )
    return [sys.executable, "-c", code, str(recipe), str(out)]


def _environment() -> dict[str, str]:
    source = str(Path(cybersecqwen.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": source}
