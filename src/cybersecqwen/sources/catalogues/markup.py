"""MITRE's markup taken off: HTML, Markdown links, citations."""

from __future__ import annotations

import html
import re

_TAG = re.compile(r"</?(?:xhtml:)?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>", re.IGNORECASE)
_BLOCK = re.compile(r"</?(?:xhtml:)?(?:p|div|li|ul|ol|br|tr|table|h[1-6])\b[^<>]*>", re.IGNORECASE)
_LINK = re.compile(r"\[([^\[\]]*)\]\(https?://[^()\s]*(?:\([^()\s]*\)[^()\s]*)*\)")
_CITATION = re.compile(r"\s*\(Citation:[^()]*(?:\([^()]*\)[^()]*)*\)")
_REFERENCE = re.compile(r"\s*\[REF-\d+\]")
_CODE_FENCE = re.compile(r"^\s*```\w*\s*$", re.MULTILINE)
_HEADING = re.compile(r"^\s*#+\s*", re.MULTILINE)
_BLANKS = re.compile(r"\s*\n\s*\n\s*")


def plain(text: str) -> str:
    """Return MITRE's text without markup, its paragraphs divided by one blank line."""
    text = html.unescape(_TAG.sub("", _BLOCK.sub("\n\n", text)))
    text = _CITATION.sub("", _LINK.sub(r"\1", text))
    text = _HEADING.sub("", _CODE_FENCE.sub("", _REFERENCE.sub("", text)))
    return _BLANKS.sub("\n\n", text).strip()
