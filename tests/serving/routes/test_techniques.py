from __future__ import annotations

from starlette.testclient import TestClient

DUMPED = "The intruders dumped LSASS memory with procdump to harvest credentials."


def test_a_text_gets_its_techniques(client: TestClient) -> None:
    found = client.post("/api/techniques", json={"text": DUMPED}).json()
    assert found["about"][0]["id"] == found["tells"][0]["id"] == "T1003.001"
    assert found["tells"][0]["sentence"] == DUMPED
    for wrong in ({}, {"text": ""}, {"text": "\u200b"}, {"text": DUMPED, "top_k": 1}):
        assert client.post("/api/techniques", json=wrong).status_code == 400
