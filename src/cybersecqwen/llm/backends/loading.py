"""Where a Hugging Face model's parts are: a hub id, a folder, a GGUF file, an adapter's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from cybersecqwen.core.errors import ModelError, require_extra
from cybersecqwen.core.model_files import NO_CODE, check_stated_files


def load(model: str, base: str | None, *, local: bool, **options: Any) -> tuple[Any, Any]:
    """Return a tokenizer and a causal language model.

    Args:
        model: A hub id, a folder or a GGUF file; an adapter's folder comes merged into its base.
        base: Where an adapter's base is, if not where the adapter says.
        local: Whether to read safetensors that are here, and nothing else.
        options: Options of the weights' loading.

    Raises:
        ModelError: A GGUF file is missing, or a file is not the one that its folder states.
        OSError, ValueError, KeyError, ImportError, RuntimeError: As transformers and peft raise.
    """
    where, source = _source(model)
    check_stated_files(model, base)
    source |= NO_CODE
    if local:
        source["local_files_only"] = True
        options |= {} if "gguf_file" in source else {"use_safetensors": True}
    adapter = Path(model) / "adapter_config.json"
    if not adapter.is_file():
        tokenizer = AutoTokenizer.from_pretrained(where, **source)
        return tokenizer, AutoModelForCausalLM.from_pretrained(where, **source, **options)
    require_extra("llm", "peft")
    from peft import PeftModel  # noqa: PLC0415 - only for adapters

    named = base or json.loads(adapter.read_bytes())["base_model_name_or_path"]
    check_stated_files(None if base else named)
    own = (adapter.parent / "tokenizer_config.json").is_file()
    tokenizer = AutoTokenizer.from_pretrained(model if own else named, **source)
    whole = AutoModelForCausalLM.from_pretrained(named, **source, **options)
    safe = {"use_safetensors": True} if local else {}
    return tokenizer, PeftModel.from_pretrained(whole, model, **safe).merge_and_unload()


def _source(model: str) -> tuple[str, dict[str, Any]]:
    if model.lower().endswith(".gguf"):
        require_extra("llm", "gguf", "accelerate")
        path = Path(model)
        if not path.is_file():
            raise ModelError(f"hf:{model}: no such file")
        return str(path.parent), {"gguf_file": path.name}
    return model, {}
