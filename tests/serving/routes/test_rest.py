from __future__ import annotations

import gzip
import io
import json
import zipfile
from typing import Any

import pytest
from starlette.testclient import TestClient

from cybersecqwen.specialists.mapper import WINDOW

NDJSON = {"Accept": "application/x-ndjson"}


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_health_readiness_and_metrics(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ok"}
    client.app.state.service.draining = True  # type: ignore[attr-defined]
    assert client.get("/ready").status_code == 503
    client.app.state.service.draining = False  # type: ignore[attr-defined]
    text = client.get("/metrics").text
    assert 'cybersecqwen_requests_total{method="GET",route="/health",status="200"}' in text
    assert "cybersecqwen_texts_waiting 0.0" in text
    client.post("/api/map", json={"text": "sql"})
    client.post("/api/map", json={"items": ["sql", "read"]})
    assert "cybersecqwen_texts_mapped_total 3.0" in client.get("/metrics").text


def test_info(client: TestClient, bare: TestClient) -> None:
    found = client.get("/api/info").json()
    assert found["model"]["name"] == "tiny 1.2.3"
    assert found["model"]["labellers"] == ["nvd", "cna"]
    assert found["llm"] == "scripted"
    assert found["knowledge"]["passages"] > 10
    other = bare.get("/api/info").json()
    assert (other["llm"], other["knowledge"]) == (None, None)


def test_one_text_gives_the_row_that_map_prints(client: TestClient) -> None:
    row = client.post("/api/map", json={"text": "a sql flaw", "top_k": 2}).json()
    assert row["id"] == "text"
    assert row["cwe"] == "CWE-89"
    assert row["name"].startswith("Improper Neutralization of Special Elements used in an SQL")
    assert next(c["cwe"] for c in row["candidates"]) == "CWE-89"
    assert len(row["candidates"]) == 2
    assert row["model"] == "tiny 1.2.3"
    vendor = client.post("/api/map", json={"text": "a write", "labeller": "cna"}).json()
    assert vendor["cwe"] == "CWE-121"
    unsure = client.post("/api/map", json={"text": "sql free", "threshold": 0.99}).json()
    assert unsure["abstained"]


def test_a_batch_names_what_it_cannot_use(client: TestClient) -> None:
    asked = {"items": [{"id": "a", "text": "sql"}, "\u200b", "read"]}
    found = client.post("/api/map", json=asked).json()
    assert [(row["id"], row["cwe"]) for row in found["items"]] == [
        ("a", "CWE-89"),
        ("item-3", "CWE-125"),
    ]
    assert found["problems"] == [
        {"where": "item 2", "id": "item-2", "reason": "text has nothing to read", "kind": "failed"}
    ]
    streamed = client.post("/api/map", json=asked, headers=NDJSON)
    assert streamed.headers["content-type"].startswith("application/x-ndjson")
    rows = lines(streamed.text)
    assert [row.get("id") for row in rows] == ["a", None, "item-3"]
    assert rows[1]["problem"]["id"] == "item-2"
    assert client.post("/api/map", json={"items": []}).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({}, "give either text or items"),
        ({"text": "a", "items": []}, "give either text or items"),
        ({"text": ""}, "text"),
        ({"text": " \u200b"}, "nothing to read"),
        ({"text": 1}, "text"),
        ({"text": "a", "top_k": 0}, "top_k"),
        ({"text": "a", "threshold": 2}, "threshold"),
        ({"text": "a", "labeller": "me"}, "labeller"),
        ({"text": "a", "colour": "red"}, "colour"),
        ({"items": "a"}, "items"),
        ([1], ""),
    ],
)
def test_bad_requests_say_what_is_wrong(client: TestClient, body: Any, complaint: str) -> None:
    reply = client.post("/api/map", json=body)
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert complaint in error["message"]
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe{}", b'{"text": NaN}', b"[" * 100_000, b'{"text": "\\ud800"}']
)
def test_broken_json_is_refused(client: TestClient, body: bytes) -> None:
    reply = client.post("/api/map", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400
    assert reply.json()["error"]["message"]


def csv_rows(count: int) -> bytes:
    words = ("sql", "read", "write", "free")
    rows = (f"r{n},{'' if n % 10 == 3 else words[n % 4]}" for n in range(count))
    return "\n".join(["id,description", *rows]).encode()


def test_a_file_gives_a_line_a_record(client: TestClient) -> None:
    data = csv_rows(30)
    found = lines(client.post("/api/map/file?name=mine.csv", content=data).text)
    assert len(found) == 30
    assert found[0]["id"] == "r0"
    assert found[3]["problem"]["id"] == "r3"
    assert found[4]["cwe"] == "CWE-89"


def test_a_file_can_be_packed(client: TestClient) -> None:
    data = csv_rows(4)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("rows.csv", data)
    plain = lines(client.post("/api/map/file", content=data).text)
    for other in (gzip.compress(data), packed.getvalue()):
        found = lines(client.post("/api/map/file?labeller=nvd", content=other).text)
        assert [row.get("cwe") for row in found] == [row.get("cwe") for row in plain]


def test_a_client_that_was_cut_off_gets_the_rest(client: TestClient) -> None:
    data = csv_rows(WINDOW + 50)
    whole = client.post("/api/map/file", content=data).text.splitlines()
    assert len(whole) == WINDOW + 50
    for have in (1, WINDOW - 1, WINDOW, WINDOW + 7, WINDOW + 50, 5000):
        rest = client.post(f"/api/map/file?skip={have}", content=data).text.splitlines()
        assert rest == whole[have:], have


def test_problems_of_a_file_carry_its_name(client: TestClient) -> None:
    data = b'{"id": "a", "description": "sql"}\nnonsense\n'
    found = lines(client.post("/api/map/file?name=x.jsonl", content=data).text)
    assert found[0]["cwe"] == "CWE-89"
    assert found[1]["problem"]["where"] == "x.jsonl:2"


@pytest.mark.parametrize("data", [b"", b"\x00\x01\x02"])
def test_a_file_that_cannot_be_used_is_refused(client: TestClient, data: bytes) -> None:
    reply = client.post("/api/map/file", content=data)
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "invalid_input"


def test_ask(client: TestClient, bare: TestClient) -> None:
    found = client.post("/api/ask", json={"question": "What is cross-site scripting?"}).json()
    assert set(found) >= {
        "text",
        "citations",
        "passages",
        "found",
        "unsupported",
        "prediction",
        "model",
    }
    assert found["text"]
    assert found["model"] == "scripted"
    refused = bare.post("/api/ask", json={"question": "What is XSS?"})
    assert refused.status_code == 503
    assert "CYBERSECQWEN_KB" in refused.json()["error"]["message"]


def test_ask_with_choices(client: TestClient) -> None:
    asked = {"question": "Which weakness is cross-site scripting?", "choices": ["CWE-79", "tea"]}
    found = client.post("/api/ask", json=asked).json()
    assert found["letter"] == "AB"[found["best"]]
    assert sum(found["probabilities"]) == pytest.approx(1)
    assert len(found["passages"]) == 2


def test_ask_streams_events(client: TestClient, bare: TestClient) -> None:
    asked = {"question": "What is cross-site scripting?"}
    headers = {"Accept": "text/event-stream"}
    reply = client.post("/api/ask", json=asked, headers=headers)
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = [block.split("\n") for block in reply.text.strip().split("\n\n")]
    assert {name for name, _ in events} == {"event: delta", "event: answer"}
    assert events[-1][0] == "event: answer"
    whole = json.loads(events[-1][1].removeprefix("data: "))
    said = "".join(json.loads(data.removeprefix("data: "))["text"] for _, data in events[:-1])
    assert said.strip()
    assert whole["text"]
    assert bare.post("/api/ask", json=asked, headers=headers).status_code == 503


def test_search(client: TestClient) -> None:
    found = client.post("/api/search", json={"query": "cross-site scripting", "limit": 3}).json()
    assert 1 <= len(found["passages"]) <= 3
    assert {"id", "title", "kind", "text", "score"} == set(found["passages"][0])


def test_cwe(client: TestClient, bare: TestClient) -> None:
    for spelling in ("CWE-79", "79", "cwe-79"):
        found = client.get(f"/api/cwe/{spelling}").json()
        assert found["id"] == "CWE-79"
    assert [step["id"] for step in found["path"]] == ["CWE-707", "CWE-74", "CWE-79"]
    assert "CWE-80" in {child["id"] for child in found["children"]}
    assert found["passages"]
    assert bare.get("/api/cwe/79").json()["passages"] == []
    for wrong in ("CWE-999999", "nonsense", "..%2f..%2fetc", "x" * 30):
        reply = bare.get(f"/api/cwe/{wrong}")
        assert reply.status_code == 404
        assert reply.json()["error"]["code"] in {"no_such_cwe", "not_found"}


def test_what_is_not_there(client: TestClient) -> None:
    for path in ("/nope", "/static/../app.py", "/docs", "/api/map/nope"):
        reply = client.get(path)
        assert reply.status_code == 404, path
        assert reply.json()["error"]["message"] == "there is nothing here"
    assert client.get("/api/map").status_code == 405


def test_openapi_names_examples_and_refusals(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/api/map"]["post"]
    assert {"200", "400", "429"} <= set(operation["responses"])
    assert "422" not in operation["responses"]
    assert document["components"]["schemas"]["MapRequest"]["examples"]
    assert "/v1/chat/completions" in document["paths"]


@pytest.mark.parametrize("verb", ["map", "assess"])
def test_columns_of_a_file_can_be_named(client: TestClient, verb: str) -> None:
    data = b"Ticket,Befund\nT-1,sql injection in the login form of the portal\n"
    refused = client.post(f"/api/{verb}/file", content=data)
    assert refused.status_code == 400
    named = f"/api/{verb}/file?text_column=Befund&id_column=Ticket"
    [row] = lines(client.post(named, content=data).text)
    assert (row["id"], row["description"]) == (
        "T-1",
        "sql injection in the login form of the portal",
    )
    assert client.post(f"{named}&skip=x", content=data).status_code == 400


def test_one_bad_item_costs_no_other_its_answer(client: TestClient) -> None:
    items = [
        "sql",
        {"id": 1, "text": "sql"},
        {"id": "x", "description": "sql"},
        {"id": "y", "txt": "sql"},
        7,
        {"id": "z", "text": 7.5},
    ]
    reply = client.post("/api/map", json={"items": items}).json()
    assert [row["id"] for row in reply["items"]] == ["item-1", "1", "x"]
    assert [(p["where"], p["reason"]) for p in reply["problems"]] == [
        ("item 4", "text: is missing; txt: no such key"),
        ("item 5", "give a text, or an object with text and, if you like, id"),
        ("item 6", "'7.5' is no description"),
    ]
    assert client.post("/api/map", json={"description": "sql"}).status_code == 200
    for text in ("T1003", "https://example.org/a", "pkg:npm/left-pad@1.3.0"):
        refused = client.post("/api/map", json={"text": text})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "no_description")
    broken = client.post("/api/map", content=b'{"text": "sql"')
    assert broken.json()["error"]["message"].startswith("the body is no JSON (at byte ")


def test_json_needs_no_name(client: TestClient) -> None:
    for media in ("application/x-www-form-urlencoded", ""):
        reply = client.post("/api/map", content=b'{"text": "sql"}', headers={"Content-Type": media})
        assert reply.status_code == 200, media
