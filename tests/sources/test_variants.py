"""Files as people have them: every spelling, wrapping, encoding and damage, read or named."""

from __future__ import annotations

import base64
import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory, RecordProblem
from cybersecqwen.sources import read_advisories

TEXT = "The viewer writes the title into the page without encoding it."
OTHER = "The decoder writes past the end of a heap buffer when an image is large."
ID, OTHER_ID = "CVE-2099-0001", "CVE-2099-0002"


def read(content: bytes, name: str = "in") -> list[Advisory | RecordProblem]:
    return list(read_advisories(None, stdin=io.BytesIO(content), name=name))


def found(content: bytes, name: str = "in") -> list[tuple[str, str]]:
    """Return id and text of each record; all others must be notes."""
    records = read(content, name)
    problems = [r for r in records if isinstance(r, RecordProblem)]
    assert {problem.kind for problem in problems} <= {"note"}, problems
    return [(r.id, r.description) for r in records if isinstance(r, Advisory)]


def cve5(name: str = ID, text: str = TEXT) -> dict[str, Any]:
    return {
        "cveMetadata": {"cveId": name, "state": "PUBLISHED"},
        "containers": {"cna": {"descriptions": [{"lang": "en", "value": text}]}},
    }


def nvd(name: str = OTHER_ID, text: str = OTHER) -> dict[str, Any]:
    return {"id": name, "vulnStatus": "Analyzed", "descriptions": [{"lang": "en", "value": text}]}


def osv(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "modified": "2099-01-01T00:00:00Z", "details": TEXT, **more}


def packed(value: Any, **options: Any) -> bytes:
    return json.dumps(value, **options).encode()


BOTH = [(ID, TEXT), (OTHER_ID, OTHER)]


@pytest.mark.parametrize(
    "document",
    [
        {ID: cve5(), OTHER_ID: nvd()},
        {"status": "ok", "data": {"items": [cve5(), nvd()]}},
        {"results": [{"cve": cve5()}, {"cve": nvd()}]},
        {"took": 3, "hits": {"total": 2, "hits": [{"_source": cve5()}, {"_source": nvd()}]}},
        {"result": {"CVE_Items": [{"cve": nvd(ID, TEXT)}, {"cve": nvd()}]}},
        [[cve5()], [nvd()]],
        {"cvelistv5": [[ID, cve5()]], "nvd": [[OTHER_ID, nvd()]]},
        [{"number": 1, "advisory": cve5()}, {"number": 2, "advisory": nvd()}],
        {ID: {"description": TEXT}, OTHER_ID: {"description": OTHER}},
        {ID: TEXT, OTHER_ID: OTHER},
        {"acme": {ID: {"description": TEXT}}, "lib": {OTHER_ID: {"description": OTHER}}},
        {"rows": [{"row": {"cve": ID, "text": TEXT}}, {"row": {"cve": OTHER_ID, "text": OTHER}}]},
        [["id", "description"], [ID, TEXT], [OTHER_ID, OTHER]],
        {"columns": ["id", "description"], "data": [[ID, TEXT], [OTHER_ID, OTHER]]},
        {"id": {"0": ID, "1": OTHER_ID}, "description": {"0": TEXT, "1": OTHER}},
    ],
)  # fmt: skip
def test_records_wherever_a_document_holds_them(document: Any) -> None:
    assert found(packed(document)) == BOTH
    assert found(packed(document, indent=2)) == BOTH


@pytest.mark.parametrize(
    "stream",
    [
        b"\n".join(packed(r, indent=2) for r in (cve5(), nvd())),
        b",\n".join(packed(r) for r in (cve5(), nvd())),
        b"".join(b"\x1e" + packed(r) + b"\n" for r in (cve5(), nvd())),
        b"".join(b"\xef\xbb\xbf" + packed(r) + b"\r\n" for r in (cve5(), nvd())),
        b"\r".join(packed(r) for r in (cve5(), nvd())),
        b"\n".join(packed([r]) for r in (cve5(), nvd())),
        b"\n".join(packed({"type": "advisory", "data": {"osv": r}}) for r in (cve5(), nvd())),
        b"".join(packed({"data": r}, indent=1) for r in (cve5(), nvd())),
    ],
)
def test_records_one_after_the_other_however_divided(stream: bytes) -> None:
    assert found(stream) == BOTH


def test_a_broken_first_line_and_objects_of_no_kind_among_records() -> None:
    broken, *rest = read(b"{broken\n" + packed(cve5()) + b"\n" + packed(nvd()) + b"\n")
    assert isinstance(broken, RecordProblem)
    assert [r.id for r in rest] == [ID, OTHER_ID]
    stream = b"".join(
        packed(v, indent=1)
        for v in ({"config": {"protocol_version": "v1"}}, {"osv": osv("GO-2099-1")})
    )
    (record,) = read(stream)  # govulncheck tells of its run beside them
    assert record.id == "GO-2099-1"
    other, _ = read(packed({"finding": {"a": "another tool's"}}) + b"\n" + packed(cve5()))
    assert isinstance(other, RecordProblem)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "an empty object"),
        ([], "an empty list"),
        ({"vulns": []}, "`vulns` is empty"),
        ({"results": None}, "`results` is empty"),
        ({"dependencies": [{"name": "a", "vulns": []}], "fixes": []}, "`vulns` is empty"),
        ({"matches": [], "source": {}}, "Grype's report (JSON), which lists no vulnerability"),
        ({"ArtifactName": "x", "Results": [{"Target": "a", "Class": "secret"}]}, "no record in it"),
        ({"auditReportVersion": 2, "vulnerabilities": {}, "metadata": {}}, "no record in it"),
    ],
)
def test_a_document_that_lists_nothing_says_so_and_is_no_failure(document: Any, said: str) -> None:
    [note] = read(packed(document))
    assert isinstance(note, RecordProblem)
    assert note.kind == "note"
    assert said in note.reason


@pytest.mark.parametrize(
    "name",
    [
        *("Description (EN)", "description_en", "VULN_DESC", "vuln_descr", "Short_Desc"),
        *("Description of Vulnerability", "Finding Details", "NVD Description", "Long Text"),
        *("Observation", "Threat", "Diagnosis", "Plugin Description"),
    ],
)
def test_columns_of_texts_by_their_words(name: str) -> None:
    assert found(f"CVE,{name},Solution Description\n{ID},{TEXT},Upgrade.\n".encode()) == BOTH[:1]
    assert found(packed({"CVE": ID, name: TEXT}) + b"\n") == BOTH[:1]


@pytest.mark.parametrize(
    "name", ["Solution Description", "Impact details", "package_description", "CWE Description"]
)
def test_columns_that_describe_something_else_are_no_texts(name: str) -> None:
    with pytest.raises(InputError, match="--text-column"):
        read(f"CVE,{name}\n{ID},{TEXT}\n".encode())


@pytest.mark.parametrize(
    "name",
    [
        *("Associated CVEs", "CVE/GHSA", "CVE Identifier", "CVE No.", "CVE #", "Related CVE"),
        *("Common Vulnerabilities and Exposures", "Ref", "Finding", "#", "Name", "Advisory"),
    ],
)
def test_columns_of_ids_by_their_words_or_what_they_hold(name: str) -> None:
    assert found(f"{name},Description\n{ID},{TEXT}\n".encode()) == BOTH[:1]


def test_the_id_in_a_headline_and_other_ids() -> None:
    assert found(packed({"id": 17.0, "description": TEXT}) + b"\n") == [("17", TEXT)]
    [row] = read(packed({"title": f"{ID} - acme", "description": TEXT}) + b"\n")
    assert row.id == ID
    [row] = read(packed({"id": "T-1", "aliases": [ID, OTHER_ID], "description": TEXT}) + b"\n")
    assert isinstance(row, Advisory)
    assert (row.id, row.aliases) == ("T-1", (ID, OTHER_ID))


@pytest.mark.parametrize(
    "table",
    [
        f"CVE\n{ID}\n{OTHER_ID}\n",
        f"host,cve,owner\nh1,{ID},ops\nh2,{OTHER_ID},dev\n",
        f"#model:v1,date:2099\ncve,epss\n{ID},0.1\n{OTHER_ID},0.2\n",
        f'{{"cve": "{ID}", "host": "h1"}}\n{{"cve": "{OTHER_ID}", "host": "h2"}}\n',
        f'{{"cve_ids": [{{"cve_id": "{ID}"}}, {{"cve_id": "{OTHER_ID}"}}]}}',
        f"{ID}, {OTHER_ID}\n",
        f"https://nvd.example.org/vuln/detail/{ID}\nhttps://nvd.example.org/vuln/detail/{OTHER_ID}\n",
        f'["{ID}", "{OTHER_ID}"]',
    ],
)
def test_ids_without_a_text_are_handed_on_to_be_looked_up(table: str) -> None:
    records = [r for r in read(table.encode()) if isinstance(r, RecordProblem)]
    known = [(r.kind, r.id, r.advisory is not None) for r in records if r.kind != "note"]
    assert known == [("no_description", ID, True), ("no_description", OTHER_ID, True)]


@pytest.mark.parametrize(
    "table",
    [
        f"Report of Acme\nDate: 2099-01-01\n\nCVE,Description\n{ID},{TEXT}\n{OTHER_ID},{OTHER}\n",
        f"# exported\nCVE,Description\n{ID},{TEXT}\n{OTHER_ID},{OTHER}\n",
        f'"Scan",""\n\n"IP","CVE ID","Threat"\n"h",{ID},"{TEXT}"\n"h",2099-0002,"{OTHER}"\n',
        f"CVE,Description\r{ID},{TEXT}\r{OTHER_ID},{OTHER}\r",
        f"| CVE | Description |\n|---|:---|\n| {ID} |{TEXT}|\n| {OTHER_ID} |{OTHER}|\n",
        f"CVE,Description,Details\n{ID},{TEXT},x\n{OTHER_ID},,{OTHER}\n",
        f"sep=^\ncve^description\n{ID}^{TEXT}\n{OTHER_ID}^{OTHER}\n",
        f"sep=\t\ncve\tdescription\n{ID}\t{TEXT}\n{OTHER_ID}\t{OTHER}\n",
        f"{ID},{TEXT}\n{OTHER_ID},{OTHER}\n",
        f"cve,description\n{ID},{TEXT}\ncve,description\n{OTHER_ID},{OTHER}\n",
    ],
)  # fmt: skip
def test_tables_however_they_begin(table: str) -> None:
    assert found(table.encode(), "in.csv") == BOTH


def test_another_header_among_the_rows_is_no_record() -> None:
    first, header, second = read(
        f"cve,description\n{ID},{TEXT}\nid,description\n{OTHER_ID},{OTHER}\n".encode()
    )
    assert (first.id, second.id) == (ID, OTHER_ID)
    assert isinstance(header, RecordProblem)
    assert header.is_failure


def workbook(*sheets: tuple[str, list[list[Any]], str]) -> bytes:
    document = openpyxl.Workbook()
    document.remove(document.active)
    for title, rows, state in sheets:
        sheet = document.create_sheet(title)
        sheet.sheet_state = state
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_workbooks_of_several_sheets_and_rows_of_headers() -> None:
    grouped = [["Report", None], [], ["Finding", "Text"], ["CVE", "Description"], [ID, TEXT]]
    book = workbook(
        ("Cover", [["Report of 2099"]], "visible"),
        ("May", grouped, "visible"),
        ("June", [["CVE", "Description"], [OTHER_ID, OTHER]], "visible"),
        ("Old", [["CVE", "Description"], ["CVE-2099-0009", TEXT]], "hidden"),
    )
    assert found(book) == BOTH
    said = [r.reason for r in read(book) if isinstance(r, RecordProblem)]
    assert said == [
        "sheet 'Cover': no column of descriptions, passed over",
        "sheet 'Old': hidden, passed over",
    ]
    with pytest.raises(InputError, match="in: empty: there is nothing to read"):
        read(workbook(("Cover", [], "visible")))
    ids = [r.id for r in read(workbook(("A", [["CVE", "Host"], [ID, "h"]], "visible"))) if r.id]
    assert ids == [ID]


@pytest.mark.parametrize(
    ("line", "name", "text"),
    [
        (f"* {ID}: {TEXT}", ID, TEXT),
        (f"[{ID}] {TEXT}", ID, TEXT),
        (f"{ID} is a flaw: {TEXT}", ID, f"{ID} is a flaw: {TEXT}"),
        (f"<script> in the title: {TEXT}", "line-1", f"<script> in the title: {TEXT}"),
    ],
)
def test_lines_that_begin_with_an_id_or_a_tag(line: str, name: str, text: str) -> None:
    assert found(f"{line}\n{OTHER}\n".encode())[0] == (name, text)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-8-sig", "cp1252"])
def test_json_in_every_encoding(encoding: str) -> None:
    text = "Das Caf\u00e9 zeigt den Titel ungepr\u00fcft in der Seite, sagt \u201eer\u201c."
    content = json.dumps(cve5(text=text), ensure_ascii=False).encode(encoding)
    assert found(content) == [(ID, text)]


def test_texts_of_cve_records_where_the_plain_one_is_missing() -> None:
    record = cve5()
    media = {"type": "text/html", "base64": True, "value": base64.b64encode(b"<p>Ab<b>cd</b></p>")}
    media["value"] = base64.b64encode(f"<p>{TEXT}</p>".encode()).decode()
    container = record["containers"]["cna"]
    container["descriptions"] = [{"lang": "en", "value": " ", "supportingMedia": [media]}]
    assert found(packed(record)) == BOTH[:1]
    container["descriptions"] = [{"value": TEXT}]
    assert found(packed(record)) == BOTH[:1]
    record["containers"]["adp"] = [{"descriptions": [{"lang": "en", "value": TEXT}]}]
    container["descriptions"] = []
    assert found(packed(record)) == BOTH[:1]


def test_texts_that_are_objects() -> None:
    for text in ({"en": TEXT, "de": "x"}, {"text": TEXT}, {"data": TEXT}, [{"value": TEXT}]):
        rows = packed({"cve": ID, "description": text if isinstance(text, dict) else TEXT})
        assert found(rows + b"\n") == BOTH[:1]


def test_csaf_without_a_note_of_a_known_category() -> None:
    document = {
        "document": {"csaf_version": "2.0", "tracking": {"id": "A-1"}},
        "vulnerabilities": [
            {"cve": ID, "notes": [{"category": "other", "title": "Vulnerability", "text": TEXT}]},
            {"cve": OTHER_ID, "title": OTHER},
        ],
    }
    assert found(packed(document)) == BOTH


def test_osv_in_yaml_however_laid_out() -> None:
    record = f"id: {ID}\nmodified: 2099-01-01T00:00:00Z\ndetails: {TEXT}\n"
    inner = record.replace("\n", "\n  ").rstrip()
    for layout in (
        *(record, f"# by Acme\n{record}", f"---\n{record}", record.replace("\n", "\r\n")),
        *(f"- {inner}\n", f"details: {TEXT}\nid: {ID}\nmodified: 2099-01-01\n"),
    ):
        assert found(layout.encode()) == BOTH[:1], layout


def test_ids_alone_of_osv_batches_and_rows_that_only_look_like_osv() -> None:
    batch = {"results": [{"vulns": [{"id": "GHSA-2222-3333-4444", "modified": "2099-01-01"}]}, {}]}
    [problem] = read(packed(batch))
    assert isinstance(problem, RecordProblem)
    assert (problem.id, problem.kind) == ("GHSA-2222-3333-4444", "no_description")
    audit = [{"name": "a", "vulns": [{"id": "PYSEC-2099-1", "aliases": [ID], "description": TEXT}]}]
    assert found(packed({"dependencies": audit})) == [("PYSEC-2099-1", TEXT)]
    euvd = {
        "id": "EUVD-2099-1",
        "description": TEXT,
        "aliases": f"{ID}\n",
        "references": "https://x\n",
    }
    assert found(packed({"items": [euvd]})) == [("EUVD-2099-1", TEXT)]


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"404: Not Found", "a.json", "a server's error message"),
        (b"Too Many Requests\n", "a.json", "a server's error message"),
        (b"HTTP/1.1 502 Bad Gateway\n", "a.txt", "a server's error message"),
        (b"upstream connect error or disconnect/reset before headers", "in", "a server's error"),
        (b"null", "a.json", "a server's error message, or a few words where JSON should be"),
        (packed({"code": 3, "message": "Invalid", "details": []}), "in", "an API's error"),
        (packed({"success": False, "description": "No such key."}), "in", "an API's error"),
        (packed({"title": "x", "status": 404, "detail": "y", "traceId": "z"}), "in", "API's error"),
        (packed({"errors": [{"message": "x"}], "data": None}), "in", "an API's error"),
        (packed([{"message": "Bad", "status": 400}]), "in", "an API's error"),
        (packed({"fault": {"faultstring": "quota"}}), "in", "an API's error"),
        (str(cve5()).encode(), "a.json", "Python's notation of objects"),
        (b"callback(" + packed(cve5()) + b");", "a.js", "broken JSON"),
        (b"From: a@b\nTo: c@d\nSubject: x\n\nHello.\n", "a.eml", "an e-mail"),
        (b"2099-01-01 00:00:00 INFO a\n2099-01-01 00:00:01 INFO b\n", "a.log", "a log"),
        (b"2099/acme-1.json\n2099/acme-2.json\n", "index.txt", "a list of files"),
        (b"#include <stdio.h>\nint main(void) {\n  return 0;\n}\n", "a.txt", "source code"),
        (b"import os\n\ndef main():\n    print(os.name)\n", "a.txt", "source code"),
        (b"diff --git a/x b/x\n--- a/x\n+++ b/x\n", "a.txt", "source code, a script or a patch"),
        (b"{\\rtf1\\ansi A flaw.\\par}", "a.rtf", "rich text"),
        (b"A=b\nC=d\n", ".env", "a TOML or INI file"),
        (b"These are records of flaws.\nSee the guide.\n", "data/README", "a readme"),
        (packed({"format": "NVD_CPE", "products": [{"cpe": {}}]}), "in", "NVD's list of products"),
        (packed({"canonical_url": "x", "publisher": {}}), "in", "where CSAF advisories lie"),
        (packed({"name": "a", "version": "1", "description": TEXT, "scripts": {"x": "y"}}), "in",
         "a package's manifest"),
        (packed({"openapi": "3.1", "info": {"description": TEXT}}), "in", "an OpenAPI document"),
        (packed({"spdxVersion": "SPDX-2.3", "packages": [{"description": TEXT}]}), "in", "an SPDX"),
        (b"\nalpine\n\n+----+--------+\n| A  | ID |\n+----+--------+\n", "a.txt", "a scanner's"),
        (b"NAME  INSTALLED  VULNERABILITY\nfoo  1  CVE-2099-1\n", "a.txt", "a scanner's table"),
        (b"## Impact\n\nAnyone can read it.\n\n## Patches\n\nUpgrade.\n", "a.txt", "Markdown"),
        (b"<div>\n<p>Not found</p>\n</div>\n", "a.json", "a piece of HTML"),
    ],
)  # fmt: skip
def test_files_of_other_kinds_are_named(
    tmp_path: Path, content: bytes, name: str, said: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        list(read_advisories(path))
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert "\n" not in message


def test_other_packings(tmp_path: Path) -> None:
    old = lzma.compress(packed(cve5()), format=lzma.FORMAT_ALONE)
    assert found(old) == BOTH[:1]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", gzip.compress(f"cve,text\n{ID},{TEXT}\n".encode()))
        archive.writestr("b.json", b"")
        archive.writestr("c.bin", b"\x00" * 9)
    notes = [r for r in read(out.getvalue()) if isinstance(r, RecordProblem)]
    assert [note.kind for note in notes] == ["note", "note"]
    assert found(out.getvalue()) == BOTH[:1]


def test_yaml_that_would_expand_without_bound_is_refused() -> None:
    levels = "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]\n" for n in range(1, 12))
    [problem] = read(f"id: A-1\nmodified: x\nb0: &b0 [x, x]\n{levels}".encode())
    assert isinstance(problem, RecordProblem)
    assert "it has an alias, which is refused" in problem.reason
    [problem] = read(b"id: A-1\nmodified: x\na: " + b"[" * 5000)
    assert isinstance(problem, RecordProblem)


def test_microsofts_updates_are_read() -> None:
    update = {
        "DocumentTitle": {"Value": "November 2026 Security Updates"},
        "Vulnerability": [
            {
                "CVE": ID,
                "Title": {"Value": "Mail Server Elevation of Privilege Vulnerability"},
                "Notes": [
                    {"Title": "Description", "Type": 2, "Value": f"<p>{TEXT}</p>"},
                    {"Title": "FAQ", "Type": 4, "Value": "<p>Is there more?</p>"},
                ],
                "CWE": [{"ID": "CWE-79", "Value": "Cross-site scripting"}],
                "CVSSScoreSets": [{"Vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}],
            },
            {"CVE": OTHER_ID, "Title": {"Value": "Mail Server Spoofing"}, "Notes": []},
        ],
    }
    first, second = read(packed(update))
    assert isinstance(first, Advisory)
    assert (first.id, first.labels[0].cwe, first.cvss[0].version) == (ID, "CWE-79", "3.1")
    assert TEXT in first.description
    assert "<p>" not in first.description
    assert "more?" not in first.description
    assert isinstance(second, Advisory)
    assert second.description == "Mail Server Spoofing"


def test_paragraphs_that_each_begin_with_an_id_are_one_record_each() -> None:
    text = (
        f"{ID}: The search builds a\nquery from its input.\n\n"
        f"{OTHER_ID} - A crafted page\nfrees memory twice.\n"
    )
    _, first, second = read(text.encode(), "notes.txt")
    assert isinstance(first, Advisory)
    assert isinstance(second, Advisory)
    assert (first.id, second.id) == (ID, OTHER_ID)
    assert first.description.endswith("The search builds a query from its input.")
    below = f"{ID}\nThe search builds a query.\n\n{OTHER_ID}\nA crafted page frees memory twice.\n"
    assert [r.id for r in read(below.encode(), "notes.txt")[1:]] == [ID, OTHER_ID]
    ids = f"{ID}\n\n{OTHER_ID}\n"
    assert [r.id for r in read(ids.encode())] == [ID, OTHER_ID]
    lines = f"{ID}: The search builds a query.\n{OTHER_ID} - A crafted page frees memory twice.\n"
    assert [r.id for r in read(lines.encode(), "notes.txt")] == [ID, OTHER_ID]


def test_a_header_in_no_known_encoding_is_said_and_loses_no_row() -> None:
    table = "CVE番号,説明\n" + f'{ID},"{TEXT}"\n'
    with pytest.raises(InputError, match="neither UTF-8 nor Windows-1252: save the table as UTF-8"):
        read(table.encode("shift_jis"), "a.csv")
    (record,) = read(table.encode(), "a.csv")
    assert record.id == ID


def test_pythons_notation_of_a_list_is_named() -> None:
    with pytest.raises(InputError, match="Python's notation"):
        read(str([{"id": ID, "description": TEXT}]).encode(), "a.txt")
