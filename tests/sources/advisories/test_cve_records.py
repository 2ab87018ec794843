"""CVE and NVD records: what of a record is read besides its text and labels."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from cybersecqwen.core.records import Advisory, CweLabel, RecordProblem
from cybersecqwen.sources import read_advisories

TEXT = "The viewer writes the title into the page without encoding it."


def read(value: object) -> list[Advisory | RecordProblem]:
    return list(read_advisories(None, stdin=io.BytesIO(json.dumps(value, indent=1).encode())))


def cve5(state: str = "PUBLISHED", **cna: Any) -> dict[str, Any]:
    return {
        "dataType": "CVE_RECORD",
        "dataVersion": "5.2",
        "cveMetadata": {
            "cveId": "CVE-2099-0001",
            "state": state,
            "assignerShortName": "acme",
            "datePublished": "2026-01-02T00:00:00Z",
            "dateUpdated": "2026-02-02T00:00:00Z",
        },
        "containers": {"cna": {"descriptions": [{"lang": "en", "value": TEXT}], **cna}},
    }


def test_cve5_fields() -> None:
    record = cve5(
        title="Acme Viewer script injection",
        affected=[
            {"vendor": "Acme", "product": "Viewer"},
            {"vendor": "n/a", "product": "n/a"},
            {"collectionURL": "https://example.org", "packageName": "acme-viewer"},
        ],
    )
    record["containers"]["adp"] = [
        {
            "providerMetadata": {"shortName": "Example-ADP"},
            "problemTypes": [{"descriptions": [{"cweId": "CWE-80"}]}],
        }
    ]
    [found] = read(record)
    assert isinstance(found, Advisory)
    assert (found.title, found.assigner) == ("Acme Viewer script injection", "acme")
    assert found.affected == (("Acme", "Viewer"), ("", "acme-viewer"))
    assert (found.published, found.modified) == ("2026-01-02", "2026-02-02T00:00:00Z")
    assert found.labels == (CweLabel("CWE-80", "other", "Example-ADP"),)


def test_html_stands_in_where_the_plain_text_is_missing() -> None:
    media = {"type": "text/html", "base64": False, "value": "<p>A <b>heap</b> overflow.</p>"}
    empty = [{"lang": "en", "value": "", "supportingMedia": [media]}]
    [found] = read(cve5(descriptions=empty))
    assert isinstance(found, Advisory)
    assert found.description == "A heap overflow."
    both = [{"lang": "en", "value": TEXT, "supportingMedia": [media]}]
    [found] = read(cve5(descriptions=both))
    assert isinstance(found, Advisory)
    assert found.description == TEXT


@pytest.mark.parametrize(("state", "kind"), [("REJECTED", "rejected"), ("RESERVED", "reserved")])
def test_states_are_no_failures_and_keep_their_reason(state: str, kind: str) -> None:
    reasons = [{"lang": "en", "value": "Not a vulnerability."}]
    record = cve5(state, rejectedReasons=reasons, descriptions=[])
    if state == "RESERVED":
        del record["containers"]
    [problem] = read(record)
    assert isinstance(problem, RecordProblem)
    assert (problem.id, problem.kind, problem.is_failure) == ("CVE-2099-0001", kind, False)
    assert problem.advisory
    assert problem.advisory.state == kind
    if state == "REJECTED":
        assert problem.advisory.description == "Not a vulnerability."


@pytest.mark.parametrize("key", ["cveRecords", "data"])
def test_lists_of_cve_records(key: str) -> None:
    records = read({"page": 1, key: [cve5(), cve5()], "total": 2})
    assert [(r.id, r.where) for r in records] == [
        ("CVE-2099-0001", "standard input: record 1"),
        ("CVE-2099-0001", "standard input: record 2"),
    ]


def test_cve4() -> None:
    record = {
        "CVE_data_meta": {
            "ID": "CVE-2019-0001",
            "ASSIGNER": "psirt@example.org",
            "STATE": "PUBLIC",
            "TITLE": "Acme Viewer",
        },
        "data_version": "4.0",
        "affects": {
            "vendor": {
                "vendor_data": [
                    {
                        "vendor_name": "Acme",
                        "product": {"product_data": [{"product_name": "Viewer"}]},
                    }
                ]
            }
        },
        "description": {"description_data": [{"lang": "eng", "value": TEXT}]},
        "problemtype": {
            "problemtype_data": [{"description": [{"lang": "eng", "value": "CWE-79 XSS"}]}]
        },
        "references": {"reference_data": [{"url": "https://example.org/a"}]},
        "impact": {"cvss": {"version": "3.0", "vectorString": "CVSS:3.0/AV:N"}},
    }
    [found] = read(record)
    assert isinstance(found, Advisory)
    assert (found.id, found.title, found.description) == ("CVE-2019-0001", "Acme Viewer", TEXT)
    assert found.labels == (CweLabel("CWE-79", "cna", "psirt@example.org"),)
    assert found.affected == (("Acme", "Viewer"),)
    assert found.cvss[0].version == "3.0"
    record["CVE_data_meta"]["STATE"] = "REJECT"  # type: ignore[index]
    assert getattr(read(record)[0], "kind", "") == "rejected"


def bare(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "sourceIdentifier": "cna@example.org",
        "vulnStatus": "Received",
        "lastModified": "2026-01-03T00:00:00.000",
        "descriptions": [{"lang": "en", "value": TEXT}],
        **more,
    }


def test_bare_objects_of_nvd() -> None:
    cpe = r"cpe:2.3:a:acme\:co:viewer_\&_more:1.0:*:*:*:*:*:*:*"
    nodes = [{"nodes": [{"cpeMatch": [{"criteria": cpe}, {"criteria": cpe}]}]}]
    one = bare("CVE-2099-0161", configurations=nodes)
    lines = "".join(json.dumps(record) + "\n" for record in (one, bare("CVE-2099-0162")))
    feeds: list[Any] = [
        one,
        [one, bare("CVE-2099-0162")],
        {"feed_name": "CVE-2099", "cve_count": 2, "cve_items": [one, bare("CVE-2099-0162")]},
        {"format": "NVD_CVE", "vulnerabilities": [{"cve": one}]},
    ]
    for feed in feeds:
        first = read(feed)[0]
        assert isinstance(first, Advisory)
        assert (first.id, first.assigner) == ("CVE-2099-0161", "cna@example.org")
        assert first.affected == (("acme:co", "viewer_&_more"),)
        assert first.modified == "2026-01-03T00:00:00.000"
    found = list(read_advisories(None, stdin=io.BytesIO(lines.encode())))
    assert [(r.id, getattr(r, "line", 0)) for r in found] == [
        ("CVE-2099-0161", 1),
        ("CVE-2099-0162", 2),
    ]


def test_an_empty_page_of_the_api_is_said_to_be_one() -> None:
    [note] = read({"resultsPerPage": 0, "format": "NVD_CVE", "vulnerabilities": []})
    assert (getattr(note, "kind", ""), "lists no vulnerability" in str(note)) == ("note", True)
