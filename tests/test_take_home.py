"""The adapter in models/ is whole, small enough to take home, and says what it was trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cybersecqwen.core.model_files import describe_model_files

FOLDER = Path(__file__).parents[1] / "models" / "qwen2.5-coder-1.5b-cybersecurity"


def test_every_file_is_the_one_stated() -> None:
    found = describe_model_files(FOLDER)
    assert found.kind == "an adapter (LoRA)"
    assert set(found.checked) == {*found.sha256} - {"SHA256SUMS"}
    assert not found.code
    assert not found.asks_for_code
    forms = [FOLDER / "adapter_model.safetensors", FOLDER / "adapter-f16.gguf"]
    assert all(form.stat().st_size < 40e6 for form in forms)


def test_both_forms_hold_the_same_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    gguf = pytest.importorskip("gguf")
    torch = pytest.importorskip("safetensors.torch")
    weights = torch.load_file(FOLDER / "adapter_model.safetensors")
    file = gguf.GGUFReader(FOLDER / "adapter-f16.gguf")
    settings = json.loads((FOLDER / "adapter_config.json").read_bytes())
    assert settings["base_model_name_or_path"] == "Qwen/Qwen2.5-Coder-1.5B-Instruct"
    alpha = file.fields["adapter.lora.alpha"].contents()
    assert alpha == pytest.approx(settings["lora_alpha"])
    assert len(file.tensors) == len(weights)
    matrices = {tensor.name: tensor.data for tensor in file.tensors}
    name = "base_model.model.model.layers.5.mlp.down_proj.lora_A.weight"
    same = matrices["blk.5.ffn_down.weight.lora_a"]
    assert numpy.allclose(weights[name].float().numpy(), same, atol=1e-3)


def test_the_card_says_how_it_was_trained() -> None:
    card = (FOLDER / "README.md").read_text("utf-8")
    for told in ("dequantised weights", "Apache 2.0", "general check", "Q4_K_M"):
        assert told in card
