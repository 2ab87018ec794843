"""Threat actors by any of their names: whether two names mean one group, or related ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import msgspec
import yaml

from cybersecqwen.core.config import read_yaml
from cybersecqwen.core.errors import InputError
from cybersecqwen.sources.catalogues.stix import read_stix

_NOT_A_WORD = re.compile(r"[^a-z0-9]+")
# Endings that name the kind of thing, not the thing: "Lazarus Group" is "Lazarus".
_ENDING = re.compile(r"\s+(?:group|apt|team|threat group)$", re.IGNORECASE)


class Actor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group.

    Attributes:
        names: What it is called.
        state: The state it is commonly attributed to; empty for none.
    """

    names: list[str]
    state: str = ""


class ActorTable:
    """Groups by name.

    Entries that share a name are one group, as in CTI-Bench's own scoring, which follows chains of
    aliases. Two different groups of one state are related: to name the wrong one is a plausible
    answer.
    """

    def __init__(self, actors: Iterable[Actor]) -> None:
        self._group: dict[str, int] = {}
        self._states: dict[int, set[str]] = {}
        for number, actor in enumerate(actors):
            keys = {_key(name) for name in actor.names} - {""}
            merged = {self._group[key] for key in keys if key in self._group}
            self._states[number] = {actor.state} - {""}
            for old in merged:
                self._states[number] |= self._states.pop(old)
            for key, group in self._group.items():
                if group in merged:
                    self._group[key] = number
            self._group.update(dict.fromkeys(keys, number))

    def same(self, name: str, other: str) -> bool:
        """Whether both names mean one group."""
        first, second = _key(name), _key(other)
        if first == second:
            return bool(first)
        group = self._group.get(first)
        return group is not None and group == self._group.get(second)

    def related(self, name: str, other: str) -> bool:
        """Whether both names mean groups of one state; true of one group too."""
        if self.same(name, other):
            return True
        groups = (self._group.get(_key(name)), self._group.get(_key(other)))
        states = [self._states[group] if group is not None else set() for group in groups]
        return bool(states[0] & states[1])


def _key(name: str) -> str:
    return _NOT_A_WORD.sub("", _ENDING.sub("", name.strip()).lower())


def load_actors(paths: Sequence[Path] = ()) -> ActorTable:
    """Return the shipped table, with further ones added.

    Args:
        paths: YAML tables like the shipped one, or ATT&CK bundles, whose groups bring their
            aliases.

    Raises:
        InputError: A file cannot be read, or is neither.
    """
    return ActorTable([*_shipped(), *(actor for path in paths for actor in _read(path))])


@lru_cache(maxsize=1)
def _shipped() -> tuple[Actor, ...]:
    text = files("cybersecqwen.evaluation").joinpath("actors.yaml").read_text("utf-8")
    return tuple(msgspec.convert(yaml.safe_load(text), list[Actor]))


def _read(path: Path) -> list[Actor]:
    if path.suffix not in (".yaml", ".yml"):
        groups = [entry for entry in read_stix(path).entries if entry.kind == "group"]
        if not groups:
            raise InputError(f"{path}: has no threat actor; give an ATT&CK bundle, or YAML")
        return [Actor([group.name, *group.aliases]) for group in groups]
    try:
        return msgspec.convert(read_yaml(path), list[Actor])
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: not a table of threat actors: {error}") from error
