"""Whether a text can be a description: some words, and no markup of another format."""

from __future__ import annotations

import re

from cybersecqwen.core.text.description import ID, is_placeholder

_MARKUP = (
    (re.compile(r"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE), "HTML"),
    (
        re.compile(
            r"\s*(?:<\?xml\b|<!(?:DOCTYPE|ELEMENT|ENTITY|\[CDATA\[)|<!--|</)", re.IGNORECASE
        ),
        "XML",
    ),
    (re.compile(r"\s*%PDF-\d"), "PDF"),
    (re.compile(r"\s*[\[{]\s*(?:\"(?:[^\"\\]|\\.){0,200}\"\s*[:,\]]|[\[{]\s*\")"), "JSON"),
    (
        re.compile(r"\s*\"(?:[^\"\\]|\\.){1,200}\"\s*:\s*(?:[\[{\"\d-]|true\b|false\b|null\b)"),
        "JSON",
    ),
    (re.compile(r"[\s\[\]{},]*$"), "JSON"),
    (re.compile(r"\s*[\[{]\s*(?:'[^'\n]{0,200}'\s*:|[\[{]\s*')"), "Python"),
    (re.compile(r"\s*-----BEGIN [A-Z ]+-----"), "PEM"),
    (re.compile(r"\s*version https://git-lfs"), "a Git LFS pointer"),
)
_TAG = re.compile(r"<[^<>]*>")
_FEWEST_WORDS = 4
_JSON_PIECE = re.compile(r'"\s*:\s*(?:["\[{\d-]|true\b|false\b|null\b)')
_YAML_PIECE = re.compile(
    r"(?:- )?[\w.$-]+:|(?:- )?[a-z_]+: (?:\S+|\"[^\"]*\"|'[^']*'|[|>][-+]?)|- \S+|---|\.\.\."
)
_TOML_PIECE = re.compile(r"\[\S*|[\w.-]+\s*=\s*(?:[\"'\[{].*|[\d.-]+|true|false)")
_LINES_TRIED = 100
_PIECES_ALLOWED = 5  # one line in so many
_LONGEST_PLACEHOLDER = 80
_TOKEN = re.compile(r"\w[\w+.-]*:\S*[\d/]\S*|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?=\S*\d)[\w+/=.-]{16,}")
"""An address alone, the name of a product or package by a scheme, or a hash or key."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def says_nothing(text: str) -> bool:
    """Whether a text says nothing of a flaw: ``nan``, a dash, digits, an id, an address alone."""
    said = text.strip()
    if _TOKEN.fullmatch(said) or not any(map(str.isalpha, said)):
        return True
    # Whatever is longer is no placeholder, and most texts are.
    return len(said) <= _LONGEST_PLACEHOLDER and (
        is_placeholder(said) or ID.fullmatch(said) is not None
    )


def markup_kind(text: str) -> str:
    """Return what a text is that is no prose: ``HTML``, ``JSON`` ...; empty where it may be prose.

    Only the beginning counts: a description may quote a tag or a payload.
    """
    first = text[:1].strip() or text[:200].lstrip()[:1]
    if first.isalnum() and first != "v":
        return ""
    head = text[:1000]
    kind = next((kind for pattern, kind in _MARKUP if pattern.match(head)), "")
    if not kind and first == "<" and len(_TAG.sub(" ", head).split()) < _FEWEST_WORDS:
        return "XML"
    return kind


def fragment_kind(line: str) -> str:
    """Return what a line of text is a piece of that is no prose; empty where it may be prose."""
    text = line.strip()
    if _JSON_PIECE.search(text) or text[:1] in "}]" or text[-2:] in {'"}', '"]', "},", "],"}:
        return "JSON"
    if text.endswith('",') and '","' not in text:  # a table's row has several cells
        return "JSON"
    if text.startswith("<") and text.endswith(">") and not text.startswith("<script"):
        return "XML"
    if _TOML_PIECE.fullmatch(text):
        return "TOML"
    if text.startswith(("```", "~~~")):
        return "Markdown"
    return "YAML" if _YAML_PIECE.fullmatch(text) else ""


def is_mostly_markup(head: bytes, _name: str) -> bool:
    """Whether many of the first lines are pieces of JSON, YAML or XML: a file that is broken."""
    lines_ = [line for line in head.decode("utf-8", "replace").split("\n") if line.strip()]
    shown = lines_[:_LINES_TRIED]
    pieces = sum(bool(fragment_kind(line)) for line in shown)
    return pieces > min(1, len(shown) - 1) and _PIECES_ALLOWED * pieces > len(shown)


def is_binary(text: str) -> bool:
    """Whether a text has so many control characters that it is none."""
    sample = text[:1000]
    return len(_CONTROL.findall(sample)) * 10 > len(sample)
