"""Recipes: typed YAML in which an unknown key is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.recipe_errors import told_of

_MAX_YAML_BYTES = 4 << 20
_MAX_YAML_DEPTH = 100


class _BoundedLoader(yaml.SafeLoader):
    """A safe loader that stops where nesting costs it a time that grows with its square."""

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:  # noqa: N803 - theirs
        """Begin a list or mapping in brackets."""
        self._check(self.flow_level)
        super().fetch_flow_collection_start(TokenClass)

    def add_indent(self, column: int) -> bool:
        """Begin a list or mapping by indentation."""
        self._check(len(self.indents))
        return super().add_indent(column)

    def construct_scalar(self, node: Any) -> Any:
        """Return a scalar's text; half of a surrogate pair, which is no character, is refused."""
        text = super().construct_scalar(node)
        str(text).encode()
        return text

    def _check(self, depth: int) -> None:
        if depth >= _MAX_YAML_DEPTH:
            raise yaml.YAMLError(f"nested over {_MAX_YAML_DEPTH} deep")


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every recipe and of its parts."""


RecipeT = TypeVar("RecipeT", bound=Recipe)


def load_recipe(path: Path, kind: type[RecipeT]) -> RecipeT:
    """Read a YAML recipe into its type.

    Raises:
        InputError: The file is missing, is no YAML, or has a wrong or unknown key; the message
            names the file, the key and what may stand there.
    """
    try:
        # Not strict: YAML 1.1 reads 5e-5, without a point, as text.
        return msgspec.convert(read_yaml(path) or {}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {told_of(error, kind)}") from error


def read_yaml(path: Path) -> Any:
    """Read a YAML file into plain values; no tag makes anything else.

    Raises:
        InputError: The file cannot be read, is no YAML, too large or nested too deeply, or holds
            a number or date that cannot be.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_YAML_BYTES + 1)
        if len(content) > _MAX_YAML_BYTES:
            raise InputError(f"{path}: larger than {_MAX_YAML_BYTES >> 20} MiB")
        return yaml.load(content.decode("utf-8"), _BoundedLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    except RecursionError:
        raise InputError(f"{path}: nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{path}: {error}") from error
