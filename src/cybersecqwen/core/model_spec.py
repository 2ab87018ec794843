"""A model SPEC, by which a user names a model on the command line or in Python, parsed once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal, get_args

from cybersecqwen.core.errors import InputError

Scheme = Literal["embedded", "hf", "gguf", "openai", "mock", "baseline"]
"""``embedded``: the specialists that ship with the package, or a folder of one. ``hf``: a Hugging
Face id or folder. ``gguf``: a file for llama.cpp. ``openai``: a server with the OpenAI API.
``mock``: a file of scripted answers. ``baseline``: a cheap system of the evaluation."""

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
LANGUAGE_MODELS: tuple[Scheme, ...] = ("hf", "gguf", "openai", "mock")
"""Schemes of models that write."""

_EXAMPLES = "embedded, embedded:DIR, hf:ID_OR_DIR, gguf:FILE, openai:URL#MODEL or mock:FILE"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A parsed SPEC.

    Attributes:
        scheme: The kind of model.
        target: What stands after the colon; empty for the shipped specialists.
    """

    scheme: Scheme
    target: str = ""

    @classmethod
    def parse(cls, spec: str | os.PathLike[str] | None) -> ModelSpec:
        """Return the model that a SPEC names.

        Args:
            spec: ``embedded`` or None for the shipped specialists; ``SCHEME:TARGET``; or the path
                of a specialist's folder.

        Raises:
            InputError: It begins with a word and a colon that name no kind of model, or nothing
                stands after the colon.
        """
        if spec is None:
            return cls("embedded")
        text = os.fspath(spec)
        if text == "embedded":
            return cls("embedded")
        word, colon, target = text.partition(":")
        if not colon or len(word) == 1 or Path(text).exists():  # one letter: a drive of Windows
            if not text:
                raise InputError(f"an empty model SPEC; give {_EXAMPLES}")
            return cls("embedded", text)
        for scheme in SCHEMES:
            if word == scheme and target:
                return cls(scheme, target)
        raise InputError(f"{text!r} is no model SPEC; give {_EXAMPLES}")

    @property
    def is_language_model(self) -> bool:
        """Whether it writes text."""
        return self.scheme in LANGUAGE_MODELS

    @property
    def is_shipped(self) -> bool:
        """Whether it is what ships with the package."""
        return self.scheme == "embedded" and not self.target

    @property
    def public_name(self) -> str:
        """The model's name without the path on this machine: a file's or folder's own name, or
        the name that a server knows it by.
        """
        if self.scheme == "openai":
            return self.target.partition("#")[2]
        path = PurePath(self.target)
        return path.stem if self.scheme in {"gguf", "mock"} else path.name

    def __str__(self) -> str:
        return f"{self.scheme}:{self.target}" if self.target else self.scheme
