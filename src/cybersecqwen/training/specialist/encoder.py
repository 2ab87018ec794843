"""A pretrained encoder with one head per labeller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import processors
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    AutoModel,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedTokenizerFast,
)

from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.hub import require_reachable
from cybersecqwen.core.model_files import NO_CODE, check_stated_files
from cybersecqwen.training.recipes.specialist import Supervision
from cybersecqwen.training.specialist.reading_encoder import States
from cybersecqwen.training.specialist.rows import NO_LABEL


class CweEncoder(nn.Module):
    """Encoder, its first token's state, and a linear head over C ids for each of L labellers.

    A labeller's head is a shared matrix plus its own: conventions differ in a few places, and
    where a labeller has few rows of an id the shared part carries it.

    Args:
        encoder: Any Hugging Face encoder that returns ``last_hidden_state`` (B, T, D).
        hidden: D.
        labellers: L.
        labels: C.
        supervision: How labels and teachers are weighed in the loss.
        dropout: On the pooled state, 0 to 1.
    """

    def __init__(
        self,
        encoder: nn.Module,
        hidden: int,
        labellers: int,
        labels: int,
        supervision: Supervision,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.shared = nn.Linear(hidden, labels)
        self.own = nn.Linear(hidden, labellers * labels)
        # The heads start equal, so that a labeller's own part learns only what differs.
        nn.init.zeros_(self.own.weight)
        nn.init.zeros_(self.own.bias)
        self.labellers = labellers
        self.soft_share = supervision.soft
        self.label_smoothing = supervision.label_smoothing

    def logits(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return (B, L, C) logits for (B, T) token ids and their (B, T) mask."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        return self.head(states.last_hidden_state[:, 0])

    def head(self, pooled: Tensor) -> Tensor:
        """Return (B, L, C) logits for (B, D) states of the first token."""
        pooled = self.dropout(pooled)
        own = self.own(pooled).unflatten(-1, (self.labellers, -1))  # (B, L, C)
        return self.shared(pooled).unsqueeze(1) + own

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        weight: Tensor,
        soft_ids: Tensor | None = None,
        soft_probabilities: Tensor | None = None,
        counted: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the loss, and the (B, L, C) logits.

        Args:
            input_ids: (B, T).
            attention_mask: (B, T).
            labels: (B, L), ``NO_LABEL`` where a labeller gave none.
            weight: (B,), of the rows' own labels.
            soft_ids: (B, L, K), the ids to which the teachers give most.
            soft_probabilities: (B, L, K), what they give.
            counted: (B, L), false where a labeller's answer is not asked for; all when left out.
        """
        logits = self.logits(input_ids, attention_mask).float()
        given = labels != NO_LABEL  # (B, L)
        hard = functional.cross_entropy(
            logits.transpose(1, 2),
            labels,
            ignore_index=NO_LABEL,
            reduction="none",
            label_smoothing=self.label_smoothing,
        )  # (B, L)
        scale = weight.unsqueeze(1) * given
        if soft_ids is None or soft_probabilities is None:
            return {"loss": (hard * scale).sum() / scale.sum().clamp(min=1e-6), "logits": logits}
        chosen = logits.log_softmax(-1).gather(-1, soft_ids)  # (B, L, K)
        soft = -(soft_probabilities * chosen).sum(-1)  # (B, L)
        # A labeller's own label and the teachers' view of it share one unit of loss.
        mixed = torch.where(
            given, (1 - self.soft_share) * hard * weight.unsqueeze(1) + self.soft_share * soft, soft
        )
        if counted is not None:
            return {"loss": (mixed * counted).sum() / counted.sum().clamp(min=1), "logits": logits}
        return {"loss": mixed.mean(), "logits": logits}


class LastTokenEncoder(nn.Module):
    """A causal language model read at each text's last token, the one that has seen them all.

    Args:
        decoder: Any Hugging Face decoder that returns ``last_hidden_state`` (B, T, D).
    """

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> States:
        """Return the last token's state, (B, 1, D), of (B, T) ids padded on the right."""
        states = self.decoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        last = attention_mask.sum(1) - 1  # (B,)
        return States(states[torch.arange(len(last), device=last.device), last].unsqueeze(1))


class NormedDecoder(nn.Module):
    """A causal language model's states of all tokens, each normalised.

    Untaught, few of a decoder's dimensions outweigh all others: their mean tells texts apart only
    when it is normalised.

    Args:
        decoder: Any Hugging Face decoder that returns ``last_hidden_state`` (B, T, D).
        hidden: D.
    """

    def __init__(self, decoder: nn.Module, hidden: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.norm = nn.LayerNorm(hidden)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> States:
        """Return states, (B, T, D), of (B, T) ids padded on the right; padding's are 0."""
        # No token sees what comes after it, so the padding needs no mask of its own.
        states = self.norm(self.decoder(input_ids=input_ids).last_hidden_state)
        return States(states * attention_mask.unsqueeze(-1))


@dataclass(frozen=True)
class PretrainedEncoder:
    """A pretrained encoder.

    Attributes:
        encoder: The network.
        hidden: Width of its states.
        tokenizer: Its tokenizer; a causal model's puts its end-of-text word around each text.
        causal: Whether it is a language model whose tokens see only those before them.
    """

    encoder: nn.Module
    hidden: int
    tokenizer: PreTrainedTokenizerFast
    causal: bool = False


def load_base(base: str) -> PretrainedEncoder:
    """Load a pretrained encoder, or a causal language model, from the hub or from a folder.

    Raises:
        ModelError: It is not there, is of neither kind, or a file is not the one that its folder
            states.
    """
    check_stated_files(base)
    require_reachable(base)
    try:
        tokenizer = AutoTokenizer.from_pretrained(base, **NO_CODE)
        encoder = AutoModel.from_pretrained(base, dtype=torch.float32, **NO_CODE)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{base}: cannot load this base encoder (offline? give a folder): {error}"
        ) from error
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None  # unused here, and training on several devices refuses idle weights
    causal = _causal(encoder.config)
    if causal:
        encoder.config.use_cache = False
        _put_around(tokenizer, base)
    return PretrainedEncoder(encoder, int(encoder.config.hidden_size), tokenizer, causal)


def _causal(config: PretrainedConfig) -> bool:
    """Whether a model's kind has a causal head and no masked one: BERT's relatives have both."""
    kind = type(config)
    return kind in MODEL_FOR_CAUSAL_LM_MAPPING and kind not in MODEL_FOR_MASKED_LM_MAPPING


def _put_around(tokenizer: PreTrainedTokenizerFast, base: str) -> None:
    """Have a tokenizer put its end-of-text word before and after each text, in place.

    The word before is what later tokens may attend to for nothing, the one after is where the
    whole text is read.

    Raises:
        ModelError: It has no such word.
    """
    end = tokenizer.pad_token or tokenizer.eos_token
    if end is None:
        raise ModelError(f"{base}: its tokenizer has no word for padding or for a text's end")
    number = tokenizer.convert_tokens_to_ids(end)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=[end, "$A", end], special_tokens=[(end, number)]
    )


def keep_layers(encoder: nn.Module, layers: Sequence[int]) -> None:
    """Cut an encoder down to some of its layers, counted from 0, in place.

    Raises:
        ModelError: The encoder has no list of layers where BERT's relatives have theirs, or not
            that many.
    """
    owner, stack, name = _layers(encoder)
    if not layers or max(layers) >= len(stack) or min(layers) < 0:
        raise ModelError(f"layers {list(layers)}: the base has layers 0 to {len(stack) - 1}")
    setattr(owner, name, nn.ModuleList(stack[index] for index in layers))
    encoder.config.num_hidden_layers = len(layers)


def narrow_feed_forward(encoder: nn.Module, width: int) -> None:
    """Keep the ``width`` neurons of each feed-forward part whose weights are largest, in place.

    A neuron's size is the product of the norms of what it reads and what it writes; pruning by
    magnitude after Han et al., 2015, whole neurons at a time.

    Raises:
        ModelError: The encoder's layers are not built like BERT's, or have fewer neurons.
    """
    for layer in _layers(encoder)[1]:
        try:
            inner, outer = layer.intermediate.dense, layer.output.dense  # (F, D) and (D, F)
        except AttributeError as error:
            raise ModelError(
                f"{type(encoder).__name__}: cannot tell where its feed-forward parts are"
            ) from error
        if width > inner.out_features:
            raise ModelError(f"intermediate {width}: the base has {inner.out_features} neurons")
        size = inner.weight.norm(dim=1) * outer.weight.norm(dim=0)  # (F,)
        kept = size.topk(width).indices.sort().values
        inner.weight = nn.Parameter(inner.weight.detach()[kept].clone())
        inner.bias = nn.Parameter(inner.bias.detach()[kept].clone())
        outer.weight = nn.Parameter(outer.weight.detach()[:, kept].clone())
        inner.out_features = outer.in_features = width
    encoder.config.intermediate_size = width


def _layers(encoder: nn.Module) -> tuple[nn.Module, nn.ModuleList, str]:
    """Return an encoder's list of layers, with its owner and its name there."""
    owner = getattr(encoder, "encoder", encoder)
    for name in ("layer", "layers"):
        stack = getattr(owner, name, None)
        if isinstance(stack, nn.ModuleList):
            return owner, stack, name
    raise ModelError(f"{type(encoder).__name__}: cannot tell where its layers are")


def change_embeddings(encoder: nn.Module, old_ids: NDArray[np.int64]) -> None:
    """Give an encoder the rows of input embeddings that another vocabulary needs, in place.

    Args:
        encoder: The encoder.
        old_ids: (V,), the row of each id before; where it is -1, the row starts near the mean.
    """
    table = encoder.get_input_embeddings()
    kept = nn.Embedding(len(old_ids), table.embedding_dim)
    places = torch.from_numpy(old_ids)
    with torch.no_grad():
        kept.weight.copy_(table.weight[places.clamp(min=0)])
        new = places < 0
        spread = torch.randn(int(new.sum()), table.embedding_dim) * table.weight.std(0)
        kept.weight[new] = table.weight.mean(0) + 0.5 * spread
    encoder.set_input_embeddings(kept)
    encoder.config.vocab_size = len(old_ids)
