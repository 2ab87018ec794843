"""Rows of ``audit`` for people: a table for a terminal, and cells for a spreadsheet."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cybersecqwen.apps.outputs.spreadsheet import Cell
from cybersecqwen.apps.outputs.table import short_name
from cybersecqwen.core.cvss_metrics import METRIC_NAMES, VALUE_NAMES
from cybersecqwen.core.text.clean import clean

AUDIT_COLUMNS = (
    "id", "weight", "title", "own_cwe", "our_cwe", "our_name", "confidence", "band", "kind",
    "own_usage", "own_cvss", "own_score", "our_cvss", "our_score", "gap", "metrics", "because",
    "similar", "url",
)  # fmt: skip
"""Columns of a spreadsheet of differences."""


_NAME = 56  # columns of a weakness's name


def audit_cells(row: dict[str, Any]) -> list[Cell]:
    """Return a row's cells, in the order of ``AUDIT_COLUMNS``."""
    weakness, severity = row["weakness"] or {}, row["severity"] or {}
    metrics = severity.get("metrics", {})
    return [
        row["id"],
        row["weight"],
        row["title"],
        "|".join(weakness.get("own", ())),
        weakness.get("ours"),
        weakness.get("name"),
        weakness.get("confidence"),
        weakness.get("band"),
        weakness.get("kind"),
        "|".join(weakness.get("own_usage", ())),
        severity.get("own"),
        severity.get("own_score"),
        severity.get("ours"),
        severity.get("our_score"),
        severity.get("gap"),
        "|".join(_metric(name, found) for name, found in metrics.items()),
        "|".join(f"{name}: {' '.join(found['because'])}" for name, found in metrics.items()),
        "|".join(_labelled(other) for other in row["similar"]),
        row["url"],
    ]


def audit_table(rows: Sequence[dict[str, Any]], width: int) -> Iterator[bytes]:
    """Return a table of differences, no line longer than the terminal.

    Args:
        rows: The rows, in their order.
        width: Columns of the terminal.
    """
    cells = [_table_cells(row) for row in rows]
    head = ("WORTH", "ID", "CWE: RECORD, OURS", "KIND", "SCORE: RECORD, OURS")
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    widths[1] = min(widths[1], max(width // 4, len("CVE-2024-12345")))
    for line in (head, *cells):
        shown = "  ".join(f"{cell[:w]:<{w}}" for cell, w in zip(line, widths, strict=True))
        yield f"{shown[:width].rstrip()}\n".encode()


def audit_texts(rows: Iterable[dict[str, Any]], width: int) -> Iterator[bytes]:
    """Return each difference in words: what the record says, what we say, and why.

    Args:
        rows: The rows, in their order.
        width: Columns of the terminal.
    """
    for number, row in enumerate(rows):
        lines = [*([""] if number else []), f"{row['id']}  {row['title']}".rstrip()]
        lines += _weakness_lines(row["weakness"]) if row["weakness"] else []
        lines += _severity_lines(row["severity"]) if row["severity"] else []
        lines += [
            f"  like it ({other['likeness']:.0%}): {_labelled(other)}" for other in row["similar"]
        ]
        # What a record calls itself is untrusted: none of it may reach the terminal as a command.
        yield ("\n".join(_printable(line, width) for line in lines) + "\n").encode()


def _weakness_lines(found: dict[str, Any]) -> list[str]:
    usage = f" ({', '.join(found['own_usage'])})" if found["own_usage"] else ""
    difference = "" if found["kind"] == "unknown" else f"; a difference of {found['kind']}"
    return [
        f"  weakness: the record says {', '.join(found['own'])}{usage}",
        f"    we read {found['ours']} {short_name(found['name'], _NAME)}",
        f"    {found['confidence']:.0%}, {found['band']}{difference}",
    ]


def _severity_lines(found: dict[str, Any]) -> list[str]:
    own = f"{found['own_score']}, {found['own']}"
    if found["own_score"] is None:
        own = f"{found['own']}, which is no vector of CVSS v3"
    return [
        f"  score: the record says {own}",
        f"    we read {found['our_score']}, {found['ours']}",
        *(
            f"    {METRIC_NAMES[name]}: {VALUE_NAMES[name][metric['own']]} there, "
            f"{VALUE_NAMES[name][metric['ours']]} here ({metric['probability']:.0%}): "
            f"{', '.join(metric['because'])}".rstrip(": ")
            for name, metric in found["metrics"].items()
        ),
    ]


def _printable(line: str, width: int) -> str:
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.shorten(clean(line), width, initial_indent=indent, placeholder=" …")


def _table_cells(row: dict[str, Any]) -> tuple[str, str, str, str, str]:
    weakness, severity = row["weakness"], row["severity"]
    labels = f"{', '.join(weakness['own'])} -> {weakness['ours']}" if weakness else ""
    scores = ""
    if severity:
        own = "invalid" if severity["own_score"] is None else severity["own_score"]
        scores = f"{own} -> {severity['our_score']} {' '.join(severity['metrics'])}".rstrip()
    # An id is untrusted input: nothing in it may reach the terminal as a command.
    kind = weakness["kind"] if weakness else ""
    return f"{row['weight']:.2f}", clean(row["id"]), clean(labels), kind, scores


def _metric(name: str, found: dict[str, Any]) -> str:
    return f"{name} {found['own']}->{found['ours']} {found['probability']:g}"


def _labelled(other: dict[str, Any]) -> str:
    said = [label["cwe"] for label in other["cwe"]]
    return f"{other['id']} {' '.join(dict.fromkeys(said))}".rstrip()
