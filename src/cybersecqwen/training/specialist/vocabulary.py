"""Taking word pieces that no description uses out of a tokenizer and its embeddings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer


def prune(
    tokenizer: Tokenizer, texts: Sequence[str], min_count: int, added: Sequence[str] = ()
) -> tuple[Tokenizer, NDArray[np.int64]]:
    """Drop the word pieces that fewer than ``min_count`` texts need, and add whole words.

    Single characters and special tokens stay, so that any word can still be spelt. Only
    WordPiece vocabularies can lose entries without other entries losing their sense; any other
    tokenizer comes back whole.

    Args:
        tokenizer: What to change.
        texts: Rendered texts.
        min_count: TokenisedTexts that a piece needs.
        added: Words that get a piece of their own.

    Returns:
        The other tokenizer, and the old id of each new id, (V,), -1 for an added word.
    """
    whole = np.arange(tokenizer.get_vocab_size(), dtype=np.int64)
    state = json.loads(tokenizer.to_str())
    if state["model"]["type"] != "WordPiece" or (min_count <= 0 and not added):
        return tokenizer, whole
    counts: Counter[int] = Counter()
    tokenizer.no_truncation()
    tokenizer.no_padding()
    for start in range(0, len(texts) if min_count > 0 else 0, 4096):
        for encoding in tokenizer.encode_batch_fast(list(texts[start : start + 4096])):
            counts.update(set(encoding.ids))
    vocabulary: dict[str, int] = state["model"]["vocab"]
    special = {token["content"] for token in state["added_tokens"]}
    prefix = state["model"]["continuing_subword_prefix"]
    kept = [
        (piece, old)
        for piece, old in sorted(vocabulary.items(), key=lambda item: item[1])
        if min_count <= 0
        or counts[old] >= min_count
        or piece in special
        or len(piece.removeprefix(prefix)) == 1
    ]
    kept += [(word, -1) for word in dict.fromkeys(added) if word not in vocabulary]
    new_ids = {piece: new for new, (piece, _) in enumerate(kept)}
    state["model"]["vocab"] = new_ids
    for token in state["added_tokens"]:
        token["id"] = new_ids[token["content"]]
    for name, token in (state["post_processor"] or {}).get("special_tokens", {}).items():
        token["ids"] = [new_ids[name]]
    for key in ("sep", "cls"):  # BertProcessing and RobertaProcessing name theirs as pairs
        if key in (state["post_processor"] or {}):
            name = state["post_processor"][key][0]
            state["post_processor"][key] = [name, new_ids[name]]
    return Tokenizer.from_str(json.dumps(state)), np.array([old for _, old in kept], np.int64)
