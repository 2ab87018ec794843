from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from apps.outputs.output_rows import advisory, record_row, row, written
from cybersecqwen.apps.outputs.rows import MapRow

openpyxl = pytest.importorskip("openpyxl")


def sheet(*rows: MapRow) -> list[list[Any]]:
    """The cells of the workbook, read by another library than the one that writes it."""
    book = openpyxl.load_workbook(io.BytesIO(written("xlsx", *rows)))
    return [list(line) for line in book["Rows"].iter_rows()]


def read_csv(*rows: MapRow) -> list[dict[str, str]]:
    text = written("csv", *rows).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("name", ["plain", 'quote " and , comma', "new\r\nline", "ünïcode 漢字"])
def test_csv_reads_back(name: str) -> None:
    first, second = read_csv(row(name, abstained=True), row("next"))
    assert first["id"] == name
    assert first["candidates"] == "CWE-79 0.45|CWE-89 0.35"
    assert (first["abstained"], first["backoff_cwe"]) == ("true", "CWE-74")
    assert (second["id"], second["abstained"], second["backoff_cwe"]) == ("next", "false", "")


FORMULAS = [
    "=cmd|x!A1", "+cmd", "-cmd", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "＋1+a", "－1-a", "＠x",
    " =1", "-1+1|cmd",
]  # fmt: skip


@pytest.mark.parametrize("cell", FORMULAS)
def test_no_cell_is_a_formula(cell: str) -> None:
    made = record_row(advisory(cell, description=cell, columns=(("note", cell),)))
    (read,) = read_csv(made)
    assert read["id"] == read["description"] == read["note"] == f"'{cell}"
    head, cells = sheet(made)
    for column in ("id", "description", "note"):
        found = cells[[c.value for c in head].index(column)]
        assert found.data_type == "s"
        assert str(found.value).strip() == cell.strip()
        assert found.quotePrefix


@pytest.mark.parametrize("cell", ["-5", "+0.25", "1e5", "plain"])
def test_a_plain_number_is_left_alone(cell: str) -> None:
    (read,) = read_csv(record_row(advisory(columns=(("n", cell),))))
    assert read["n"] == cell


def test_every_input_column_is_carried_through() -> None:
    columns = (("host", "web-1"), ("cwe", "old"), ("id", "7"), ("url", "https://a/b"), ("n", 3))
    first = record_row(advisory(columns=columns))
    second = record_row(advisory("CVE-2024-10002", columns=(("late", None),)))
    read, other = read_csv(first, second)
    assert (read["cwe"], read["input_cwe"]) == ("CWE-89", "old")
    assert (read["id"], read["input_id"]) == ("CVE-2024-10001", "7")
    assert (read["host"], read["url"], read["n"], read["late"]) == ("web-1", "https://a/b", "3", "")
    assert (read["nvd_cwe"], read["cna_cwe"], read["agrees"]) == ("CWE-89", "CWE-74", "true")
    assert (read["cvss_score"], read["published"]) == ("9.8", "2024-03-01")
    assert (other["host"], other["late"]) == ("", "")
    head, *_ = sheet(first, second)
    assert [cell.value for cell in head] == list(read)


def test_an_id_that_is_the_record_s_own_is_not_written_twice() -> None:
    (read,) = read_csv(record_row(advisory("a", columns=(("id", "a"),))))
    assert "input_id" not in read


def test_xlsx_holds_what_a_cell_can_hold() -> None:
    long = "x" * 40_000
    head, cells = sheet(record_row(advisory(description=long, columns=(("c", "a\x00b\x0bc"),))))
    names = [cell.value for cell in head]
    text = cells[names.index("description")].value
    assert len(text) == 32_767
    assert text.endswith("…")
    assert cells[names.index("c")].value == "a\ufffdb\ufffdc"
    assert cells[names.index("confidence")].value == 0.97
    assert cells[names.index("abstained")].value is False


def test_the_same_rows_give_the_same_workbook(tmp_path: Path) -> None:
    assert written("xlsx", record_row()) == written("xlsx", record_row())
