"""How fast a recipe's steps are and what they hold, at a base's shape with random weights.

Neither weights nor a tokenizer are needed: time and memory depend on shapes alone.
"""

from __future__ import annotations

import statistics
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import torch
from tokenizers import Tokenizer, models
from transformers import (
    AutoModelForCausalLM,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.progress_bars import silent_without_terminal
from cybersecqwen.training.hf_trainer import processes
from cybersecqwen.training.lora.examples import Encoded
from cybersecqwen.training.lora.memory_plan import (
    MemoryPlan,
    MemoryStrategy,
    Profile,
    estimate,
    plan_memory,
    read_shape,
)
from cybersecqwen.training.lora.model import (
    LoraBase,
    has_flash_attention,
    load_weights,
    weight_type,
)
from cybersecqwen.training.lora.packing import TokenRow, make_rows
from cybersecqwen.training.lora.run import peak_memory
from cybersecqwen.training.lora.trainer import LoraTrainer
from cybersecqwen.training.recipes.lora import LoraRecipe

ShapeName = Literal["qwen3-4b", "qwen3-0.6b", "tiny"]

_SHAPES: dict[ShapeName, dict[str, Any]] = {
    "qwen3-4b": {
        "vocab_size": 151_936,
        "hidden_size": 2560,
        "intermediate_size": 9728,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 262_144,
    },
    "qwen3-0.6b": {
        "vocab_size": 151_936,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 40_960,
    },
    "tiny": {
        "vocab_size": 512,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 4096,
    },
}
_WARM_UP = 2  # steps that are not counted: the allocator and the kernels settle
_WARM_UP_OF_PROCESSOR = 1
_LONGEST_WARM_UP = 30  # steps in which compilation may go on


@dataclass(frozen=True)
class Load:
    """What stands in for a corpus.

    Attributes:
        example_tokens: Mean tokens of an example; lengths spread log-normally about it.
        answer_share: Share of them that is the answer, 0 to 1.
        lengths: Tokens of a corpus's own examples, from which lengths are drawn instead.
    """

    example_tokens: int = 230
    answer_share: float = 0.12
    lengths: Sequence[int] = ()


@dataclass(frozen=True)
class MeasuredSteps:
    """A benchmark's figures.

    Attributes:
        steps: Optimizer steps counted.
        warm_up: Steps before them.
        step_seconds: Mean of the counted ones.
        median_seconds: Their median.
        tokens_per_step: Mean, padding left out.
        tokens_per_second: Of the counted steps together: ``tokens_per_step / step_seconds``.
        peak_bytes: Most memory held.
        estimate_bytes: Predicted peak memory.
        strategy: How memory was used.
        fused_adapters: Whether adapters computed as ``fuse_adapters`` makes them.
        compiled: Whether the layers were compiled.
        attention: Which attention ran.
        device: On what.
    """

    steps: int
    warm_up: int
    step_seconds: float
    median_seconds: float
    tokens_per_step: float
    tokens_per_second: float
    peak_bytes: int
    estimate_bytes: int
    strategy: MemoryStrategy
    fused_adapters: bool
    compiled: bool
    attention: str
    device: str


def benchmark(
    recipe: LoraRecipe,
    shape: ShapeName,
    steps: int,
    *,
    load: Load | None = None,
    profile: Profile | None = None,
    strategy: MemoryStrategy | None = None,
    fused_adapters: bool = True,
    compiled: bool = False,
    config: PretrainedConfig | None = None,
) -> MeasuredSteps:
    """Time some of a recipe's optimizer steps.

    Args:
        recipe: Whose schedule, packing and loss to follow; its base is not read.
        shape: Name of the base's shape.
        steps: To count, in a row: after two that are not (one on a processor), and after the last
            in which something was compiled.
        load: What the corpus is like.
        profile: As for ``plan_memory``.
        strategy: How to use the memory; None to let ``plan_memory`` choose.
        fused_adapters: As for ``LoraTrainer``.
        compiled: As for ``LoraTrainer``.
        config: Of a base whose shape is taken instead of ``shape``.

    Raises:
        InputError: It does not fit, or a number makes no sense.
    """
    if steps < 1:
        raise InputError(f"--steps must be at least 1, not {steps}")
    if recipe.adapter is None and not fused_adapters:
        raise InputError(f"recipe {recipe.name}: --plain is for adapters, and all weights learn")
    config = config or Qwen3Config(**_SHAPES[shape], tie_word_embeddings=True)
    longest = steps + (_LONGEST_WARM_UP if compiled else _warm_up())
    rows = _rows(recipe, load or Load(), config.vocab_size, longest)
    sizes = read_shape(config, recipe)
    weight = 2 if torch.cuda.is_available() else 4
    if strategy is None:
        plan = plan_memory(sizes, recipe, max(map(len, rows)), profile=profile)
    else:
        plan = MemoryPlan(strategy, estimate(sizes, recipe, strategy, weight))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the libraries say to each other
        trainer = _trainer(
            recipe,
            config,
            plan.strategy,
            rows,
            Path(folder),
            fused_adapters=fused_adapters,
            compiled=compiled,
        )
        trainer.add_callback(_UntilSettled(steps))
        trainer.train()
    return _measured(trainer, steps, plan, fused_adapters=fused_adapters, compiled=compiled)


def _warm_up() -> int:
    return _WARM_UP if torch.cuda.is_available() else _WARM_UP_OF_PROCESSOR


def _measured(
    trainer: LoraTrainer, steps: int, plan: MemoryPlan, *, fused_adapters: bool, compiled: bool
) -> MeasuredSteps:
    """Return the figures of a run's last steps."""
    log = [entry for entry in trainer.state.log_history if "loss" in entry]
    last = log[-steps - 1 :]
    seconds = [after["seconds"] - before["seconds"] for before, after in pairwise(last)]
    tokens = last[-1]["tokens"] - last[0]["tokens"]
    cuda = torch.cuda.is_available()
    return MeasuredSteps(
        steps=steps,
        warm_up=len(log) - steps,
        step_seconds=round(sum(seconds) / steps, 4),
        median_seconds=round(statistics.median(seconds), 4),
        tokens_per_step=round(tokens / steps, 1),
        tokens_per_second=round(tokens / sum(seconds), 1),
        peak_bytes=peak_memory(),
        estimate_bytes=plan.estimate,
        strategy=plan.strategy,
        fused_adapters=fused_adapters,
        compiled=compiled,
        attention="flash_attention_2" if has_flash_attention() else "sdpa",
        device=f"{processes().num_processes} x "
        f"{torch.cuda.get_device_name() if cuda else 'processor'}",
    )


class _UntilSettled(TrainerCallback):
    """Ends a run after so many steps in a row in which nothing was compiled, and a warm-up."""

    def __init__(self, steps: int) -> None:
        self._wanted = steps
        self._graphs = -1
        self._settled = -_warm_up()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        anew = graphs != self._graphs and self._graphs >= 0
        self._settled = min(0, self._settled) if anew else self._settled + 1
        self._graphs = graphs
        control.should_training_stop = self._settled >= self._wanted


def _rows(recipe: LoraRecipe, load: Load, vocabulary: int, steps: int) -> list[TokenRow]:
    """Return rows for so many steps, of random tokens."""
    draw = np.random.default_rng(recipe.seed)
    wanted = steps * recipe.fit.batch
    rows: list[TokenRow] = []
    while len(rows) < wanted:
        lengths = (
            draw.choice(np.array(load.lengths), 8 * wanted)
            if load.lengths
            else load.example_tokens * draw.lognormal(-0.08, 0.4, 8 * wanted)
        )
        examples = [
            Encoded(
                draw.integers(0, vocabulary, size).astype(np.int32),
                min(size - 1, round(size * (1 - load.answer_share))),
                np.zeros(0, np.int32),
            )
            for size in np.clip(lengths, 8, recipe.max_tokens).astype(int)
        ]
        rows += make_rows(examples, recipe).rows
    return rows[:wanted]


def _trainer(
    recipe: LoraRecipe,
    config: PretrainedConfig,
    strategy: MemoryStrategy,
    rows: list[TokenRow],
    folder: Path,
    *,
    fused_adapters: bool,
    compiled: bool,
) -> LoraTrainer:
    set_seed(recipe.seed)
    cuda = torch.cuda.is_available()
    # A base that needs 4 bits may not fit the card before it has them.
    with (
        torch.device("cuda" if cuda and not strategy.base_4bit else "cpu"),
        silent_without_terminal(),
    ):
        model = AutoModelForCausalLM.from_config(
            config,
            dtype=weight_type(recipe),
            attn_implementation="flash_attention_2" if has_flash_attention() else "sdpa",
        )
    model.config.use_cache = False
    words = {f"<{number}>": number for number in range(4)}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<0>")), eos_token="<1>"
    )
    for settings in (model.config, model.generation_config):  # else the trainer tells of it
        settings.eos_token_id = tokenizer.eos_token_id
        settings.bos_token_id = settings.pad_token_id = None
    if strategy.base_4bit:
        model.save_pretrained(folder / "base")
        model = load_weights(LoraBase(str(folder / "base"), config, tokenizer), recipe, strategy)
    once = msgspec.structs.replace(recipe.fit, epochs=1)
    changed = msgspec.structs.replace(recipe, fit=once, checkpoint_every=1_000_000)
    return LoraTrainer(
        model,
        tokenizer,
        changed,
        strategy,
        rows,
        [],
        folder,
        fused_adapters=fused_adapters,
        compiled=compiled,
    )
