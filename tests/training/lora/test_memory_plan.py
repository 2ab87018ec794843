from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("trl")
pytestmark = pytest.mark.torch

from cybersecqwen.core.errors import InputError  # noqa: E402
from cybersecqwen.training.lora import memory_plan  # noqa: E402
from cybersecqwen.training.lora.memory_plan import (  # noqa: E402
    GIB,
    MemoryStrategy,
    estimate,
    plan_memory,
    read_shape,
)
from cybersecqwen.training.recipes.lora import Adapter, LoraRecipe, Schedule  # noqa: E402

RECIPE = LoraRecipe(name="t", fit=Schedule(epochs=1, batch=16, learning_rate=1e-4))
WHOLE = msgspec.structs.replace(RECIPE, logits="whole")


@pytest.fixture(scope="module")
def qwen3_4b() -> memory_plan.Shape:
    config = transformers.Qwen3Config(
        vocab_size=151936,
        hidden_size=2560,
        intermediate_size=9728,
        num_hidden_layers=36,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
        tie_word_embeddings=True,
    )
    return read_shape(config, RECIPE)


def test_the_shape_is_counted(qwen3_4b: memory_plan.Shape) -> None:
    assert qwen3_4b.parameters == pytest.approx(4.02e9, rel=0.001)
    assert qwen3_4b.learning == 132_120_576


@pytest.mark.parametrize(
    ("recipe", "checkpointing", "measured_gib"),
    [(WHOLE, False, 79.0), (WHOLE, True, 25.0), (RECIPE, True, 13.7)],
)
def test_estimates_are_near_what_was_measured(
    qwen3_4b: memory_plan.Shape, recipe: LoraRecipe, checkpointing: bool, measured_gib: float
) -> None:
    told = estimate(qwen3_4b, recipe, MemoryStrategy(8192, checkpointing=checkpointing)) / GIB
    assert told == pytest.approx(measured_gib, rel=0.1)


@pytest.mark.parametrize(("tokens", "measured_gib"), [(8192, 54.4), (16_384, 98.8)])
def test_compiled_layers_take_no_more_than_estimated(
    qwen3_4b: memory_plan.Shape, tokens: int, measured_gib: float
) -> None:
    told = estimate(qwen3_4b, RECIPE, MemoryStrategy(tokens)) / GIB
    assert measured_gib < told < 1.2 * measured_gib


def with_gpu(monkeypatch: pytest.MonkeyPatch, gib: float, bitsandbytes: bool = False) -> None:
    cuda = memory_plan.torch.cuda
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "mem_get_info", lambda: (int(gib * GIB), int(gib * GIB)))
    monkeypatch.setattr(memory_plan, "has_bitsandbytes", lambda: bitsandbytes)


def test_a_large_card_keeps_states_and_a_small_one_computes_them_again(
    qwen3_4b: memory_plan.Shape, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_gpu(monkeypatch, 139)
    large = plan_memory(qwen3_4b, RECIPE, 4096).strategy
    assert not large.checkpointing
    assert large.tokens_at_once == 16_384
    small = plan_memory(qwen3_4b, RECIPE, 4096, profile="consumer-16gb")
    assert small.strategy == MemoryStrategy(4096, checkpointing=True)
    assert small.estimate <= 14 * GIB
    middle = plan_memory(qwen3_4b, RECIPE, 4096, profile="consumer-24gb").strategy
    assert middle.tokens_at_once > 4096


def test_a_pass_is_planned_no_larger_than_a_step(
    qwen3_4b: memory_plan.Shape, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_gpu(monkeypatch, 139)
    few = msgspec.structs.replace(RECIPE, fit=msgspec.structs.replace(RECIPE.fit, batch=3))
    assert plan_memory(qwen3_4b, few, 100).strategy.tokens_at_once == 300


def test_what_earlier_models_of_the_process_took_is_given_back_first(
    qwen3_4b: memory_plan.Shape, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = memory_plan.torch.cuda
    free = [2]  # GiB, until the cache is emptied
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "empty_cache", lambda: free.append(139))
    monkeypatch.setattr(cuda, "mem_get_info", lambda: (free[-1] * GIB, 140 * GIB))
    assert plan_memory(qwen3_4b, RECIPE, 4096).strategy.tokens_at_once == 16_384


def test_four_bits_come_last(qwen3_4b: memory_plan.Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpu(monkeypatch, 139, bitsandbytes=True)
    assert not plan_memory(qwen3_4b, RECIPE, 4096, profile="consumer-16gb").strategy.base_4bit
    with_gpu(monkeypatch, 9, bitsandbytes=True)
    plan = plan_memory(qwen3_4b, RECIPE, 4096)
    assert plan.strategy.base_4bit
    assert plan.strategy.optimizer_8bit
    assert plan.estimate < 9 * GIB


def test_too_little_is_refused_with_the_way_out(
    qwen3_4b: memory_plan.Shape, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_gpu(monkeypatch, 8)
    with pytest.raises(InputError, match=r"too little memory.*bitsandbytes"):
        plan_memory(qwen3_4b, WHOLE, 4096)
    monkeypatch.undo()
    monkeypatch.setattr(memory_plan, "usable_memory", lambda: 10 * GIB)
    with pytest.raises(InputError, match=r"about \d+\.\d GiB at the least.*lower max_tokens"):
        plan_memory(qwen3_4b, RECIPE, 4096)


def test_projections_that_a_base_lacks_are_named(chat_base: Path) -> None:
    recipe: Any = msgspec.structs.replace(RECIPE, adapter=Adapter(targets=("c_attn",)))
    config = transformers.AutoConfig.from_pretrained(chat_base)
    with pytest.raises(InputError, match=r"c_attn; adapter.targets may name .*q_proj"):
        read_shape(config, recipe)
