"""A server on loopback that misbehaves in every way a real one has."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.errors import InputError, ModelError

pytest.importorskip("httpx")
from cybersecqwen.llm import open_backend
from llm_server import Behaviour, Server, serving

Handler = BaseHTTPRequestHandler


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CYBERSECQWEN_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def reply(handler: Handler, value: Any, status: int = 200, **headers: str) -> None:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    handler.send_response(status)
    for name, text in headers.items():
        handler.send_header(name.replace("_", "-"), text)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def completion(text: str, finish: str = "stop", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"choices": [{"message": message, "finish_reason": finish, **more}]}


def echo(handler: Handler, body: dict[str, Any], attempt: int) -> None:
    reply(handler, completion("re: " + body["messages"][-1]["content"]))


def ask(*texts: str) -> list[list[Message]]:
    return [[Message("user", text)] for text in texts]


def run(server: Server, *texts: str, **options: Any) -> list[Generation]:
    options = {"backoff_s": 0.01, "attempts": 4, "timeout_s": 5.0, **options}
    backend: Any = open_backend(f"openai:{server.url}#tiny", **options)
    try:
        return list(backend.generate(ask(*texts), Sampling(temperature=0.3, max_tokens=9)))
    finally:
        backend.close()


def failing_first(fault: Behaviour, times: int = 1) -> Behaviour:
    def behave(handler: Handler, body: dict[str, Any], attempt: int) -> None:
        (fault if attempt < times else echo)(handler, body, attempt)

    return behave


def test_answers_come_in_order_several_at_a_time() -> None:
    def slow_first(handler: Handler, body: dict[str, Any], attempt: int) -> None:
        time.sleep(0.1 if body["messages"][0]["content"] == "0" else 0.01)
        echo(handler, body, attempt)

    texts = [str(n) for n in range(20)]
    with serving(slow_first) as server:
        answers = run(server, *texts, concurrency=4)
        assert 2 <= server.most_under_way <= 4
    assert [answer.text for answer in answers] == [f"re: {text}" for text in texts]


def test_request_carries_the_sampling_and_a_seed_of_its_own() -> None:
    with serving(echo) as server:
        run(server, "a", "b", concurrency=1)
    first, second = server.requests
    assert first["model"] == "tiny"
    assert (first["temperature"], first["top_p"], first["max_tokens"]) == (0.3, 1.0, 9)
    assert first["seed"] == 42 != second["seed"]
    assert "authorization" not in server.headers[0]


def hang(handler: Handler, body: dict[str, Any], attempt: int) -> None:
    time.sleep(1.0)
    echo(handler, body, attempt)


def drip(handler: Handler, body: dict[str, Any], attempt: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(20):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)
    handler.close_connection = True


def cut_short(handler: Handler, body: dict[str, Any], attempt: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [{"message": {"content": "hal')
    handler.close_connection = True


def hang_up(handler: Handler, body: dict[str, Any], attempt: int) -> None:
    handler.close_connection = True


def saying(value: Any, status: int = 200) -> Behaviour:
    return lambda handler, body, attempt: reply(handler, value, status)


FAULTS: dict[str, Behaviour] = {
    "hang": hang,
    "drip": drip,
    "cut short": cut_short,
    "hang up": hang_up,
    "429": saying({"error": "slow down"}, 429),
    "500": saying(b"Internal Server Error", 500),
    "503": saying(b"<html>busy</html>", 503),
    "garbage": saying(b"\x00\xff\xfe garbage"),
    "html": saying(b"<html>proxy error</html>"),
    "empty body": saying(b""),
    "half of the json": saying(b'{"choices": [{"message": '),
    "no choices": saying({"choices": []}),
    "other json": saying({"error": {"message": "overloaded"}}),
    "text no string": saying({"choices": [{"message": {"content": 7}}]}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_passing_fault_is_retried(fault: str) -> None:
    with serving(failing_first(FAULTS[fault], 2)) as server:
        answers = run(server, "a", "b", timeout_s=0.3 if fault in {"hang", "drip"} else 5.0)
        assert [answer.text for answer in answers] == ["re: a", "re: b"]
        assert len(server.requests) == 6


@pytest.mark.parametrize("fault", ["500", "garbage", "hang up"])
def test_a_lasting_fault_costs_its_item_alone(fault: str) -> None:
    def behave(handler: Handler, body: dict[str, Any], attempt: int) -> None:
        bad = body["messages"][0]["content"] == "bad"
        (FAULTS[fault] if bad else echo)(handler, body, attempt)

    with serving(behave) as server:
        answers = run(server, "a", "bad", "c")
    assert [answer.text for answer in answers] == ["re: a", "", "re: c"]
    assert answers[1].finish == "error"
    assert "after 4 attempts" in answers[1].error


def test_a_refused_item_is_not_retried() -> None:
    with serving(saying({"error": "prompt too long"}, 400)) as server:
        (answer,) = run(server, "a")
        assert len(server.requests) == 1
    assert answer.finish == "error"
    assert "prompt too long" in answer.error


@pytest.mark.parametrize("status", [401, 403, 404, 302])
def test_what_no_item_could_pass_stops_the_run(status: int) -> None:
    with (
        serving(saying({"error": "no such model"}, status)) as server,
        pytest.raises(ModelError, match=f"HTTP {status}"),
    ):
        run(server, *map(str, range(50)), concurrency=2)
    assert len(server.requests) < 10


def test_a_server_that_is_gone_stops_the_run() -> None:
    with serving(echo) as server:
        pass
    with pytest.raises(ModelError, match="3 items in a row failed: ConnectError"):
        run(server, *map(str, range(50)), concurrency=1, attempts=2, give_up_after=3)


def test_retry_after_holds_every_request_back() -> None:
    def behave(handler: Handler, body: dict[str, Any], attempt: int) -> None:
        if attempt == 0 and body["messages"][0]["content"] == "a":
            reply(handler, {}, 429, Retry_After="0.4")
        else:
            echo(handler, body, attempt)

    with serving(behave) as server:
        answers = run(server, *"abcd", concurrency=1)
        waits = [later - server.times[0] for later in server.times[1:]]
    assert [answer.text for answer in answers] == ["re: a", "re: b", "re: c", "re: d"]
    assert min(waits) >= 0.4


def test_requests_per_minute_are_kept() -> None:
    with serving(echo) as server:
        run(server, *"abcd", concurrency=4, requests_per_minute=600)
        gaps = [b - a for a, b in zip(server.times, server.times[1:], strict=False)]
    assert min(gaps) > 0.05
    assert sum(gaps) >= 0.25


def test_reading_stops_early_without_waiting_for_the_rest() -> None:
    with serving(echo) as server:
        backend: Any = open_backend(f"openai:{server.url}#tiny", concurrency=2)
        answers = backend.generate(ask(*map(str, range(1000))), Sampling())
        assert next(answers).text == "re: 0"
        answers.close()
        assert len(server.requests) <= 8


def test_finish_length_tokens_and_null_text() -> None:
    value = completion("cut", "length") | {"usage": {"completion_tokens": 9}}
    with serving(saying(value)) as server:
        (answer,) = run(server, "a")
    assert (answer.finish, answer.new_tokens) == ("length", 9)
    with serving(saying({"choices": [{"message": {"content": None}}]})) as server:
        (answer,) = run(server, "a")
    assert (answer.text, answer.finish) == ("", "stop")


def listing(**tokens: float) -> Behaviour:
    top = [{"token": token, "logprob": value} for token, value in tokens.items()]
    more = {"logprobs": {"content": [{"token": "A", "logprob": -1, "top_logprobs": top}]}}
    return saying(completion("A", **more))


def test_scores_are_read_from_the_listed_tokens() -> None:
    with serving(listing(A=-0.2, C=-2.0, x=-3.0)) as server:
        backend = open_backend(f"openai:{server.url}#tiny")
        assert backend.capabilities == {"generate", "score"}
        scores = backend.score(ask("?")[0], ["A", "B", "C"])
        assert scores == (-0.2, float("-inf"), -2.0)
        assert len(server.requests) == 2, "the server is probed once"
        assert server.requests[1]["temperature"] == 1.0


def test_scores_that_would_be_guesses_are_refused() -> None:
    with serving(listing(CW=-0.2, C=-2.0)) as server:
        backend = open_backend(f"openai:{server.url}#tiny")
        with pytest.raises(ModelError, match="one-token continuations, not 'CWE-79'"):
            backend.score(ask("?")[0], ["CWE-79", "C"])
        with pytest.raises(ModelError, match="hold no continuation"):
            backend.score(ask("?")[0], ["A", "B"])


@pytest.mark.parametrize("behave", [echo, saying({"error": "no logprobs"}, 400)])
def test_a_server_without_logprobs_says_so(behave: Behaviour) -> None:
    with serving(behave) as server:
        backend = open_backend(f"openai:{server.url}#tiny")
        assert backend.capabilities == {"generate"}
        with pytest.raises(ModelError, match="cannot score; it can: generate"):
            backend.score(ask("?")[0], ["A"])


def test_key_comes_from_the_environment_and_never_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hosted")
    with serving(echo) as server:
        run(server, "a")
    assert "authorization" not in server.headers[0], "not over plain http"
    monkeypatch.setenv("CYBERSECQWEN_API_KEY", "sk-ours")
    with serving(saying({"error": "wrong key"}, 401)) as server:
        with pytest.raises(ModelError) as caught:
            run(server, "a")
        assert server.headers[0]["authorization"] == "Bearer sk-ours"
    assert "sk-ours" not in str(caught.value)


@pytest.mark.parametrize("target", ["localhost:8000#m", "http://h/v1", "ftp://h#m", "#m"])
def test_targets_that_are_no_url_and_model(target: str) -> None:
    with pytest.raises(InputError, match="expected openai:http"):
        open_backend(f"openai:{target}")


def test_key_in_the_url_is_refused() -> None:
    with pytest.raises(InputError, match="CYBERSECQWEN_API_KEY"):
        open_backend("openai:http://user:key@127.0.0.1:1/v1#m")
