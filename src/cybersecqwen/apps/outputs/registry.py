"""Every format that ``map`` writes: its name, its file endings and its writer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cybersecqwen.apps.outputs.jsonl import JsonObjectWriter, write_jsonl
from cybersecqwen.apps.outputs.rows import MapRow
from cybersecqwen.apps.outputs.table import TableWriter
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.taxonomy import Taxonomy

if TYPE_CHECKING:
    from cybersecqwen.apps.outputs.filled_documents import Documents


class Writer(Protocol):
    """Turns a stream of rows into a document."""

    def __call__(self, rows: Iterable[MapRow]) -> Iterator[bytes]:
        """Return the document in pieces."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputContext:
    """What writers may need to know.

    Attributes:
        taxonomy: The catalogue.
        version: Version of this package.
        width: Columns of the terminal.
        title: What was mapped, for a heading: a file's name.
        org_id: UUID of the organisation that publishes CVE containers, or an empty string.
        documents: Opens the input again; None where it cannot be.
        closing: Returns what belongs beside the rows in one JSON object, once they are written.
    """

    taxonomy: Taxonomy
    version: str
    width: int = 120
    title: str = ""
    org_id: str = ""
    documents: Documents | None = None
    closing: Callable[[], dict[str, Any]] = dict


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """A format.

    Attributes:
        name: As ``--to`` takes it.
        endings: Of files, the longer ones first where one ends in another.
        about: The format in a few words.
        open: Returns its writer.
        needs_input: Whether it writes the input's own documents, so that they are read again.
        binary: Whether it is nothing for a terminal.
    """

    name: str
    endings: tuple[str, ...]
    about: str
    open: Callable[[OutputContext], Writer]
    needs_input: bool = False
    binary: bool = False


# Each writer is imported when it is asked for: a single text is mapped without most of them.


def _csv(_: OutputContext) -> Writer:
    from cybersecqwen.apps.outputs.csv_table import write_csv

    return write_csv


def _sarif(context: OutputContext) -> Writer:
    from cybersecqwen.apps.outputs.sarif import SarifWriter

    return SarifWriter(context.taxonomy, context.version)


def _cve5(context: OutputContext) -> Writer:
    from cybersecqwen.apps.outputs.cve5 import Cve5Writer

    return Cve5Writer(context.taxonomy, context.version, context.org_id)


def _csaf(context: OutputContext) -> Writer:
    from cybersecqwen.apps.outputs.filled_documents import FilledCsaf

    return FilledCsaf(_again(context), context.taxonomy)


def _osv(context: OutputContext) -> Writer:
    from cybersecqwen.apps.outputs.filled_documents import FilledOsv

    return FilledOsv(_again(context), context.taxonomy)


def _cyclonedx(context: OutputContext) -> Writer:
    from cybersecqwen.apps.outputs.filled_documents import FilledCycloneDx

    return FilledCycloneDx(_again(context), context.taxonomy)


def _xlsx(_: OutputContext) -> Writer:
    from cybersecqwen.apps.outputs.xlsx import write_xlsx

    return write_xlsx


def _html(context: OutputContext) -> Writer:
    from cybersecqwen.apps.report.html import HtmlReportWriter

    return HtmlReportWriter(context.taxonomy, context.version, context.title)


def _markdown(context: OutputContext) -> Writer:
    from cybersecqwen.apps.report.markdown import MarkdownReportWriter

    return MarkdownReportWriter(context.taxonomy, context.version, context.title)


def _again(context: OutputContext) -> Documents:
    if context.documents is None:
        raise InputError("this format is the input filled in, so it needs an --input FILE")
    return context.documents


FORMATS = (
    OutputFormat("table", (".txt",), "a table for a terminal", lambda c: TableWriter(c.width)),
    OutputFormat("jsonl", (".jsonl", ".ndjson"), "JSON lines", lambda _: write_jsonl),
    OutputFormat(
        "json",
        (".json",),
        "one JSON object with rows, problems and summary",
        lambda c: JsonObjectWriter(c.closing),
    ),
    OutputFormat("csv", (".csv",), "CSV for spreadsheets", _csv),
    OutputFormat("xlsx", (".xlsx",), "an Excel workbook", _xlsx, binary=True),
    OutputFormat(
        "sarif",
        (".sarif", ".sarif.json"),
        "SARIF 2.1.0 for GitHub code scanning",
        _sarif,
    ),
    OutputFormat("html", (".html", ".htm"), "a report to send on", _html),
    OutputFormat("markdown", (".md",), "the report's figures in Markdown", _markdown),
    OutputFormat(
        "cve5",
        (".cve5.jsonl", ".cve5.json"),
        "CVE containers of an authorised data publisher, one a line",
        _cve5,
    ),
    OutputFormat(
        "csaf",
        (".csaf.json",),
        "the CSAF document that came in, filled in",
        _csaf,
        needs_input=True,
    ),
    OutputFormat(
        "osv",
        (".osv.json",),
        "the OSV record that came in, filled in",
        _osv,
        needs_input=True,
    ),
    OutputFormat(
        "cyclonedx",
        (".cdx.json",),
        "the CycloneDX document that came in, filled in",
        _cyclonedx,
        needs_input=True,
    ),
)
"""In the order in which help lists them."""

FORMAT_NAMES = tuple(known.name for known in FORMATS)


def format_named(name: str) -> OutputFormat:
    """Return a format by its name.

    Raises:
        InputError: There is none of that name.
    """
    for known in FORMATS:
        if known.name == name:
            return known
    raise InputError(f"{name!r} is no output format; there are {', '.join(FORMAT_NAMES)}")


def format_of_file(path: Path) -> OutputFormat:
    """Return the format that a file's ending means, ``.gz`` after it left aside.

    Raises:
        InputError: The ending means none.
    """
    name = path.name.lower().removesuffix(".gz")
    endings = [(ending, known) for known in FORMATS for ending in known.endings]
    for ending, known in sorted(endings, key=lambda pair: -len(pair[0])):
        if name.endswith(ending):
            return known
    listed = ", ".join(ending for ending, _ in endings)
    raise InputError(
        f"{path}: no format has this ending; known are {listed}, each also with .gz. "
        "Or name the format with --to"
    )
