"""Domain-adaptive pretraining: masked-language modelling on descriptions (Devlin et al., 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from cybersecqwen.training.hf_trainer import Indices, fit
from cybersecqwen.training.recipes.specialist import Pretrain
from cybersecqwen.training.specialist.rows import NO_LABEL, TokenisedTexts
from cybersecqwen.training.specialist.supervision import pad


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
        missed = functional.cross_entropy(logits.float(), labels[hidden_at], reduction="sum")
        return {"loss": missed / hidden_at.sum().clamp(min=1)}  # a short batch may hide nothing


def pretrain(
    encoder: nn.Module,
    hidden: int,
    tokenizer: PreTrainedTokenizerFast,
    texts: TokenisedTexts,
    options: Pretrain,
    folder: Path,
    seed: int,
) -> None:
    """Adapt ``encoder`` to ``texts``, in place."""
    model = MaskedLanguageModel(encoder, hidden, len(tokenizer))
    special = np.array(tokenizer.all_special_ids)

    def collate(rows: list[int]) -> Mapping[str, Tensor]:
        # Drawn from the batch itself, not from a running generator: batches are made ahead of the
        # step that uses them, so a generator's state at a checkpoint would not be the step's.
        draw = np.random.default_rng([seed, *rows])
        batch = pad(texts, rows)
        ids = batch["input_ids"].numpy()
        hide = (draw.random(ids.shape) < options.mask) & ~np.isin(ids, special)
        batch["labels"] = torch.from_numpy(np.where(hide, ids, NO_LABEL))
        # BERT's rule: of the hidden tokens 80 % are masked, 10 % another word, 10 % left.
        fate = draw.random(ids.shape)
        another = draw.integers(0, len(tokenizer), ids.shape)
        ids[hide & (fate < 0.8)] = tokenizer.mask_token_id
        ids[hide & (fate >= 0.9)] = another[hide & (fate >= 0.9)]
        return batch

    fit(model, Indices(np.diff(texts.starts).tolist()), collate, options.fit, folder, seed)
