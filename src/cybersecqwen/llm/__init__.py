"""Language models behind one Protocol, found by a SPEC such as ``gguf:model.gguf``."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from cybersecqwen.core.errors import InputError, require_extra
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.model_spec import ModelSpec

# Scheme -> module, class and the optional packages it needs. Imported only when asked for.
_BACKENDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "hf": ("transformers_lm", "TransformersBackend", ("torch", "transformers", "jinja2")),
    "gguf": ("llamacpp", "LlamaCppBackend", ("xllamacpp", "httpx", "httpx_sse", "tenacity")),
    "openai": ("openai_http", "OpenAiBackend", ("httpx", "httpx_sse", "tenacity")),
    "mock": ("mock", "MockBackend", ()),
}


def open_backend(spec: str, **options: Any) -> Backend:
    """Open a language model.

    Args:
        spec: ``hf:ID_OR_DIR`` (or ``hf:FILE.gguf``), ``gguf:FILE``, ``openai:URL#MODEL`` or
            ``mock:FILE``.
        options: Keyword arguments of the backend's class.

    Raises:
        InputError: The SPEC names no backend, or the backend has no such option.
        MissingExtraError: The backend needs an optional package that is not installed.
        ModelError: The model cannot be loaded.
    """
    parsed = ModelSpec.parse(spec)
    if not parsed.is_language_model:
        known = ", ".join(f"{name}:" for name in _BACKENDS)
        raise InputError(f"{spec!r} is no model SPEC of a language model; those begin with {known}")
    module, name, needs = _BACKENDS[parsed.scheme]
    require_extra("llm", *needs)
    factory = getattr(importlib.import_module(f"cybersecqwen.llm.backends.{module}"), name)
    try:
        inspect.signature(factory).bind(parsed.target, **options)
    except TypeError as error:
        known = ", ".join(list(inspect.signature(factory).parameters)[1:])
        raise InputError(f"{spec}: {error}; its options are {known}") from error
    backend: Backend = factory(parsed.target, **options)
    return backend
