"""Documents that go on to others: valid, and nothing changed but what was missing."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from apps.outputs.output_rows import TAXONOMY, advisory, prediction, record_row, row, written
from apps.outputs.schemas import adp_schema, faults
from cybersecqwen.apps.outputs.input_documents import input_documents
from cybersecqwen.apps.outputs.registry import OutputContext, format_named
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory
from cybersecqwen.sources import read_advisories

NAME = TAXONOMY.name("CWE-89")


def csaf(version: str = "2.0", **vulnerability: Any) -> dict[str, Any]:
    return {
        "document": {"csaf_version": version, "title": "T\u00e9st", "category": "csaf_base"},
        "vulnerabilities": [{"cve": "CVE-2024-10001", "title": "t"} | vulnerability],
    }


def filled(to: str, path: Path, *rows: Any) -> str:
    return written(to, *rows, documents=input_documents(path)).decode("utf-8")


def unlabelled(record_id: str = "CVE-2024-10001", **said: Any) -> Any:
    return record_row(advisory(record_id, labels=()), prediction(**said))


def save(path: Path, document: object, **layout: Any) -> str:
    text = json.dumps(document, **layout) + "\n"
    path.write_text(text, "utf-8")
    return text


@pytest.mark.parametrize(
    "layout", [{"indent": 2}, {"indent": "\t"}, {}, {"separators": (",", ":")}]
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_csaf_gains_a_weakness_and_nothing_else(
    tmp_path: Path, layout: dict[str, Any], ascii_only: bool
) -> None:
    layout = layout | {"ensure_ascii": ascii_only}
    path = tmp_path / "a.json"
    before = save(path, csaf(), **layout)
    after = filled("csaf", path, unlabelled())
    vulnerability = {
        "cve": "CVE-2024-10001",
        "cwe": {"id": "CWE-89", "name": NAME},
        "title": "t",
    }
    wanted = csaf() | {"vulnerabilities": [vulnerability]}
    assert after == json.dumps(wanted, **layout) + "\n"
    assert before == filled("csaf", path)  # no row: the document as it was, to the byte


def test_a_vulnerability_without_an_id_is_found_as_the_reader_calls_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    document = csaf(notes=[{"category": "description", "text": "SQL injection in a form."}])
    document["document"]["tracking"] = {"id": "EXAMPLE-1"}
    del document["vulnerabilities"][0]["cve"]
    save(path, document)
    (record,) = read_advisories(path)
    assert isinstance(record, Advisory)
    made = json.loads(filled("csaf", path, record_row(record, prediction())))
    assert made["vulnerabilities"][0]["cwe"]["id"] == "CWE-89"


def test_csaf_2_1_names_the_catalogue_s_version(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    save(path, csaf("2.1"))
    (made,) = json.loads(filled("csaf", path, unlabelled()))["vulnerabilities"]
    assert made["cwes"] == [{"id": "CWE-89", "name": NAME, "version": "4.19"}]


@pytest.mark.parametrize(
    "existing", [{"cwe": {"id": "CWE-1", "name": "x"}}, {"cwes": [{"id": "CWE-1"}]}]
)
def test_a_weakness_that_is_there_is_left(tmp_path: Path, existing: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    before = save(path, csaf(**existing))
    assert filled("csaf", path, unlabelled()) == before


def test_an_unsure_answer_fills_nothing_but_the_ancestor_that_is_sure(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    before = save(path, csaf())
    assert filled("csaf", path, unlabelled(confidence=0.3, abstained=True)) == before
    sure = row("CVE-2024-10001", abstained=True)  # at least CWE-74, which MITRE discourages
    assert filled("csaf", path, sure) == before
    writer = format_named("csaf").open(
        OutputContext(taxonomy=TAXONOMY, version="1", documents=input_documents(path))
    )
    assert b"".join(writer([sure])).decode() == before
    assert writer.notes == [  # type: ignore[attr-defined]
        "0 weaknesses filled in",
        "1 answers are unsure or must not be mapped to; left out",
    ]


def test_other_documents_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    save(path, {"id": "CVE-2024-1", "description": "x"})
    for to in ("csaf", "osv", "cyclonedx"):
        with pytest.raises(InputError, match=r"a\.json: no .*--to jsonl"):
            filled(to, path, row())
    path.write_text("no JSON")
    with pytest.raises(InputError, match=r"a\.json: no (?:JSON|OSV record)"):
        filled("osv", path, row())
    with pytest.raises(InputError, match="--input FILE"):
        written("osv", row())


def osv(record_id: str = "GHSA-2222-3333-4444", **more: Any) -> dict[str, Any]:
    return {"schema_version": "1.6.0", "id": record_id, "modified": "2024-01-01T00:00:00Z"} | more


def test_osv_gains_its_ids_where_github_has_them(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    save(path, osv(database_specific={"severity": "HIGH"}))
    made = json.loads(filled("osv", path, unlabelled("GHSA-2222-3333-4444")))
    assert made == osv(database_specific={"severity": "HIGH", "cwe_ids": ["CWE-89"]})
    save(path, osv(database_specific={"cwe_ids": ["CWE-1"]}))
    made = json.loads(filled("osv", path, unlabelled("GHSA-2222-3333-4444")))
    assert made["database_specific"] == {"cwe_ids": ["CWE-1"]}


def test_osv_in_yaml_comes_out_as_json_and_rustsec_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "id: PYSEC-2024-1\nmodified: 2024-01-01T00:00:00Z\ndetails: words\n"
        "database_specific:\n  rank: 3\n",
        "utf-8",
    )
    made = json.loads(filled("osv", path, unlabelled("PYSEC-2024-1")))
    assert made == {
        "id": "PYSEC-2024-1",
        "modified": "2024-01-01T00:00:00Z",
        "details": "words",
        "database_specific": {"rank": 3, "cwe_ids": ["CWE-89"]},
    }
    path.write_text('```toml\n[advisory]\nid = "RUSTSEC-2024-1"\n```\n\n# Words\n', "utf-8")
    with pytest.raises(InputError, match=r"RustSec's Markdown, which has no place for a weakness"):
        filled("osv", path, unlabelled("RUSTSEC-2024-1"))
    path.write_text("a: [", "utf-8")
    with pytest.raises(InputError, match="neither JSON nor YAML"):
        filled("osv", path, unlabelled("A-1"))


def test_several_documents_are_written_one_a_line(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / f"{name}.json", osv(f"GO-2024-{name}"), indent=2)
    first, second = filled("osv", tmp_path, unlabelled("GO-2024-b")).splitlines()
    assert json.loads(first) == osv("GO-2024-a")
    assert json.loads(second) == osv("GO-2024-b", database_specific={"cwe_ids": ["CWE-89"]})
    wrapped = tmp_path / "b.json"
    save(wrapped, {"vulns": [osv("GO-2024-a"), osv("GO-2024-b")]})
    made = json.loads(filled("osv", wrapped, unlabelled("GO-2024-b")))
    assert [record.get("database_specific") for record in made["vulns"]] == [
        None,
        {"cwe_ids": ["CWE-89"]},
    ]


def test_cyclonedx_gains_numbers_and_stays_valid(tmp_path: Path) -> None:
    validation = pytest.importorskip("cyclonedx.validation.json")
    schema = pytest.importorskip("cyclonedx.schema")
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "vulnerabilities": [
            {"id": "CVE-2024-10001", "ratings": [{"score": 7.5, "severity": "high"}], "affects": []}
        ],
    }
    path = tmp_path / "bom.json"
    save(path, bom)
    made = filled("cyclonedx", path, unlabelled())
    assert json.loads(made)["vulnerabilities"][0]["cwes"] == [89]
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    assert validator.validate_str(made) is None
    assert validator.validate_str(made.replace("[89]", '["CWE-89"]')) is not None


def test_cve_containers_fit_the_program_s_schema() -> None:
    rows = [
        record_row(advisory("CVE-2024-10001")),
        record_row(advisory("CVE-2024-10002"), prediction("CWE-787", 0.3, abstained=True)),
        record_row(advisory("GHSA-2222-3333-4444")),
    ]
    writer = format_named("cve5").open(OutputContext(taxonomy=TAXONOMY, version="0.1.0"))
    (line,) = b"".join(writer(rows)).splitlines()
    made = json.loads(line)
    assert made["cveId"] == "CVE-2024-10001"
    assert faults(adp_schema(), made["adpContainer"]) == []
    (kind,) = made["adpContainer"]["problemTypes"]
    assert kind["descriptions"] == [
        {"type": "CWE", "lang": "en", "cweId": "CWE-89", "description": f"CWE-89 {NAME}"}
    ]
    assert [note.split(" ", 1)[0] for note in writer.notes[:2]] == ["1", "1"]  # type: ignore[attr-defined]
    broken = copy.deepcopy(made["adpContainer"])
    broken["problemTypes"][0]["descriptions"][0]["cweId"] = "89"
    assert faults(adp_schema(), broken) != []


@pytest.mark.data
def test_real_csaf_documents_stay_valid(data_dir: Path, tmp_path: Path) -> None:
    validator = pytest.importorskip("csaf.csaf.v20._validator")
    for path in sorted((data_dir / "formats" / "csaf").glob("*.json")):
        document = json.loads(path.read_text("utf-8"))
        bare = copy.deepcopy(document)
        for vulnerability in bare["vulnerabilities"]:
            del vulnerability["cwe"]
        (tmp_path / path.name).write_text(json.dumps(bare, indent=2), "utf-8")
        rows = [unlabelled(v["cve"]) for v in document["vulnerabilities"]]
        made = json.loads(filled("csaf", tmp_path / path.name, *rows))
        assert [v["cwe"]["id"] for v in made["vulnerabilities"]] == ["CWE-89"] * len(rows)
        assert validator.validate(made, preset="basic").overall_valid, path
        broken = copy.deepcopy(made)
        broken["vulnerabilities"][0]["cwe"]["name"] = "Something else"
        assert not validator.validate(broken, preset="basic").overall_valid
        for vulnerability in made["vulnerabilities"]:
            del vulnerability["cwe"]
        assert made == bare


@pytest.mark.data
def test_real_cve_records_give_valid_containers(data_dir: Path) -> None:
    source = data_dir / "cve5" / "vulnrichment.jsonl.gz"
    rows = []
    for record in read_advisories(source):
        if len(rows) == 2_000:
            break
        if hasattr(record, "description"):
            rows.append(record_row(record))
    lines = written("cve5", *rows).splitlines()
    assert len(lines) == len(rows)
    schema = adp_schema()
    for line in lines[::20]:
        assert faults(schema, json.loads(line)["adpContainer"]) == []


def test_an_array_of_documents_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    before = save(path, [csaf(), csaf(cve="CVE-2024-10002")], indent=2)
    first, second = json.loads(filled("csaf", path, unlabelled()))
    assert first["vulnerabilities"][0]["cwe"]["id"] == "CWE-89"
    assert second == csaf(cve="CVE-2024-10002")
    assert filled("csaf", path) == before
    save(path, [csaf(), {"id": "other"}])
    with pytest.raises(InputError, match="no CSAF document"):
        filled("csaf", path)


def test_the_publisher_is_a_uuid() -> None:
    context = OutputContext(taxonomy=TAXONOMY, version="0.1.0", org_id="acme")
    with pytest.raises(InputError, match="takes a UUID of version 4, not 'acme'"):
        format_named("cve5").open(context)
