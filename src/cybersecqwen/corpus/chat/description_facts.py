"""What a description says, quoted: which versions, where, who may do it and what comes of it.

Every fact is a piece of the description, word for word, so that an answer made of facts says
nothing that the record does not. How descriptions say things is in ``facts.yaml``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files

import yaml

_PATTERNS = yaml.safe_load(
    files("cybersecqwen.corpus.chat").joinpath("description_facts.yaml").read_text("utf-8")
)
_VERSION: str = _PATTERNS["version"]
_FIXED = re.compile(
    rf"(?:before|prior to) (?:versions? )?({_VERSION})|< ?(v?\d[\w.-]*)", re.IGNORECASE
)
_LINK = re.compile(r"\b(?:https?|ftp)://\S+")


@dataclass(frozen=True, slots=True)
class Facts:
    """Pieces of a description, each in the order in which it brings them.

    Attributes:
        affected: Which versions.
        fixed: Version numbers that the text says are the first not affected.
        places: Functions, files, parameters, components.
        gains: What an attacker gets.
        actors: Who the attacker is.
        user: What a victim has to do.
    """

    affected: tuple[str, ...]
    fixed: tuple[str, ...]
    places: tuple[str, ...]
    gains: tuple[str, ...]
    actors: tuple[str, ...]
    user: tuple[str, ...]


def _any(kind: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    """Compile the patterns of one kind into one."""
    whole = "|".join(rf"(?<![\w-])(?:{pattern})" for pattern in _PATTERNS[kind])
    for name in ("version", "name", "code"):
        whole = whole.replace(f"<{name}>", _PATTERNS[name])
    return re.compile(whole, flags)


_AFFECTED_RE, _PLACES_RE, _GAINS_RE = _any("affected"), _any("places", 0), _any("gains")
_ACTORS_RE, _USER_RE = _any("actors"), _any("user")


def read_facts(text: str) -> Facts:
    """Return what a description says."""
    # Addresses of reports name files too; spaces in their place leave everything else where it is.
    bare = _LINK.sub(lambda link: " " * len(link[0]), text)
    return Facts(
        affected=_found(_AFFECTED_RE, text),
        fixed=tuple(dict.fromkeys(m[1] or m[2] for m in _FIXED.finditer(text))),
        places=_found(_PLACES_RE, bare),
        gains=_found(_GAINS_RE, text),
        actors=_found(_ACTORS_RE, text),
        user=_found(_USER_RE, text),
    )


def _found(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    """Return distinct matches that can be quoted: on one line and without quotation marks."""
    pieces: dict[str, str] = {}
    for match in pattern.finditer(text):
        piece = match[0].strip(" ,.;")
        if piece and '"' not in piece and "\n" not in piece:
            pieces.setdefault(piece.lower(), piece)
    return tuple(pieces.values())
