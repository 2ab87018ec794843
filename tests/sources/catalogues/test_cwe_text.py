from __future__ import annotations

import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Entry
from cybersecqwen.sources.catalogues.cwe_text import read_cwe_text
from mitre_files import cwe_document, cwe_xml, write_all


def write(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), "utf-8")
    return path


def test_catalogue(tmp_path: Path) -> None:
    catalogue = read_cwe_text(write_all(tmp_path)["cwe"])
    assert (catalogue.name, catalogue.version, catalogue.date) == ("cwe", "9.1", "2026-01-21")
    assert [(e.id, e.kind) for e in catalogue.entries] == [
        ("CWE-901", "weakness"),
        ("CWE-902", "weakness"),
        ("CWE-950", "category"),
        ("CWE-960", "view"),
    ]


def test_weakness(tmp_path: Path) -> None:
    entry = read_cwe_text(write(tmp_path / "cwe.json", cwe_document())).entries[0]
    assert entry.aliases == ("OIL",)
    assert entry.links == (("child of", "CWE-900"), ("attack pattern", "CAPEC-901"))
    assert [(section.kind, section.text) for section in entry.sections] == [
        ("description", "The product does not drain fields."),
        ("description", "Fields fill up.\n\nThen they spill."),
        ("term", "OIL: Short for it."),
        ("facts", "Abstraction: Base. Likelihood of exploit: High."),
        ("consequence", "Integrity: Modify Memory. Slippery."),
        ("mitigation", "Implementation: Drain fields."),
        ("mitigation", "Operation; Firewall: Use sand."),
        ("detection", "Fuzzing: Pour oil. Effectiveness: High."),
        ("example", "This code spills."),
        ("example", "CVE-2001-0001: Lamp spilt."),
        ("mapping", "Usage: Allowed. Base level."),
    ]


def test_deprecated_weakness_names_its_replacement(tmp_path: Path) -> None:
    entry = read_cwe_text(write(tmp_path / "cwe.json", cwe_document())).entries[1]
    assert (entry.withdrawn, entry.name) == (True, "Improper Greasing")
    assert entry.replaced_by == ("CWE-901",)


def test_category_and_view(tmp_path: Path) -> None:
    _, _, category, view = read_cwe_text(write(tmp_path / "cwe.json", cwe_document())).entries
    assert category.links == (("member", "CWE-901"),)
    assert category.sections[0].text == "Weaknesses that flow."
    assert view.sections[0].text == "What workshops see."


def test_a_bad_page_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    document = cwe_document()
    document["Weaknesses"].insert(1, {"ID": "903"})
    catalogue = read_cwe_text(write(tmp_path / "cwe.json", document))
    assert len(catalogue.entries) == 4
    (problem,) = catalogue.problems
    assert problem.where.endswith("cwe.json: weakness 2")
    assert "Name" in problem.reason


@pytest.mark.parametrize("document", [[], {}, {"Weaknesses": 1}, {"type": "bundle"}])
def test_what_is_no_catalogue_is_refused(tmp_path: Path, document: Any) -> None:
    with pytest.raises(InputError, match="no CWE catalogue"):
        read_cwe_text(write(tmp_path / "x.json", document))


def test_xml_gives_the_same_entries(tmp_path: Path) -> None:
    xml, archive = tmp_path / "cwe.xml", tmp_path / "cwe.xml.zip"
    xml.write_text(cwe_xml(), "utf-8")
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(xml, "cwec_v9.1.xml")
    expected = read_cwe_text(write(tmp_path / "cwe.json", cwe_document()))
    for path in (xml, archive):
        catalogue = read_cwe_text(path)
        assert (catalogue.version, catalogue.date) == (expected.version, expected.date)
        assert not catalogue.problems
        for entry, twin in zip(catalogue.entries, expected.entries, strict=True):
            assert one_line(entry) == one_line(twin)


def one_line(entry: Entry) -> Entry:
    """Return an entry with the line breaks inside its paragraphs as spaces."""
    sections = [
        replace(s, text=re.sub(r"(?<!\n)\s*\n\s*(?!\n)", " ", s.text)) for s in entry.sections
    ]
    return replace(entry, sections=tuple(sections))


@pytest.mark.parametrize(
    ("xml", "complaint"),
    [
        ("<html/>", "its root is html"),
        ("<Weakness_Catalog>", "no element found"),
        ("<Weakness_Catalog/>", "missing required field `Weaknesses`"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><Weakness_Catalog/>', "document type declaration"),
    ],
)
def test_other_xml_is_refused(tmp_path: Path, xml: str, complaint: str) -> None:
    path = tmp_path / "cwe.xml"
    path.write_text(xml, "utf-8")
    with pytest.raises(InputError, match=complaint):
        read_cwe_text(path)


@pytest.mark.data
def test_real_catalogue(data_dir: Path) -> None:
    catalogue = read_cwe_text(data_dir / "knowledge" / "cwe-4.19.1.json.gz")
    assert (catalogue.version, len(catalogue.entries)) == ("4.19.1", 1447)
    assert not catalogue.problems
    assert sum(entry.withdrawn for entry in catalogue.entries if entry.kind == "weakness") == 25
