"""Pages and tables in GitHub's Markdown, every cell of a table escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

_SIGNS = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]|~"})


@dataclass(frozen=True, slots=True)
class MarkdownTable:
    """A table of a page; see ``markdown_table``."""

    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    text_columns: int = 1


MarkdownBlock: TypeAlias = str | MarkdownTable
"""A part of a page: Markdown as it stands, or a table."""


def markdown_page(blocks: Iterable[MarkdownBlock]) -> str:
    """Return a page, an empty line between its parts."""
    parts = [
        block
        if isinstance(block, str)
        else markdown_table(block.head, block.rows, text_columns=block.text_columns)
        for block in blocks
    ]
    return "\n\n".join(parts) + "\n"


def markdown_table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, text_columns: int = 1
) -> str:
    """Return a table; whole numbers get their thousands marked.

    Args:
        head: Headings.
        rows: Cells; what is no whole number stands as ``str`` gives it.
        text_columns: How many columns from the left hold text; the others are aligned right.
    """
    rule = ["---" if place < text_columns else "---:" for place in range(len(head))]
    lines = [_line(map(markdown_escape, head)), _line(rule)]
    lines.extend(_line(map(_cell, row)) for row in rows)
    return "\n".join(lines)


def markdown_escape(text: str) -> str:
    """Return a text on one line, which Markdown shows as it stands."""
    return escape(" ".join(text.split()), quote=False).translate(_SIGNS)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else markdown_escape(str(value))
