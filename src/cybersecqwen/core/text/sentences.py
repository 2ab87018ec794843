"""Cutting running English text into sentences and clauses."""

from __future__ import annotations

import re

# A full stop ends a sentence before white space and what can begin one.
_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9])")
_CLAUSE = re.compile(r"(?<=;) +")
_ABBREVIATED = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|approx|no|fig|[A-Za-z])|\.[A-Za-z])\.$")


def sentences(text: str) -> list[str]:
    """Return the sentences of a cleaned text, in order, each exactly as it stands there."""
    found: list[str] = []
    start = 0
    for gap in _END.finditer(text):
        sentence = text[start : gap.start()] + gap[0].rstrip()
        if not _ABBREVIATED.search(sentence):
            found.append(sentence)
            start = gap.end()
    if text[start:].strip():
        found.append(text[start:].strip())
    return found


def clauses(text: str) -> list[str]:
    """Return the sentences of a cleaned text, cut at semicolons too, as lists have them."""
    return [clause for sentence in sentences(text) for clause in _CLAUSE.split(sentence)]
