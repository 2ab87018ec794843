"""Ids in place of texts: looked up in the local store, by every route and by the tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cybersecqwen.apps.store import import_files

TEXT = "The login form concatenates the user name into the SQL query, so anyone can read it."
ID = "CVE-2099-0001"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYBERSECQWEN_STORE", str(tmp_path / "store.sqlite"))
    record = {
        "id": "GHSA-2222-3333-4444",
        "aliases": [ID],
        "modified": "2099-01-01",
        "details": TEXT,
    }
    (tmp_path / "a.json").write_text(json.dumps(record))
    import_files([tmp_path / "a.json"])


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("route", ["map", "assess"])
def test_an_id_is_looked_up(client: TestClient, route: str) -> None:
    row = client.post(f"/api/{route}", json={"text": ID.lower()}).json()
    assert row["cwe"] == client.post(f"/api/{route}", json={"text": TEXT}).json()["cwe"]
    items = [ID, {"id": ID}, {"id": "mine", "text": ID}, {"id": "CVE-2099-0009"}, TEXT]
    found = client.post(f"/api/{route}", json={"items": items}).json()
    assert [row["id"] for row in found["items"]] == [ID, ID, "mine", "item-5"]
    assert len({row["cwe"] for row in found["items"]}) == 1
    [problem] = found["problems"]
    assert (problem["id"], problem["kind"]) == ("CVE-2099-0009", "no_description")
    assert "the local store does not know it (imported today" in problem["reason"]
    [note] = found["notes"]
    assert "looked up in the local store, imported today" in note


@pytest.mark.usefixtures("store")
def test_a_file_of_ids_is_looked_up(client: TestClient) -> None:
    answer = client.post("/api/map/file?name=ids.csv", content=f"CVE,Host\n{ID},h1\n".encode())
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["problem"]["kind"] for line in lines if "problem" in line] == ["note", "note"]
    [row] = [line for line in lines if "cwe" in line]
    assert (row["id"], row["columns"]["Host"], row["description"]) == (ID, "h1", TEXT)


@pytest.mark.parametrize("route", ["map", "assess"])
def test_without_a_store_an_id_is_refused_in_one_line(
    client: TestClient, route: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYBERSECQWEN_STORE", str(tmp_path / "none.sqlite"))
    answer = client.post(f"/api/{route}", json={"text": ID})
    assert answer.status_code == 404
    assert ID in answer.json()["error"]["message"]
    assert "local store" in answer.json()["error"]["message"]
    found = client.post(f"/api/{route}", json={"items": [f"{ID}, CVE-2099-0002", ID]}).json()
    assert [problem["id"] for problem in found["problems"]] == ["item-1", ID]
    assert "several ids" in found["problems"][0]["reason"]


@pytest.mark.parametrize("route", ["map", "assess"])
@pytest.mark.parametrize(
    "text", ['{"cve": {"id": "CVE-2099-0001"}}', "<html><body>x</body></html>", "N/A"]
)
def test_a_text_that_is_no_description_is_refused(
    client: TestClient, route: str, text: str
) -> None:
    answer = client.post(f"/api/{route}", json={"text": text})
    assert answer.status_code == 400
    assert "no description" in answer.json()["error"]["message"]
    found = client.post(f"/api/{route}", json={"items": [text, TEXT]}).json()
    assert [problem["id"] for problem in found["problems"]] == ["item-1"]
    assert [row["id"] for row in found["items"]] == ["item-2"]
