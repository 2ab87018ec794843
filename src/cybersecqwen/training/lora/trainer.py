"""TRL's SFTTrainer with steps of our own: whole batches in, split to fit the memory."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from datasets.table import InMemoryTable
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader
from transformers import PrinterCallback, TrainerState
from trl import SFTTrainer

from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.progress_bars import silent_without_terminal
from cybersecqwen.core.rows import REPLAY_KIND
from cybersecqwen.training.checkpoints import MarkWhole, SaveInTime
from cybersecqwen.training.lora.arguments import sft_arguments
from cybersecqwen.training.lora.divergence import frozen_copy, summed_divergence
from cybersecqwen.training.lora.memory_plan import MemoryStrategy
from cybersecqwen.training.lora.model import (
    adapter_config,
    compile_layers,
    computing_type,
    fuse_adapters,
    has_flash_attention,
    narrow_states,
)
from cybersecqwen.training.lora.packing import (
    EpochBatches,
    TokenRow,
    collate,
    micro_batches,
    unpack,
)
from cybersecqwen.training.lora.step_reports import Report, StepReports
from cybersecqwen.training.recipes.lora import LoraRecipe
from cybersecqwen.training.specialist.rows import NO_LABEL

# Launching a pass's kernels keeps the host busy for as long as a GPU takes to compute so many
# tokens, the more the smaller the base: about 1,000 at 4 billion parameters, 9,000 at half a
# billion. Estimated on an H100. A processor spends little on it.
_LAUNCHING = 4.4e12  # parameters times tokens
_PASS_ON_PROCESSOR = 64  # tokens

# Code is compiled for widths that divide by 8 and for others apart, and for a lone row too. So that
# nothing is compiled again in the middle of a run, widths are multiples and no row stands alone.
_COMPILED_WIDTHS = 16  # tokens


class LoraTrainer(SFTTrainer):
    """Fits an adapter, or all weights, to rows.

    Each process is handed whole optimizer steps, takes its share of a step's rows, and splits
    that into micro-batches. A step's loss is the sum over its learnt tokens divided by how many
    they are over all processes, so neither the split nor the number of processes changes it.

    Args:
        model: The base.
        tokenizer: Its tokenizer.
        recipe: What to do.
        strategy: How to use the memory.
        rows: What is learnt.
        validation: What is only measured; one example a row.
        folder: Folder of the checkpoints.
        report: Called after each step.
        fused_adapters: Whether adapters compute as ``fuse_adapters`` makes them.
        compiled: Whether PyTorch compiles the layers: a minute or so at the start, faster steps
            after it.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        recipe: LoraRecipe,
        strategy: MemoryStrategy,
        rows: Sequence[TokenRow],
        validation: Sequence[TokenRow],
        folder: Path,
        report: Report | None = None,
        *,
        fused_adapters: bool = True,
        compiled: bool = False,
    ) -> None:
        self.compiled = compiled
        self._recipe = recipe
        self._strategy = strategy
        self._rows = rows
        self._validation = validation
        self._flat = has_flash_attention()
        self._launch_overhead_tokens = _PASS_ON_PROCESSOR
        if torch.cuda.is_available():
            self._launch_overhead_tokens = int(
                _LAUNCHING / sum(p.numel() for p in model.parameters())
            )
        stages = [int(not row.kind.startswith(recipe.first)) for row in rows]
        self._batches = EpochBatches(
            *(len(rows), recipe.fit.batch, recipe.seed, self._epoch),
            stages=stages if recipe.first else None,
            lengths=[len(row) for row in rows] if recipe.stratify_by_length else None,
        )
        self._started = time.monotonic()
        self._seconds_before = 0.0
        self._tokens_before = 0
        self._tokens = 0
        self._base = None
        if recipe.adapter is None and recipe.replay_loss == "distribution":
            self._base = frozen_copy(model, computing_type())
        super().__init__(
            model=model,
            args=sft_arguments(recipe, strategy, folder, validates=bool(validation)),
            # Rows by their number: TRL asks for datasets of its own kind.
            train_dataset=_numbers(rows),
            eval_dataset=_numbers(validation) if validation else None,
            data_collator=self._share,
            processing_class=tokenizer,
            peft_config=adapter_config(recipe, model.config.num_hidden_layers),
        )
        self._ready_model(fused_adapters=fused_adapters)
        self.remove_callback(PrinterCallback)  # standard output is the caller's
        self.add_callback(MarkWhole())
        self.add_callback(SaveInTime())
        self.add_callback(StepReports(self.start_clock, lambda: self.tokens_per_second, report))

    def _ready_model(self, *, fused_adapters: bool) -> None:
        """Give the model the types and the ways of computing that it learns by."""
        if self.is_fsdp_enabled:  # shards hold parameters of one type
            for parameter in self.model.parameters():
                if parameter.requires_grad:
                    parameter.data = parameter.data.to(self.model.dtype)
        # A base that was read comes in evaluation mode, in which checkpointing does nothing. Here
        # and not at every step: it takes a walk through thousands of modules.
        self.model.train()
        if fused_adapters:
            fuse_adapters(self.model)
        if self._recipe.adapter is None:
            narrow_states(self.model)
        if self._base is not None:
            self._base.to(self.args.device)
        if self.compiled:
            compile_layers(self.model, self.model._no_split_modules)
            # Else the first layer, whose input learns nothing, would be compiled for itself.
            self.model.enable_input_require_grads()

    def start_clock(self, state: TrainerState) -> None:
        """Begin to count time and tokens, on top of what a resumed run's log holds."""
        self._started = time.monotonic()
        self._tokens = 0
        entries = (entry for entry in reversed(state.log_history) if "tokens" in entry)
        last: dict[str, Any] = next(entries, {})
        self._seconds_before = last.get("seconds", 0.0)
        self._tokens_before = last.get("tokens", 0)

    @property
    def tokens_per_second(self) -> float:
        """Tokens of rows, without padding, over all processes, since this launch began."""
        return self._tokens / max(time.monotonic() - self._started, 1e-9)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return a loader of optimizer steps, the same in every process."""
        return DataLoader(
            self.train_dataset, batch_sampler=self._batches, collate_fn=self.data_collator
        )

    def _epoch(self) -> int:
        # From the steps done, which a resumed run knows too, and not from who iterates how often.
        return int(self.state.global_step) // len(self._batches)

    def _share(self, numbered: list[dict[str, int]]) -> dict[str, Any]:
        """Return what this process does of a step: micro-batches, and the step's own counts."""
        rows = [self._rows[item["row"]] for item in numbered]
        if not self._flat:
            # A mask would keep a row's examples apart too, but PyTorch's attention with one is
            # slow on a GPU and returns gradients that are no numbers now and then.
            rows = [example for row in rows for example in unpack(row)]
        near: list[TokenRow] = []
        if self._recipe.replay_loss == "distribution":
            near = [row for row in rows if row.kind == REPLAY_KIND]
            rows = [row for row in rows if row.kind != REPLAY_KIND]
        shares = [self._parts(rows[n :: self.args.world_size]) for n in range(self.args.world_size)]
        near_parts = self._parts(near)
        parts = shares[self.args.process_index]
        # Every process passes through the model equally often, as sharding asks; one that has too
        # few rows looks at some again and learns nothing from them.
        most = max(map(len, shares))
        if len(parts) < most:
            parts += [[_unlearnt(rows[-1])]] * (most - len(parts))
        multiple, weight = 1, self._recipe.final_weight
        if self.compiled and not self._flat and self._recipe.packing != "wrapped":
            multiple = _COMPILED_WIDTHS
            parts, near_parts = (
                [part if len(part) > 1 else [*part, _unlearnt(part[0])] for part in some]
                for some in (parts, near_parts)
            )
        batches = [
            collate(part, flat=self._flat, width_multiple=multiple, final_weight=weight)
            for part in parts
        ]
        batches += [
            {**collate(part, flat=False, width_multiple=multiple), "near": True}
            for part in near_parts
        ]
        return {
            "parts": batches,
            "learnt": sum(r.weight(weight) for r in rows) + sum(r.learnt for r in near),
            "tokens": sum(map(len, [*rows, *near])),
        }

    def _parts(self, rows: Sequence[TokenRow]) -> list[list[TokenRow]]:
        return micro_batches(rows, self._strategy.tokens_at_once, self._launch_overhead_tokens)

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> Tensor:
        """Add up the gradients of a step's micro-batches; return the step's loss as this process
        contributes to it.
        """
        self._tokens += inputs["tokens"]
        scale = self.args.world_size / max(inputs["learnt"], 1)
        total = torch.zeros((), device=self.args.device)
        parts = inputs["parts"]
        for number, part in enumerate(parts, 1):
            last = number == len(parts)
            with nullcontext() if last else self.accelerator.no_sync(model):
                with self.compute_loss_context_manager():
                    loss = self._summed_loss(model, self._prepare_inputs(part)) * scale
                self.accelerator.backward(loss)
            total += loss.detach()
        return total

    def _summed_loss(self, model: Any, batch: dict[str, Any]) -> Tensor:
        """Return the negative log-likelihood of a micro-batch's learnt tokens, nats, summed.

        Each counts as its weight says. For the base's own answers it may be the divergence.
        """
        if batch.pop("near", False):
            # It passes through the model's parts, of which only the whole brings its autocast.
            with self.accelerator.autocast():
                return summed_divergence(model, batch, self._base)
        weights = batch.pop("weights", None)
        if self._recipe.logits == "tiled":
            out = model(**batch, fused_lm_head=True, num_items_in_batch=1)
            if weights is None:
                loss: Tensor = out.loss
                return loss
            return -(out.log_probs * weights[:, 1:]).sum()  # 0 where nothing is learnt
        labels = batch.pop("labels")
        # With a cache, positions that begin again would not be read as another example's.
        logits = model(**batch, use_cache=False).logits[:, :-1].float()  # (B, T - 1, V)
        each = functional.cross_entropy(
            logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=NO_LABEL, reduction="none"
        )
        return (each if weights is None else each * weights[:, 1:].flatten()).sum()

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Measure the validation rows: loss, and shares of tokens and of final answers right."""
        sums = torch.zeros(5, dtype=torch.float64)
        mine = self._validation[self.args.process_index :: self.args.world_size]
        self.model.eval()
        # Compiled layers would be compiled again, for this mode.
        eager = torch.compiler.set_stance("force_eager")
        with eager, torch.no_grad(), self.compute_loss_context_manager():
            for part in self._parts(mine):
                sums += self._measure(part)
        self.model.train()
        if self.args.world_size > 1:
            sums = self.accelerator.reduce(sums.to(self.args.device, torch.float32)).cpu()
        loss, right, tokens, answered, answers = sums.tolist()
        tokens = max(tokens, 1)
        metrics = {"eval_loss": loss / tokens, "eval_token_accuracy": right / tokens}
        if answers:
            metrics["eval_answer_accuracy"] = answered / answers
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _measure(self, rows: Sequence[TokenRow]) -> Tensor:
        """Return a micro-batch's summed loss, tokens right and in all, answers right and in all."""
        batch = self._prepare_inputs(collate(rows, flat=False))
        out = self.model(**batch, fused_lm_head=True, num_items_in_batch=1)
        top = out.is_top1.bool().cpu()  # (B, T - 1), whether the next token is the likeliest
        answered = answers = 0
        for place, row in enumerate(rows):
            if row.final is not None and row.final.any():
                answers += 1
                final = torch.from_numpy(row.final[1:])
                answered += int(top[place, : len(final)][final].all())
        counts = [float(out.loss), float(top.sum()), float(out.label_mask.sum())]
        return torch.tensor([*counts, answered, answers], dtype=torch.float64)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log with seconds and tokens so far, over all launches of this run.

        Raises:
            ModelError: The loss is no number: what would be learnt from here on is nothing.
        """
        if not math.isfinite(logs.get("loss", 0.0)):
            raise ModelError(
                f"step {self.state.global_step}: the loss is {logs['loss']}, so training stops; "
                "the last checkpoint is kept. A lower learning rate may help"
            )
        spent = time.monotonic() - self._started
        logs["seconds"] = round(self._seconds_before + spent, 3)
        logs["tokens"] = self._tokens_before + self._tokens
        super().log(logs, start_time)

    def floating_point_ops(self, inputs: Any) -> int:
        """Not counted: the Trainer's own count knows nothing of adapters."""
        return 0

    def _save(self, *given: Any, **named: Any) -> None:
        """Save without the bar that transformers shows where a whole model is written."""
        with silent_without_terminal():
            super()._save(*given, **named)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Not here: the run writes its own card."""

    def _send_telemetry(self) -> None:
        """Nothing is sent anywhere."""


def _numbers(rows: Sequence[TokenRow]) -> Dataset:
    # With a fingerprint, else datasets pickles the table for one, which fails with Python 3.12 and
    # pyarrow 26.
    table = InMemoryTable.from_pydict({"row": list(range(len(rows)))})
    return Dataset(table, fingerprint=f"rows-{len(rows)}")


def _unlearnt(row: TokenRow) -> TokenRow:
    nothing = row.labels.copy()
    nothing[:] = NO_LABEL
    return TokenRow(row.ids, nothing, row.starts)
