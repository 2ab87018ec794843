"""From raw data to a card: every stage with a tiny model, and going on after a stage is lost."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

for module in ("torch", "trl", "peft", "gguf", "xllamacpp", "sklearn", "sparse_dot_topn"):
    pytest.importorskip(module)
pytestmark = pytest.mark.torch

from safetensors.torch import load_file  # noqa: E402

from cybersecqwen.apps.evaluation import measure_model_divergence  # noqa: E402
from cybersecqwen.apps.progress import ignore  # noqa: E402
from cybersecqwen.apps.reproduce import _Plan, _timed, _times, _tuned, reproduce  # noqa: E402
from cybersecqwen.apps.reproduce_inputs import (  # noqa: E402
    ReproduceOptions,
    read_recipes,
    tell_before,
)
from cybersecqwen.cli.main import main  # noqa: E402
from cybersecqwen.core.chat import Message  # noqa: E402
from cybersecqwen.core.errors import InputError  # noqa: E402
from cybersecqwen.core.files import sha256_file  # noqa: E402
from cybersecqwen.core.model_files import describe_model_files  # noqa: E402
from cybersecqwen.llm import open_backend  # noqa: E402
from cybersecqwen.training.recipes.lora import LoraRecipe, Schedule  # noqa: E402
from small_chat import write_small_chat  # noqa: E402
from tiny_chat import write_base, write_corpus  # noqa: E402

LORA = Path(__file__).parents[2] / "recipes" / "lora" / "cybersecqwen.yaml"
HEAD = "URL\tQuestion\tOption A\tOption B\tOption C\tOption D\tPrompt\tGT\n"
ITEM = "https://example.org/{n}\tWhat is {n}?\tone\ttwo\tthree\tfour\tWhat is {n}? A letter.\tB\n"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw data with a benchmark of multiple choice, and the recipes of a small job."""
    folder = tmp_path_factory.mktemp("reproduce")
    recipe = write_small_chat(folder / "data")
    items = "".join(ITEM.format(n=n) for n in range(3))
    (folder / "data" / "cti-mcq.tsv").write_text(HEAD + items)
    for kind in ("corpus", "lora"):
        (folder / "recipes" / kind).mkdir(parents=True)
    named = recipe.read_text().replace("[bench.tsv]", "[bench.tsv, cti-mcq.tsv]")
    (folder / "recipes" / "corpus" / "small.yaml").write_text(named)
    shutil.copyfile(LORA, folder / "recipes" / "lora" / "small.yaml")
    return folder


def test_a_dry_run_goes_through_every_stage_and_is_gone_on_with(
    ground: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ground / "out"
    words = ["reproduce", "--dry-run", "--recipe", "small", "--recipes", str(ground / "recipes")]
    words += ["--data", str(ground / "data"), "--out", str(out), "--json"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["card"] == str(out / "README.md")
    assert "of training" in told.err
    assert "of disk" in told.err
    card = (out / "README.md").read_text()
    assert card.count("| general | `ref") == 1
    for protocol in ("ref", "constrained"):
        assert f"| cti-mcq | `{protocol}" in card
    assert "nats a token" in card
    assert "A dry run" in card
    digest = sha256_file(out / "corpus" / "train.jsonl")[:16]
    for stated in (f"train.jsonl `{digest}`", "- scale: 0.7", "## Licence", "- expected: training"):
        assert stated in card
    assert (out / "merged" / "README.md").read_text() == card
    assert describe_model_files(out / "merged").sha256["README.md"]
    assert "gguf" in json.loads((out / "times.json").read_text())
    assert "6 answers to write" in told.err or "8 answers to write" in told.err
    names = {path.name for path in out.iterdir()}
    assert {"corpus", "check.json", "estimate.json", "adapter", "merged", "report"} <= names
    assert (out / "corpus" / "replay.jsonl").is_file()
    settings = [
        json.loads((out / name / "adapter_config.json").read_text())
        for name in ("adapter", "scaled")
    ]
    assert settings[1]["lora_alpha"] == pytest.approx(0.7 * settings[0]["lora_alpha"])
    assert (out / "model-q8_0.gguf").stat().st_size > 1e5
    assert len(list((out / "logs").glob("*.jsonl"))) == 6
    # A stage whose result is gone is done again, and no other.
    results = ("corpus", "merged/model.safetensors", "report")
    made = {name: (out / name).stat().st_mtime_ns for name in results}
    (out / ".adapter.work.old").mkdir()  # as a kill leaves it once the adapter is whole
    (out / "divergence.json").unlink()
    (out / "README.md").unlink()
    assert main(words) == 0
    again = (out / "README.md").read_text()
    assert again.split("## What it took")[0] == card.split("## What it took")[0]
    assert capsys.readouterr().err.count(" is there\n") == 15
    assert {name: (out / name).stat().st_mtime_ns for name in made} == made
    assert not (out / ".adapter.work.old").exists()


def test_a_model_has_not_moved_from_itself(
    ground: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ground / "out" / "tiny-base"
    if not base.is_dir():
        pytest.skip("needs the dry run's base")
    found = measure_model_divergence(f"hf:{base}", f"hf:{base}", limit=2)
    assert found.nats_per_token == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match="at least 1"):
        measure_model_divergence(f"hf:{base}", f"hf:{base}", limit=0)
    assert (
        main(
            [
                "eval",
                "divergence",
                "--base",
                f"hf:{base}",
                "--model",
                f"hf:{base}/../merged",
                "--limit",
                "3",
                "--json",
            ]
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out)["prompts"] <= 3


def test_an_adapter_is_put_on_the_base_that_is_named(ground: Path) -> None:
    out = ground / "out"
    if not (out / "adapter").is_dir():
        pytest.skip("needs the dry run's adapter")
    asked = [Message("user", "Which weakness is it?")]
    put_on = open_backend(f"hf:{out / 'tiny-base'}", adapter=str(out / "scaled"))
    scores = [
        backend.score(asked, ["CWE-79", "a script"])
        for backend in (put_on, open_backend(f"hf:{out / 'merged'}"))
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)
    alone = open_backend(f"hf:{out / 'tiny-base'}").score(asked, ["CWE-79", "a script"])
    assert alone != pytest.approx(scores[0], abs=1e-6)


def test_all_weights_make_a_model_that_is_averaged_and_not_merged(tmp_path: Path) -> None:
    base = write_base(tmp_path / "base")
    write_corpus(tmp_path / "corpus")
    recipe = LoraRecipe(
        name="full",
        base=str(base),
        method="full",
        fit=Schedule(epochs=0.2, batch=8, learning_rate=1e-3),
        max_tokens=128,
    )
    options = ReproduceOptions(tmp_path, tmp_path)
    corpus: Any = SimpleNamespace(benchmarks=[])
    plan = _Plan(corpus, recipe, options, tmp_path)
    assert _tuned(plan, ignore) == tmp_path / "trained"
    assert not (tmp_path / "merged").exists()
    halved = msgspec.structs.replace(recipe, scale=0.5)
    assert _tuned(_Plan(corpus, halved, options, tmp_path), ignore) == tmp_path / "merged"
    weights = [
        load_file(tmp_path / name / "model.safetensors")["model.norm.weight"]
        for name in ("merged", "base", "trained")
    ]
    assert weights[0].allclose((weights[1] + weights[2]) / 2)
    assert not weights[0].equal(weights[1])


def test_inputs_that_changed_and_results_whose_source_is_gone_are_refused(
    ground: Path, tmp_path: Path
) -> None:
    out, data = tmp_path / "out", tmp_path / "data"
    if not (ground / "out" / "README.md").is_file():
        pytest.skip("needs the dry run's folder")
    shutil.copytree(ground / "out", out)
    shutil.copytree(ground / "data", data)
    asked = ReproduceOptions(out, data, "small", ground / "recipes", dry_run=True)
    shutil.move(out / "adapter", tmp_path / "adapter")
    with pytest.raises(InputError, match=r"out/adapter: is gone, but .*out/scaled, which was made"):
        reproduce(asked)
    shutil.move(tmp_path / "adapter", out / "adapter")
    (data / "cve.jsonl").touch()  # the same bytes, only newer
    settings = json.loads((out / "settings.json").read_text())
    del settings["LoRA recipe"]["replay_loss"]  # as of a version that did not know it
    del settings["corpus recipe"]["teacher"]
    settings["LoRA recipe"]["group_by_length"] = False  # as of one that still did
    (out / "settings.json").write_text(json.dumps(settings))
    (out / "README.md").unlink()
    assert reproduce(asked).is_file()
    with (data / "cti-mcq.tsv").open("a") as file:
        file.write(ITEM.format(n=9))
    with pytest.raises(InputError, match=r"cti-mcq\.tsv: is not the file that .*out was begun"):
        reproduce(asked)


def test_what_to_expect_is_told_before_the_corpus_is_built(ground: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base")
    asked = ReproduceOptions(
        tmp_path / "out", ground / "data", "small", ground / "recipes", base=str(base)
    )
    corpus, lora = read_recipes(asked)
    lora = msgspec.structs.replace(lora, max_tokens=128)
    told: list[str] = []
    tell_before(asked, corpus, lora, lambda progress: told.append(progress.stage))
    rows = 24 + 4 + 3 + lora.replay * 1000
    tokens = round(rows * 128 * lora.fit.epochs)
    assert f"estimate: corpus: up to {rows:,} conversations, about " in told[1]
    assert re.search(
        rf"training: \d+ steps, {tokens:,} tokens at .* GiB of memory .*again", told[2]
    )
    (tmp_path / "out" / "corpus").mkdir(parents=True)
    told.clear()
    tell_before(asked, corpus, lora, lambda progress: told.append(progress.stage))
    assert told == []


def test_a_folder_of_other_things_is_left_alone(ground: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    asked = ReproduceOptions(tmp_path, ground / "data", "small", ground / "recipes", dry_run=True)
    with pytest.raises(InputError, match="holds other things; give --out a new folder"):
        reproduce(asked)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_recipes_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"corpus/nobody\.yaml: no such recipe"):
        reproduce(ReproduceOptions(tmp_path / "out", tmp_path, "nobody", tmp_path))
    assert not (tmp_path / "out").exists()


def test_what_cannot_come_to_an_end_is_refused_before_the_corpus(
    ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    none = str(tmp_path / "none")
    asked = ReproduceOptions(out, ground / "data", "small", ground / "recipes", base=none)
    with pytest.raises(InputError, match="none: no such folder; give"):
        reproduce(asked)
    empty = dataclasses.replace(asked, data=tmp_path)
    with pytest.raises(InputError, match=r": lacks .*, bench\.tsv, cti-mcq\.tsv, .* recipe names"):
        reproduce(empty)
    with pytest.raises(InputError, match="nowhere: no such folder; --data"):
        reproduce(dataclasses.replace(asked, data=tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"test_reproduce\.py: is no folder"):
        reproduce(dataclasses.replace(asked, out=Path(__file__)))
    base = write_base(tmp_path / "base")
    weights = (base / "model.safetensors").rename(tmp_path / "weights")
    with pytest.raises(InputError, match=r"base: lacks its weights: model\.safetensors"):
        reproduce(dataclasses.replace(asked, base=str(base)))
    weights.rename(base / "model.safetensors")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(InputError, match=r"out: too little disk: .*base takes about 0\.0 GB"):
        reproduce(dataclasses.replace(asked, base=str(base)))
    assert not out.exists()


def test_a_folder_of_other_settings_is_refused(ground: Path) -> None:
    if not (ground / "out" / "settings.json").is_file():
        pytest.skip("needs the dry run's folder")
    asked = ReproduceOptions(ground / "out", ground / "data", "small", ground / "recipes")
    with pytest.raises(InputError, match=r"made \(dry_run: true then, false now\); take"):
        reproduce(asked)
    based = dataclasses.replace(asked, dry_run=True, base="other")
    with pytest.raises(InputError, match=r'\(LoRA recipe: base: "Qwen/.*" then, "other" now\)'):
        reproduce(based)


def test_seconds_of_a_stage_are_kept_as_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cybersecqwen.apps.reproduce._NOTED_EVERY", 0.01)
    unread: Any = None
    plan = _Plan(unread, unread, ReproduceOptions(tmp_path, tmp_path), tmp_path)
    with _timed(plan, "replay"):
        deadline = time.monotonic() + 5
        while not _times(plan) and time.monotonic() < deadline:
            time.sleep(0.01)
        (tmp_path / "times.json").write_text('{"replay": 40.0}')
        time.sleep(0.1)
        assert 0 < _times(plan)["replay"] < 5  # noted again, without waiting for the end
    killed = {"replay": 40.0, "corpus": 1.0}
    (tmp_path / "times.json").write_text(json.dumps(killed))
    with _timed(plan, "replay"):
        pass
    assert 40 <= _times(plan)["replay"] < 45
    assert _times(plan)["corpus"] == 1
