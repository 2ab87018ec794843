from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")
pytest.importorskip("trl")
pytestmark = pytest.mark.torch

from cybersecqwen.core.config import load_recipe  # noqa: E402
from cybersecqwen.core.errors import InputError, ModelError  # noqa: E402
from cybersecqwen.core.rows import REPLAY_KIND  # noqa: E402
from cybersecqwen.training.lora import divergence  # noqa: E402
from cybersecqwen.training.lora.divergence import summed_divergence  # noqa: E402
from cybersecqwen.training.lora.memory_plan import MemoryStrategy  # noqa: E402
from cybersecqwen.training.lora.model import adapter_config, fuse_adapters  # noqa: E402
from cybersecqwen.training.lora.packing import EpochBatches, collate  # noqa: E402
from cybersecqwen.training.lora.run import LoraJob, prepare  # noqa: E402
from cybersecqwen.training.lora.step_reports import Progress  # noqa: E402
from cybersecqwen.training.lora.trainer import LoraTrainer  # noqa: E402
from cybersecqwen.training.recipes.lora import LoraRecipe  # noqa: E402


@pytest.fixture(scope="module")
def job(lora_recipe: Path, chat_corpus: Path) -> LoraJob:
    recipe = load_recipe(lora_recipe, LoraRecipe)
    still = msgspec.structs.replace(recipe.adapter, dropout=0.0)
    return prepare(msgspec.structs.replace(recipe, adapter=still), chat_corpus)


def fit(
    job: LoraJob,
    folder: Path,
    strategy: MemoryStrategy,
    fused_adapters: bool = True,
    compiled: bool = False,
    **recipe: Any,
) -> LoraTrainer:
    transformers.set_seed(7)
    model = transformers.AutoModelForCausalLM.from_pretrained(job.recipe.base, dtype=torch.float32)
    fit = msgspec.structs.replace(job.recipe.fit, epochs=1)
    changed = msgspec.structs.replace(job.recipe, fit=fit, checkpoint_every=1000, **recipe)
    trainer = LoraTrainer(
        model,
        job.base.tokenizer,
        changed,
        strategy,
        job.train.rows,
        job.validation,
        folder,
        fused_adapters=fused_adapters,
        compiled=compiled,
    )
    trainer.train()
    return trainer


def losses(trainer: LoraTrainer) -> list[float]:
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.fixture(scope="module")
def plain(job: LoraJob, tmp_path_factory: pytest.TempPathFactory) -> LoraTrainer:
    return fit(job, tmp_path_factory.mktemp("plain"), MemoryStrategy(100_000))


@pytest.mark.parametrize(
    ("strategy", "more"),
    [
        (MemoryStrategy(1), {}),
        (MemoryStrategy(120), {"logits": "whole"}),
        (MemoryStrategy(150, checkpointing=True), {}),
        (MemoryStrategy(100_000), {"fused_adapters": False}),
    ],
    ids=["row by row", "whole logits", "checkpointing", "PEFT's own forward"],
)
def test_how_memory_is_used_changes_no_loss(
    job: LoraJob, plain: LoraTrainer, tmp_path: Path, strategy: MemoryStrategy, more: dict[str, Any]
) -> None:
    assert losses(fit(job, tmp_path, strategy, **more)) == pytest.approx(losses(plain), abs=1e-4)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_checkpointing_computes_each_layer_again(
    job: LoraJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpointing: bool
) -> None:
    step = LoraTrainer.training_step
    times: set[float] = set()

    def counted(self: LoraTrainer, model: Any, inputs: dict[str, Any], *rest: Any) -> Any:
        passes: list[None] = []
        layer = self.model.get_base_model().model.layers[0].mlp
        hook = layer.register_forward_pre_hook(lambda *_: passes.append(None))
        loss = step(self, model, inputs, *rest)
        hook.remove()
        times.add(len(passes) / len(inputs["parts"]))
        return loss

    monkeypatch.setattr(LoraTrainer, "training_step", counted)
    fit(job, tmp_path, MemoryStrategy(100_000, checkpointing=checkpointing))
    assert times == {2 if checkpointing else 1}


def test_compiled_layers_learn_the_same(
    job: LoraJob, plain: LoraTrainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_ = torch.nn.Module.compile
    traced: list[str] = []

    def without_machine_code(self: Any, **options: Any) -> None:
        traced.append(type(self).__name__)
        compile_(self, backend="eager", **options)

    monkeypatch.setattr(torch.nn.Module, "compile", without_machine_code)
    trainer = fit(job, tmp_path, MemoryStrategy(300), compiled=True)
    assert losses(trainer) == pytest.approx(losses(plain), abs=1e-4)
    assert len(traced) == trainer.model.config.num_hidden_layers
    assert len(set(traced)) == 1


@pytest.fixture(scope="module")
def weighted(job: LoraJob, tmp_path_factory: pytest.TempPathFactory) -> LoraTrainer:
    folder = tmp_path_factory.mktemp("weighted")
    return fit(job, folder, MemoryStrategy(100_000), final_weight=5.0)


@pytest.mark.parametrize("final_weight", [1.0, 5.0])
def test_the_first_loss_is_the_weighted_mean_over_answer_tokens(
    job: LoraJob, plain: LoraTrainer, weighted: LoraTrainer, final_weight: float
) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(job.recipe.base, dtype=torch.float32)
    total, count = 0.0, 0.0
    first = next(iter(EpochBatches(len(job.train.rows), 8, job.recipe.seed, lambda: 0)))
    for place in first:
        row = job.train.rows[place]
        ids = torch.from_numpy(row.ids).long()
        assert row.final is not None
        weights = np.where(row.final, final_weight, 1.0) * (row.labels != -100)
        with torch.no_grad():
            words = model(ids[None]).logits[0, :-1].log_softmax(-1)
        said = words.gather(1, ids[1:, None])[:, 0].numpy()
        total -= float((said * weights[1:]).sum())
        count += float(weights[1:].sum())
    trainer = plain if final_weight == 1 else weighted
    assert losses(trainer)[0] == pytest.approx(total / count, abs=1e-3)


def test_weights_are_the_same_however_logits_are_computed(weighted: LoraTrainer) -> None:
    part = collate(weighted._rows[:6], flat=False, final_weight=5.0)
    assert part["weights"].max() == 5
    weighted.model.eval()
    with torch.no_grad():
        tiled = float(weighted._summed_loss(weighted.model, dict(part)))
        recipe, weighted._recipe = (
            weighted._recipe,
            msgspec.structs.replace(weighted._recipe, logits="whole"),
        )
        whole = float(weighted._summed_loss(weighted.model, dict(part)))
        weighted._recipe = recipe
    assert whole == pytest.approx(tiled, rel=1e-4)


def test_validation_is_measured_and_time_and_tokens_add_up(
    job: LoraJob, plain: LoraTrainer
) -> None:
    (checked,) = [e for e in plain.state.log_history if "eval_loss" in e]
    assert 0 <= checked["eval_answer_accuracy"] <= 1
    assert 0 <= checked["eval_token_accuracy"] <= 1
    assert checked["eval_loss"] < losses(plain)[0]
    steps = [e for e in plain.state.log_history if "loss" in e]
    assert steps[-1]["tokens"] == sum(map(len, job.train.rows))
    assert [e["seconds"] for e in steps] == sorted(e["seconds"] for e in steps)


def test_progress_is_told(job: LoraJob, tmp_path: Path) -> None:
    told: list[Progress] = []
    model = transformers.AutoModelForCausalLM.from_pretrained(job.recipe.base, dtype=torch.float32)
    short = msgspec.structs.replace(job.recipe.fit, epochs=0.5)
    recipe = msgspec.structs.replace(job.recipe, fit=short)
    LoraTrainer(
        model,
        job.base.tokenizer,
        recipe,
        MemoryStrategy(500),
        job.train.rows,
        [],
        tmp_path,
        told.append,
    ).train()
    assert [p.step for p in told] == [1, 2, 3]
    assert told[-1].steps == 3
    assert told[-1].tokens_per_second > 0


def test_a_lean_projection_is_the_same_in_bfloat16_too(job: LoraJob) -> None:
    torch.manual_seed(1)
    base = transformers.AutoModelForCausalLM.from_pretrained(job.recipe.base, dtype=torch.bfloat16)
    model = peft.get_peft_model(base, adapter_config(job.recipe, 2))
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.1)
    fused = copy.deepcopy(model)
    fuse_adapters(fused)
    ids = torch.arange(5, 25)[None]
    answers, gradients = [], []
    for kind in (model, fused):
        with torch.autocast("cpu", torch.bfloat16):
            logits = kind(ids).logits.float()
        logits.square().mean().backward()
        answers.append(logits.detach())
        gradients.append([p.grad for p in kind.parameters() if p.requires_grad])
    assert torch.allclose(*answers, atol=0.15, rtol=0.05)
    for one, other in zip(*gradients, strict=True):
        scale = one.abs().max().clamp(min=1e-6)
        assert ((one - other).abs().max() / scale) < 0.1


def test_packed_in_blocks_the_loss_is_that_of_each_example_alone(
    lora_recipe: Path, chat_corpus: Path, tmp_path: Path
) -> None:
    recipe = load_recipe(lora_recipe, LoraRecipe)
    once = msgspec.structs.replace(recipe.fit, batch=1000, epochs=1)
    still = msgspec.structs.replace(recipe.adapter, dropout=0.0)
    found = []
    for packing, logits in (("none", "tiled"), ("blocks", "tiled"), ("blocks", "whole")):
        changed = msgspec.structs.replace(
            recipe, packing=packing, logits=logits, fit=once, adapter=still
        )
        job = prepare(changed, chat_corpus)
        model = transformers.AutoModelForCausalLM.from_pretrained(recipe.base, dtype=torch.float32)
        trainer = LoraTrainer(
            model,
            job.base.tokenizer,
            changed,
            MemoryStrategy(1000),
            job.train.rows,
            [],
            tmp_path / packing,
        )
        trainer.train()
        found.append(losses(trainer)[0])
    assert found == pytest.approx([found[0]] * 3, abs=1e-4)


def test_a_recipe_stratifies_its_steps(
    job: LoraJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cybersecqwen.training.lora.packing._WINDOW", 2)
    trainer = fit(job, tmp_path, MemoryStrategy(100_000), stratify_by_length=True)
    lengths, batch = list(map(len, job.train.rows)), job.recipe.fit.batch
    order = (len(lengths), batch, job.recipe.seed, trainer._epoch)
    steps = EpochBatches(*order, lengths=lengths)
    assert list(trainer._batches) == list(steps)
    assert list(steps) != list(EpochBatches(*order))
    logged = [e for e in trainer.state.log_history if "loss" in e]
    assert logged[-1]["tokens"] == sum(lengths)


def test_a_loss_that_is_no_number_stops_the_training(
    job: LoraJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = LoraTrainer._summed_loss
    monkeypatch.setattr(LoraTrainer, "_summed_loss", lambda *given: sound(*given) * float("nan"))
    with pytest.raises(ModelError, match="step 1: the loss is nan"):
        fit(job, tmp_path, MemoryStrategy(100_000))


def test_only_the_last_layers_get_adapters(job: LoraJob) -> None:
    base = transformers.AutoModelForCausalLM.from_pretrained(job.recipe.base)
    last = msgspec.structs.replace(job.recipe.adapter, layers=1)
    model = peft.get_peft_model(
        base, adapter_config(msgspec.structs.replace(job.recipe, adapter=last), 2)
    )
    learning = [name for name, weights in model.named_parameters() if weights.requires_grad]
    assert learning
    assert all(".layers.1." in name for name in learning)


def test_the_divergence_is_that_of_the_whole_distributions(job: LoraJob) -> None:
    torch.manual_seed(1)
    base = transformers.AutoModelForCausalLM.from_pretrained(job.recipe.base, dtype=torch.float32)
    model = peft.get_peft_model(copy.deepcopy(base), adapter_config(job.recipe, 2)).eval()
    fuse_adapters(model)
    batch = collate(job.train.rows[:3], flat=False)
    assert summed_divergence(model, batch).item() == pytest.approx(0.0, abs=1e-4)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.1)
    loss = summed_divergence(model, batch)
    with torch.no_grad():
        wanted, found = (
            kind(batch["input_ids"]).logits.double().log_softmax(-1) for kind in (base, model)
        )
    each = (wanted.exp() * (wanted - found)).sum(-1)[:, :-1]
    expected = each[batch["labels"][:, 1:] != -100].sum()
    assert loss.item() == pytest.approx(float(expected), rel=1e-3)
    assert loss.item() > 0.1
    loss.backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_tiles_change_no_divergence_and_other_logits_are_refused(
    job: LoraJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    base = transformers.AutoModelForCausalLM.from_pretrained(job.recipe.base, dtype=torch.float32)
    model = peft.get_peft_model(base, adapter_config(job.recipe, 2)).eval()
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.1)
    batch = collate(job.train.rows[:3], flat=False)
    found, gradients = [], []
    for tile in (1_000, 7):
        monkeypatch.setattr(divergence, "TOKENS_AT_ONCE", tile)
        model.zero_grad()
        found.append(summed_divergence(model, batch))
        found[-1].backward()
        gradients.append(next(p.grad.clone() for p in model.parameters() if p.requires_grad))
    assert found[1].item() == pytest.approx(found[0].item(), rel=1e-5)
    assert torch.allclose(*gradients, rtol=1e-3, atol=1e-6)
    divergence.require_plain_logits(base.config)
    scaled = SimpleNamespace(model_type="granite", logits_scaling=8.0)
    with pytest.raises(InputError, match="not for models that have logits_scaling"):
        divergence.require_plain_logits(scaled)


def test_the_bases_own_answers_are_learnt_by_distribution(
    job: LoraJob, plain: LoraTrainer, tmp_path: Path
) -> None:
    rows = [
        dataclasses.replace(row, kind=REPLAY_KIND if place % 2 else "")
        for place, row in enumerate(job.train.rows)
    ]
    mixed = dataclasses.replace(job, train=dataclasses.replace(job.train, rows=rows))
    near = losses(
        fit(mixed, tmp_path, MemoryStrategy(100_000), replay=1, replay_loss="distribution")
    )
    assert near[0] < 0.7 * losses(plain)[0], "an untrained adapter is its base: half is 0"
