"""Full fine-tuning: all weights learn, and the result is a model that stands alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("trl")
pytest.importorskip("gguf")
pytestmark = pytest.mark.torch

from cybersecqwen.cli.main import main  # noqa: E402
from cybersecqwen.core.chat import Message  # noqa: E402
from cybersecqwen.core.config import load_recipe  # noqa: E402
from cybersecqwen.core.errors import InputError, ModelError  # noqa: E402
from cybersecqwen.llm import open_backend  # noqa: E402
from cybersecqwen.training.export.gguf.write import write_gguf  # noqa: E402
from cybersecqwen.training.lora import memory_plan  # noqa: E402
from cybersecqwen.training.lora.benchmark import Load, benchmark  # noqa: E402
from cybersecqwen.training.lora.memory_plan import GIB, MemoryStrategy, estimate  # noqa: E402
from cybersecqwen.training.lora.model import load_weights, narrow_states, weight_type  # noqa: E402
from cybersecqwen.training.lora.packing import collate  # noqa: E402
from cybersecqwen.training.lora.run import prepare, train_lora  # noqa: E402
from cybersecqwen.training.lora.step_reports import Progress  # noqa: E402
from cybersecqwen.training.lora.trainer import LoraTrainer  # noqa: E402
from cybersecqwen.training.recipes.lora import LoraRecipe, Schedule  # noqa: E402


class Killed(BaseException):
    """What a kill looks like from inside."""


@pytest.fixture(scope="module")
def full_recipe(lora_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = lora_recipe.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("adapter")]
    path = tmp_path_factory.mktemp("full-recipe") / "full.yaml"
    more = ["method: full", "final_weight: 3", "replay: 2", "validate_every: 4"]
    path.write_text(
        "\n".join([*kept, *more]).replace("5e-3", "2e-3").replace("epochs: 3", "epochs: 1.5") + "\n"
    )
    return path


@pytest.fixture(scope="module")
def replay_corpus(chat_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay-corpus")
    for name in ("train.jsonl", "validation.jsonl"):
        (folder / name).write_text((chat_corpus / name).read_text())
    row = {"prompt": "Say a word.", "response": "word", "kind": "replay"}
    (folder / "replay.jsonl").write_text(json.dumps(row) + "\n")
    return folder


def train(recipe: Path, corpus: Path, out: Path, die_at: int = 0, resume: bool = False) -> Any:
    def report(done: Progress) -> None:
        if done.step == die_at:
            raise Killed

    job = prepare(load_recipe(recipe, LoraRecipe), corpus)
    return train_lora(job, out, {}, resume=resume, report=report)


def curve(folder: Path) -> dict[int, float]:
    entries = json.loads((folder / "training.json").read_text())["curve"]
    return {entry["step"]: entry["loss"] for entry in entries if "loss" in entry}


@pytest.fixture(scope="module")
def tuned(full_recipe: Path, replay_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("full") / "tuned"
    results = train(full_recipe, replay_corpus, out)
    assert results.loss < 0.9 * curve(out)[1]
    return out


def test_every_weight_learns_and_the_folder_is_a_model(
    tuned: Path, chat_base: Path, tmp_path: Path
) -> None:
    base, model = (
        transformers.AutoModelForCausalLM.from_pretrained(folder) for folder in (chat_base, tuned)
    )
    before = dict(base.named_parameters())
    moved = [
        name for name, weights in model.named_parameters() if not torch.equal(weights, before[name])
    ]
    assert set(moved) == set(before)
    assert model.config.use_cache
    assert model.dtype == base.dtype
    assert not (tuned / "adapter_config.json").exists()
    assert write_gguf(tuned, tmp_path / "model.gguf", "f16", None, "")["F16"] > 10
    answered = open_backend(f"hf:{tuned}").score([Message("user", "Which?")], ["CWE-79", "word"])
    assert all(score < 0 for score in answered)


def test_a_file_of_it_that_was_changed_is_refused(tuned: Path, tmp_path: Path) -> None:
    for file in tuned.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="is not the one that its folder states"):
        open_backend(f"hf:{tmp_path}").score([Message("user", "Which?")], ["CWE-79"])


def test_the_card_and_the_record_say_that_all_weights_learnt(tuned: Path) -> None:
    card = (tuned / "README.md").read_text()
    assert "All weights of" in card
    assert "export gguf FOLDER" in card
    assert "rank" not in card
    record = json.loads((tuned / "training.json").read_text())
    assert (record["recipe"]["method"], record["recipe"]["adapter"]) == ("full", None)
    assert "answer_accuracy" in record["results"]["validation"]


def test_resumed_it_takes_the_same_steps(
    tuned: Path, full_recipe: Path, replay_corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        train(full_recipe, replay_corpus, tmp_path / "tuned", die_at=6)
    train(full_recipe, replay_corpus, tmp_path / "tuned", resume=True)
    assert curve(tmp_path / "tuned") == pytest.approx(curve(tuned), abs=1e-5)


def test_the_divergence_is_from_the_base_as_it_was(
    full_recipe: Path, replay_corpus: Path, chat_base: Path, tmp_path: Path
) -> None:
    recipe = load_recipe(full_recipe, LoraRecipe)
    near = msgspec.structs.replace(recipe, replay_loss="distribution")
    job = prepare(near, replay_corpus)
    trainer = LoraTrainer(
        load_weights(job.base, near, job.plan.strategy),
        job.base.tokenizer,
        near,
        job.plan.strategy,
        job.train.rows,
        [],
        tmp_path,
    )
    batch = collate(job.train.rows[:1], flat=False)
    still = trainer._summed_loss(trainer.model, {**batch, "near": True})
    assert float(still) == pytest.approx(0, abs=1e-5)
    trainer.train()
    pulled = trainer._summed_loss(trainer.model, {**batch, "near": True})
    assert float(pulled) > 0.1
    pulled.backward()
    assert all(weights.grad is not None for weights in trainer.model.parameters())
    base = transformers.AutoModelForCausalLM.from_pretrained(chat_base, dtype=torch.float32)
    kept = dict(trainer._base.named_parameters())
    assert all(torch.equal(weights, kept[name]) for name, weights in base.named_parameters())


def test_what_only_adapters_have_is_refused_beside_it(full_recipe: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.yaml"
    changed.write_text(f"{full_recipe.read_text()}adapter: {{rank: 64}}\n")
    with pytest.raises(InputError, match=r"changed\.yaml: adapter: belongs to `method: lora`"):
        load_recipe(changed, LoraRecipe)
    with pytest.raises(InputError, match="--plain is for adapters"):
        benchmark(load_recipe(full_recipe, LoraRecipe), "tiny", 1, fused_adapters=False)


def test_its_steps_are_timed(full_recipe: Path) -> None:
    recipe = load_recipe(full_recipe, LoraRecipe)
    found = benchmark(recipe, "tiny", 1, load=Load(example_tokens=40))
    assert found.tokens_per_second > 0
    assert found.strategy == MemoryStrategy(found.strategy.tokens_at_once)


def test_small_steps_are_kept_and_states_are_narrow(
    full_recipe: Path, chat_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(full_recipe, LoraRecipe)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert weight_type(recipe) == torch.float32
    assert weight_type(msgspec.structs.replace(recipe, method="lora")) == torch.bfloat16
    monkeypatch.undo()
    model = transformers.AutoModelForCausalLM.from_pretrained(chat_base, dtype=torch.float32)
    narrow_states(model)
    ids = torch.arange(5, 25)[None]
    with torch.autocast("cpu", torch.bfloat16):
        states = model(ids, output_hidden_states=True).hidden_states
        states[-1].float().square().mean().backward()
    assert {state.dtype for state in states[:-1]} == {torch.bfloat16}
    assert {weights.grad.dtype for weights in model.parameters()} == {torch.float32}
    assert model(ids, output_hidden_states=True).hidden_states[0].dtype == torch.float32


def test_memory_is_that_of_weights_gradients_and_moments() -> None:
    recipe = LoraRecipe(
        name="t", method="full", fit=Schedule(epochs=1, batch=1, learning_rate=1e-4)
    )
    shape = memory_plan.Shape(500_000_000, 350_000_000, 500_000_000, 24, 896, 20_000, 150_000)
    assert shape.full
    held = (shape.parameters * 18 + 150_000 * 896 * 4) / GIB
    for strategy in (MemoryStrategy(1, checkpointing=True), MemoryStrategy(1)):
        told = estimate(shape, recipe, strategy) / GIB
        assert held < told < held + 0.1
    smaller = estimate(shape, recipe, MemoryStrategy(1, optimizer_8bit=True)) / GIB
    assert smaller == pytest.approx(held - shape.parameters * 6 / GIB, abs=0.1)


def test_it_is_a_command(
    full_recipe: Path, chat_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = tmp_path / "short.yaml"
    text = full_recipe.read_text().replace("epochs: 1.5", "epochs: 0.2")
    short.write_text(text.replace("replay: 2", "replay: 0"))
    words = ["train", "lora", str(short), "--corpus", str(chat_corpus)]
    assert main([*words, "--out", str(tmp_path / "tuned")]) == 0
    said = capsys.readouterr()
    assert "tuned: the model, training.json" in said.out
    assert not said.err, "not a terminal"
