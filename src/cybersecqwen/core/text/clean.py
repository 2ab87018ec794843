"""One way to turn a description into text, shared by training, evaluation and serving."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARACTERS = 20_000
"""What a description may bring; the rest of a longer one is dropped before anything reads it."""

# Control, format (zero-width, bidirectional overrides), surrogate, private-use and unassigned
# characters: invisible to an analyst, so they must not steer a model either.
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}


class _Visible(dict[int, int | str | None]):
    """What ``str.translate`` makes of a code point: itself, a space, or nothing."""

    def __missing__(self, code: int) -> int | str | None:
        char = chr(code)
        seen: int | str | None = None if unicodedata.category(char) in _INVISIBLE else code
        value = " " if char.isspace() else seen
        if code < 0x3000:  # untrusted input must not fill the memory
            self[code] = value
        return value


_VISIBLE = _Visible()
_WORD = re.compile(r"[a-z0-9]+")
_LINK = re.compile(r"\b(?:https?|ftp)://\S+")
_NUMBER = re.compile(r"\b(?<!CWE-)(?:v?\d+(?:[.:_]\w+)+|\d{2,})\b")


def clean(text: str) -> str:
    """Return ``text`` as an analyst sees it: NFKC, one line, nothing invisible, bounded length."""
    text = text[:MAX_CHARACTERS]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)[:MAX_CHARACTERS]
    # str.isprintable is a quick test for the common case: nothing to take out.
    if not text.isprintable():
        text = text.translate(_VISIBLE)
    return " ".join(text.split())


def words(text: str) -> list[str]:
    """Return the lower-case runs of ASCII letters and digits of a cleaned text, in order."""
    if text.isascii() and text.isprintable():  # cleaning would change nothing but spaces
        return _WORD.findall(text[:MAX_CHARACTERS].lower())
    return _WORD.findall(clean(text).lower())


def normalised(text: str) -> str:
    """Return a key under which texts that differ only in case, spacing or punctuation meet."""
    return " ".join(words(text))


def render(description: str) -> str:
    """Return the text that a specialist reads for a description: the same at training and after.

    Links and numbers of two digits or more say which product and version is affected, not which
    weakness it has; each becomes one short word. Ids such as ``CWE-79`` stay.
    """
    text = clean(description)
    if "://" in text:
        text = _LINK.sub("url", text)
    return _NUMBER.sub("0", text)


def capital(text: str) -> str:
    """Return a text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def has_text(text: str) -> bool:
    """Whether anything of a text is left when what nobody sees is taken out."""
    return bool(clean(text[:99]) or clean(text))
