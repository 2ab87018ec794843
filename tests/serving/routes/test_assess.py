from __future__ import annotations

import json

from starlette.testclient import TestClient

TEXT = (
    "The login form concatenates the user name into the SQL query, so a remote attacker can read "
    "the database."
)


def test_a_text_gets_weakness_severity_and_what_helps(client: TestClient) -> None:
    found = client.post("/api/assess", json={"text": TEXT}).json()
    assert found["cwe"] == "CWE-89"
    assert found["band"] in {"sure", "likely", "unsure"}
    assert found["weaknesses"][0]["primary"]
    assert found["cvss"]["vector"].startswith("CVSS:3.1/AV:N/")
    assert set(found["cvss"]["metrics"]) == {"AV", "AC", "PR", "UI", "S", "C", "I", "A"}
    assert all(0 < m["probability"] <= 1 for m in found["cvss"]["metrics"].values())
    assert found["record"] == {"cwe": [], "cvss": []}
    vendors = client.post("/api/assess", json={"text": TEXT, "labeller": "cna"}).json()
    assert vendors["cvss"]["labeller"] == "cna"


def test_a_batch_names_its_bad_items_and_assesses_the_rest(client: TestClient) -> None:
    items = [TEXT, {"id": 7, "description": TEXT}, {"id": "empty", "text": "\u200b"}, {"x": 1}]
    found = client.post("/api/assess", json={"items": items}).json()
    assert [row["id"] for row in found["items"]] == ["item-1", "7"]
    assert [problem["id"] for problem in found["problems"]] == ["empty", "item-4"]
    answer = client.post(
        "/api/assess", json={"items": items[:3]}, headers={"Accept": "application/x-ndjson"}
    )
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line.get("id") or line["problem"]["id"] for line in lines] == ["item-1", "7", "empty"]


def test_what_cannot_be_assessed_is_refused(client: TestClient) -> None:
    assert client.post("/api/assess", json={}).status_code == 400
    assert client.post("/api/assess", json={"text": "\u200b"}).status_code == 400
    assert client.post("/api/assess", json={"text": TEXT, "labeller": "me"}).status_code == 400
    assert client.post("/api/assess", json={"text": TEXT, "precision": 1}).status_code == 400


def test_a_file_of_records_is_assessed_and_gone_on_with(client: TestClient) -> None:
    lines = [
        {"id": f"r{n}", "description": TEXT, "cwe": "CWE-20", "host": "web"} for n in range(40)
    ]
    body = "\n".join(map(json.dumps, [*lines, {"id": "none"}]))
    found = client.post("/api/assess/file?name=feed.jsonl", content=body)
    rows = [json.loads(line) for line in found.text.splitlines()]
    assert [row["id"] for row in rows[:40]] == [line["id"] for line in lines]
    assert rows[0]["columns"]["host"] == "web"
    assert rows[0]["record"]["cwe"][0]["cwe"] == "CWE-20"
    assert rows[40]["problem"]["id"] == "none"
    rest = client.post("/api/assess/file?name=feed.jsonl&skip=39", content=body)
    assert [json.loads(line) for line in rest.text.splitlines()] == rows[39:]
    assert (
        client.post("/api/assess/file", content=b"<html><body>no</body></html>").status_code == 400
    )
