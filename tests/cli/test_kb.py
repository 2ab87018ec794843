from __future__ import annotations

import datetime
import json
import re
from pathlib import Path

import pytest

from cybersecqwen.cli.main import main
from mitre_files import attack_objects, write_all, write_bundle


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kb")
    files = write_all(folder)
    out = folder / "kb"
    sources = ["--cwe", files["cwe"], "--attack", files["attack"], "--capec", files["capec"]]
    assert main(["kb", "build", *map(str, sources), "--out", str(out)]) == 0
    return out


def test_search_prints_passages(kb: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kb", "search", "T9100.001", "--kb", str(kb), "--limit", "1"]) == 0
    out = capsys.readouterr().out
    assert "T9100.001" in out
    assert "Adversaries may try one code" in out


def test_search_json(kb: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kb", "search", "CWE-901", "--kb", str(kb), "--limit", "2", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    first, second = answer["passages"]
    assert first["id"] == "CWE-901"
    assert first["kind"] == "description"
    assert first["score"] >= second["score"] > 0


def test_search_says_when_it_knows_nothing(kb: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kb", "search", "zebra", "--kb", str(kb)]) == 0
    assert capsys.readouterr().out == "not in the knowledge base\n"


def test_info(kb: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kb", "info", "--kb", str(kb)]) == 0
    out = capsys.readouterr().out
    assert "lantern-attack     version 2025-03-01" in out
    assert re.search(
        r"cwe  +version 9.1, newest entry 2026-01-21 \([\d,-]+ days old\), 4 entries", out
    )
    assert main(["kb", "info", "--kb", str(kb), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["entries"] == 15
    since = datetime.datetime.now(datetime.UTC).date() - datetime.date(2026, 1, 21)
    assert answer["age_days"]["cwe"] == since.days


def test_a_bad_object_exits_with_1_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = {"type": "malware", "id": "malware--bad", "name": 7}
    bundle = write_bundle(tmp_path / "attack.json", [*attack_objects(), bad])
    out = tmp_path / "kb"
    assert main(["kb", "build", "--attack", str(bundle), "--out", str(out), "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["failed"] == 1
    assert "malware--bad" in captured.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["build", "--out", "kb"], "no catalogue there"),
        (["build", "--capec", "{attack}", "--out", "kb"], "which --capec does not take"),
        (["build", "--cwe", "{attack}", "--out", "kb"], "no CWE catalogue"),
        (["build", "--cwe", "absent.json", "--out", "kb"], "absent.json"),
        (["search", "x", "--kb", "nowhere"], "no knowledge base there"),
        (["search", "x", "--kb", "nowhere", "--limit", "0"], "--limit"),
        (["info", "--kb", "nowhere"], "no knowledge base there"),
    ],
)
def test_what_cannot_be_used_exits_with_2(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    attack = str(write_all(tmp_path)["attack"])
    assert main(["kb", *(argument.format(attack=attack) for argument in arguments)]) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "kb").exists()


def test_fetched_catalogues_need_no_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("CYBERSECQWEN_KB", raising=False)
    feeds = tmp_path / "cybersecqwen" / "feeds"
    feeds.mkdir(parents=True)
    files = write_all(tmp_path)
    files["attack"].rename(feeds / "enterprise-attack.json")
    files["capec"].rename(feeds / "stix-capec.json")
    assert main(["kb", "build"]) == 0
    capsys.readouterr()
    assert main(["kb", "info", "--json", "--kb", str(tmp_path / "cybersecqwen" / "kb")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [source["name"] for source in found["sources"]] == ["lantern-attack", "capec"]
    assert found["shipped"] is False


def _bundle(path: Path, version: str, modified: str, *objects: dict[str, object]) -> str:
    """Write a bundle without a matrix, as the first releases were."""
    stamp = {"created": "2020-01-01T00:00:00.000Z", "modified": f"{modified}T00:00:00.000Z"}
    collection = {
        "type": "x-mitre-collection",
        "id": "x-mitre-collection--1",
        "x_mitre_version": version,
        **stamp,
    }
    made = [{**stamp, "x_mitre_domains": ["ics-attack"], **found} for found in objects]
    path.write_text(json.dumps({"type": "bundle", "objects": [collection, *made]}), "utf-8")
    return str(path)


def _technique(name: str, text: str) -> dict[str, object]:
    return {
        "type": "attack-pattern",
        "id": f"attack-pattern--{name}",
        "name": f"Door {name}",
        "description": text,
        "external_references": [{"source_name": "mitre-attack", "external_id": name}],
    }


def test_entries_whose_ids_are_not_read_are_counted_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["T9001", "MOB-T9001", "MOB-T9002"]
    bundle = _bundle(
        tmp_path / "b.json", "1.0", "2018-01-17", *(_technique(n, "A door.") for n in names)
    )
    assert main(["kb", "build", "--attack", bundle, "--out", str(tmp_path / "kb")]) == 1
    err = capsys.readouterr().err
    assert "2 entries left out" in err
    assert "MOB-T9001, MOB-T9002" in err


@pytest.mark.parametrize("order", [("old", "new"), ("new", "old")])
def test_of_two_releases_the_newer_is_taken_whatever_the_order(
    order: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = [_technique("T9001", "The older text."), _technique("T9002", "Dropped since.")]
    files = {
        "old": _bundle(tmp_path / "old.json", "12.1", "2022-11-08", *old),
        "new": _bundle(tmp_path / "new.json", "18.1", "2025-11-13", _technique("T9001", "Newer.")),
    }
    out = str(tmp_path / "kb")
    assert main(["kb", "build", "--attack", *(files[n] for n in order), "--out", out]) == 0
    assert "version 12.1 of 2022-11-08 is left out" in capsys.readouterr().err
    assert main(["kb", "search", "T9001", "--kb", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passages"][0]["text"] == "Newer."
    assert main(["kb", "info", "--kb", out, "--json"]) == 0
    sources = json.loads(capsys.readouterr().out)["sources"]
    assert [(source["version"], source["date"]) for source in sources] == [("18.1", "2025-11-13")]
