from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytestmark = pytest.mark.torch

import torch  # noqa: E402
from transformers import TrainerControl, TrainerState, TrainingArguments  # noqa: E402

from cybersecqwen.core.config import load_recipe  # noqa: E402
from cybersecqwen.core.errors import InputError  # noqa: E402
from cybersecqwen.training.lora import estimate  # noqa: E402
from cybersecqwen.training.lora.benchmark import (  # noqa: E402
    Load,
    _rows,
    _UntilSettled,
    benchmark,
)
from cybersecqwen.training.lora.examples import encode_examples, read_chat_corpus  # noqa: E402
from cybersecqwen.training.lora.memory_plan import MemoryStrategy  # noqa: E402
from cybersecqwen.training.lora.model import find_base  # noqa: E402
from cybersecqwen.training.lora.trainer import LoraTrainer  # noqa: E402
from cybersecqwen.training.recipes.lora import LoraRecipe, Schedule  # noqa: E402

RECIPES = sorted((Path(__file__).parents[3] / "recipes" / "lora").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_each_recipes_steps_are_timed_with_random_weights(path: Path) -> None:
    recipe = load_recipe(path, LoraRecipe)
    fit = msgspec.structs.replace(recipe.fit, batch=3)
    small = msgspec.structs.replace(recipe, max_tokens=96, fit=fit)
    load = Load(example_tokens=40)
    found = benchmark(small, "tiny", 2, load=load)
    assert (found.steps, found.warm_up) == (2, 2 if torch.cuda.is_available() else 1)
    assert found.tokens_per_second > 0
    assert found.tokens_per_second == pytest.approx(
        found.tokens_per_step / found.step_seconds, rel=0.02
    )
    assert found.peak_bytes > 1e7
    packed = recipe.packing == "wrapped"
    assert (found.tokens_per_step == 3 * 96) == packed
    plain = recipe.adapter is not None
    other = benchmark(
        small,
        "tiny",
        1,
        load=load,
        strategy=MemoryStrategy(96, checkpointing=True),
        fused_adapters=not plain,
    )
    assert other.strategy.checkpointing
    assert other.fused_adapters != plain


def test_steps_are_counted_after_the_last_that_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = {"unique_graphs": 0}
    monkeypatch.setitem(torch._dynamo.utils.counters, "stats", graphs)
    control = TrainerControl()
    settled = _UntilSettled(3)
    stopped = []
    for compiled in (4, 1, 0, 0, 2, 0, 0, 0):
        graphs["unique_graphs"] += compiled
        settled.on_step_end(TrainingArguments("x"), TrainerState(), control)
        stopped.append(control.should_training_stop)
    assert stopped == [False] * 7 + [True]


@pytest.mark.parametrize("packing", ["none", "blocks"])
def test_an_estimate_takes_rows_as_long_as_the_corpus_has(
    chat_base: Path, chat_corpus: Path, monkeypatch: pytest.MonkeyPatch, packing: str
) -> None:
    recipe = LoraRecipe(
        name="t",
        base=str(chat_base),
        fit=Schedule(epochs=1, batch=4, learning_rate=1e-3),
        max_tokens=128,
        packing=packing,
    )
    seen: list[Load] = []
    timed = estimate.benchmark

    def watched(*given: Any, load: Load, **more: Any) -> Any:
        seen.append(load)
        return timed(*given, load=load, **more)

    monkeypatch.setattr(estimate, "benchmark", watched)
    found = estimate.estimate_training(recipe, chat_corpus, steps=1)
    examples = encode_examples(
        find_base(str(chat_base)).tokenizer, read_chat_corpus(chat_corpus).train
    )
    assert sorted(seen[0].lengths) == sorted(map(len, examples))
    assert found.tokens == sum(map(len, examples))
    drawn = _rows(recipe, seen[0], 100, 2)
    assert {
        end - start for row in drawn for start, end in pairwise([*row.starts, len(row)])
    } <= set(seen[0].lengths)


def test_no_steps_are_refused() -> None:
    recipe = load_recipe(RECIPES[0], LoraRecipe)
    with pytest.raises(InputError, match="at least 1"):
        benchmark(recipe, "tiny", 0)


def test_a_base_in_four_bits_is_held_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("bitsandbytes")
    recipe = load_recipe(RECIPES[0], LoraRecipe)
    fit = msgspec.structs.replace(recipe.fit, batch=2)
    small = msgspec.structs.replace(recipe, max_tokens=64, fit=fit)
    strategy = MemoryStrategy(64, checkpointing=True, base_4bit=True, optimizer_8bit=True)
    held: list[str] = []
    prepare = LoraTrainer.create_optimizer

    def look(self: LoraTrainer, *args: object) -> object:
        held.extend(type(module).__name__ for module in self.model.modules())
        return prepare(self, *args)

    monkeypatch.setattr(LoraTrainer, "create_optimizer", look)
    found = benchmark(small, "tiny", 1, load=Load(example_tokens=30), strategy=strategy)
    assert found.tokens_per_second > 0
    assert held.count("Linear4bit") >= 2 * 7
