from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Entry, Section
from cybersecqwen.sources.catalogues.stix import read_stix
from mitre_files import attack_object, attack_objects, capec_objects, write_bundle


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Entry]:
    path = write_bundle(tmp_path_factory.mktemp("stix") / "a.json", attack_objects())
    return {entry.id: entry for entry in read_stix(path).entries}


@pytest.fixture(scope="module")
def capec(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Entry]:
    path = write_bundle(tmp_path_factory.mktemp("stix") / "c.json", capec_objects())
    return {entry.id: entry for entry in read_stix(path).entries}


def test_kinds_and_ids(attack: dict[str, Entry]) -> None:
    assert {entry.id: entry.kind for entry in attack.values()} == {
        "T9100": "technique",
        "T9100.001": "technique",
        "T9001": "technique",
        "T9002": "technique",
        "S9001": "software",
        "G9001": "group",
        "M9001": "mitigation",
        "TA9006": "tactic",
        "DC9001": "data component",
    }


def test_markup_is_taken_off_and_paragraphs_stay(attack: dict[str, Entry]) -> None:
    assert attack["T9100"].sections[0] == Section(
        "description",
        "Adversaries may guess lantern codes. They like Glowworm for it.\n\n"
        "The second paragraph speaks of lampctl & wicks.",
    )


def test_sections_of_a_technique(attack: dict[str, Entry]) -> None:
    others = attack["T9100"].sections[1:]
    assert set(others) == {
        Section("facts", "Platforms: Linux, Windows."),
        Section(
            "mitigation",
            "Lantern Lockout (M9001): Lock the lantern after three wrong codes.",
            "M9001",
        ),
        Section(
            "detection",
            "Detect lantern guessing. Count failed codes per lantern. Data components: Lamp Log.",
            "AN9001",
        ),
    }, "and not the relation that was withdrawn"


def test_procedures_name_who_uses_what(attack: dict[str, Entry]) -> None:
    text = "Glowworm (S9001): Glowworm sprays wicks at dawn."
    assert Section("procedure", text, "S9001") in attack["T9100.001"].sections


def test_links_names_and_aliases(attack: dict[str, Entry]) -> None:
    assert attack["T9100.001"].name == "Lantern Guessing: Wick Spraying"
    assert attack["T9100.001"].links == (("tactic", "TA9006"), ("sub-technique of", "T9100"))
    assert attack["G9001"].links == (("uses", "S9001"),)
    assert attack["G9001"].aliases == ("APT-Moth",)
    assert attack["S9001"].aliases == ("DimBulb",)
    assert attack["M9001"].links == (("mitigates", "T9100"),)


def test_withdrawn_entries_say_what_replaces_them(attack: dict[str, Entry]) -> None:
    revoked, deprecated = attack["T9001"], attack["T9002"]
    assert (revoked.withdrawn, revoked.replaced_by) == (True, ("T9100.001",))
    assert (deprecated.withdrawn, deprecated.replaced_by) == (True, ())


def test_catalogue_names_its_domain_and_date(tmp_path: Path) -> None:
    catalogue = read_stix(write_bundle(tmp_path / "a.json", attack_objects()))
    assert (catalogue.name, catalogue.version) == ("lantern-attack", "2025-03-01")
    collection = attack_object("x-mitre-collection", "x", "Lantern", x_mitre_version="18.1")
    catalogue = read_stix(write_bundle(tmp_path / "b.json", [*attack_objects(), collection]))
    assert (catalogue.version, catalogue.date) == ("18.1", "2025-03-01")


def test_capec(capec: dict[str, Entry], tmp_path: Path) -> None:
    entry = capec["CAPEC-901"]
    assert entry.links == (("weakness", "CWE-901"), ("technique", "T9100"))
    assert [(section.kind, section.text) for section in entry.sections] == [
        ("description", "An attacker pours oil into a form field."),
        ("description", "Oil floats <on> water."),
        ("prerequisite", "The form takes oil."),
        ("flow", "Flow\n\nFind a form"),
        ("consequence", "Access Control: Gain Privileges, Bypass"),
        ("skill", "Low: Pouring."),
        ("facts", "Typical severity: High."),
        ("mitigation", "Wipe every field before use."),
    ]
    assert capec["CAPEC-902"].withdrawn
    catalogue = read_stix(write_bundle(tmp_path / "c.json", capec_objects()))
    assert (catalogue.name, catalogue.version) == ("capec", "3.9")


def test_a_bad_object_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    bad = {"type": "malware", "id": "malware--bad", "name": 7}
    catalogue = read_stix(write_bundle(tmp_path / "a.json", [bad, *attack_objects()]))
    assert len(catalogue.entries) == 9
    (problem,) = catalogue.problems
    assert problem.where.endswith("a.json: object 1")
    assert problem.id == "malware--bad"
    assert "$.name" in problem.reason


def test_dangling_references_are_passed_over(tmp_path: Path) -> None:
    objects = [o for o in attack_objects() if o["id"] != "course-of-action--M9001"]
    entries = read_stix(write_bundle(tmp_path / "a.json", objects)).entries
    (technique,) = (entry for entry in entries if entry.id == "T9100")
    assert "mitigation" not in {section.kind for section in technique.sections}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no STIX bundle"),
        (b"<xml/>", "no STIX bundle"),
        (b'{"type": "bundle"}', "no STIX bundle"),
        (b'{"type": "bundle", "objects": []}', "no ATT&CK or CAPEC entries"),
        (b'\xff\xfe{"type": "bundle", "objects": []}', "no STIX bundle"),
        (gzip.compress(b'{"type": "bundle", "objects": []}', mtime=0)[:20], "truncated"),
        (b'{"type": "bundle", "objects": ' + b"[" * 100_000, "no STIX bundle"),
    ],
)
def test_what_is_no_bundle_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=complaint):
        read_stix(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.json"):
        read_stix(tmp_path / "absent.json")


@pytest.mark.data
def test_real_bundles(data_dir: Path) -> None:
    folder = data_dir / "knowledge"
    enterprise = read_stix(folder / "enterprise-attack.stix.json.gz")
    live = [entry for entry in enterprise.entries if not entry.withdrawn]
    assert enterprise.name == "enterprise-attack"
    assert sum(entry.kind == "technique" for entry in live) == 691
    assert not enterprise.problems
    assert all(entry.sections for entry in live)
    capec = read_stix(folder / "capec.stix.json.gz")
    assert sum(not entry.withdrawn for entry in capec.entries) == 559
