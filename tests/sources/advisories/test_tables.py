"""Tables, workbooks, rows of JSON and plain text: names however spelled, encodings, columns."""

from __future__ import annotations

import datetime
import io
import json
import re
import textwrap
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from cybersecqwen.core.cancellation import Cancellation, WorkCancelledError
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory, CweLabel, RecordProblem
from cybersecqwen.sources import read_advisories
from cybersecqwen.sources.advisories import workbook

TEXT = "The viewer writes the title into the page without encoding it."


def read(content: str | bytes, **options: Any) -> list[Advisory | RecordProblem]:
    data = content.encode() if isinstance(content, str) else content
    return list(read_advisories(None, stdin=io.BytesIO(data), name="in", **options))


def rows(content: str | bytes, **options: Any) -> list[Advisory]:
    return [record for record in read(content, **options) if isinstance(record, Advisory)]


@pytest.mark.parametrize(
    "header",
    [
        "CVE ID,Description",
        "cve-id,DESCRIPTION",
        "CVEs,Vulnerability Description",
        "cveId,cveDescription",
        "CVE,Details",
        "CVE_Number,Short Description",
        "cves,Summary",
        "Vulnerability ID,Overview",
        '"CVE ID" , " text "',
        "CVE-Nummer,Beschreibung",
        "CVE,Descripción",
        "CVE番号,概要",
    ],
)
def test_names_of_columns_however_spelled(header: str) -> None:
    [found] = read(f'{header}\ncve-2099-0001,"{TEXT}"\n')
    assert (found.id, getattr(found, "description", "")) == ("CVE-2099-0001", TEXT)


@pytest.mark.parametrize(
    "keys", [("CVE ID", "Description"), ("cveID", "text"), ("CVEs", "Details")]
)
def test_keys_of_rows_however_spelled(keys: tuple[str, str]) -> None:
    [found] = read(json.dumps({keys[0]: "CVE-2099-0001", keys[1]: TEXT}) + "\n")
    assert (found.id, getattr(found, "description", "")) == ("CVE-2099-0001", TEXT)


def test_every_column_is_carried_in_order() -> None:
    [row] = rows(f"host,CVE,description,owner,,cvss\ndb1,CVE-2099-0001,{TEXT},ops,x,9.8\n")
    assert row.columns == (
        ("host", "db1"),
        ("CVE", "CVE-2099-0001"),
        ("description", TEXT),
        ("owner", "ops"),
        ("", "x"),
        ("cvss", "9.8"),
    )
    assert (row.where, row.line, row.file) == ("in:2", 2, "in")
    [row] = rows('{"id": 7, "text": "words", "score": 9.8, "tags": ["a", "b"], "seen": null}\n')
    assert row.columns == (
        ("id", 7),
        ("text", "words"),
        ("score", 9.8),
        ("tags", '["a","b"]'),
        ("seen", None),
    )


def test_a_headline_and_a_text_are_read_together() -> None:
    [row] = rows(f"Summary,Description\nScript injection,{TEXT}\n")
    assert row.description == f"Script injection\n\n{TEXT}"
    [row] = rows(f"Title,Description\nScript injection,{TEXT}\n")
    assert (row.title, row.description) == ("Script injection", TEXT)
    [row] = rows(f'{{"summary": "The viewer writes the title", "details": "{TEXT}"}}\n')
    assert row.description == TEXT


def test_only_an_address_that_ends_in_an_id_gives_one() -> None:
    table = (
        "Title,Url,Description\n"
        f"a,http://192.0.2.10/,{TEXT}\n"
        f"b,https://nvd.example.org/detail/CVE-2099-0002,{TEXT}\n"
        f"c,https://example.org/advisories/GHSA-2222-3333-4444/,{TEXT}\n"
        f"d,http://192.0.2.10/,{TEXT}\n"
    )
    note, *found = read(table)
    assert [r.id for r in found] == ["line-2", "CVE-2099-0002", "GHSA-2222-3333-4444", "line-5"]
    assert isinstance(note, RecordProblem)
    assert note.kind == "note"
    assert "no column holds an id" in note.reason
    assert "columns found: Title, Url, Description" in note.reason
    assert "--id-column" in note.reason


def test_columns_can_be_named() -> None:
    table = f"ticket;finding;note\nT-1;{TEXT};x\n"
    with pytest.raises(InputError, match=r"columns found: ticket, finding, note.*--text-column"):
        read(table)
    [row] = rows(table, text_column="Finding", id_column="ticket")
    assert (row.id, row.description) == ("T-1", TEXT)
    with pytest.raises(InputError, match="no column 'body'; columns found: ticket, finding, note"):
        read(table, text_column="body")
    [row] = rows(json.dumps({"ticket": 5, "finding": TEXT}) + "\n", text_column="finding")
    assert (row.id, row.description) == ("line-1", TEXT)
    [row] = rows(
        json.dumps([{"ticket": 5, "finding": TEXT}]), text_column="finding", id_column="ticket"
    )
    assert (row.id, row.description) == ("5", TEXT)


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "utf-16", "utf-16-le"])
def test_a_line_that_names_the_delimiter(first: str, encoding: str) -> None:
    table = f"{first}\r\nCVE;Description\r\nCVE-2099-0171;\u00dcber, {TEXT}\r\n"
    [row] = rows(table.encode(encoding))
    assert (row.id, row.description, row.line) == ("CVE-2099-0171", f"\u00dcber, {TEXT}", 3)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_encodings_of_spreadsheets(encoding: str) -> None:
    text = "The caf\u00e9\u2019s viewer \u2013 writes \u201ctitles\u201d"
    many = "".join(f"CVE-2099-{n:04},plain\n" for n in range(5000))
    [*plain, last] = rows(f"CVE,Description\n{many}CVE-2100-0001,{text}\n".encode(encoding))
    assert len(plain) == 5000
    assert last.description == text


def test_in_a_table_of_utf8_a_row_that_is_not_is_named() -> None:
    records = read("id,text\na,gr\u00fcn\n".encode() + b"b,gr\xfcn\nc,words\n")
    assert [r.id for r in records] == ["a", "", "c"]
    assert str(records[1]) == "in:3: not UTF-8 at byte 5 of the line"


@pytest.mark.parametrize(
    "text",
    [
        *("nan", "N/A", "TBD", ".", "-", "None", "null", "n.a.", "???", "12"),
        *("CWE-79", "https://example.org/a", "eca15ee6fd0ef82ca4cba770a3ec4189"),
        *("Awaiting analysis", "Currently no description", "details to follow", "ops@example.org"),
        *("pkg:npm/left-pad@1.3.0", "cpe:2.3:a:acme:viewer:1.0", "no further information yet"),
    ],
)
def test_texts_that_say_that_there_is_none(text: str) -> None:
    problem, row = read(f"id,description\nCVE-2099-0201,{text}\nCVE-2099-0207,{TEXT}\n")
    assert isinstance(problem, RecordProblem)
    assert (problem.id, problem.kind) == ("CVE-2099-0201", "no_description")
    assert problem.reason == f"no description: the text is {text!r}"
    assert row.id == "CVE-2099-0207"


def test_labels_of_tables_name_whose_they_are() -> None:
    [row] = rows("id,text,cwe,NVD CWE,cna_cwe\na,words,79; 80,CWE-20,CWE-22\n")
    assert set(row.labels) == {
        CweLabel("CWE-79", "other"),
        CweLabel("CWE-80", "other"),
        CweLabel("CWE-20", "nvd"),
        CweLabel("CWE-22", "cna"),
    }
    [row] = rows("id,text,cwe\na,words,79\n", labels_from="nvd")
    assert row.cwes("nvd") == ("CWE-79",)


def test_scanners_tables() -> None:
    nessus = (
        "Plugin ID,CVE,CVSS v3.0 Vector,Risk,Host,Name,Synopsis,Description,See Also\n"
        '10107,"CVE-2099-0301,CVE-2099-0302",CVSS:3.0/AV:N/AC:L,High,192.0.2.1,Old viewer,'
        f'A viewer is too old.,"{TEXT}",https://example.org/a\n'
        f"10108,,,None,192.0.2.1,Banner,A banner shows the version.,{TEXT},\n"
    )
    first, second = rows(nessus)
    assert (first.id, first.aliases) == ("CVE-2099-0301", ("CVE-2099-0302",))
    assert first.description == f"A viewer is too old.\n\n{TEXT}"
    assert first.cvss[0].vector == "CVSS:3.0/AV:N/AC:L"
    assert first.references == ("https://example.org/a",)
    assert second.id == "10108"
    openvas = (
        "IP,Port,NVT Name,Summary,CVEs,Vulnerability Insight\n"
        f"192.0.2.1,443,Viewer XSS,A viewer is affected.,CVE-2099-0303,{TEXT}\n"
    )
    [row] = rows(openvas)
    assert (row.id, row.title) == ("CVE-2099-0303", "Viewer XSS")
    assert row.description == f"A viewer is affected.\n\n{TEXT}"


def test_a_headline_serves_where_a_scanner_has_nothing_better() -> None:
    note, row = read("Plugin,Plugin Name,Severity\n7,Old viewer runs code (CVE-2099-0304),High\n")
    assert "the text is the headline, 'Plugin Name'" in str(note)
    assert isinstance(row, Advisory)
    assert (row.id, row.aliases) == ("7", ("CVE-2099-0304",))


def test_tables_without_a_known_column_are_refused_without_their_name_too() -> None:
    table = "host,finding,seen\n192.0.2.1,words of a finding,2026-01-01\n192.0.2.2,more words,\n"
    with pytest.raises(InputError, match=r"no column description.*host, finding, seen"):
        read(table)
    lines = "SQL injection in the form, remote\nA stack overflow, local\n"
    assert [r.id for r in rows(lines)] == ["line-1", "line-2"]


def test_rows_with_too_many_fields_are_named() -> None:
    glued = f'id,text\na,{TEXT}\n{{"id": "b", "text": "json, glued on", "x": "y"}}\n'
    [row, problem] = read(glued)
    assert row.id == "a"
    assert "the row has 4 fields, the header 2" in str(problem)


def book(*rows_: list[Any], title: str = "Findings") -> bytes:
    document = openpyxl.Workbook()
    document.active.title = "Cover"
    document.active.append(["Report of January"])
    sheet = document.create_sheet(title)
    for row in rows_:
        sheet.append(row)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_workbooks() -> None:
    content = book(
        ["Findings of Acme", None],
        [],
        ["CVE ID", "Description", "Seen", "Score"],
        ["CVE-2099-0401", TEXT, datetime.date(2026, 1, 2), 9.0],
        [None, None, None, None],
        [None, "Another flaw of the viewer.", None, 7.5],
    )
    first, second = rows(content)
    assert (first.id, first.description, first.line) == ("CVE-2099-0401", TEXT, 4)
    assert first.columns[2:] == (("Seen", "2026-01-02T00:00:00"), ("Score", 9))
    assert (second.id, second.where) == ("line-6", "in/Findings:6")
    with pytest.raises(InputError, match=r"no column description.*columns found: a, b"):
        read(book(["a", "b"], [1, 2]))


def test_a_workbook_that_nobody_wants_is_not_read_on() -> None:
    blank: list[list[Any]] = [[None]] * 20_000
    content = book(["CVE ID", "Description"], ["CVE-2099-0401", TEXT], *blank, ["a", "b"])
    cancellation = Cancellation()

    def first_and_next() -> str:
        found = read_advisories(None, stdin=io.BytesIO(content), name="in")
        record = next(found)
        cancellation.cancel()
        with pytest.raises(WorkCancelledError):
            next(found)  # behind rows that are blank
        return str(getattr(record, "id", ""))

    assert cancellation.context().run(first_and_next) == "CVE-2099-0401"


def test_damaged_workbooks_are_refused(tmp_path: Path) -> None:
    content = book(["CVE ID", "Description"], ["CVE-2099-0401", TEXT])
    for cut in range(10, len(content), 397):
        file = tmp_path / "x.xlsx"
        file.write_bytes(content[:cut] + b"\x00" * 20 + content[cut + 20 :])
        with suppress(InputError):
            assert all(record.where.startswith(str(file)) for record in read_advisories(file))


def with_sheet(data: str) -> bytes:
    """Return a workbook whose sheet holds this in place of its rows."""
    out = io.BytesIO()
    sheet = f"<sheetData>{data}</sheetData>".encode()
    source = zipfile.ZipFile(io.BytesIO(book(["Description"])))
    with source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for member in source.namelist():
            content = source.read(member)
            if member.endswith("sheet1.xml"):
                content = re.sub(rb"<dimension[^>]*>", b"", content)
                content = re.sub(rb"<sheetData>.*</sheetData>", lambda _: sheet, content)
            target.writestr(member, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("<row><c t='str'><v>" + "a" * 3_000_000 + "</v></c></row>", "a cell of over 1 MiB"),
        ("<row/>" * 1_100_000, "a sheet of over 1,048,576 rows"),
        ("<x:row xmlns:x='urn:x'/>" * 1_100_000, "a sheet of over 1,048,576 rows"),
        ("<row>" + "<c/>" * 300_000 + "</row>", "over 200,000 elements outside of rows or in one"),
        ("<a>" * 11_000, "over 10,000 elements in each other"),
    ],
)
def test_workbooks_that_would_fill_the_memory(
    data: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "_MAX_ELEMENTS", 200_000)
    head = "<row><c t='str'><v>Description</v></c></row>"
    with pytest.raises(InputError, match=reason):
        read(with_sheet(head + data))


def test_a_row_far_below_is_not_waited_for() -> None:
    head = "<row><c t='str'><v>Description</v></c></row>"
    *_, last = read(with_sheet(head + "<row r='99999999'><c t='str'><v>a</v></c></row>"))
    assert isinstance(last, RecordProblem)
    assert "a sheet of over 1,048,576 rows" in last.reason


def test_plain_text() -> None:
    content = (
        "CVE-2099-0501: The viewer writes the title.\n"
        "The decoder - in CVE-2099-0502 - writes past a buffer.\n"
        "ghsa-2222-3333-4444\n"
        "CVE-2099-0503 The parser reads too far\n"
    )
    first, second, alone, third = read(content)
    assert isinstance(first, Advisory)
    assert (first.id, first.description) == ("CVE-2099-0501", "The viewer writes the title.")
    assert second.id == "line-2"
    assert isinstance(alone, RecordProblem)
    assert (alone.id, alone.kind) == ("GHSA-2222-3333-4444", "no_description")
    assert isinstance(third, Advisory)
    assert (third.id, third.description[:17]) == ("CVE-2099-0503", "CVE-2099-0503 The")


@pytest.mark.parametrize("header", ["Weakness,CVSS", "weaknesses,cvss vector", "CWEs,CVSS 3"])
def test_columns_whose_names_are_no_plurals_are_read(header: str) -> None:
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"
    (found,) = rows(f"id,description,{header}\na,{TEXT},CWE-79,{vector}\n")
    assert found.cwes("other") == ("CWE-79",)
    assert [scored.vector for scored in found.cvss] == [vector]


@pytest.mark.parametrize(
    ("row", "name", "aliases"),
    [
        ({"CVE": "N/A", "Plugin ID": "7"}, "7", ()),
        (
            {"Vulnerability ID": "acme-xss", "Vulnerability CVE IDs": "CVE-2099-0001"},
            "CVE-2099-0001",
            (),
        ),
        ({"Issue key": "SEC-1", "Custom field (CVE)": "CVE-2099-0001"}, "CVE-2099-0001", ()),
        ({"Vulnerability id": "CVE-2099-0001 (ACME-7)"}, "CVE-2099-0001", ()),
        ({"id": "X-1", "cves": [{"cve": "CVE-2099-0001", "score": 7.5}]}, "CVE-2099-0001", ()),
        ({"id": "1", "name": "CVE-2099-0001"}, "CVE-2099-0001", ()),
        (
            {
                "cve": "acme:scanner:7",
                "identifiers": [{"type": "cve", "value": "CVE-2099-0001"}],
            },
            "CVE-2099-0001",
            (),
        ),
        (
            {"id": "SNYK-1", "identifiers": {"CVE": ["CVE-2099-0001"], "CWE": ["CWE-79"]}},
            "SNYK-1",
            ("CVE-2099-0001",),
        ),
        (
            {"cve": "CVE-2099-0001", "ghsa": "GHSA-2345-6789-cfgh"},
            "CVE-2099-0001",
            ("GHSA-2345-6789-cfgh",),
        ),
    ],
)
def test_the_id_of_a_vulnerability_comes_before_others(
    row: dict[str, Any], name: str, aliases: tuple[str, ...]
) -> None:
    [found] = rows(json.dumps({**row, "description": TEXT}))
    assert (found.id, found.aliases) == (name, aliases)


def test_a_report_that_sums_up_what_it_lists() -> None:
    listed = [{"id": f"ACME-{n}", "title": "Flaw", "description": TEXT} for n in (1, 2)]
    report = {"ok": False, "vulnerabilities": listed, "summary": "2 vulnerable paths"}
    assert [row.id for row in rows(json.dumps(report))] == ["ACME-1", "ACME-2"]
    record = {"id": "CVE-2099-0001", "summary": TEXT, "findings": [{"text": "words of a finding"}]}
    assert [row.description for row in rows(json.dumps(record))] == [TEXT]


def test_columns_of_one_name_fill_each_other() -> None:
    [row] = rows(f"id,description,description\n7,,{TEXT}\n")
    assert row.description == TEXT
    [row] = rows(f"id,description,details\n7,N/A,{TEXT}\n")
    assert row.description == TEXT


def test_a_header_under_a_preamble_that_names_no_ids() -> None:
    table = (
        '"List version 1",,,,\n"Date: 20990101",,,,\n"Name","Status","Description","Notes",""\n'
        f',,,,\n"CVE-2099-0001","Candidate","{TEXT}","None (not yet proposed)",\n'
        '"CVE-2099-0002","Candidate","** RESERVED ** Held for an announcement.","",\n'
    )
    found = read(table)
    assert [(each.id, isinstance(each, Advisory)) for each in found] == [
        ("CVE-2099-0001", True),
        ("CVE-2099-0002", False),
    ]


def test_wrapped_text_is_read_by_paragraphs() -> None:
    text = f"{TEXT} {TEXT} Script then runs in the browser of whoever is logged in."
    wrapped = f"{textwrap.fill(text, 60)}\n"
    note, first, second = read(f"{wrapped}\n{wrapped}")
    assert isinstance(note, RecordProblem)
    assert note.kind == "note"
    assert isinstance(first, Advisory)
    assert first.description == text
    assert (first.line, second.where) == (1, "in:6")
    each = "heap overflow in the parser of foo\nsql injection in the login form\nxss in bar\n"
    assert len(rows(each)) == 3


def test_rows_under_a_comment_are_rows() -> None:
    row = json.dumps({"id": "CVE-2099-0001", "description": TEXT})
    for comment in ("# made today", "// made today"):
        problem, record = read(f"{comment}\n{row}\n{row}\n")[:2]
        assert isinstance(problem, RecordProblem)
        assert problem.where == "in:1"
        assert record.id == "CVE-2099-0001"


def test_a_table_under_a_quoted_headline() -> None:
    [row] = rows(f'"Scan results"\n\n"VULN","ID","Title","Description"\n"V","1","XSS","{TEXT}"\n')
    assert (row.id, row.description) == ("1", TEXT)
    assert len(rows(f'"{TEXT}"\n"{TEXT} It does."\n')) == 2
