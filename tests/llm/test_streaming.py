"""Answers written piece by piece say what answers written as a whole say."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.llm import open_backend
from cybersecqwen.llm.backends.common import StopCutter, cut_at_stop
from llm_server import serving

ASKED = [Message("user", "a longer question")]
RANDOM = Sampling(temperature=1.0, max_tokens=16, seed=7)


def drawn(backend: Backend, sampling: Sampling) -> tuple[list[str], Generation]:
    *pieces, whole = backend.stream(ASKED, sampling)
    assert isinstance(whole, Generation)
    assert all(isinstance(piece, str) and piece for piece in pieces)
    assert "".join(map(str, pieces)) == whole.text
    return [str(piece) for piece in pieces], whole


def agrees(backend: Backend, sampling: Sampling) -> Generation:
    pieces, whole = drawn(backend, sampling)
    (at_once,) = backend.generate([ASKED], sampling)
    assert (whole.error, at_once.error) == ("", "")
    # llama.cpp streams no part of a character that the limit cuts.
    assert whole.text.rstrip("\ufffd") == at_once.text.rstrip("\ufffd")
    assert (whole.finish, whole.new_tokens) == (at_once.finish, at_once.new_tokens)
    assert len(pieces) > 1
    return whole


@pytest.mark.parametrize("stop", [("END",), ("ab", "abc"), ("zz",), ("cab", "b c"), ()])
def test_stop_cutter_cuts_as_the_whole_would_be_cut(stop: tuple[str, ...]) -> None:
    for text in ("the END of it", "abcabc", "xa b cab", "ENEND", "EN", "", "caca b"):
        for size in (1, 2, 3):
            cutter = StopCutter(stop)
            shown = "".join(
                cutter.feed(text[start : start + size]) for start in range(0, len(text), size)
            )
            assert (shown + cutter.end(), cutter.stopped) == cut_at_stop(text, stop)


def test_stop_cutter_holds_back_no_more_than_it_must() -> None:
    cutter = StopCutter(("STOP",))
    assert cutter.feed("plain text") == "plain text"
    assert cutter.feed(" ST") == " "
    assert cutter.feed("ART") == "START"


@pytest.mark.torch
def test_transformers(tiny_llama: Path) -> None:
    backend = open_backend(f"hf:{tiny_llama}")
    greedy = agrees(backend, Sampling(max_tokens=20))
    agrees(backend, RANDOM)
    agrees(backend, replace(RANDOM, raw=True))
    mark = greedy.text[6:8]
    assert agrees(backend, Sampling(max_tokens=20, stop=(mark,))).finish == "stop"
    (refused,) = backend.stream(ASKED, Sampling(max_tokens=1000))
    assert isinstance(refused, Generation)
    assert refused.finish == "error"


@pytest.mark.torch
def test_transformers_stops_when_the_reader_leaves(tiny_llama: Path) -> None:
    backend = open_backend(f"hf:{tiny_llama}")
    pieces: Any = backend.stream(ASKED, Sampling(max_tokens=200))
    next(pieces)
    pieces.close()
    assert not any(thread.name == "writing" for thread in threading.enumerate())


@pytest.mark.torch
def test_transformers_passes_on_what_the_writer_raises(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend: Any = open_backend(f"hf:{tiny_llama}")

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(backend._model, "generate", fail)
    with pytest.raises(RuntimeError, match="out of order"):
        list(backend.stream(ASKED, RANDOM))


@pytest.mark.torch
def test_llama_cpp(tiny_gguf: Path) -> None:
    pytest.importorskip("xllamacpp")
    backend: Any = open_backend(f"gguf:{tiny_gguf}", context=256, threads=1)
    try:
        whole = agrees(backend, RANDOM)
        mark = next(char for char in whole.text[2:] if "!" <= char <= "~")
        _, cut = drawn(backend, replace(RANDOM, stop=("not in it", mark)))
        assert (cut.text, cut.finish) == (whole.text[: whole.text.index(mark)], "stop")
        agrees(backend, replace(RANDOM, raw=True))
        (refused,) = backend.stream([Message("user", "x" * 400)], RANDOM)
        assert refused.finish == "error"
        pieces = backend.stream(ASKED, Sampling(max_tokens=100))
        next(pieces)
        pieces.close()
        agrees(backend, RANDOM)  # the slot is free again
    finally:
        backend.close()


def test_mock(tmp_path: Path) -> None:
    file = tmp_path / "script.jsonl"
    file.write_text('{"match": "longer", "reply": "one two\\nthree "}\n{"error": "gave up"}\n')
    backend = open_backend(f"mock:{file}")
    agrees(backend, Sampling())
    assert agrees(backend, Sampling(max_tokens=2)).finish == "length"
    (whole,) = backend.stream([Message("user", "x")], Sampling())
    assert isinstance(whole, Generation)
    assert (whole.finish, whole.error) == ("error", "gave up")


def chunk(text: str | None = None, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


USAGE = b'data: {"choices": [], "usage": {"completion_tokens": 5}}\n\n'
DONE = b"data: [DONE]\n\n"


class Stream:
    """Streams the parts it is given; the first ``failures`` requests are turned away."""

    def __init__(self, *parts: bytes, failures: int = 0, pause: float = 0.0) -> None:
        self.parts = parts
        self.failures = failures
        self.pause = pause
        self.sent = 0

    def __call__(self, handler: BaseHTTPRequestHandler, body: dict[str, Any], attempt: int) -> None:
        if attempt < self.failures:
            handler.send_error(503)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for part in self.parts:
            handler.wfile.write(part)
            handler.wfile.flush()
            self.sent += 1
            time.sleep(self.pause)
        handler.close_connection = True


def http_stream(stream: Stream, sampling: Sampling = RANDOM) -> tuple[list[str], Generation]:
    with serving(stream) as server:
        backend: Any = open_backend(
            f"openai:{server.url}#tiny", backoff_s=0.01, attempts=3, timeout_s=2.0
        )
        try:
            return drawn(backend, sampling)
        finally:
            backend.close()


def test_http() -> None:
    comment = b": still here\r\n\r\n"
    parts = (chunk("one "), comment, chunk("two\u2028\u00e9"), chunk(finish="length"), USAGE, DONE)
    pieces, whole = http_stream(Stream(*parts, failures=2))
    assert pieces == ["one ", "two\u2028\u00e9"]
    assert (whole.finish, whole.new_tokens) == ("length", 5)


def test_http_cuts_at_a_stop_text_that_the_server_ignores() -> None:
    stream = Stream(chunk("one S"), chunk("TOP two"), chunk(finish="length"), DONE)
    pieces, whole = http_stream(stream, replace(RANDOM, stop=("STOP",)))
    assert pieces == ["one "]
    assert whole.finish == "stop"


def test_http_without_an_end_mark() -> None:
    _, whole = http_stream(Stream(chunk("all of it"), chunk(finish="stop")))
    assert (whole.text, whole.finish) == ("all of it", "stop")


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((chunk("half"),), "broke off"),
        ((chunk("half"), b"data: nonsense\n\n"), "no part of a chat completion"),
        ((chunk("half"), b'data: {"error": {"message": "no memory"}}\n\n'), "no memory"),
    ],
)
def test_http_breaking_off_is_said_in_the_whole(parts: tuple[bytes, ...], reason: str) -> None:
    _, whole = http_stream(Stream(*parts))
    assert (whole.text, whole.finish) == ("half", "error")
    assert reason in whole.error


def test_http_that_never_begins() -> None:
    _, whole = http_stream(Stream(failures=9))
    assert whole.finish == "error"
    assert "503" in whole.error


def test_http_that_does_not_stream_is_read_as_one_piece() -> None:
    def at_once(handler: BaseHTTPRequestHandler, body: dict[str, Any], attempt: int) -> None:
        message = {"role": "assistant", "content": "the whole"}
        data = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    with serving(at_once) as server:
        backend: Any = open_backend(f"openai:{server.url}#tiny")
        assert drawn(backend, RANDOM)[0] == ["the whole"]
        backend.close()


def test_http_refusal_of_every_request_is_raised() -> None:
    def closed(handler: BaseHTTPRequestHandler, body: dict[str, Any], attempt: int) -> None:
        handler.send_error(401)

    with serving(closed) as server:
        backend: Any = open_backend(f"openai:{server.url}#tiny")
        with pytest.raises(ModelError, match="401"):
            list(backend.stream(ASKED, RANDOM))
        backend.close()


def test_http_reader_that_leaves_closes_the_connection() -> None:
    stream = Stream(*[chunk("word ")] * 200, DONE, pause=0.01)
    with serving(stream) as server:
        backend: Any = open_backend(f"openai:{server.url}#tiny")
        pieces = backend.stream(ASKED, RANDOM)
        assert next(pieces) == "word "
        pieces.close()
        time.sleep(0.2)
        sent = stream.sent
        time.sleep(0.2)
        assert stream.sent == sent < 200
        backend.close()
