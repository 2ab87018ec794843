"""Domain-adaptive pretraining: masked-language modelling on descriptions (Devlin et al., 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

from cybersecqwen.training.fitting import Indices, fit
from cybersecqwen.training.recipe import Pretrain
from cybersecqwen.training.rows import NO_LABEL, Texts


class MaskedLanguageModel(nn.Module):
    """An encoder that says which word was hidden, its output tied to its input embeddings.

    Args:
        encoder: Any Hugging Face encoder.
        hidden: Width of its states, D.
        vocabulary: Size of its vocabulary, V.
    """

    def __init__(self, encoder: nn.Module, hidden: int, vocabulary: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.transform = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.LayerNorm(hidden))
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """Return the mean loss over hidden tokens of (B, T) texts."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        hidden_at = labels != NO_LABEL  # (B, T); logits are made for M hidden tokens alone
        table = self.encoder.get_input_embeddings().weight  # (V, D)
        logits = functional.linear(self.transform(states[hidden_at]), table, self.bias)  # (M, V)
        return {"loss": functional.cross_entropy(logits.float(), labels[hidden_at])}


def pretrain(
    encoder: nn.Module,
    hidden: int,
    tokenizer: PreTrainedTokenizerFast,
    texts: Texts,
    options: Pretrain,
    folder: Path,
    seed: int,
) -> None:
    """Adapt ``encoder`` to ``texts``, in place."""
    model = MaskedLanguageModel(encoder, hidden, len(tokenizer))
    hide = DataCollatorForLanguageModeling(tokenizer, mlm_probability=options.mask)

    def collate(rows: list[int]) -> Mapping[str, Tensor]:
        batch: Mapping[str, Tensor] = hide([{"input_ids": texts[row].tolist()} for row in rows])
        return {key: batch[key] for key in ("input_ids", "attention_mask", "labels")}

    fit(model, Indices(np.diff(texts.starts).tolist()), collate, options.fit, folder, seed)
