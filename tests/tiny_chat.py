"""A tiny Qwen3 with a trained byte-level tokenizer and a ChatML template, and rows to teach it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORDS = {
    "CWE-79": "script page browser cookie markup",
    "CWE-89": "query database table select union",
    "CWE-787": "buffer heap write memory bounds",
    "CWE-22": "path directory file traversal dot",
}


def chat_rows(count: int, seed: int) -> list[dict[str, str]]:
    """Rows of core's ``ChatRow``: a few words, and an answer that ends in an id."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        cwe = draw.choice(list(WORDS))
        text = " ".join(
            draw.choices([*WORDS[cwe].split(), "a", "flaw", "in"], k=draw.randint(4, 16))
        )
        rows.append(
            {
                "prompt": f"Which weakness? {text}",
                "response": f"It is about {WORDS[cwe].split()[0]}.\n{cwe}",
                "source": f"CVE-2021-{seed}{number:04}",
                "kind": "map",
            }
        )
    return rows


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_corpus(folder: Path) -> Path:
    """A corpus folder: 48 rows to train on, 16 for validation."""
    write_rows(folder / "train.jsonl", chat_rows(48, 1))
    write_rows(folder / "validation.jsonl", chat_rows(16, 2))
    return folder


def write_tokenizer(folder: Path) -> Any:
    """A tokenizer that splits as Qwen's do, trained on the rows' own words."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [f"{row['prompt']}\n{row['response']}" for row in chat_rows(60, 0)]
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    return fast


def write_base(folder: Path, family: str = "qwen3", width: int = 32, tied: bool = True) -> Path:
    """A random model of two layers with its tokenizer; ``family`` is qwen3, qwen2 or llama."""
    import torch
    import transformers

    tokenizer = write_tokenizer(folder)
    torch.manual_seed(0)
    config_class, model_class = {
        "qwen3": (transformers.Qwen3Config, transformers.Qwen3ForCausalLM),
        "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
        "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
    }[family]
    options = {} if family == "qwen2" else {"head_dim": width // 4}
    config = config_class(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=tied,
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **options,
    )
    model_class(config).save_pretrained(folder)
    return folder
