"""Tables for reports, in HTML and in Markdown, every cell escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from cybersecqwen.core.text.markdown import markdown_table


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


def table_as_markdown(table: Table) -> str:
    """Return the table in GitHub's Markdown."""
    return markdown_table(table.heads, table.rows, text_columns=table.text_columns)
