"""What a fine-tuning will take, told before it starts: time, memory and disk."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import torch
from transformers import PretrainedConfig

from cybersecqwen.core.errors import InputError
from cybersecqwen.training.lora.benchmark import Load, benchmark
from cybersecqwen.training.lora.memory_plan import (
    GIB,
    MemoryPlan,
    Profile,
    Shape,
    plan_memory,
    read_shape,
)
from cybersecqwen.training.lora.model import compiling_pays, find_base
from cybersecqwen.training.lora.run import prepare
from cybersecqwen.training.recipes.lora import LoraRecipe

_LEARNING_BYTES = 4  # float32
_KEPT_CHECKPOINTS = 2
_PER_CHECKPOINT = 3  # what learns and the optimizer's two moments
_MERGED_BYTES = 2  # bfloat16
_Q4_BYTES = 0.62  # Q4_K_M, 4.9 bits a weight
_ROW_TOKENS = 131  # mean of the default recipe's conversations
_ROWS_ON_PROCESSOR = 2
_SHORT_ROW = 512  # tokens; what does not fit such rows fits no corpus


class TrainingEstimate(msgspec.Struct, frozen=True):
    """What a fine-tuning is expected to take.

    Attributes:
        steps: Optimizer steps.
        tokens: Over all epochs, padding left out.
        tokens_per_second: Measured by some steps with random weights of the base's shape.
        seconds: Of training, without validation.
        memory_bytes: Peak: what the planner reckons with, or what the timed steps held where that
            is more, as on a processor with a small base, where the program itself counts.
        disk_bytes: Of what is trained, its checkpoints, the merged model and the GGUF file.
    """

    steps: int
    tokens: int
    tokens_per_second: float
    seconds: float
    memory_bytes: int
    disk_bytes: int

    @property
    def said(self) -> str:
        """The estimate in one line, with what each part is told by."""
        return (
            f"training: {self.steps:,} steps, {self.tokens:,} tokens at "
            f"{self.tokens_per_second:,.0f} a second (steps timed here, random weights of the "
            f"base's shape): {said_time(self.seconds)} of training; "
            f"{self.memory_bytes / GIB:.1f} GiB of memory (planned by the base's shape, or held "
            f"while timing), {self.disk_bytes / 1e9:.2f} GB of disk (weights made and checkpoints)"
        )


def said_time(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes / 60:.1f} hours" if minutes >= 90 else f"{minutes:.1f} minutes"


def require_room(recipe: LoraRecipe, folder: Path, profile: Profile | None = None) -> None:
    """See that a base is there and that memory and disk suffice, before anything long is done.

    Args:
        recipe: What is to be trained, on a corpus that need not be there yet.
        folder: Where the results are to lie.
        profile: Memory to keep to; None for this machine's.

    Raises:
        InputError: The base is not there, or something does not suffice; the message says what
            is missing.
    """
    base = find_base(recipe.base)
    shape = read_shape(base.config, recipe)
    plan_memory(shape, recipe, min(_SHORT_ROW, recipe.max_tokens), profile=profile)
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    needed, free = _disk(shape), shutil.disk_usage(there).free
    if needed > free:
        raise InputError(
            f"{folder}: too little disk: what is made of {recipe.base} takes about "
            f"{needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
        )


def _disk(shape: Shape) -> int:
    """Return the bytes of what is trained, its checkpoints, the merged model and the GGUF file.

    The checkpoints are gone when an adapter is copied with its product scaled, which is less.
    """
    trained = shape.learning * _LEARNING_BYTES * (1 + _KEPT_CHECKPOINTS * _PER_CHECKPOINT)
    return round(trained + shape.parameters * (_MERGED_BYTES + _Q4_BYTES))


def estimate_training(
    recipe: LoraRecipe,
    corpus: Path | int,
    *,
    profile: Profile | None = None,
    compiled: bool | None = None,
    steps: int = 5,
) -> TrainingEstimate:
    """Time some steps at the base's shape and tell what the whole run takes.

    Args:
        recipe: What is to be trained.
        corpus: On what; where it is still to be built, how many conversations it will have, which
            are then taken to be as long as those of our own.
        profile: Memory to keep to; None for this machine's.
        compiled: Whether PyTorch compiles the layers; None for where it pays.
        steps: To count.

    Raises:
        InputError: The base is not there, or nothing fits the memory.
    """
    if isinstance(corpus, int):
        epoch = _expected_epoch(recipe, corpus, profile)
    else:
        epoch = _prepared_epoch(recipe, corpus, profile)
    shape = read_shape(epoch.config, recipe)
    total = round(epoch.tokens * recipe.fit.epochs)
    if compiled is None:
        compiled = compiling_pays(shape, total)
    timed = recipe
    if not torch.cuda.is_available():  # whose steps take long, and whatever their size as long
        few = msgspec.structs.replace(recipe.fit, batch=min(recipe.fit.batch, _ROWS_ON_PROCESSOR))
        timed, steps = msgspec.structs.replace(recipe, fit=few), 1
    found = benchmark(
        timed,
        "tiny",
        steps,
        load=epoch.load,
        strategy=epoch.plan.strategy,
        compiled=compiled,
        config=epoch.config,
    )
    return TrainingEstimate(
        steps=math.ceil(epoch.rows / recipe.fit.batch * recipe.fit.epochs),
        tokens=total,
        tokens_per_second=found.tokens_per_second,
        seconds=round(total / found.tokens_per_second, 1),
        memory_bytes=max(epoch.plan.estimate, found.peak_bytes),
        disk_bytes=_disk(shape),
    )


@dataclass(frozen=True)
class _Epoch:
    """Once through a corpus: its rows and tokens, how long its examples are, and the plan."""

    config: PretrainedConfig
    rows: int
    tokens: int
    load: Load
    plan: MemoryPlan


def _prepared_epoch(recipe: LoraRecipe, corpus: Path, profile: Profile | None) -> _Epoch:
    job = prepare(recipe, corpus, profile)
    rows = job.train.rows
    tokens = sum(map(len, rows))
    load = Load(
        answer_share=max(0.01, sum(row.learnt for row in rows) / tokens),
        lengths=[end - start for row in rows for start, end in pairwise([*row.starts, len(row)])],
    )
    return _Epoch(job.base.config, len(rows), tokens, load, job.plan)


def _expected_epoch(recipe: LoraRecipe, conversations: int, profile: Profile | None) -> _Epoch:
    config = find_base(recipe.base).config
    longest = min(_SHORT_ROW, recipe.max_tokens)
    plan = plan_memory(read_shape(config, recipe), recipe, longest, profile=profile)
    load = Load(example_tokens=min(_ROW_TOKENS, longest))
    tokens = conversations * load.example_tokens
    unpacked = recipe.packing == "none"
    rows = conversations if unpacked else math.ceil(tokens / recipe.max_tokens)
    return _Epoch(config, rows, tokens, load, plan)
