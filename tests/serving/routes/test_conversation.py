"""Follow-ups, over the chat API and over REST, without a language model."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

TURNS = [
    {"role": "user", "content": "What is T9100?"},
    {"role": "assistant", "content": "Lantern Guessing. [T9100]"},
]
QUESTION = "and how do I mitigate it?"


def test_a_follow_up_in_a_chat_refers_to_what_was_named_before(client: TestClient) -> None:
    asked = {
        "model": "cybersecqwen-embedded",
        "messages": [*TURNS, {"role": "user", "content": QUESTION}],
    }
    reply = client.post("/v1/chat/completions", json=asked)
    assert reply.status_code == 200
    text = reply.json()["choices"][0]["message"]["content"]
    assert "Lock the lantern after three wrong codes." in text
    alone = {**asked, "messages": [{"role": "user", "content": QUESTION}]}
    text = client.post("/v1/chat/completions", json=alone).json()["choices"][0]["message"][
        "content"
    ]
    assert text.startswith("Not in the knowledge base.")


def test_a_follow_up_over_rest_refers_to_the_history(client: TestClient) -> None:
    answer = client.post("/api/ask", json={"question": QUESTION, "history": TURNS}).json()
    assert answer["found"]
    assert answer["subjects"] == [{"id": "T9100", "name": "Lantern Guessing"}]
    assert answer["intent"] == "mitigation"
    quoted = [line for section in answer["sections"] for line in section["lines"]]
    assert any("three wrong codes" in line["text"] for line in quoted)
    assert not client.post("/api/ask", json={"question": QUESTION}).json()["found"]


def test_an_old_knowledge_base_is_said(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"question": "What is T9100?"}
    assert client.post("/api/ask", json=asked).json()["warning"] == ""
    monkeypatch.setenv("CYBERSECQWEN_MAX_AGE_DAYS", "1")
    assert "this site's limit is 1" in client.post("/api/ask", json=asked).json()["warning"]
    choice = client.post("/api/ask", json={**asked, "choices": ["Guessing", "Moths"]}).json()
    assert "this site's limit is 1" in choice["warning"]
