"""Rows kept on disk while a writer looks at all of them before it writes the first."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import IO

import msgspec

from cybersecqwen.apps.outputs.rows import MapRow, RecordRow

_IN_MEMORY = 8 << 20
_LENGTH = struct.Struct("<I")


class RowSpool:
    """Rows that can be read more than once, in bounded memory.

    Args:
        rows: Rows to begin with; all of them are drawn at once.

    Attributes:
        own_id: Whether an input column called ``id`` ever says something else than the row's id.
        explained: Whether a row has a reason.
        denies: Whether a row's text denies a flaw.
        replaced: Whether a row has an id in place of the model's own.
        assessed: Whether a row says more than the weakness.
    """

    def __init__(self, rows: Iterable[MapRow] = ()) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by close()
        self._count = 0
        self._columns: dict[str, None] = {}
        self.own_id = self.explained = self.denies = self.replaced = self.assessed = False
        self._encode = msgspec.msgpack.Encoder().encode
        for row in rows:
            self.add(row)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the input's own columns, in the order in which they first occur."""
        return tuple(self._columns)

    def add(self, row: MapRow) -> None:
        """Add a row behind the others; not while they are read."""
        record = row if isinstance(row, RecordRow) else _as_record(row)
        self._columns.update(dict.fromkeys(record.columns))
        self.own_id |= str(record.columns.get("id", record.id)) != record.id
        self.explained |= bool(record.reason)
        self.denies |= bool(record.denied)
        self.replaced |= record.instead_of is not None
        self.assessed |= record.assessed is not None
        packed = self._encode(record)
        self._file.write(_LENGTH.pack(len(packed)) + packed)
        self._count += 1

    def passing(self, rows: Iterable[MapRow]) -> Iterator[MapRow]:
        """Yield rows, keeping each of them."""
        for row in rows:
            self.add(row)
            yield row

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[RecordRow]:
        decode = msgspec.msgpack.Decoder(RecordRow).decode
        self._file.seek(0)
        while head := self._file.read(_LENGTH.size):
            yield decode(self._file.read(_LENGTH.unpack(head)[0]))

    def __enter__(self) -> RowSpool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the rows."""
        self._file.close()


def _as_record(row: MapRow) -> RecordRow:
    """Return the row of a bare text as the row of a record that says nothing."""
    return RecordRow(
        **{name: getattr(row, name) for name in row.__struct_fields__},
        description="",
        nvd_cwe=(),
        cna_cwe=(),
        agrees=None,
        cvss="",
        cvss_score=None,
        cvss_severity="",
        published="",
        url="",
    )
