"""Language models behind one Protocol, found by a SPEC such as ``gguf:model.gguf``."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from cybersecqwen.core.errors import InputError, require_extra
from cybersecqwen.core.interfaces import Backend

# Scheme -> module, class and the optional packages it needs. Imported only when asked for.
_BACKENDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "hf": ("transformers_lm", "TransformersBackend", ("torch", "transformers", "jinja2")),
    "gguf": ("llamacpp", "LlamaCppBackend", ("xllamacpp", "httpx")),
    "openai": ("openai_http", "OpenAiBackend", ("httpx",)),
    "mock": ("mock", "MockBackend", ()),
}

SCHEMES = tuple(_BACKENDS)
"""What a SPEC may begin with."""


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
    scheme, colon, target = spec.partition(":")
    if not colon or not target or scheme not in _BACKENDS:
        known = ", ".join(f"{name}:" for name in SCHEMES)
        raise InputError(f"{spec!r} is no model SPEC; it must begin with one of {known}")
    module, name, needs = _BACKENDS[scheme]
    require_extra("llm", *needs)
    factory = getattr(importlib.import_module(f"cybersecqwen.llm.backends.{module}"), name)
    try:
        inspect.signature(factory).bind(target, **options)
    except TypeError as error:
        raise InputError(f"{spec}: {error}") from error
    backend: Backend = factory(target, **options)
    return backend
