"""Tables for reports, in HTML and in Markdown, every cell escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_MARKDOWN_SIGNS = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]|~"})


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and cells.

    Attributes:
        heads: One per column.
        rows: Cells as text.
        text_columns: How many columns from the left hold text; the others hold numbers.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1


def html_table(table: Table) -> str:
    """Return the table in a box that scrolls sideways on a narrow screen."""

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f'<{tag} class="text">{escape(cell)}</{tag}>'
            if place < table.text_columns
            else f"<{tag}>{escape(cell)}</{tag}>"
            for place, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in table.rows)
    return (
        f'<div class="wide"><table><thead><tr>{cells("th", table.heads)}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def markdown_table(table: Table) -> str:
    """Return the table in GitHub's Markdown."""
    rule = ["---" if n < table.text_columns else "---:" for n in range(len(table.heads))]
    lines = [_line(map(_cell, table.heads)), _line(rule)]
    lines.extend(_line(map(_cell, row)) for row in table.rows)
    return "\n".join(lines)


def _line(cells: Sequence[str] | map[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return escape(" ".join(text.split()), quote=False).translate(_MARKDOWN_SIGNS)
