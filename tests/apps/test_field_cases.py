"""Inputs as users have them, mapped by the shipped model: each gives the weakness it should."""

from __future__ import annotations

import io
import json
import lzma

import pytest

from cybersecqwen.apps.map_stream import MapOptions, map_stream
from cybersecqwen.core.records import Advisory
from cybersecqwen.sources import read_advisories
from cybersecqwen.specialists import CweMapper

XSS = (
    "The report viewer writes the value of the title parameter into the page without encoding it, "
    "so that a remote attacker can run script in the browser of a user who is logged in."
)
HEAP = (
    "A crafted image with a negative number of rows makes the decoder write past the end of a heap "
    "buffer, which can crash the service or run code."
)
PATH = (
    "The backup endpoint joins the file parameter to the base folder and does not check for "
    "dot-dot segments, so that any file can be read."
)
WEAKNESS = {XSS: {"CWE-79"}, HEAP: {"CWE-122", "CWE-787"}, PATH: {"CWE-22"}}


def osv(**more: object) -> dict[str, object]:
    return {"id": "PYSEC-2099-1", "modified": "2026-01-01T00:00:00Z", "affected": [], **more}


def nvd(text: str) -> dict[str, object]:
    texts = [{"lang": "en", "value": text}]
    return {"id": "CVE-2099-0161", "vulnStatus": "Received", "descriptions": texts}


def csaf(*texts: str) -> dict[str, object]:
    categories = ("description", "summary")
    return {
        "document": {"csaf_version": "2.0", "title": "Acme", "publisher": {"name": "Acme"}},
        "vulnerabilities": [
            {"cve": f"CVE-2099-000{n}", "notes": [{"category": categories[n], "text": text}]}
            for n, text in enumerate(texts)
        ],
    }


CASES: dict[str, tuple[bytes, list[str]]] = {
    "a vague headline and the text in details": (
        json.dumps(osv(summary="acme-viewer has a security problem", details=XSS)).encode(),
        [XSS],
    ),
    "details alone, one a line": (
        b"".join(json.dumps({"id": "a", "details": t}).encode() + b"\n" for t in (HEAP, PATH)),
        [HEAP, PATH],
    ),
    "what the API of osv.dev answers": (
        json.dumps({"vulns": [osv(details=HEAP), osv(details=PATH)]}).encode(),
        [HEAP, PATH],
    ),
    "a CSAF advisory": (json.dumps(csaf(XSS, HEAP), indent=1).encode(), [XSS, HEAP]),
    "the community's rebuild of a feed, as xz": (
        lzma.compress(json.dumps({"cve_items": [nvd(XSS), nvd(HEAP)]}).encode()),
        [XSS, HEAP],
    ),
    "an export of a spreadsheet": (
        f'\ufeffsep=;\r\nCVE ID;Details\r\nCVE-2099-0171;"{PATH}"\r\n'.encode(),
        [PATH],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_weakness_is_right(case: str) -> None:
    content, texts = CASES[case]
    records = read_advisories(None, stdin=io.BytesIO(content))
    outcomes = list(map_stream(records, CweMapper.load(), MapOptions()))
    assert len(outcomes) == len(texts)
    for outcome, text in zip(outcomes, texts, strict=True):
        assert isinstance(outcome.record, Advisory)
        assert outcome.prediction
        assert outcome.prediction.cwe in WEAKNESS[text]
