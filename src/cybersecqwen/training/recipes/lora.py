"""The recipe of a fine-tuning, by adapters or of all weights: every choice, with its unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import force_setattr

from cybersecqwen.core.config import Recipe

QWEN3_4B = "Qwen/Qwen3-4B-Instruct-2507"

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]

Repetitions = Annotated[int, Meta(ge=0)]

Packing = Literal["none", "blocks", "wrapped"]
"""How examples become the rows of a batch; see ``training.lora.packing``."""


class Adapter(Recipe, frozen=True):
    """The low-rank matrices that learn (Hu et al., arXiv 2106.09685).

    Attributes:
        rank: Columns of each matrix.
        alpha: Their product is scaled by ``alpha / rank``.
        dropout: Share of an adapter's inputs that are hidden while training, 0 to 1.
        targets: Names of the projections that get an adapter.
        layers: How many layers get adapters, counted from the last; 0 for all.
    """

    rank: Count = 64
    alpha: Annotated[float, Meta(gt=0)] = 64
    dropout: Share = 0.05
    targets: tuple[str, ...] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    layers: Annotated[int, Meta(ge=0)] = 0


class Schedule(Recipe, frozen=True):
    """How long and how fast to learn.

    Attributes:
        epochs: Passes over the examples.
        batch: Rows per optimizer step, over all devices. A row is an example, or what packing
            fills up to ``max_tokens``.
        learning_rate: Peak, reached after the warm-up, then decayed along a cosine to zero.
        warmup: Share of the optimizer steps, 0 to 1.
        weight_decay: Decoupled (AdamW).
        clip: Largest norm of a step's gradient.
    """

    epochs: Annotated[float, Meta(gt=0)]
    batch: Count
    learning_rate: Annotated[float, Meta(gt=0)]
    warmup: Share = 0.05
    weight_decay: Annotated[float, Meta(ge=0)] = 0.01
    clip: Annotated[float, Meta(gt=0)] = 1.0


class LoraRecipe(Recipe, frozen=True):
    """A fine-tuning from its base to its folder.

    How rows are split into what the memory holds at once is no part of a recipe: it changes
    neither the gradient nor the result (but for rounding), and follows from the machine.

    Attributes:
        name: Name of the model, as its card says.
        base: Hugging Face id of an instruction-tuned model, or a folder.
        method: What learns: ``lora``, an adapter on a base that stays as it is; or ``full``, all
            of the base's weights, which makes a model of the base's size.
        adapter: Of ``lora``: the adapter. None with ``full``.
        fit: Schedule.
        max_tokens: Tokens of a row at most. A longer example is left out, and counted, unless
            ``packing`` is ``wrapped``, which cuts.
        packing: ``none`` makes each example a row, padded on the right among rows of like length;
            ``blocks`` fills rows with whole examples that do not see each other; ``wrapped``
            joins all examples and cuts every ``max_tokens``, so that examples see those before
            them.
        stratify_by_length: Whether each step has the same share of short and of long rows: less
            padding and fewer passes. Needs rows of one example each, and no ``first``.
        loss: ``answer`` learns the answer's tokens (its end token too), ``all`` every token.
        final_weight: How many tokens each token of a short final answer (an id, a letter) counts
            as in the loss. Answers of a word would else be drowned by those of a sentence.
        repeat: How often an epoch has rows, by what their kind begins with: ``{map: 3}``; 0 leaves
            them out. Rows of other kinds come once.
        first: What the kinds begin with whose rows an epoch has before all others, as a stage of
            its own. Needs rows of one example each.
        replay: How often an epoch repeats each of the base's own answers to neutral prompts
            (``corpus replay``), by which the model stays near it; 0 for never.
        replay_loss: What is learnt of those answers: the ``words``, as of any others, or at each
            of them the base's whole ``distribution`` over the next token, whose divergence from
            the model's (Kullback and Leibler's, nats) is then the loss.
        scale: How many times what was learnt is to count once it is trained: under 1, weights are
            averaged with the base's. ``reproduce`` does so, ``export adapter --scale`` or
            ``export merge --scale`` by hand.
        logits: ``tiled`` computes logits where something is learnt, a tile at a time; ``whole``
            holds those of every token over the whole vocabulary at once, as the reference does.
        checkpoint_every: Optimizer steps between checkpoints, from which a killed run goes on. One
            process saves every minute too.
        validate_every: Optimizer steps between validations; 0 for the end of each epoch.
        validation_rows: Rows of the corpus's validation file that are used at most.
        seed: Seed of everything random.
    """

    name: str
    fit: Schedule
    base: str = QWEN3_4B
    method: Literal["lora", "full"] = "lora"
    adapter: Adapter | None = None
    max_tokens: Annotated[int, Meta(ge=8)] = 4096
    packing: Packing = "none"
    stratify_by_length: bool = False
    loss: Literal["answer", "all"] = "answer"
    final_weight: Annotated[float, Meta(gt=0)] = 1.0
    repeat: Mapping[str, Repetitions] = {}
    first: tuple[str, ...] = ()
    replay: Annotated[int, Meta(ge=0)] = 0
    replay_loss: Literal["words", "distribution"] = "words"
    scale: Annotated[float, Meta(gt=0, le=1)] = 1.0
    logits: Literal["tiled", "whole"] = "tiled"
    checkpoint_every: Count = 50
    validate_every: Annotated[int, Meta(ge=0)] = 0
    validation_rows: Annotated[int, Meta(ge=0)] = 1000
    seed: int = 42

    def __post_init__(self) -> None:
        """Give LoRA its adapter, and refuse what cannot go together.

        Raises:
            ValueError: Two keys contradict each other.
        """
        if self.method == "lora" and self.adapter is None:
            force_setattr(self, "adapter", Adapter())
        if self.method == "full" and self.adapter is not None:
            raise ValueError(
                "adapter: belongs to `method: lora`; with `method: full` all weights learn, so "
                "take it out"
            )
        by_distribution = self.replay_loss == "distribution"
        if self.packing != "none" and (self.first or by_distribution):
            key = "first" if self.first else "replay_loss: distribution"
            raise ValueError(f"{key}: needs `packing: none`, not {self.packing}")
        if by_distribution and not self.replay:
            raise ValueError("replay_loss: distribution: needs `replay`, which is 0")
        if self.stratify_by_length and (self.packing != "none" or self.first):
            raise ValueError("stratify_by_length: needs `packing: none` and no `first`")
