"""The official client, unchanged, against a running service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

openai = pytest.importorskip("openai")

ASKED: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "count"}]


@pytest.fixture(scope="module")
def api(live: Any) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_models(api: Any) -> None:
    assert [model.id for model in api.models.list()] == ["scripted", "cybersecqwen-embedded"]
    assert api.models.retrieve("scripted").owned_by == "local"
    with pytest.raises(openai.NotFoundError, match="no model 'gpt'"):
        api.models.retrieve("gpt")


def test_chat(api: Any) -> None:
    reply = api.chat.completions.create(model="scripted", messages=ASKED)
    assert reply.object == "chat.completion"
    assert reply.choices[0].message.role == "assistant"
    assert reply.choices[0].message.content == "one two three four five six seven eight"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.prompt_tokens == 3
    assert (reply.usage.completion_tokens, reply.usage.total_tokens) == (8, 11)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_limit_and_parts(api: Any, name: str) -> None:
    parts = [{"type": "text", "text": "co"}, {"type": "text", "text": "unt"}]
    reply = api.chat.completions.create(
        model="scripted", messages=[{"role": "user", "content": parts}], **{name: 2}
    )
    assert reply.choices[0].message.content == "one two"
    assert reply.choices[0].finish_reason == "length"


def test_chat_streams(api: Any) -> None:
    chunks = list(
        api.chat.completions.create(
            model="scripted",
            messages=ASKED,
            stream=True,
            stream_options={"include_usage": True},
            temperature=0.2,
            top_p=0.9,
            seed=1,
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(said) == "one two three four five six seven eight"
    assert len([piece for piece in said if piece]) == 8
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == 8
    assert len({chunk.id for chunk in chunks}) == 1


def test_stream_helper(api: Any) -> None:
    with api.chat.completions.stream(model="scripted", messages=ASKED) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.content.startswith("one two")


def test_completions(api: Any) -> None:
    whole = api.completions.create(model="scripted", prompt="count", max_tokens=3)
    assert whole.object == "text_completion"
    assert (whole.choices[0].text, whole.choices[0].finish_reason) == ("one two three", "length")
    pieces = api.completions.create(model="scripted", prompt=["count"], max_tokens=9, stream=True)
    assert "".join(chunk.choices[0].text for chunk in pieces).endswith("seven eight")


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"n": 2}, "only 1 is"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        ({"max_tokens": 100_000}, "is more than"),
        ({"temperature": 9}, "temperature"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "wizard"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "only text",
        ),
    ],
)
def test_what_is_not_done_is_refused(api: Any, more: dict[str, Any], complaint: str) -> None:
    with pytest.raises(openai.BadRequestError, match=complaint) as caught:
        api.chat.completions.create(**{"model": "scripted", "messages": ASKED, **more})
    assert caught.value.type == "invalid_request_error"


def test_a_model_that_gives_up(api: Any) -> None:
    broken: Any = [{"role": "user", "content": "broken"}]
    for stream in (False, True):
        with pytest.raises(openai.InternalServerError, match="the model gave up") as caught:
            api.chat.completions.create(model="scripted", messages=broken, stream=stream)
        assert caught.value.status_code == 502


def test_without_a_language_model(
    start_live: Callable[..., Any], files: dict[str, Any], no_kb: None
) -> None:
    live = start_live(**{name: files[name] for name in ("specialist", "specialist_sha256")})
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key="none", max_retries=0) as client:
        (only,) = client.models.list()
        reply = client.chat.completions.create(
            model=only.id, messages=[{"role": "user", "content": "A sql flaw in the login."}]
        )
        text = reply.choices[0].message.content
        assert "CWE-89" in text
        assert "without a language model" in text
        asked: Any = [{"role": "user", "content": "What is XSS?"}]
        chunks = client.chat.completions.create(model=only.id, messages=asked, stream=True)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert "no knowledge base" in said
        whole = client.completions.create(model=only.id, prompt="sql", max_tokens=1)
        assert whole.choices[0].text == "CWE-89"
        assert whole.choices[0].finish_reason == "length"


def test_embedded_answers_from_the_knowledge_base(api: Any) -> None:
    asked: Any = [{"role": "user", "content": "What is cross-site scripting?"}]
    reply = api.chat.completions.create(model="cybersecqwen-embedded", messages=asked)
    assert "[CWE-" in reply.choices[0].message.content
    cut = api.chat.completions.create(
        model="cybersecqwen-embedded", messages=asked, stop=["("], max_tokens=500
    )
    assert "(" not in cut.choices[0].message.content


def test_pass_through(start_live: Callable[..., Any], live: Any) -> None:
    front = start_live(model=f"openai:{live.url}#scripted")
    with openai.OpenAI(base_url=f"{front.url}/v1", api_key="none", max_retries=0) as client:
        assert next(model.id for model in client.models.list()) == "scripted"
        reply = client.chat.completions.create(model="scripted", messages=ASKED)
        assert reply.usage.completion_tokens == 8
        chunks = client.chat.completions.create(model="scripted", messages=ASKED, stream=True)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert said.startswith("one two")
        text = client.completions.create(model="scripted", prompt="count", max_tokens=2)
        assert text.choices[0].text == "one two"
        with pytest.raises(openai.BadRequestError, match="only 1 is"):
            client.chat.completions.create(model="scripted", messages=ASKED, n=3)


def test_pass_through_to_nobody(start_live: Callable[..., Any]) -> None:
    front = start_live(model="openai:http://127.0.0.1:9#gone")
    with (
        openai.OpenAI(base_url=f"{front.url}/v1", api_key="none", max_retries=0) as client,
        pytest.raises(openai.InternalServerError, match="gave no answer"),
    ):
        client.chat.completions.create(model="gone", messages=ASKED)
