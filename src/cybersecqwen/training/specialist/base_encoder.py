"""A pretrained encoder made ready for a task: its vocabulary, its layers, its language."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.files import write_text
from cybersecqwen.training.recipes.specialist import Pretrain
from cybersecqwen.training.specialist.encoder import (
    PretrainedEncoder,
    change_embeddings,
    keep_layers,
    load_base,
    narrow_feed_forward,
)
from cybersecqwen.training.specialist.pretraining import pretrain
from cybersecqwen.training.specialist.rows import encode_rendered
from cybersecqwen.training.specialist.vocabulary import prune


def adapted_base(
    name: str,
    options: Pretrain | None,
    texts: Sequence[str],
    added: Sequence[str],
    folder: Path,
    seed: int,
    *,
    layers: tuple[int, ...] | None = None,
    intermediate: int | None = None,
    min_piece_count: int = 0,
) -> tuple[PretrainedEncoder, Tokenizer]:
    """Load a base, cut it down, and let it read ``texts``; leave its tokenizer in ``folder``.

    Args:
        name: Hugging Face id, or a folder.
        options: Of masked-language modelling; None for none.
        texts: Rendered texts.
        added: Words that get a piece of their own.
        folder: Gets ``tokenizer.json`` and ``pretrain``.
        seed: Seed of everything random.
        layers: Layers to keep, counted from 0.
        intermediate: Feed-forward neurons to keep.
        min_piece_count: TokenisedTexts that a word piece needs to stay.

    Raises:
        ModelError: The base is not there, or not of the kind that can be cut or pretrained so.
    """
    base = load_base(name)
    if base.causal and options is not None:
        raise ModelError(
            f"{name}: a causal language model cannot be pretrained on hidden words: leave out "
            "'pretrain'"
        )
    tokenizer, kept = prune(base.tokenizer.backend_tokenizer, texts, min_piece_count, added)
    write_text(folder / "tokenizer.json", tokenizer.to_str())
    change_embeddings(base.encoder, kept)
    if layers is not None:
        keep_layers(base.encoder, layers)
    if intermediate is not None:
        narrow_feed_forward(base.encoder, intermediate)
    if options is not None:
        wrapped = PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, **base.tokenizer.special_tokens_map
        )
        encoded = encode_rendered(tokenizer, texts, options.fit.max_tokens)
        pretrain(base.encoder, base.hidden, wrapped, encoded, options, folder / "pretrain", seed)
    return base, tokenizer
