"""Writers by the name of their format."""

from __future__ import annotations

from typing import Literal

from cybersecqwen.apps.outputs.csv_table import write_csv
from cybersecqwen.apps.outputs.jsonl import write_jsonl
from cybersecqwen.apps.outputs.registry import OutputContext, Writer, format_named
from cybersecqwen.apps.outputs.table import TableWriter
from cybersecqwen.core.taxonomy import Taxonomy

Format = Literal["table", "jsonl", "csv", "sarif"]

__all__ = ["Format", "TableWriter", "Writer", "write_csv", "write_jsonl", "writer_for"]


def writer_for(to: str, *, taxonomy: Taxonomy, version: str, width: int) -> Writer:
    """Return a format's writer; ``width`` is the terminal's, in columns."""
    return format_named(to).open(OutputContext(taxonomy=taxonomy, version=version, width=width))
