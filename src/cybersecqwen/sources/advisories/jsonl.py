"""Rows of JSON: one object or one string a line, under the field names people use."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cybersecqwen.core.records import Advisory, CweLabel, LabelSource, RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import decode_problem, finish, labels_of
from cybersecqwen.sources.advisories.cve5 import parse_cve5


class _Labels(msgspec.Struct):
    nvd: list[str] = []
    cna: list[str] = []
    adp: list[str] = []


class _JsonlRow(msgspec.Struct):
    id: str | int | None = None
    cve: str | None = None
    cve_id: str | None = None
    cve_id_camel: str | None = msgspec.field(default=None, name="cveId")
    description: str | None = None
    text: str | None = None
    summary: str | None = None
    cwe: str | list[str] | None = None
    problem_types: list[str] | None = None
    labels: _Labels | None = None
    published: str | None = None
    containers: msgspec.Raw = msgspec.Raw()  # only its presence counts

    def name(self) -> str | None:
        for value in (self.id, self.cve, self.cve_id, self.cve_id_camel):
            if value is not None and value != "":
                return str(value)
        return None


_DECODER = msgspec.json.Decoder(_JsonlRow | str)


def parse_row(
    content: bytes | msgspec.Raw, where: str, fallback_id: str, labels_from: LabelSource = "nvd"
) -> Advisory | RecordProblem:
    """Return the advisory of one JSON value, or what is wrong with it.

    The id is ``id``, ``cve``, ``cve_id`` or ``cveId``; the text ``description``, ``text`` or
    ``summary``; labels are ``cwe`` (one or several), ``problem_types`` (free text, the CNA's) and
    ``labels`` (``{"nvd": [...], "cna": [...], "adp": [...]}``). A bare string is a description. A
    CVE JSON 5.x record is read as one.

    Args:
        content: The JSON.
        where: Where it stands, for messages.
        fallback_id: The id of a row that has none.
        labels_from: Who assigned the labels in ``cwe``.
    """
    try:
        row = _DECODER.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return decode_problem(where, bytes(content), error)
    if isinstance(row, str):
        return finish(where, fallback_id, row)
    if bytes(row.containers):
        return parse_cve5(content, where)
    name = row.name() or fallback_id
    text = next((t for t in (row.description, row.text, row.summary) if t is not None), None)
    if text is None:
        return RecordProblem(where, name, "no field description, text or summary")
    return finish(where, name, text, labels=_labels(row, labels_from), published=row.published)


def _labels(row: _JsonlRow, labels_from: LabelSource) -> Iterator[CweLabel]:
    given = [row.cwe] if isinstance(row.cwe, str) else row.cwe
    yield from labels_of(given or (), labels_from)
    yield from labels_of(row.problem_types or (), "cna")
    if row.labels:
        yield from labels_of(row.labels.nvd, "nvd")
        yield from labels_of(row.labels.cna, "cna")
        yield from labels_of(row.labels.adp, "adp")
