"""Formats whose records stand in a document: every field that is read, by its right value."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from cybersecqwen.core.records import Advisory, CvssVector, CweLabel, RecordProblem
from cybersecqwen.sources import detect_format, read_advisories

XSS = "The viewer writes the title into the page without encoding it."
HEAP = "A negative row count makes the decoder write past a heap buffer."
V31 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def read(value: object, format: str = "auto") -> list[Advisory | RecordProblem]:  # noqa: A002
    content = value if isinstance(value, bytes) else json.dumps(value, indent=1).encode()
    return list(read_advisories(None, format, stdin=io.BytesIO(content), name="in"))


def advisories(value: object) -> list[Advisory]:
    found = read(value)
    assert all(isinstance(record, Advisory) for record in found), found
    return [record for record in found if isinstance(record, Advisory)]


def csaf(**vulnerability: Any) -> dict[str, Any]:
    return {
        "document": {
            "category": "csaf_security_advisory",
            "csaf_version": "2.0",
            "title": "Acme Viewer",
            "publisher": {"category": "vendor", "name": "Acme", "namespace": "https://example.org"},
            "tracking": {
                "id": "ACME-1",
                "initial_release_date": "2026-01-01T00:00:00Z",
                "current_release_date": "2026-02-01T00:00:00Z",
            },
        },
        "product_tree": {
            "branches": [
                {
                    "category": "vendor",
                    "name": "Acme",
                    "branches": [
                        {
                            "category": "product_name",
                            "name": "Viewer",
                            "branches": [
                                {
                                    "category": "product_version",
                                    "name": "1.0",
                                    "product": {"name": "Acme Viewer 1.0", "product_id": "P1"},
                                }
                            ],
                        }
                    ],
                }
            ],
            "relationships": [
                {
                    "product_reference": "P1",
                    "full_product_name": {"name": "Viewer on X", "product_id": "P1:X"},
                }
            ],
        },
        "vulnerabilities": [
            {
                "cve": "CVE-2099-0001",
                "notes": [
                    {"category": "general", "text": "Found in house."},
                    {"category": "description", "text": XSS},
                ],
                "product_status": {"known_affected": ["P1:X"]},
                **vulnerability,
            }
        ],
    }


def test_csaf() -> None:
    document = csaf(
        cwe={"id": "CWE-79", "name": "XSS"},
        scores=[{"cvss_v3": {"version": "3.1", "vectorString": V31}, "products": ["P1"]}],
        references=[{"url": "https://example.org/a", "summary": "a"}],
        ids=[{"system_name": "Acme", "text": "BUG-7"}],
    )
    assert advisories(document) == [
        Advisory(
            id="CVE-2099-0001",
            description=XSS,
            labels=(CweLabel("CWE-79", "cna", "Acme"),),
            cvss=(CvssVector(V31, "3.1", "cna", "Acme"),),
            published="2026-01-01",
            references=("https://example.org/a",),
            title="Acme Viewer",
            aliases=("BUG-7",),
            assigner="Acme",
            affected=(("Acme", "Viewer"),),
            modified="2026-02-01T00:00:00Z",
        )
    ]


def test_csaf_21_and_its_other_notes() -> None:
    document = csaf(
        cwes=[{"id": "CWE-787"}, {"id": "CWE-122"}],
        metrics=[{"content": {"cvss_v4": {"version": "4.0", "vectorString": "CVSS:4.0/AV:N"}}}],
        notes=[{"category": "summary", "text": HEAP}],
    )
    [found] = advisories(document)
    assert found.description == HEAP
    assert found.cwes("cna") == ("CWE-787", "CWE-122")
    assert found.cvss == (CvssVector("CVSS:4.0/AV:N", "4.0", "cna", "Acme"),)
    document["document"]["publisher"]["category"] = "coordinator"
    assert advisories(document)[0].cwes("other") == ("CWE-787", "CWE-122")
    document["document"]["category"] = "csaf_withdrawn"
    [problem] = read(document)
    assert isinstance(problem, RecordProblem)
    assert (problem.kind, problem.reason) == ("withdrawn", "the advisory is withdrawn")


def test_a_vex_without_a_note_is_named_with_its_id() -> None:
    [problem] = read(csaf(notes=[]))
    assert isinstance(problem, RecordProblem)
    assert (problem.id, problem.kind) == ("CVE-2099-0001", "no_description")
    assert problem.where == "in: record 1"


def test_documents_one_a_line_and_in_arrays() -> None:
    documents = [csaf(cve=f"CVE-2099-000{n}") for n in (1, 2)]
    lines = b"".join(json.dumps(document).encode() + b"\n" for document in documents)
    for content in (lines, documents):
        assert [(r.id, r.affected) for r in advisories(content)] == [
            ("CVE-2099-0001", (("Acme", "Viewer"),)),
            ("CVE-2099-0002", (("Acme", "Viewer"),)),
        ]


def test_a_document_cut_off_gives_what_is_whole() -> None:
    document = csaf()
    document["vulnerabilities"] *= 3
    content = json.dumps(document, indent=1).encode()
    records = read(content[: content.rindex(b"CVE-2099") + 20])
    assert [r.id for r in records] == ["CVE-2099-0001", "CVE-2099-0001", ""]
    assert isinstance(records[0], Advisory)
    assert records[0].assigner == "Acme"
    assert "ends in the middle, after 2 whole records" in str(records[2])


def cyclonedx(**vulnerability: Any) -> dict[str, Any]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "components": [
            {"bom-ref": "c1", "group": "org.acme", "name": "image", "type": "library"},
        ],
        "vulnerabilities": [
            {
                "id": "CVE-2099-0002",
                "source": {"name": "NVD", "url": "https://example.org/v"},
                "description": HEAP,
                "affects": [{"ref": "c1"}],
                **vulnerability,
            }
        ],
    }


def test_cyclonedx() -> None:
    document = cyclonedx(
        cwes=[787],
        ratings=[
            {"method": "CVSSv31", "vector": V31[9:], "source": {"name": "NVD"}},
            {"method": "other", "vector": "AV:N", "severity": "high"},
        ],
        references=[{"id": "GHSA-2222-3333-4444", "source": {}}],
        advisories=[{"url": "https://example.org/a"}],
        published="2026-01-01T00:00:00Z",
        analysis={"state": "exploitable"},
    )
    [found] = advisories(document)
    assert found.labels == (CweLabel("CWE-787", "nvd", "NVD"),)
    assert found.cvss == (CvssVector(V31, "3.1", "nvd", "NVD"),)
    assert found.aliases == ("GHSA-2222-3333-4444",)
    assert found.references == ("https://example.org/a", "https://example.org/v")
    assert found.affected == (("org.acme", "image"),)
    assert ("analysis_state", "exploitable") in found.columns
    [rejected] = read(cyclonedx(rejected="2026-01-05T00:00:00Z"))
    assert (rejected.id, getattr(rejected, "kind", "")) == ("CVE-2099-0002", "rejected")


def test_a_bom_that_lists_components_alone_is_named() -> None:
    document = cyclonedx()
    del document["vulnerabilities"]
    [note] = read(document)
    assert isinstance(note, RecordProblem)
    assert note.kind == "note"
    assert "CycloneDX" in note.reason
    assert "lists no vulnerability" in note.reason


def test_openvex_holds_no_description() -> None:
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.org/vex",
        "statements": [
            {
                "vulnerability": {"name": "CVE-2099-0003", "aliases": ["GHSA-2222-3333-4444"]},
                "products": [{"@id": "pkg:npm/acme@1"}],
                "status": "not_affected",
                "justification": "component_not_present",
            },
            {"vulnerability": "CVE-2099-0004", "products": ["p"], "status": "affected"},
        ],
    }
    first, second = read(document)
    assert isinstance(first, RecordProblem)
    assert isinstance(second, RecordProblem)
    assert (first.id, first.kind) == ("CVE-2099-0003", "no_description")
    assert "an OpenVEX statement (not_affected) holds no description" in first.reason
    assert first.advisory
    assert ("products", "pkg:npm/acme@1") in first.advisory.columns
    assert second.id == "CVE-2099-0004"


def test_trivy() -> None:
    finding = {
        "VulnerabilityID": "CVE-2099-0005",
        "PkgName": "acme",
        "InstalledVersion": "1.0",
        "FixedVersion": "1.1",
        "Title": "acme: heap overflow in the decoder",
        "Description": HEAP,
        "Severity": "HIGH",
        "CweIDs": ["CWE-787"],
        "CVSS": {"nvd": {"V3Vector": V31}, "redhat": {"V3Vector": V31, "V3Score": 9.8}},
        "References": ["https://example.org/a"],
        "PublishedDate": "2026-01-01T00:00:00Z",
        "DataSource": {"ID": "alpine", "Name": "Alpine Secdb"},
    }
    report = {
        "SchemaVersion": 2,
        "ArtifactName": "image",
        "Results": [
            {"Target": "a", "Class": "os-pkgs", "Vulnerabilities": [finding, finding]},
            {"Target": "b", "Class": "secret"},
        ],
    }
    for value in (report, report["Results"], {"ClusterName": "c", "Resources": [report]}):
        found, again = advisories(value)
        assert found.description == f"heap overflow in the decoder\n\n{HEAP}"
        assert found.labels == (CweLabel("CWE-787", "other", "Alpine Secdb"),)
        assert [vector.source for vector in found.cvss] == ["nvd", "other"]
        assert ("InstalledVersion", "1.0") in found.columns
        assert found.where.endswith("finding 1")
        assert again == found


def test_grype_takes_the_longer_text_of_the_cve() -> None:
    report = {
        "matches": [
            {
                "vulnerability": {
                    "id": "GHSA-2222-3333-4444",
                    "namespace": "github:language:go",
                    "description": "acme has a heap overflow",
                    "severity": "High",
                },
                "relatedVulnerabilities": [
                    {
                        "id": "CVE-2099-0006",
                        "namespace": "nvd:cpe",
                        "description": HEAP,
                        "cvss": [{"source": "nvd@nist.gov", "version": "3.1", "vector": V31}],
                        "cwes": [{"cwe": "CWE-787", "source": "nvd@nist.gov"}],
                    }
                ],
                "artifact": {"name": "acme", "version": "1", "type": "go-module"},
            }
        ],
        "source": {"type": "image"},
        "descriptor": {"name": "grype"},
    }
    [found] = advisories(report)
    assert found.description == f"acme has a heap overflow\n\n{HEAP}"
    assert (found.id, found.aliases) == ("GHSA-2222-3333-4444", ("CVE-2099-0006",))
    assert found.cwes("nvd") == ("CWE-787",)
    assert found.affected == (("go-module", "acme"),)


def test_osv_scanner() -> None:
    record = {
        "id": "GO-2099-1",
        "summary": "acme panics",
        "details": HEAP,
        "aliases": ["CVE-2099-7"],
    }
    report = {
        "results": [
            {
                "source": {"path": "/go.mod", "type": "lockfile"},
                "packages": [
                    {
                        "package": {"name": "acme", "version": "1", "ecosystem": "Go"},
                        "vulnerabilities": [record],
                        "groups": [{"ids": ["GO-2099-1"]}],
                    }
                ],
            }
        ]
    }
    [found] = advisories(report)
    assert (found.id, found.assigner, found.title) == ("GO-2099-1", "Go", "acme panics")
    assert dict(found.columns)["source"] == "/go.mod"


def test_npm_audit_of_both_kinds() -> None:
    old = {
        "advisories": {
            "106": {
                "id": 106,
                "title": "Heap overflow",
                "overview": HEAP,
                "module_name": "acme",
                "cves": ["CVE-2099-0008"],
                "cwe": "CWE-787",
                "severity": "high",
                "created": "2026-01-01T00:00:00Z",
                "url": "https://example.org/106",
            }
        },
        "metadata": {"vulnerabilities": {"high": 1}},
    }
    [found] = advisories(old)
    assert (found.id, found.cwes("other")) == ("CVE-2099-0008", ("CWE-787",))
    assert HEAP in found.description
    advisory = {
        "source": 107,
        "name": "acme",
        "title": "Acme has a heap overflow in its decoder",
        "url": "https://github.com/advisories/GHSA-2222-3333-4444",
        "severity": "high",
        "cwe": ["CWE-787"],
        "cvss": {"score": 9.8, "vectorString": V31},
    }
    new = {
        "auditReportVersion": 2,
        "vulnerabilities": {
            "acme": {"name": "acme", "via": [advisory]},
            "uses-acme": {"name": "uses-acme", "via": ["acme"]},
        },
    }
    [found] = advisories(new)
    assert found.id == "GHSA-2222-3333-4444"
    assert found.description == "Acme has a heap overflow in its decoder"
    assert found.cvss == (CvssVector(V31, "3.1", "other", "npm"),)


@pytest.mark.parametrize("withdrawn", [None, "2026-01-02T00:00:00Z"])
def test_osv(withdrawn: str | None) -> None:
    record: dict[str, Any] = {
        "schema_version": "1.6.0",
        "id": "GHSA-2222-3333-4444",
        "aliases": ["CVE-2099-0009"],
        "summary": "acme-viewer has a security problem",
        "details": XSS,
        "modified": "2026-01-03T00:00:00Z",
        "published": "0001-01-01T00:00:00Z",
        "severity": [{"type": "CVSS_V3", "score": V31}],
        "affected": [{"package": {"ecosystem": "npm", "name": "acme-viewer"}}],
        "references": [{"type": "WEB", "url": "https://example.org/a"}],
        "database_specific": {"cwe_ids": ["CWE-79"], "severity": "HIGH"},
    }
    if withdrawn:
        [problem] = read({**record, "withdrawn": withdrawn})
        assert isinstance(problem, RecordProblem)
        assert (problem.kind, problem.reason) == ("withdrawn", "withdrawn on 2026-01-02")
        return
    for content in (record, {"vulns": [record]}, [record]):
        assert advisories(content) == [
            Advisory(
                id="GHSA-2222-3333-4444",
                description=f"acme-viewer has a security problem\n\n{XSS}",
                labels=(CweLabel("CWE-79", "other", "GitHub"),),
                cvss=(CvssVector(V31, "3.1", "other", "GitHub"),),
                references=("https://example.org/a",),
                title="acme-viewer has a security problem",
                aliases=("CVE-2099-0009",),
                assigner="GitHub",
                affected=(("npm", "acme-viewer"),),
                modified="2026-01-03T00:00:00Z",
            )
        ]


def test_osv_in_yaml() -> None:
    content = f"""
id: PYSEC-2099-1
modified: 2026-01-01T00:00:00Z
aliases: [CVE-2099-0010]
details: {XSS}
affected:
- package: {{ecosystem: PyPI, name: acme}}
  versions: ["1.0", 2.0]
"""
    [found] = advisories(content.encode())
    assert (found.id, found.description, found.assigner) == ("PYSEC-2099-1", XSS, "PyPA")
    assert found.aliases == ("CVE-2099-0010",)
    bomb = b"id: X\nmodified: now\na: &a [x, x]\nb: [*a, *a]\ndetails: words\n"
    [problem] = read(bomb)
    assert "alias" in str(problem)


def test_rustsec() -> None:
    content = f"""```toml
[advisory]
id = "RUSTSEC-2099-0001"
package = "acme"
date = 2026-01-01
url = "https://example.org/a"
cvss = "{V31}"
aliases = ["CVE-2099-0011"]

[versions]
patched = []
```

# Heap overflow in acme

{HEAP}
"""
    [found] = advisories(content.encode())
    assert (found.id, found.title, found.published) == (
        "RUSTSEC-2099-0001",
        "Heap overflow in acme",
        "2026-01-01",
    )
    assert found.description == f"Heap overflow in acme\n\n{HEAP}"
    assert found.affected == (("crates.io", "acme"),)
    withdrawn = content.replace('url = "', 'withdrawn = "2026-01-05"\nurl = "')
    assert getattr(read(withdrawn.encode())[0], "kind", "") == "withdrawn"
    assert "not a RustSec advisory" in str(read(content.replace("date = ", "date ").encode())[0])


def test_github_api() -> None:
    record = {
        "ghsa_id": "GHSA-2222-3333-4444",
        "cve_id": "CVE-2099-0012",
        "summary": "acme problem",
        "description": XSS,
        "cwes": [{"cwe_id": "CWE-79", "name": "XSS"}],
        "cvss_severities": {"cvss_v3": {"vector_string": V31}, "cvss_v4": {"vector_string": None}},
        "vulnerabilities": [{"package": {"ecosystem": "npm", "name": "acme"}}],
        "references": ["https://example.org/a"],
        "published_at": "2026-01-01T00:00:00Z",
        "withdrawn_at": None,
    }
    [found] = advisories([record])
    assert (found.aliases, found.cwes("other")) == (("CVE-2099-0012",), ("CWE-79",))
    assert found.cvss == (CvssVector(V31, "3.1", "other", "GitHub"),)


def test_kev() -> None:
    entry = {
        "cveID": "CVE-2099-0013",
        "vendorProject": "Acme",
        "product": "Viewer",
        "vulnerabilityName": "Acme Viewer Script Injection",
        "dateAdded": "2026-01-01",
        "shortDescription": XSS,
        "knownRansomwareCampaignUse": "Unknown",
        "cwes": ["CWE-79"],
    }
    document = {"title": "KEV", "catalogVersion": "2026.01.01", "vulnerabilities": [entry]}
    [found] = advisories(document)
    assert found.labels == (CweLabel("CWE-79", "other", "CISA KEV"),)
    assert (found.title, found.affected) == (
        "Acme Viewer Script Injection",
        (("Acme", "Viewer"),),
    )
    assert dict(found.columns)["dateAdded"] == "2026-01-01"
    header = ",".join(entry)
    table = f"{header}\nCVE-2099-0013,Acme,Viewer,Acme Viewer X,2026-01-01,{XSS},Unknown,CWE-79\n"
    [row] = advisories(table.encode())
    assert (row.id, row.description, row.cwes("other")) == ("CVE-2099-0013", XSS, ("CWE-79",))
    assert row.affected == (("Acme", "Viewer"),)


def test_vulnerability_lookup_dump_of_several_formats() -> None:
    cve = {
        "cveMetadata": {"cveId": "CVE-2099-0014", "state": "PUBLISHED"},
        "containers": {"cna": {"descriptions": [{"lang": "en", "value": XSS}]}},
        "vulnerability-lookup:meta": {"x": 1},
    }
    osv = {"id": "PYSEC-2099-2", "details": HEAP, "modified": "2026-01-01T00:00:00Z"}
    bare = {
        "id": "CVE-2099-0015",
        "vulnStatus": "Received",
        "descriptions": [{"lang": "en", "value": HEAP}],
    }
    dump = b"".join(json.dumps(r).encode() + b"\n" for r in (cve, osv, csaf(), bare, osv))
    assert [r.id for r in advisories(dump)] == [
        "CVE-2099-0014",
        "PYSEC-2099-2",
        "CVE-2099-0001",
        "CVE-2099-0015",
        "PYSEC-2099-2",
    ]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "null"])
def test_nan_counts_as_null_in_every_layout(value: str) -> None:
    record = f'{{"id": "PYSEC-2099-3", "summary": {value}, "details": "{HEAP}", "affected": []}}'
    row = f'{{"id": "a", "text": "NaN is quoted here", "cvss": {value}}}'
    for content, text in (
        (record, HEAP),
        (f"[{record}]", HEAP),
        (f'{{"vulns": [\n{record}\n]}}', HEAP),
        (f"{row}\n{row}\n", "NaN is quoted here"),
    ):
        assert {r.description for r in advisories(content.encode())} == {text}


def test_a_forced_format_reads_nothing_else() -> None:
    assert advisories(csaf())[0].id == read(csaf(), "csaf")[0].id
    with pytest.raises(Exception, match="JSON that holds no NVD JSON"):
        read(csaf(), "nvd")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (csaf(), "csaf"),
        (cyclonedx(), "cyclonedx"),
        ({"ghsa_id": "GHSA-2222-3333-4444"}, "github"),
        ([{"id": 1, "text": "words"}], "jsonl"),
    ],
)
def test_detect_format_names_it(value: object, expected: str) -> None:
    assert detect_format(json.dumps(value).encode(), "in") == expected


def test_what_trivy_finds_besides_vulnerabilities_is_counted() -> None:
    target = {"Target": "a", "Misconfigurations": [{"ID": "DS002"}], "Secrets": [{}, {}]}
    [note] = read({"SchemaVersion": 2, "ArtifactName": "img", "Results": [target]})
    assert isinstance(note, RecordProblem)
    assert (note.kind, note.reason) == (
        "note",
        "1 misconfigurations and 2 secrets are no vulnerabilities, passed over",
    )


def test_a_weakness_of_another_type_costs_no_vulnerability() -> None:
    found = {"id": "CVE-2099-0001", "description": "Words of a flaw.", "cwes": [79, "80", None]}
    [record] = read({"bomFormat": "CycloneDX", "specVersion": "1.6", "vulnerabilities": [found]})
    assert isinstance(record, Advisory)
    assert [label.cwe for label in record.labels] == ["CWE-79", "CWE-80"]


def test_the_one_vulnerability_upstream_is_another_id() -> None:
    record = {"id": "UBUNTU-CVE-2099-0001", "details": "Words of a flaw.", "affected": []}
    [one] = read({**record, "upstream": ["CVE-2099-0001"]})
    [several] = read({**record, "upstream": ["CVE-2099-0001", "CVE-2099-0002"]})
    assert isinstance(one, Advisory)
    assert isinstance(several, Advisory)
    assert (one.aliases, several.aliases) == (("CVE-2099-0001",), ())
