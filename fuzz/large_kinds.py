"""Files of 100 MB of many kinds, or that unpack to much more: writers for ``large_files.py``."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MB = 1_000_000
SIZE = 100 * MB
_PIECE = 1 << 20
_TEXT = "SQL injection in the login form lets a remote attacker read the database of users."

Writer = Callable[[BinaryIO], None]


def _fill(out: BinaryIO, start: bytes, piece: bytes, end: bytes = b"", size: int = SIZE) -> None:
    """Write a start, a piece again and again up to the size, and an end."""
    block = piece * max(1, _PIECE // len(piece))
    out.write(start)
    out.writelines(block for _ in range(max(1, (size - len(start) - len(end)) // len(block))))
    out.write(end)


def _repeated(start: bytes, piece: bytes, end: bytes = b"", size: int = SIZE) -> Writer:
    return lambda out: _fill(out, start, piece, end, size)


def _record(number: int = 1, text: str = _TEXT) -> dict[str, object]:
    return {"id": f"CVE-2024-{number:05}", "description": text}


def _nvd(text: str) -> dict[str, object]:
    return {"cve": {"id": "CVE-2024-0001", "descriptions": [{"lang": "en", "value": text}]}}


def _streams(compress: Callable[[bytes], bytes], byte: bytes = b"a") -> Writer:
    """Return what writes a compressed stream of 50 MB again and again."""
    return lambda out: _fill(out, b"", compress(byte * 50 * MB), size=20 * MB)


def _zip_bomb(out: BinaryIO) -> None:
    """One member of a zip whose deflated blocks repeat: some 20 GB in 20 MB."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = squeezer.compress(bytes(_PIECE)) + squeezer.flush(zlib.Z_FULL_FLUSH)
    end = squeezer.flush()
    count = 20 * MB // len(block)
    name, size, packed = b"a.json", count * _PIECE, count * len(block) + len(end)
    extra = struct.pack("<HHQQ", 1, 16, size, packed)
    fields = struct.pack("<HHHHHIIIHH", 45, 0, 8, 0, 33, 0, 0xFFFFFFFF, 0xFFFFFFFF, 6, len(extra))
    out.write(b"PK\x03\x04" + fields + name + extra)
    out.writelines(block for _ in range(count))
    out.write(end)
    at = 30 + len(name) + len(extra) + packed
    directory = b"PK\x01\x02" + struct.pack("<H", 45) + fields + bytes(6) + bytes(8) + name + extra
    out.write(directory)
    out.write(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(directory), at, 0))


def _many_members(out: BinaryIO) -> None:
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(SIZE // 110):
            archive.writestr(f"{number}.json", b"")


def _many_records_zipped(out: BinaryIO) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(100_000):
            archive.writestr(f"{number}.json", json.dumps({"cveMetadata": {"cveId": "CVE-1"}}))


def _nested(out: BinaryIO) -> None:
    data = gzip.compress(bytes(200 * MB), 9)
    for _ in range(8):
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.zip", data)
        data = inner.getvalue()
    out.write(data)


def _tar(members: Iterable[tuple[str, int]]) -> Writer:
    def write(out: BinaryIO) -> None:
        with tarfile.open(fileobj=out, mode="w") as archive:
            for name, size in members:
                info = tarfile.TarInfo(name)
                info.size = size
                archive.addfile(info, _Zeros())

    return write


class _Zeros(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return bytes(size)


_SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
_SHEET_END = b"</sheetData></worksheet>"


_STRINGS = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'


def _no_strings(out: BinaryIO) -> None:
    out.write(_STRINGS + b"</sst>")


def _workbook(
    start: bytes,
    piece: bytes,
    end: bytes = _SHEET_END,
    *,
    size: int = 500 * MB,
    strings: Writer | None = None,
) -> tuple[str, Writer]:
    """Return an Excel workbook whose sheet repeats a piece, and its shared strings."""
    sheet = _repeated(start, piece, end, size)
    head = b'<?xml version="1.0"?>'
    names = "http://schemas.openxmlformats.org"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{names}/package/2006/content-types"><Override '
        'PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        'spreadsheetml.sheet.main+xml"/><Override PartName="/xl/sharedStrings.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{names}/package/2006/relationships"><Relationship '
        f'Id="r1" Type="{names}/officeDocument/2006/relationships/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{names}/spreadsheetml/2006/main" xmlns:r="{names}/'
        'officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="r1"/>'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{names}/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{names}/officeDocument/2006/relationships/worksheet" '
        'Target="worksheets/sheet1.xml"/></Relationships>',
    }

    def write(out: BinaryIO) -> None:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, content in parts.items():
                archive.writestr(name, head + content.encode())
            with archive.open("xl/sharedStrings.xml", "w") as part:
                (strings or _no_strings)(part)  # type: ignore[arg-type]
            with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
                sheet(part)  # type: ignore[arg-type]

    return "a.xlsx", write


def _cells(*texts: str) -> bytes:
    cells = "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in texts)
    return f"<row>{cells}</row>".encode()


_HEADER_ROW = _SHEET + _cells("id", "description")
_WEAKNESS = (
    b'<Weakness ID="79" Name="Cross-site Scripting" Abstraction="Base" Status="Stable">'
    b"<Description>Input is put into a page.</Description></Weakness>"
)
_CWE = (
    b'<Weakness_Catalog xmlns="http://cwe.mitre.org/cwe-7" Name="CWE" Version="4.15"><Weaknesses>'
)
_CWE_END = b"</Weaknesses></Weakness_Catalog>"
_TECHNIQUE = json.dumps(
    {
        "type": "attack-pattern",
        "id": "attack-pattern--00000000-0000-4000-8000-000000000000",
        "name": "Phishing",
        "description": "Messages are sent.",
        "external_references": [{"source_name": "mitre-attack", "external_id": "T1566"}],
    }
).encode()
_STIX = b'{"type":"bundle","id":"bundle--1","objects":['
_CSAF = b'{"document":{"csaf_version":"2.0","tracking":{"id":"A-1"}},'
_BOM = b'{"bomFormat":"CycloneDX","specVersion":"1.6",'
_RESULT = (
    b'{"schema_version":1,"id":"CVE-2024-1","cwe":"CWE-89","confidence":0.9,"abstained":false}\n'
)
_DOCUMENT = 63 * MB
_RECORD = 31 * MB


KINDS: dict[str, tuple[str, Writer]] = {
    "one line": ("a.txt", _repeated(b"", b"a")),
    "one line of words": ("a.txt", _repeated(b"", _TEXT.encode() + b" ")),
    "blank lines": ("a.txt", _repeated(b"", b"\n")),
    "lines of one letter": ("a.txt", _repeated(b"", b"a\n")),
    "zeros": ("a.bin", _repeated(b"", b"\0")),
    "UTF-16 line": ("a.txt", _repeated(b"\xff\xfe", b"a\0")),
    "UTF-32 of ends": ("a.txt", _repeated(b"\xff\xfe\0\0", b"\n\0\0\0")),
    "JSON lines, one text": ("a.jsonl", _repeated(b"", json.dumps(_record()).encode() + b"\n")),
    "JSON lines, empty": ("a.jsonl", _repeated(b"", b"{}\n")),
    "JSON lines, broken": ("a.jsonl", _repeated(b'{"description":"a"}\n', b"{\n")),
    "JSON line": ("a.jsonl", _repeated(b'{"description":"', b"a", b'"}\n')),
    "JSON record of lists": (
        "a.json",
        _repeated(b'{"description":"a","x":[', b"[],", b"0]}", _RECORD),
    ),
    "JSON record of keys": (
        "a.json",
        _repeated(b'[{"description":"a","x":[', b'{"a":{}},', b"0]}]", _RECORD),
    ),
    "JSON array of records": (
        "a.json",
        _repeated(b"[", json.dumps(_record()).encode() + b",", b"{}]"),
    ),
    "JSON array of nothing": ("a.json", _repeated(b"[", b"{},", b"{}]")),
    "JSON array of texts": ("a.json", _repeated(b"[", b'"a",', b'"b"]')),
    "JSON array of lists": ("a.json", _repeated(b"[", b"[],", b"0]", _DOCUMENT)),
    "JSON of one string": ("a.json", _repeated(b'{"description":"', b"a", b'"}')),
    "JSON of escapes": ("a.json", _repeated(b'{"description":"', b"\\n", b'"}')),
    "JSON nested, arrays": ("a.json", _repeated(b"", b"[")),
    "JSON nested, objects": ("a.json", _repeated(b"", b'{"a":')),
    "JSON of many keys": ("a.json", _repeated(b"{", b'"a":0,', b'"b":0}', _DOCUMENT)),
    "JSON of NaN": ("a.json", _repeated(b'{"description":"a","x":[', b"NaN,", b"0]}", _DOCUMENT)),
    "NVD, empty records": ("a.json", _repeated(b'{"vulnerabilities":[', b'{"cve":{}},', b"{}]}")),
    "NVD, one record": (
        "a.json",
        _repeated(
            b'{"vulnerabilities":[' + json.dumps(_nvd(_TEXT)).encode()[:-2] + b',"references":[',
            b'{"url":"https://example.org/"},',
            b"{}]}}]}",
            _RECORD,
        ),
    ),
    "CVE, cut off": ("a.json", _repeated(b'{"cveMetadata":{"cveId":"', b"a")),
    "CSAF, empty lists": ("a.json", _repeated(_CSAF + b'"x":[', b"[],", b"0]}", _DOCUMENT)),
    "CSAF, product tree": (
        "a.json",
        _repeated(
            _CSAF + b'"product_tree":{"branches":[',
            b'{"category":"vendor","name":"a","branches":[{"product":{"product_id":"p"}}]},',
            b'{}]},"vulnerabilities":[]}',
            _DOCUMENT,
        ),
    ),
    "CSAF, notes": (
        "a.json",
        _repeated(
            _CSAF + b'"vulnerabilities":[{"cve":"CVE-2024-1","notes":[',
            b'{"category":"description","text":"a"},',
            b"{}]}]}",
        ),
    ),
    "SBOM, components": (
        "a.json",
        _repeated(_BOM + b'"components":[', b'{"bom-ref":"a","name":"b"},', b"{}]}"),
    ),
    "SBOM, vulnerabilities": (
        "a.json",
        _repeated(
            _BOM + b'"vulnerabilities":[',
            b'{"id":"CVE-2024-1","description":"SQL injection","affects":[]},',
            b"{}]}",
        ),
    ),
    "SBOM, nested": ("a.json", _repeated(_BOM, b'"components":[{"a":1,', size=_DOCUMENT)),
    "Trivy": ("a.json", _repeated(b'{"SchemaVersion":2,"Results":[', b'{"Target":"a"},', b"{}]}")),
    "Grype": (
        "a.json",
        _repeated(b'{"matches":[', b'{"vulnerability":{"id":"CVE-2024-1"}},', b'{}],"source":{}}'),
    ),
    "OSV, ranges": (
        "a.json",
        _repeated(
            b'{"id":"A-1","modified":"2024-01-01","details":"SQL injection","affected":[',
            b'{"versions":["1"]},',
            b"{}]}",
            _RECORD,
        ),
    ),
    "YAML, list": ("a.yaml", _repeated(b"a:\n", b"- b\n")),
    "YAML, nested": ("a.yaml", _repeated(b"", b"[")),
    "CSV, one cell": ("a.csv", _repeated(b'id,description\n1,"', b"a", b'"\n')),
    "CSV, not closed": ("a.csv", _repeated(b'id,description\n1,"', b"a\n")),
    "CSV, columns": ("a.csv", _repeated(b"description,", b"a,", b"\n")),
    "CSV, row of columns": ("a.csv", _repeated(b"id,description\n", b"a,", b"\n")),
    "CSV, rows": ("a.csv", _repeated(b"id,description\n", b"1," + _TEXT.encode() + b"\n")),
    "CSV, empty rows": ("a.csv", _repeated(b"id,description\n", b",\n")),
    "TSV, rows": ("a.tsv", _repeated(b"id\tdescription\n", b"1\ta\n")),
    "gzip bomb": ("a.gz", _streams(gzip.compress, b"\0")),
    "gzip of one line": ("a.gz", _streams(gzip.compress)),
    "bzip2 bomb": ("a.bz2", _streams(bz2.compress)),
    "xz bomb": ("a.xz", _streams(lzma.compress)),
    "Zstandard bomb": ("a.zst", _streams(zstd.compress)),
    "zip bomb": ("a.zip", _zip_bomb),
    "zip of nothing": ("a.zip", _many_members),
    "zip of bad records": ("a.zip", _many_records_zipped),
    "zip in zip": ("a.zip", _nested),
    "tar of nothing": ("a.tar", _tar((f"{n}.json", 0) for n in range(SIZE // 512))),
    "tar of a long name": ("a.tar", _tar(("a" * 50 * MB, 1) for _ in range(1))),
    "workbook, rows": _workbook(_HEADER_ROW, _cells("1", _TEXT)),
    "workbook, empty rows": _workbook(_HEADER_ROW, b"<row/>"),
    "workbook, cell": _workbook(
        _HEADER_ROW + b'<row><c t="str"><v>', b"a", b"</v></c></row>" + _SHEET_END
    ),
    "workbook, wide row": _workbook(_SHEET + b"<row>", b"<c><v>1</v></c>", b"</row>" + _SHEET_END),
    "workbook, deep": _workbook(_SHEET, b"<a>", b""),
    "workbook, strings": _workbook(
        _HEADER_ROW,
        b"<row/>",
        size=1,
        strings=_repeated(_STRINGS, b"<si><t>a</t></si>", b"</sst>", 63 * MB),
    ),
    "XML, weaknesses": ("a.xml", _repeated(_CWE, _WEAKNESS, _CWE_END)),
    "XML, elements": ("a.xml", _repeated(_CWE, b"<a/>", _CWE_END)),
    "XML, deep": ("a.xml", _repeated(_CWE, b"<a>")),
    "XML, attribute": ("a.xml", _repeated(_CWE[:-1] + b' a="', b"a", b'">')),
    "XML, entities": ("a.xml", _repeated(b"<!DOCTYPE a [", b'<!ENTITY b "c">', b"]><a/>")),
    "STIX, one text": (
        "a.json",
        _repeated(_STIX + b'{"type":"attack-pattern","description":"', b"a", b'"}]}'),
    ),
    "STIX, techniques": ("a.json", _repeated(_STIX, _TECHNIQUE + b",", _TECHNIQUE + b"]}")),
    "STIX, nothing": ("a.json", _repeated(_STIX, b"{},", b"{}]}")),
    "results": ("2026-01-01.jsonl", _repeated(b"", _RESULT)),
    "questions": ("a.tsv", _repeated(b"URL\tDescription\tPrompt\tGT\n", b"u\ta\tPrompt\tCWE-89\n")),
}
"""By name, the file's name and what writes it."""


def write(kind: str, folder: Path) -> Path:
    """Write a file of a kind into a folder; return its path."""
    name, writer = KINDS[kind]
    path = folder / name
    with path.open("wb") as out:
        writer(out)
    return path
