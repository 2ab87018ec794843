"""What a mapping job writes of its outcomes: the output's bytes, and reports beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from cybersecqwen import __version__
from cybersecqwen.apps.map_stream import MapOutcome
from cybersecqwen.apps.map_summary import MapSummary
from cybersecqwen.apps.outputs.compression import gzipped
from cybersecqwen.apps.outputs.registry import OutputContext, Writer, format_named
from cybersecqwen.apps.outputs.rows import MapRow, RecordRow, RowMaker
from cybersecqwen.apps.outputs.spool import RowSpool
from cybersecqwen.apps.outputs.table import TableWriter
from cybersecqwen.apps.record_job import JobFiles, Notice
from cybersecqwen.apps.report import write_report
from cybersecqwen.core.records import Labeller
from cybersecqwen.core.taxonomy import shipped_taxonomy


class MapOutput:
    """Turns outcomes into rows, and rows into documents.

    Args:
        files: Where the job reads and writes.
        to: The output's format; a name of ``outputs.registry.FORMATS``.
        maker: Makes the rows.
        summary: Returns what has become of the records so far.
        labeller: Whose convention the answers follow.
        width: Columns of the terminal, for a table.
        org_id: UUID of the organisation that publishes CVE containers; see ``OutputContext``.
        disagreements: Whether to leave out rows whose answer is among the record's own labels.
    """

    def __init__(
        self,
        files: JobFiles,
        to: str,
        maker: RowMaker,
        summary: Callable[[], MapSummary],
        *,
        labeller: Labeller = "nvd",
        width: int = 120,
        org_id: str = "",
        disagreements: bool = False,
    ) -> None:
        self._files = files
        self._to = to
        self._maker = maker
        self._summary = summary
        self._labeller = labeller
        self._width = width
        self._org_id = org_id
        self._disagreements = disagreements
        self._title = files.source.name if files.source else "standard input"
        self._failed: list[dict[str, str]] = []
        self._spool = RowSpool()

    def pieces(self, outcomes: Iterable[MapOutcome]) -> Iterator[bytes]:
        """Return the output, piece by piece; its rows are kept where reports are wanted."""
        # What reads inputs again: a single text is mapped without it.
        from cybersecqwen.apps.outputs.input_documents import input_documents

        files = self._files
        context = OutputContext(
            taxonomy=shipped_taxonomy(),
            version=__version__,
            width=self._width,
            title=self._title,
            org_id=self._org_id,
            documents=input_documents(files.source) if files.source else None,
            closing=self._beside,
        )
        writer = format_named(self._to).open(context)
        rows: Iterable[MapRow] = self._rows(outcomes)
        if files.reports:
            rows = self._spool.passing(rows)
        pieces = _told(writer(rows), writer, files.notice)
        if files.output and files.output.suffix.lower() == ".gz":
            pieces = gzipped(pieces)
        return pieces

    def write_reports(self) -> None:
        """Write the reports on the rows of the output."""
        for path in self._files.reports:
            write_report(path, self._spool, title=self._title)
            self._files.notice(f"report written to {path}")

    def close(self) -> None:
        """Let go of the rows that reports were to be made of."""
        self._spool.close()

    def _rows(self, outcomes: Iterable[MapOutcome]) -> Iterator[RecordRow]:
        """Yield the row of each record that has an answer; keep the problems for ``json``."""
        keeps_problems = self._to == "json"
        for outcome in outcomes:
            if outcome.record and outcome.prediction:
                row = self._maker.record_row(outcome.record, outcome.prediction, self._labeller)
                if row.agrees is False or not self._disagreements:
                    yield row
            elif keeps_problems and outcome.problem and outcome.problem.is_failure:
                self._failed.append(outcome.problem.row())

    def _beside(self) -> dict[str, Any]:
        summary = self._summary()
        return {"problems": self._failed, "model": summary.model, "summary": summary}


def single_text(row: MapRow, to: str, *, width: int, conventions: Mapping[str, MapRow]) -> bytes:
    """Return the answer about one text as it is shown.

    Args:
        row: The answer.
        to: Its format; a name of ``outputs.registry.FORMATS``.
        width: Columns of the terminal, for a table.
        conventions: The answer by labeller, for a table; empty for one alone.
    """
    if to == "json":
        return msgspec.json.encode(row) + b"\n"
    if to == "table":
        return TableWriter(width).single(row, conventions).encode()
    context = OutputContext(taxonomy=shipped_taxonomy(), version=__version__, width=width)
    return b"".join(format_named(to).open(context)([row]))


def _told(pieces: Iterator[bytes], writer: Writer, notice: Notice) -> Iterator[bytes]:
    """Pass an output's bytes on, then tell what its writer has to say of it."""
    yield from pieces
    for note in getattr(writer, "notes", ()):
        notice(note)
