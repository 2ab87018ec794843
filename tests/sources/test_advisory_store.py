from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cybersecqwen.apps.store import import_files, look_up, open_store, with_descriptions
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory, CweLabel, RecordProblem
from cybersecqwen.sources import read_advisories
from cybersecqwen.sources.advisory_store import AdvisoryStore, merged


def nvd(name: str, text: str, modified: str, status: str = "Analyzed") -> dict[str, object]:
    weakness = {"source": "nvd@nist.gov", "description": [{"lang": "en", "value": "CWE-79"}]}
    return {
        "id": name,
        "sourceIdentifier": "cna@example.org",
        "lastModified": modified,
        "vulnStatus": status,
        "descriptions": [{"lang": "en", "value": text}],
        "weaknesses": [weakness],
    }


def write_lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_ids_are_found_in_any_case_and_by_their_aliases(tmp_path: Path) -> None:
    osv = {
        "id": "GHSA-2222-3333-4444",
        "aliases": ["CVE-2099-0002"],
        "modified": "2026-01-02T00:00:00Z",
        "summary": "A path is not checked",
        "details": "Dot-dot segments reach any file.",
        "affected": [{"package": {"ecosystem": "npm", "name": "acme-backup"}}],
    }
    files = [
        write_lines(tmp_path / "nvd.jsonl", nvd("CVE-2099-0001", "A flaw.", "2026-01-01T00:00:00")),
        write_lines(tmp_path / "osv.jsonl", osv),
    ]
    summary = import_files(files, store=tmp_path / "s.sqlite")
    assert (summary.records, summary.failed, summary.files) == (2, 0, 2)
    assert (summary.store.records, summary.store.newest) == (2, "2026-01-02")
    store = open_store(tmp_path / "s.sqlite")
    assert store
    first = look_up(" cve-2099-0001 ", store)
    assert isinstance(first, Advisory)
    assert (first.description, first.cwes("nvd")) == ("A flaw.", ("CWE-79",))
    by_alias = look_up("CVE-2099-0002", store)
    assert isinstance(by_alias, Advisory)
    assert by_alias.id == "GHSA-2222-3333-4444"
    assert by_alias.affected == (("npm", "acme-backup"),)
    assert [r.id for r in store.search("dot-dot SEGMENTS")] == ["GHSA-2222-3333-4444"]
    assert [r.id for r in store.search("acme")] == ["GHSA-2222-3333-4444"]
    assert store.search('"; DROP TABLE') == []
    missing = look_up("CVE-2099-9999", store)
    assert isinstance(missing, RecordProblem)
    assert "does not know it (imported today, newest change 2026-01-02)" in missing.reason


def test_the_newest_record_counts_and_states_are_kept(tmp_path: Path) -> None:
    store = tmp_path / "s.sqlite"
    rows = [
        nvd("CVE-2099-0001", "Newer text about a stack.", "2026-02-01T00:00:00"),
        nvd("CVE-2099-0001", "Older text about a heap.", "2026-01-01T00:00:00"),
        nvd("CVE-2099-0002", "Was a flaw.", "2026-01-01T00:00:00"),
    ]
    for number, row in enumerate(rows):
        import_files([write_lines(tmp_path / f"{number}.jsonl", row)], store=store)
    found = AdvisoryStore(store)
    assert [r.description for r in found.search("text")] == ["Newer text about a stack."]
    assert found.search("heap") == []
    again = nvd("CVE-2099-0001", "Newest text.", "2026-03-01T00:00:00")
    gone = nvd("CVE-2099-0002", "** REJECT ** Not a flaw.", "2026-03-01T00:00:00", "Rejected")
    summary = import_files([write_lines(tmp_path / "4.jsonl", again, gone)], store=store)
    assert summary.store.states == {"published": 1, "rejected": 1}
    assert found.search("stack") == []
    assert [r.id for r in found.search("newest")] == ["CVE-2099-0001"]
    rejected = look_up("CVE-2099-0002", found)
    assert isinstance(rejected, RecordProblem)
    assert (rejected.kind, "Not a flaw" in rejected.reason) == ("rejected", True)


def test_what_other_sources_say_is_kept_beside_the_newest() -> None:
    old = Advisory("CVE-1", "old", (CweLabel("CWE-79", "nvd", "nvd@nist.gov"),), modified="2026-01")
    new = Advisory("CVE-1", "new", (CweLabel("CWE-80", "cna", "acme"),), modified="2026-02")
    for both in (merged(old, new), merged(new, old)):
        assert both.description == "new"
        assert set(both.labels) == {*old.labels, *new.labels}
    relabelled = Advisory(
        "CVE-1", "newest", (CweLabel("CWE-20", "nvd", "nvd@nist.gov"),), modified="2026-03"
    )
    assert merged(old, relabelled).labels == relabelled.labels
    undated = Advisory("CVE-1", "undated", title="A headline")
    assert merged(new, undated).description == "new"
    assert merged(new, undated).title == "A headline"


def test_records_without_text_get_the_stores(tmp_path: Path) -> None:
    store = tmp_path / "s.sqlite"
    row = nvd("CVE-2099-0001", "A flaw.", "2026-01-01T00:00:00")
    import_files([write_lines(tmp_path / "n.jsonl", row)], store=store)
    ids = tmp_path / "ids.csv"
    ids.write_text("CVE,host,summary\nCVE-2099-0001,db1,\nCVE-2099-0003,db2,\n")
    records = list(with_descriptions(read_advisories(ids), open_store(store)))
    assert isinstance(records[0], Advisory)
    assert records[0].description == "A flaw."
    assert ("host", "db1") in records[0].columns
    assert records[0].line == 2
    assert isinstance(records[1], RecordProblem)
    assert "does not know it" in records[1].reason
    listed = tmp_path / "ids.txt"
    listed.write_text("CVE-2099-0001\n")
    [found] = with_descriptions(read_advisories(listed), open_store(store))
    assert (found.id, isinstance(found, Advisory)) == ("CVE-2099-0001", True)
    [alone] = with_descriptions(read_advisories(listed), None)
    assert isinstance(alone, RecordProblem)


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    store = tmp_path / "s.sqlite"
    file = write_lines(tmp_path / "n.jsonl", nvd("CVE-2099-0001", "A flaw.", "2026-01-01T00:00:00"))
    assert import_files([file], store=store).files == 1
    assert import_files([file], store=store).unchanged == 1
    write_lines(file, nvd("CVE-2099-0001", "Another flaw.", "2026-01-02T00:00:00"))
    assert import_files([file], store=store).files == 1


def test_records_without_an_id_are_counted_and_not_kept(tmp_path: Path) -> None:
    file, store = tmp_path / "in.csv", tmp_path / "store.sqlite"
    file.write_text("CVE,Description\nCVE-2099-0001,SQL injection in a form\n,Heap overflow in x\n")
    summary = import_files([file], store=store)
    assert (summary.records, summary.unnamed, summary.store.records) == (1, 1, 1)


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "s.sqlite"
    with pytest.raises(InputError, match="no local store; fill one"):
        AdvisoryStore(file)
    assert open_store(file) is None
    file.write_bytes(b"words" * 500)
    with pytest.raises(InputError, match="no local store that can be used"):
        AdvisoryStore(file)
    file.unlink()
    with sqlite3.connect(file) as other:
        other.execute("PRAGMA user_version=99")
    with pytest.raises(InputError, match="version 99"):
        AdvisoryStore(file)
    assert "fill the local store" in str(look_up("CVE-2099-0001", None))


_IMPORT = """
import sys
from pathlib import Path
from cybersecqwen.apps.store import import_files
import_files([Path(sys.argv[1])], store=Path(sys.argv[2]))
"""


def _count(store: Path) -> int:
    """How many records a store holds that another process may be writing."""
    if not store.is_file():
        return 0
    reader = sqlite3.connect(store, timeout=60)
    try:
        return int(reader.execute("SELECT count(*) FROM records").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # it is being made
    finally:
        reader.close()


def test_an_import_that_is_killed_goes_on(tmp_path: Path) -> None:
    rows = 30_000
    file = tmp_path / "rows.jsonl"
    with file.open("w") as out:
        for number in range(rows):
            text = f"Flaw number {number} of the parser in release {number * 7919 % 997}."
            out.write(json.dumps({"id": f"CVE-2099-{number:06}", "description": text}) + "\n")
    store = tmp_path / "s.sqlite"
    draw = random.Random(7)
    reached = [0]
    while len(reached) < 5:
        running = subprocess.Popen([sys.executable, "-c", _IMPORT, str(file), str(store)])
        while running.poll() is None and _count(store) <= reached[-1]:
            time.sleep(0.01)
        time.sleep(0.05 * draw.random())
        running.kill()
        running.wait()
        reached.append(_count(store))
        if reached[-1] == rows:
            break
    assert reached == sorted(reached)
    assert 0 < reached[1] < rows
    summary = import_files([file], store=store)
    assert summary.store.records == rows
    whole = AdvisoryStore(store)
    assert whole.get("CVE-2099-000000")
    assert whole.get(f"CVE-2099-{rows - 1:06}")
    assert len(whole.search("parser", limit=rows + 1)) == rows
    check = sqlite3.connect(store)
    assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check.execute("INSERT INTO texts (texts) VALUES ('integrity-check')")
    check.close()
