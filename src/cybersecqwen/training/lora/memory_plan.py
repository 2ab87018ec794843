"""How much memory a fine-tuning takes, told from its shape, and what of it fits a card."""

from __future__ import annotations

import gc
import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.resources import usable_memory
from cybersecqwen.training.lora.divergence import TOKENS_AT_ONCE
from cybersecqwen.training.recipes.lora import LoraRecipe

GIB = 1 << 30

Profile = Literal["consumer-16gb", "consumer-24gb", "datacenter"]

BUDGETS: dict[Profile, float] = {
    "consumer-16gb": 14 * GIB,
    "consumer-24gb": 22 * GIB,
    "datacenter": 72 * GIB,
}
"""What a fine-tuning may take of a card of each kind; a desktop and the driver hold the rest."""

# Bytes a token for each element of the adapted projections' inputs and outputs, in bfloat16. At the
# shape of Qwen3-4B with rank 64 and 8,192 tokens at once the estimate is within a tenth of what was
# measured: 79 GiB without checkpointing and 25.0 with it (logits of every token), 13.7 with it and
# logits of answers alone. Fused adapters keep 3.4 and PEFT's own 3.7; compiled layers keep 2.8
# (54.4 GiB, and 98.8 with 16,384 tokens) and are estimated up to a fifth too high.
_KEPT_PER_ELEMENT = 3.4
_RECOMPUTED_PER_ELEMENT = 6.6
_PER_LOGIT = 9.8
_PER_DIVERGENCE = 24  # a token and word: both models' logits and shares, and what goes back
_TILE_BYTES = GIB  # two float32 tiles of 4,096 tokens by 32,768 words
_FLOAT32_BYTES = 4
_COPY_BYTES = 2  # of a float32 weight in bfloat16, which a GPU computes with
_NF4_BYTES = 0.5625  # four bits, and a scale for every 64 weights
_LARGEST_PART = 32_768  # tokens at once; more fill no card better
_SMALLEST_FAST_PART = 4_096
_FREE_SHARE = 0.92  # of a card's free memory: the allocator's own pieces take some


@dataclass(frozen=True)
class Shape:
    """The sizes of a base and of what learns that memory depends on.

    Attributes:
        parameters: Number of parameters of the base.
        projections: Those of them in the projections that learn or are adapted.
        learning: Parameters that learn: the adapters' or, in full fine-tuning, the base's.
        layers: Number of layers of the base.
        width: Width of the states between layers.
        flow: Elements that go into and come out of one layer's such projections, a token.
        vocabulary: Words.
    """

    parameters: int
    projections: int
    learning: int
    layers: int
    width: int
    flow: int
    vocabulary: int

    @property
    def full(self) -> bool:
        """Whether all weights learn."""
        return self.learning == self.parameters


@dataclass(frozen=True)
class MemoryStrategy:
    """How a fine-tuning uses memory.

    Attributes:
        tokens_at_once: Tokens of a micro-batch, padding included.
        checkpointing: Whether a layer's inner states are computed again for the backward pass
            instead of kept: half as much computing again, for a fraction of the memory.
        base_4bit: Whether the base is held in NF4 (QLoRA, Dettmers et al., arXiv 2305.14314).
        optimizer_8bit: Whether the optimizer's moments are held in 8 bits.
    """

    tokens_at_once: int
    checkpointing: bool = False
    base_4bit: bool = False
    optimizer_8bit: bool = False


@dataclass(frozen=True)
class MemoryPlan:
    """A way that fits, and the bytes that it takes by estimate."""

    strategy: MemoryStrategy
    estimate: int


def read_shape(config: PretrainedConfig, recipe: LoraRecipe) -> Shape:
    """Return the sizes of a base, from its configuration alone.

    Raises:
        InputError: It has none of the projections that the recipe adapts, or fewer layers.
    """
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config)
    linear = [
        (name.rpartition(".")[2], module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    ]
    adapter, head = recipe.adapter, model.get_output_embeddings()
    flowing = [m for name, m in linear if (name in adapter.targets if adapter else m is not head)]
    if adapter is not None and not flowing:
        raise InputError(
            f"{recipe.base}: has none of the projections {', '.join(adapter.targets)}; "
            f"adapter.targets may name {', '.join(sorted({name for name, _ in linear}))}"
        )
    layers = config.num_hidden_layers
    if adapter is not None and adapter.layers > layers:
        raise InputError(f"adapter.layers {adapter.layers}: {recipe.base} has {layers}")
    ends = sum(m.in_features + m.out_features for m in flowing)
    learning = parameters = sum(p.numel() for p in model.parameters())
    if adapter is not None:
        learning = adapter.rank * ends * (adapter.layers or layers) // layers
    return Shape(
        parameters=parameters,
        projections=sum(m.weight.numel() for m in flowing),
        learning=learning,
        layers=layers,
        width=config.hidden_size,
        flow=ends // layers,
        vocabulary=config.vocab_size,
    )


def estimate(
    shape: Shape, recipe: LoraRecipe, strategy: MemoryStrategy, bytes_per_weight: int = 2
) -> int:
    """Return the bytes that a fine-tuning takes at its peak.

    Args:
        shape: Of the base and its adapters.
        recipe: For how logits are computed.
        strategy: How memory is used.
        bytes_per_weight: Of the numbers computed with: 2 for bfloat16, 4 for float32.
    """
    tokens = strategy.tokens_at_once
    kept = shape.layers * _KEPT_PER_ELEMENT * shape.flow
    if strategy.checkpointing:
        kept = shape.layers * 2 * shape.width + _RECOMPUTED_PER_ELEMENT * shape.flow
    logits = tokens * shape.vocabulary * _PER_LOGIT
    if recipe.logits == "tiled":
        logits = min(_TILE_BYTES, logits)
    held = _held_bytes(shape, strategy, bytes_per_weight)
    if recipe.replay and recipe.replay_loss == "distribution":
        logits = max(logits, TOKENS_AT_ONCE * shape.vocabulary * _PER_DIVERGENCE)
        held += shape.parameters * bytes_per_weight if shape.full else 0  # the base as it was
    return int(held + tokens * kept * bytes_per_weight / 2 + logits)


def _held_bytes(shape: Shape, strategy: MemoryStrategy, bytes_per_weight: int) -> float:
    """Return the bytes of weights, gradients and the optimizer's moments."""
    moments = 2 if strategy.optimizer_8bit else 2 * _FLOAT32_BYTES
    learning = shape.learning * (2 * _FLOAT32_BYTES + moments)
    if shape.full:
        copies = shape.parameters * (_COPY_BYTES if bytes_per_weight == 2 else 0)
        # The gradient of the words comes in two parts: from reading and from writing them.
        return learning + copies + shape.vocabulary * shape.width * _FLOAT32_BYTES
    rest = (shape.parameters - shape.projections) * bytes_per_weight
    return (
        rest
        + shape.projections * (_NF4_BYTES if strategy.base_4bit else bytes_per_weight)
        + learning
    )


def plan_memory(
    shape: Shape,
    recipe: LoraRecipe,
    longest: int,
    *,
    profile: Profile | None = None,
    devices: int = 1,
) -> MemoryPlan:
    """Choose how to fit a fine-tuning into the memory there is, the fastest way first.

    Args:
        shape: Of the base and its adapters.
        recipe: What is trained.
        longest: Tokens of the longest row, which has to fit.
        profile: A kind of card whose budget is to be kept, also where more is there.
        devices: Processes that share this machine's main memory, where there is no GPU.

    Raises:
        InputError: Nothing fits; the message says what is missing and what would help.
    """
    cuda = torch.cuda.is_available()
    free = _free_on_card() if cuda else usable_memory() // devices
    budget = int(free * _FREE_SHARE)
    if profile is not None:
        budget = min(budget, int(BUDGETS[profile]))
    plans = [
        MemoryPlan(strategy, estimate(shape, recipe, strategy, 2 if cuda else 4))
        for strategy in _strategies(
            longest, longest * recipe.fit.batch, _reductions(shape, cuda=cuda)
        )
    ]
    fitting = next((plan for plan in plans if plan.estimate <= budget), None)
    if fitting is None:
        least = min(plan.estimate for plan in plans)
        raise InputError(_too_little(recipe, budget, least, longest, cuda))
    return fitting


def _free_on_card() -> int:
    """Return the GPU's free bytes, after giving back what earlier models of this process took."""
    gc.collect()
    torch.cuda.empty_cache()
    return int(torch.cuda.mem_get_info()[0])


def has_bitsandbytes() -> bool:
    """Whether the package for 4-bit weights and 8-bit moments is installed."""
    return importlib.util.find_spec("bitsandbytes") is not None


def _reductions(shape: Shape, *, cuda: bool) -> list[tuple[bool, bool]]:
    """Return whether base and optimizer can be held in few bits, what changes least first.

    Weights that learn are not among what can be.
    """
    ways = [(False, False), (False, True), (True, True)]
    return (
        [way for way in ways if not (way[0] and shape.full)]
        if cuda and has_bitsandbytes()
        else ways[:1]
    )


def _strategies(
    longest: int, most: int, reductions: Iterable[tuple[bool, bool]]
) -> Iterator[MemoryStrategy]:
    """Yield ways, what changes least and computes fastest first.

    Args:
        longest: Tokens of the longest row.
        most: Tokens that a step can have at all.
        reductions: Whether base and optimizer are held in few bits.
    """
    sizes = [longest]
    size = min(_LARGEST_PART, most)
    while size > longest:
        sizes.append(size)
        size //= 2
    sizes.sort(reverse=True)
    fast = [size for size in sizes if size >= min(_SMALLEST_FAST_PART, sizes[0])]
    for base_4bit, optimizer_8bit in reductions:
        yield from (MemoryStrategy(tokens, False, base_4bit, optimizer_8bit) for tokens in fast)
        yield from (MemoryStrategy(tokens, True, base_4bit, optimizer_8bit) for tokens in sizes)


def _too_little(recipe: LoraRecipe, budget: int, smallest: int, longest: int, cuda: bool) -> str:
    ways = ["a smaller base", "a lower adapter.rank" if recipe.adapter else "method: lora"]
    if longest > 1024:
        ways.append(f"a lower max_tokens (the longest row has {longest:,})")
    if recipe.logits == "whole":
        ways.append("logits: tiled")
    if cuda and not has_bitsandbytes():
        smaller = "a base in 4 bits" if recipe.adapter else "an optimizer in 8 bits"
        ways.append(f"pip install bitsandbytes, for {smaller}")
    return (
        f"{recipe.base}: too little memory: training takes about {smallest / GIB:.1f} GiB at the "
        f"least, and {budget / GIB:.1f} GiB may be used; what helps: {'; '.join(ways)}"
    )
