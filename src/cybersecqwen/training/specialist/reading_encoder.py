"""An encoder of BERT's kind whose last layers are run for the first token alone.

The first token's state is all that a classifier's head reads, so in those layers only it asks;
the states that it reads are those that the layers before left (class-attention layers, after
Touvron et al., 2021: Going deeper with image transformers). Their keys and values are never made,
so that they cost a hundredth of whole ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertModel

from cybersecqwen.core.errors import ModelError

Mixer = Callable[[Tensor, Tensor, Tensor, Tensor, int, float], Tensor]
"""Attention itself: queries (B, Q, D), keys and values (B, T, D), a mask (B, 1, 1, T), the number
of heads and the dropout's odds to (B, Q, D)."""


def scaled_dot_product(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, heads: int, dropout: float
) -> Tensor:
    """Return what the queries find, as PyTorch computes it; see ``Mixer``."""
    split = [part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value)]
    mixed = functional.scaled_dot_product_attention(split[0], split[1], split[2], mask, dropout)
    return mixed.transpose(1, 2).flatten(2)


@dataclass(frozen=True)
class States:
    """States of an encoder, (B, T, D), the name being that of Hugging Face's outputs."""

    last_hidden_state: Tensor


class ReadingEncoder(nn.Module):
    """Whole layers, then layers for the first token alone.

    Args:
        bert: Its layers are taken over.
        reading: How many of them, from the end, read for the first token alone.

    Raises:
        ModelError: It is no BERT, or has too few layers.
    """

    def __init__(self, bert: nn.Module, reading: int) -> None:
        super().__init__()
        if not isinstance(bert, BertModel):
            raise ModelError(
                f"{type(bert).__name__}: reading layers need an encoder of BERT's kind"
            )
        layers = list(bert.encoder.layer)
        if not 0 <= reading <= len(layers):
            raise ModelError(f"{reading} reading layers: the encoder has {len(layers)} in all")
        self.config = bert.config
        self.embeddings = bert.embeddings
        self.whole = nn.ModuleList(layers[: len(layers) - reading])
        self.reading = nn.ModuleList(layers[len(layers) - reading :])
        self.mix: Mixer = scaled_dot_product

    def states(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return what the whole layers leave of (B, T) ids, (B, T, D)."""
        states: Tensor = self.embeddings(input_ids=input_ids)
        mask = attention_mask.bool()[:, None, None, :]  # (B, 1, 1, T)
        for layer in self.whole:
            states = attend(layer, states, states, mask, self.mix)
        return states

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> States:
        """Return the first token's state after the last layer, (B, 1, D).

        Without reading layers it is all tokens' states, (B, T, D).
        """
        states = self.states(input_ids, attention_mask)
        if not self.reading:
            return States(states)
        mask = attention_mask.bool()[:, None, None, :]
        first = states[:, :1]
        for layer in self.reading:
            first = attend_once(layer, first, states, mask)
        return States(first)


def attend(layer: nn.Module, asking: Tensor, read: Tensor, mask: Tensor, mix: Mixer) -> Tensor:
    """Run a BERT layer for the states ``asking``, (B, Q, D), over ``read``, (B, T, D).

    Args:
        layer: A ``BertLayer``.
        asking: What each query starts from.
        read: What keys and values are made of.
        mask: (B, 1, 1, T), true where there is a token.
        mix: Attention itself.
    """
    attention = layer.attention.self
    dropout = attention.dropout.p if layer.training else 0.0
    mixed = mix(
        attention.query(asking),
        attention.key(read),
        attention.value(read),
        mask,
        attention.num_attention_heads,
        dropout,
    )
    return _transform(layer, mixed, asking)


def attend_once(layer: nn.Module, asking: Tensor, read: Tensor, mask: Tensor) -> Tensor:
    """Run a BERT layer for one query a text, (B, 1, D), over ``read``, (B, T, D).

    It gives what ``attend`` does without a key or a value for every token. The product of a query
    with W x is that of its product with W, made once, with x; the mean of W x is W times the mean
    of x; and a bias that all keys share moves no share of attention (weights absorbed, after
    DeepSeek-AI, 2024: DeepSeek-V2).

    Args:
        layer: A ``BertLayer``.
        asking: What the query starts from.
        read: What it reads.
        mask: (B, 1, 1, T), true where there is a token.
    """
    attention = layer.attention.self
    heads = attention.num_attention_heads
    keys = attention.key.weight.unflatten(0, (heads, -1))  # (H, D / H, D)
    values = attention.value.weight.unflatten(0, (heads, -1)).transpose(1, 2)  # (H, D, D / H)
    query = attention.query(asking)[:, 0].unflatten(-1, (heads, -1)).transpose(0, 1)  # (H, B, D/H)
    asked = (query * query.shape[-1] ** -0.5) @ keys  # (H, B, D)
    scores = asked.transpose(0, 1) @ read.transpose(1, 2)  # (B, H, T)
    scores = scores.masked_fill(~mask[:, 0], torch.finfo(scores.dtype).min)
    shares = attention.dropout(scores.softmax(-1))
    found = (shares @ read).transpose(0, 1) @ values  # (H, B, D / H)
    mixed = found.transpose(0, 1).flatten(1) + attention.value.bias  # (B, D)
    return _transform(layer, mixed.unsqueeze(1), asking)


def _transform(layer: nn.Module, mixed: Tensor, asking: Tensor) -> Tensor:
    """Return what a BERT layer makes of what was attended to, both (B, Q, D)."""
    attended = layer.attention.output(mixed, asking)
    made: Tensor = layer.output(layer.intermediate(attended), attended)
    return made


class LabelAttention(nn.Module):
    """One query for each of M questions, and what it finds among the tokens' states.

    Each question's answer is a sum over tokens, so that what every token adds to it is known
    exactly (label-wise attention, after Mullenbach et al., 2018).

    Args:
        hidden: Width of the states, D.
        sizes: Answers that each question has.
    """

    def __init__(self, hidden: int, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.sizes = sizes
        self.queries = nn.Parameter(torch.randn(len(sizes), hidden) * hidden**-0.5)
        self.values = nn.Linear(hidden, sum(sizes))
        owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        self.register_buffer("owner", owner, persistent=False)  # (A,), whose answer it is

    def forward(self, states: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (B, A) logits of all answers, and what each token adds, (B, T, A)."""
        asked = states @ self.queries.T  # (B, T, M)
        closed = ~attention_mask.bool().unsqueeze(-1)
        weights = asked.masked_fill(closed, torch.finfo(asked.dtype).min).softmax(1)
        added = weights[..., self.owner] * functional.linear(states, self.values.weight)
        return added.sum(1) + self.values.bias, added
