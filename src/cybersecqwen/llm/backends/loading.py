"""Where a Hugging Face model's parts are: a hub id, a folder, a GGUF file, an adapter's folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from cybersecqwen.core.errors import ModelError, require_extra
from cybersecqwen.core.hub import require_reachable
from cybersecqwen.core.model_files import NO_CODE, check_stated_files
from cybersecqwen.core.progress_bars import quiet_hub

_ADAPTER = "adapter_config.json"

_MISMATCH = re.compile(
    r"size mismatch for (?:base_model\.model\.)?(\S+?)(?:\.default)?(?:\.weight)?: .*?"
    r"torch\.Size\((.*?)\) from checkpoint.*?torch\.Size\((.*?)\)"
)
"""As PyTorch tells of a tensor that has no place."""


def load(model: str, base: str | None, *, local: bool, **options: Any) -> tuple[Any, Any]:
    """Return a tokenizer and a causal language model.

    Args:
        model: A hub id, a folder or a GGUF file; an adapter's folder comes merged into its base.
        base: Where an adapter's base is, if not where the adapter says.
        local: Whether to read safetensors that are here, and nothing else.
        options: Options of the weights' loading.

    Raises:
        ModelError: A GGUF file is missing, a file is not the one that its folder states, or the
            hub that should have a model does not answer.
        OSError, ValueError, KeyError, ImportError, RuntimeError: As transformers and peft raise.
    """
    for place in filter(None, (model, base)):
        if is_missing_path(place):
            raise ModelError(f"{place}: no such file or folder")
    if base and base.lower().endswith(".gguf"):
        raise ModelError(
            f"{base}: an adapter's folder goes on a folder or a hub id; a GGUF file takes its GGUF "
            f"adapter: gguf:{base} --option adapter=FILE.gguf"
        )
    with quiet_hub():
        return _load(model, base, local=local, **options)


def _load(model: str, base: str | None, *, local: bool, **options: Any) -> tuple[Any, Any]:
    where, source = _source(model)
    check_stated_files(model, base)
    source |= NO_CODE
    if local:
        source["local_files_only"] = True
        options |= {} if "gguf_file" in source else {"use_safetensors": True}
    if not is_adapter(model):
        if not local:
            require_reachable(where)
        tokenizer = AutoTokenizer.from_pretrained(where, **source)
        return tokenizer, AutoModelForCausalLM.from_pretrained(where, **source, **options)
    require_extra("llm", "peft")
    from peft import PeftModel  # noqa: PLC0415 - only for adapters

    named = base or stated_base(model)
    if is_missing_path(named):
        raise ModelError(f"{model}: its base {named} is not there; give it: --option base=DIR")
    check_stated_files(None if base else named)
    if not local:
        require_reachable(named)
    own = (Path(model) / "tokenizer_config.json").is_file()
    tokenizer = AutoTokenizer.from_pretrained(model if own else named, **source)
    whole = AutoModelForCausalLM.from_pretrained(named, **source, **options)
    safe = {"use_safetensors": True} if local else {}
    try:
        return tokenizer, PeftModel.from_pretrained(whole, model, **safe).merge_and_unload()
    except RuntimeError as error:
        found = _MISMATCH.search(" ".join(str(error).split()))
        if found is None:
            raise
        of, given, wanted = found.groups()
        raise ModelError(
            f"{model}: an adapter for another model than {named}: its {of} is of shape {given}, "
            f"which needs {wanted} there; it states {stated_base(model)} as its base"
        ) from error


def is_adapter(folder: str) -> bool:
    """Whether a folder holds an adapter."""
    return (Path(folder) / _ADAPTER).is_file()


def stated_base(folder: str) -> str:
    """Return where an adapter says that its base is: a hub id or a folder.

    Raises:
        ValueError, KeyError: Its configuration does not say.
    """
    return str(json.loads((Path(folder) / _ADAPTER).read_bytes())["base_model_name_or_path"])


def base_hint(model: str) -> str:
    """Return what to do where an adapter's base may be what is missing; empty for no adapter."""
    try:
        base = stated_base(model) if is_adapter(model) else ""
    except (ValueError, KeyError):
        base = ""
    return base and f"its base is {base}; where that lies elsewhere give --option base=DIR: "


def is_missing_path(model: str) -> bool:
    """Whether a name can only be a path, and nothing is there."""
    return model.startswith(("/", "./", "../", "~", "\\")) and not Path(model).exists()


def _source(model: str) -> tuple[str, dict[str, Any]]:
    if model.lower().endswith(".gguf"):
        require_extra("llm", "gguf", "accelerate")
        path = Path(model)
        if not path.is_file():
            raise ModelError(f"hf:{model}: no such file")
        return str(path.parent), {"gguf_file": path.name}
    return model, {}
