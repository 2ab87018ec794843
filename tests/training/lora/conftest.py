"""A tiny base and a tiny corpus of conversations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiny_chat import write_base, write_corpus

RECIPE = """
name: tiny
base: {base}
adapter: {{rank: 8, alpha: 8, dropout: 0.1}}
fit: {{epochs: 3, batch: 8, learning_rate: 5e-3}}
max_tokens: 128
checkpoint_every: 4
"""


@pytest.fixture(scope="session")
def chat_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("torch", "transformers", "peft", "trl"):
        pytest.importorskip(module)
    return write_base(tmp_path_factory.mktemp("chat-base"))


@pytest.fixture(scope="session")
def chat_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("chat-corpus"))


@pytest.fixture(scope="session")
def lora_recipe(chat_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lora-recipe") / "tiny.yaml"
    path.write_text(RECIPE.format(base=chat_base))
    return path
