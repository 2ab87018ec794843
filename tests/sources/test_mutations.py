"""Damaged files of every kind: no error but InputError, no row whose text is markup."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory, RecordProblem
from cybersecqwen.sources import read_advisories

TEXT = "The viewer writes the title of a report into the page without encoding it."
MARKUP = re.compile(r"\s*(?:[{}\[\]<]|\"[\w$@-]+\"\s*:|[\w-]+:\s*$|```|%PDF|PK\x03)")
ENDINGS = (".csv", ".json", ".txt", ".xlsx", ".md", ".jsonl", ".yaml", ".gz")


def _workbook() -> bytes:
    document = openpyxl.Workbook()
    for row in (["CVE", "Description"], ["CVE-2099-0001", TEXT]):
        document.active.append(row)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _seeds() -> list[bytes]:
    nvd = {"id": "CVE-2099-1", "descriptions": [{"lang": "en", "value": TEXT}]}
    osv = {"id": "GO-2099-1", "summary": "acme", "details": TEXT, "aliases": ["CVE-2099-1"]}
    csaf: dict[str, Any] = {
        "document": {"csaf_version": "2.0", "title": "Acme", "publisher": {"name": "Acme"}},
        "vulnerabilities": [
            {"cve": f"CVE-2099-{n}", "notes": [{"category": "description", "text": TEXT}]}
            for n in range(30)
        ],
    }
    rows = [{"id": n, "description": f"{n} {TEXT}", "host": "db1"} for n in range(40)]
    table = "".join(f'CVE-2099-{n},"{TEXT}",ops,2026-01-0{n % 9 + 1},x\n' for n in range(60))
    documents = [
        json.dumps({"format": "NVD_CVE", "vulnerabilities": [{"cve": nvd}] * 20}, indent=1),
        json.dumps({"vulns": [osv] * 9}, indent=2),
        json.dumps(csaf, indent=1),
        json.dumps(rows),
        "".join(json.dumps(row) + "\n" for row in rows),
        f"CVE ID,Description,Owner,Seen,Note\n{table}",
        f"id: PYSEC-2099-1\nmodified: now\naliases:\n- CVE-2099-1\ndetails: {TEXT}\n",
        f'```toml\n[advisory]\nid = "RUSTSEC-2099-1"\n```\n\n# Acme\n\n{TEXT}\n',
        "".join(f"CVE-2099-{n}: {TEXT}\n" for n in range(30)),
        "<?xml version='1.0'?>\n<feed>\n<entry><summary>words</summary></entry>\n</feed>\n",
    ]
    return [document.encode() for document in documents] + [_workbook()]


def _mutated(draw: random.Random, seeds: list[bytes]) -> bytes:
    content = draw.choice(seeds)
    at, to = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    other = draw.choice(seeds)
    noise = bytearray(content)
    for _ in range(draw.choice((1, 3, 30))):
        noise[draw.randrange(len(noise))] = draw.randrange(256)
    zip_ = io.BytesIO()
    with zipfile.ZipFile(zip_, "w") as archive:
        archive.writestr("a.json", content)
        archive.writestr("b", other)
    packed = draw.choice((gzip.compress, bz2.compress, lzma.compress))(content)
    return draw.choice(
        (
            content[:at],
            content[at:],
            content[to:] + content[at:to] + content[:at],
            content[:at] + other[: to - at] + content[at:],
            content + draw.choice((b"", b"\n")) + other,
            bytes(noise),
            packed[: draw.randrange(len(packed) + 1)],
            zip_.getvalue()[: draw.randrange(400, 20_000)],
            draw.randbytes(draw.randrange(1, 3000)),
            bytes(draw.choice(b'abc {}[]",:<>\n;\t\x00\xff') for _ in range(500)),
        )
    )


def _said(file: Path) -> list[Advisory | RecordProblem] | InputError:
    try:
        return list(read_advisories(file))
    except InputError as error:
        return error


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    seeds = _seeds()
    read = refused = 0
    for number in range(100):
        file = tmp_path / f"{number}{draw.choice(ENDINGS)}"
        file.write_bytes(_mutated(draw, seeds))
        said = _said(file)
        read += not isinstance(said, InputError)
        refused += isinstance(said, InputError)
        if isinstance(said, InputError):
            assert str(file) in str(said)
            continue
        for record in said:
            if isinstance(record, Advisory):
                assert not MARKUP.match(record.description), (seed, number, record)
            else:
                assert "\n" not in record.reason
    assert read > 20
    assert refused > 20
