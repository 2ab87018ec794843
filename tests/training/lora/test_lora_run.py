from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("trl")
pytestmark = pytest.mark.torch

from cybersecqwen.core.config import load_recipe  # noqa: E402
from cybersecqwen.core.errors import InputError  # noqa: E402
from cybersecqwen.training.lora.run import prepare, train_lora  # noqa: E402
from cybersecqwen.training.lora.step_reports import Progress  # noqa: E402
from cybersecqwen.training.recipes.lora import LoraRecipe  # noqa: E402
from killing import killed_when  # noqa: E402
from tiny_chat import write_base  # noqa: E402


class Killed(BaseException):
    """What a kill looks like from inside."""


def train(recipe: Path, corpus: Path, out: Path, die_at: int = 0, resume: bool = False) -> Any:
    def report(done: Progress) -> None:
        if done.step == die_at:
            raise Killed

    job = prepare(load_recipe(recipe, LoraRecipe), corpus)
    return train_lora(job, out, {"b.tsv": "0f"}, resume=resume, report=report)


def curve(folder: Path) -> dict[int, float]:
    entries = json.loads((folder / "training.json").read_text())["curve"]
    steps = [entry for entry in entries if "loss" in entry]
    assert len(steps) == len({entry["step"] for entry in steps}), "a step was logged twice"
    return {entry["step"]: entry["loss"] for entry in steps}


@pytest.fixture(scope="module")
def trained(lora_recipe: Path, chat_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("adapters") / "tiny"
    results = train(lora_recipe, chat_corpus, out)
    assert results.steps == 18
    assert results.loss < 5.5 < curve(out)[1]
    return out


def test_the_folder_says_what_made_it(trained: Path) -> None:
    record = json.loads((trained / "training.json").read_text())
    assert record["rows"] == {"examples": 48, "rows": 48, "too_long": 0, "validation": 16}
    assert set(record["corpus"]["files"]) == {"train.jsonl", "validation.jsonl"}
    assert set(record["base"]["files"]) == {"config.json", "model.safetensors"}
    assert record["results"]["peak_bytes"] > 1e6
    assert record["results"]["tokens_per_second"] > 0
    assert set(record["results"]["validation"]) == {"loss", "token_accuracy", "answer_accuracy"}
    card = (trained / "README.md").read_text()
    assert "rank 8" in card
    assert "repetitions, counted above: none" in card
    assert "b.tsv" in card
    assert not trained.with_name("tiny.work").exists()
    assert not list(trained.glob("*.bin")), "no pickles"


def test_peft_reads_the_folder(trained: Path, chat_base: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(chat_base)
    PeftModel.from_pretrained(base, trained)


# Six steps an epoch and a checkpoint every four: into the middle of the second epoch, and somewhere
# else each time.
@pytest.mark.parametrize("die_at", [11, random.randrange(1, 18)], ids=["epoch 2", "anywhere"])
def test_resumed_at_any_step_it_takes_the_same_steps(
    trained: Path, lora_recipe: Path, chat_corpus: Path, tmp_path: Path, die_at: int
) -> None:
    out = tmp_path / "tiny"
    with pytest.raises(Killed):
        train(lora_recipe, chat_corpus, out, die_at)
    train(lora_recipe, chat_corpus, out, resume=True)
    assert curve(out) == pytest.approx(curve(trained), abs=1e-3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_outright_and_resumed_the_curve_is_the_same(
    trained: Path, lora_recipe: Path, chat_corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tiny"
    # As soon as a checkpoint begins to be written, so that it may well be cut off.
    reached = tmp_path / "tiny.work" / "checkpoints" / "checkpoint-8"
    killed_when(reached.exists, lambda: train(lora_recipe, chat_corpus, out, resume=True))
    train(lora_recipe, chat_corpus, out, resume=True)
    assert curve(out) == pytest.approx(curve(trained), abs=1e-3)


def test_two_processes_take_the_steps_of_one(
    lora_recipe: Path, chat_corpus: Path, tmp_path: Path
) -> None:
    still = tmp_path / "still.yaml"  # dropout draws differently in each process
    still.write_text(lora_recipe.read_text().replace("dropout: 0.1", "dropout: 0.0"))
    train(still, chat_corpus, tmp_path / "one")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--standalone", "-m", "cybersecqwen", "train", "lora", str(still)]
    command += ["--corpus", str(chat_corpus), "--out", str(tmp_path / "two"), "--json"]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, check=False, env=alone, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[:6000]
    assert json.loads(done.stdout)["steps"] == 18
    assert curve(tmp_path / "two") == pytest.approx(curve(tmp_path / "one"), abs=2e-3)
    record = json.loads((tmp_path / "two" / "training.json").read_text())
    single = json.loads((tmp_path / "one" / "training.json").read_text())
    assert record["machine"]["processes"] == 2
    assert record["results"]["validation"]["loss"] == pytest.approx(
        single["results"]["validation"]["loss"], abs=2e-3
    )


def test_what_cannot_work_is_refused_with_the_way_out(
    trained: Path, lora_recipe: Path, chat_base: Path, chat_corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="is there already"):
        train(lora_recipe, chat_corpus, trained)
    text = lora_recipe.read_text()
    changed = tmp_path / "changed.yaml"
    changed.write_text(text.replace("rank: 8", "ranks: 8"))
    with pytest.raises(InputError, match="ranks"):
        load_recipe(changed, LoraRecipe)
    changed.write_text(text.replace(str(chat_base), str(tmp_path / "nothing")))
    with pytest.raises(InputError, match="give a folder"):
        prepare(load_recipe(changed, LoraRecipe), chat_corpus)
    changed.write_text(text.replace("max_tokens: 128", "max_tokens: 8"))
    with pytest.raises(InputError, match="longer than max_tokens"):
        prepare(load_recipe(changed, LoraRecipe), chat_corpus)
    changed.write_text(text.replace("max_tokens: 128", "max_tokens: 4096"))
    with pytest.raises(InputError, match="reads 512 at most"):
        prepare(load_recipe(changed, LoraRecipe), chat_corpus)
    changed.write_text(f"{text}first: [map, quiz]\n")
    with pytest.raises(InputError, match="no rows of the kind 'quiz', which `first` names"):
        prepare(load_recipe(changed, LoraRecipe), chat_corpus)
    changed.write_text(text.replace("rank: 8", "rank: 8, layers: 3"))
    with pytest.raises(InputError, match=r"adapter\.layers 3: .* has 2"):
        prepare(load_recipe(changed, LoraRecipe), chat_corpus)


def test_another_runs_work_is_not_gone_on_with(
    lora_recipe: Path, chat_corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tiny"
    with pytest.raises(Killed):
        train(lora_recipe, chat_corpus, out, die_at=1)
    with pytest.raises(InputError, match="--resume"):
        train(lora_recipe, chat_corpus, out)
    changed = tmp_path / "changed.yaml"
    changed.write_text(lora_recipe.read_text().replace("5e-3", "4e-3"))
    with pytest.raises(InputError, match="another recipe or corpus"):
        train(changed, chat_corpus, out, resume=True)


def test_packed_with_loss_on_everything_it_learns_too(
    lora_recipe: Path, chat_corpus: Path, tmp_path: Path
) -> None:
    for packing in ("blocks", "wrapped"):
        recipe = tmp_path / f"{packing}.yaml"
        text = (
            lora_recipe.read_text()
            .replace("batch: 8", "batch: 2")
            .replace("epochs: 3", "epochs: 1")
        )
        recipe.write_text(text + f"packing: {packing}\nloss: all\nlogits: whole\n")
        train(recipe, chat_corpus, tmp_path / packing)
        steps = curve(tmp_path / packing)
        assert steps[max(steps)] < steps[1]


def test_other_families_are_trained_by_the_same_recipe(
    lora_recipe: Path, chat_base: Path, chat_corpus: Path, tmp_path: Path
) -> None:
    for family in ("qwen2", "llama"):
        base = write_base(tmp_path / f"{family}-base", family, tied=False)
        recipe = tmp_path / f"{family}.yaml"
        text = lora_recipe.read_text().replace("epochs: 3", "epochs: 1")
        recipe.write_text(text.replace(str(chat_base), str(base)))
        train(recipe, chat_corpus, tmp_path / family)
        steps = curve(tmp_path / family)
        assert steps[max(steps)] < steps[1]
