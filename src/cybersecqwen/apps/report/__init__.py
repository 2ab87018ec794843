"""The report on a mapped file: one page to send on, and its figures in Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cybersecqwen import __version__
from cybersecqwen.apps.outputs.registry import OutputContext, OutputFormat, format_named
from cybersecqwen.apps.outputs.rows import MapRow
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import atomic_write
from cybersecqwen.core.taxonomy import shipped_taxonomy


def report_format(path: Path) -> OutputFormat:
    """Return the format that a report's ending means.

    Raises:
        InputError: It means none.
    """
    for name in ("html", "markdown"):
        known = format_named(name)
        if path.suffix.lower() in known.endings:
            return known
    raise InputError(f"{path}: a report is a page (.html) or Markdown (.md)")


def write_report(path: Path, rows: Iterable[MapRow], *, title: str) -> None:
    """Write a report, whole or not at all.

    Args:
        path: A file that ends in ``.html`` or ``.md``.
        rows: What it is about.
        title: What was mapped: a file's name.

    Raises:
        InputError: The ending means no report, or it cannot be written.
    """
    context = OutputContext(taxonomy=shipped_taxonomy(), version=__version__, title=title)
    writer = report_format(path).open(context)
    try:
        with atomic_write(path) as stream:
            stream.writelines(writer(rows))
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
