"""A byte-level BPE tokenizer as GGUF describes it."""

from __future__ import annotations

from typing import Any

import msgspec
from gguf import GGUFWriter, TokenType

from cybersecqwen.core.errors import ModelError


def write_vocabulary(writer: GGUFWriter, tokenizer: Any, size: int, end: int | None) -> None:
    """Add a tokenizer's words, merges, special tokens and chat template.

    Args:
        writer: Writer of the file.
        tokenizer: A fast Hugging Face tokenizer.
        size: Rows of the embedding; what is beyond the words is filled with unused ones.
        end: The token at which the model stops.

    Raises:
        ModelError: llama.cpp has no way of splitting that is this tokenizer's.
    """
    state = msgspec.json.decode(tokenizer.backend_tokenizer.to_str())
    if state["model"]["type"] != "BPE" or state["model"].get("byte_fallback"):
        raise ModelError("its tokenizer is no byte-level BPE, which this export is limited to")
    words = [f"[PAD{number}]" for number in range(size)]
    kinds = [TokenType.UNUSED] * size
    for word, number in state["model"]["vocab"].items():
        words[number] = word
        kinds[number] = TokenType.NORMAL
    for added in state["added_tokens"]:
        words[added["id"]] = added["content"]
        kinds[added["id"]] = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
    pairs = state["model"]["merges"]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in pairs]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split_name(state["pre_tokenizer"]))
    writer.add_token_list(words)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_add_bos_token(False)
    for add, number in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, end),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
    ):
        if number is not None:
            add(number)
    if tokenizer.chat_template is not None:
        writer.add_chat_template(tokenizer.chat_template)


def split_name(pre_tokenizer: Any) -> str:
    """Return llama.cpp's name for a way to split text before merging.

    Raises:
        ModelError: It has none that is known here.
    """
    parts = pre_tokenizer.get("pretokenizers", [pre_tokenizer]) if pre_tokenizer else []
    patterns = [part["pattern"].get("Regex", "") for part in parts if part["type"] == "Split"]
    splits = any(part["type"] == "ByteLevel" and part.get("use_regex", True) for part in parts)
    digits = any(part["type"] == "Digits" and part["individual_digits"] for part in parts)
    if len(patterns) == 1 and not splits:
        if r"\p{N}{1,3}" in patterns[0]:
            return "llama-bpe"
        if r"?\p{L}+|\p{N}|" in patterns[0]:
            return "qwen2"
    if splits and not patterns:
        return "smollm" if digits else "gpt-2"
    raise ModelError(
        "its tokenizer splits text in a way that this export does not know; it knows Qwen 2's, "
        "Llama 3's, SmolLM's and GPT-2's"
    )
