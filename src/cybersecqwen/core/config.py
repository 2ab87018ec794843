"""Recipes: typed YAML in which an unknown key is an error."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from cybersecqwen.core.errors import InputError


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every recipe and of its parts."""


RecipeT = TypeVar("RecipeT", bound=Recipe)


def load_recipe(path: Path, kind: type[RecipeT]) -> RecipeT:
    """Read a YAML recipe into its type.

    Raises:
        InputError: The file is missing, is no YAML, or has a wrong or unknown key; the message
            names the file, the key and what was expected.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the recipe: {error}") from error
    try:
        # Not strict: YAML 1.1 reads 5e-5, without a point, as text.
        return msgspec.convert(yaml.safe_load(text) or {}, kind, strict=False)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise InputError(f"{path}: {error}") from error
