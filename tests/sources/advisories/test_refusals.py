"""What is recognised and not read: named in one line that says what to do."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory, RecordProblem
from cybersecqwen.sources import read_advisories

TEXT = "The viewer writes the title into the page without encoding it."
HTML = b"<!DOCTYPE html>\n<html>\n<body><h1>The gateway refused</h1></body>\n</html>\n"


def read(content: bytes) -> list[Advisory | RecordProblem]:
    return list(read_advisories(None, stdin=io.BytesIO(content), name="in"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HTML, "an HTML page"),
        (b"\n  <html><head><title>403</title></head></html>", "an HTML page"),
        (b"<head><title>403</title></head>", "an HTML page"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE html>\n<html></html>', "an HTML page"),
        (b'<?xml version="1.0"?>\n<feed>\n<entry id="CVE-1">words</entry></feed>', "XML"),
        (b"<NessusClientData_v2><Report/></NessusClientData_v2>", "a Nessus report in XML: *"),
        (b'<?xml version="1.0"?><cvrfdoc xmlns="x"></cvrfdoc>', "a CVRF advisory"),
        (b'<bom xmlns="http://cyclonedx.org/schema/bom/1.4"></bom>', "a CycloneDX BOM in XML"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "a PDF"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "a Git LFS pointer",
        ),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a picture"),
        (b"SQLite format 3\x00\x10", "an SQLite database"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "an old Excel workbook"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7-Zip archive"),
        (b"Rar!\x1a\x07\x00words", "a RAR archive"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n", "a PEM file"),
        (b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nwords\n", "signed or encrypted"),
        (b"{\\rtf1\\ansi words}", "rich text"),
        (b'HTTP/1.1 200 OK\r\nServer: x\r\n\r\n{"id": 1}', "an HTTP message with its head"),
        (b"INSERT INTO t VALUES ('CVE-2099-1', 'words of a flaw');\n", "source code"),
        (b'FROM alpine:3\nRUN apk add curl\nCMD ["sh"]\n', "source code"),
        (b'[[flaw]]\nid = "CVE-2099-1"\nname = "words"\n', "a TOML or INI file"),
        (b"id: ACME-1\npackage: acme\ndetails: |\n  Words of the flaw.\n", "YAML of another kind"),
        (b"---\nkind: Pod\nmetadata:\n  name: x\n", "YAML of another kind"),
        (b"# Acme\n\nSee [docs](x).\n\n## Use\n\n```\nrun\n```\n", "Markdown"),
        (b'[package]\nname = "acme"\nversion = "1"\n', "a TOML or INI file"),
        (b'{"message": "Not Found", "documentation_url": "https://example.org"}', "error answer"),
        (b'{"error": {"code": 403, "message": "Forbidden"}}', "error answer"),
        (b'{"title": "Bad Request", "status": 400, "detail": "apiKey"}', "error answer"),
        (b'{"error": "x", "description": "The key is not known to the server."}', "error answer"),
        (b'{"$schema": "x", "version": "2.1.0", "runs": []}', "a SARIF log"),
        (b'{"spdxVersion": "SPDX-2.3", "packages": []}', "an SPDX document"),
        (b'{"type": "bundle", "id": "bundle--1", "objects": []}', "a STIX bundle"),
        (b'{"ContentVersion": "4.19", "Weaknesses": []}', "the CWE catalogue"),
        (b'{"lockfileVersion": 3, "packages": {}}', "a lock file"),
        (b'{"a": 1,\n "b": [2]}', "JSON of an unknown kind.*its keys: a, b"),
        (b"[1, 2]", ""),
    ],
)
def test_what_is_no_record_is_named(content: bytes, said: str) -> None:
    if not said:
        assert not any(isinstance(record, Advisory) for record in read(content))
        return
    with pytest.raises(InputError, match=said.removesuffix(": *")) as caught:
        read(content)
    assert str(caught.value).startswith("in: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["page.json", "page.html", "page.csv", "page.txt"])
def test_an_error_page_by_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(HTML)
    with pytest.raises(InputError, match=rf"{name}: an HTML page, no vulnerability records: "):
        list(read_advisories(tmp_path / name))


@pytest.mark.parametrize(
    "line",
    [
        "<b>bold</b> tags are not escaped by the viewer",
        "[REDACTED] has a flaw, in text, and more",
        "{braces} in text",
        "Summary: a buffer overflow of the decoder",
        "- a list mark before a description of the flaw",
        "# of rows is not checked before the copy",
        "version 1.2 of the viewer writes the title",
    ],
)
def test_lines_of_text_go_on_working(line: str) -> None:
    [record] = read(f"{line}\n{TEXT}\n".encode())[:1]
    assert (record.id, getattr(record, "description", "")) == ("line-1", line)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<!DOCTYPE html><html><body>Forbidden</body></html>", "HTML"),
        ('<?xml version="1.0"?><a/>', "XML"),
        ('{"cve": {"id": "CVE-2099-0001"}}', "JSON"),
        ('"descriptions": [{"lang": "en"', "JSON"),
        ("<entry>", "XML"),
        ("%PDF-1.4", "PDF"),
    ],
)
def test_a_text_that_is_markup_is_no_description(text: str, kind: str) -> None:
    content = json.dumps({"id": "a", "text": text}) + "\n" + json.dumps({"id": "b", "text": TEXT})
    problem, row = read(content.encode())
    assert str(problem) == f"in:1 (a): the text is {kind}, no description"
    assert row.id == "b"


def test_readmes_beside_records_are_passed_over_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "a", "text": TEXT}))
    (tmp_path / "README.md").write_text("# Records\n\nOf Acme.\n")
    (tmp_path / "LICENSE").write_text("Apache 2.0\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("[core]\n")
    (tmp_path / "page.html").write_bytes(HTML)
    (tmp_path / "notes.md").write_text("# Notes\n\n- [x](y)\n")
    records = list(read_advisories(tmp_path))
    assert [r.id for r in records if isinstance(r, Advisory)] == ["a"]
    notes = [r for r in records if isinstance(r, RecordProblem)]
    assert {note.kind for note in notes} == {"note"}
    assert [note.reason.split(":")[0] for note in notes] == [
        "passed over",
        "passed over",
        "passed over 2 files that hold no records by name",
    ]
