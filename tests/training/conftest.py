"""A tiny base encoder and a tiny corpus, made on the fly."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

WORDS = {
    "CWE-79": "script page browser cookie markup",
    "CWE-89": "query database table select union",
    "CWE-787": "buffer heap write memory bounds",
    "CWE-22": "path directory file traversal dot",
}


def make_rows(count: int, first: int, labelled: bool, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    rows = []
    for number in range(first, first + count):
        cwe = draw.choice(list(WORDS))
        text = " ".join(draw.choices([*WORDS[cwe].split(), "a", "flaw", "in", "product"], k=9))
        labels = {"nvd": [cwe]} if labelled else {}
        if labelled and number % 2:
            labels["cna"] = [cwe]
        rows.append(
            {
                "id": f"CVE-{2020 + number % 5}-{number}",
                "text": text,
                "published": f"{2020 + number % 5}-03-01",
                "labels": labels,
            }
        )
    return rows


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    parts = {
        "train": make_rows(160, 1000, True, 1),
        "unlabelled": make_rows(40, 2000, False, 2),
        "validation": make_rows(240, 3000, True, 3),
    }
    for name, rows in parts.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)
    return folder


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers, 32 wide, with a WordPiece vocabulary of its own."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("base")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = [word for group in WORDS.values() for word in group.split()]
    pieces = [*special, *letters, *(f"##{x}" for x in letters), "0", *words, "never", "##used"]
    tokenizer = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(pieces),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=128,
        )
    ).save_pretrained(folder)
    return folder
