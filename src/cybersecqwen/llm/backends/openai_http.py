"""Any server that speaks OpenAI's chat-completions protocol."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import msgspec

from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.concurrency import in_order
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.interfaces import Capability
from cybersecqwen.core.prompts import escape_special_tokens
from cybersecqwen.llm.backends.common import StopCutter, cut_at_stop, item_seed, require_capability
from cybersecqwen.llm.backends.http_retry import (
    Pacer,
    RefusedError,
    TransientError,
    events,
    open_stream,
    persist,
    post,
)

_TOP = 20  # what OpenAI's protocol allows to be asked for


class _Listed(msgspec.Struct):
    token: str
    logprob: float


class _Position(msgspec.Struct):
    top_logprobs: list[_Listed] = []


class _Logprobs(msgspec.Struct):
    content: list[_Position] | None = None


class _Reply(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Reply
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(msgspec.Struct):
    completion_tokens: int | None = None
    prompt_tokens: int | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Delta(msgspec.Struct):
    """A piece of an answer, or the whole of one where the server does not stream."""

    delta: _Reply | None = None
    message: _Reply | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Delta] = []
    usage: _Usage | None = None
    error: Any = None


class OpenAiBackend:
    """A chat-completions endpoint (vLLM, llama.cpp, Ollama, a hosted API ...).

    A key comes from the environment alone: ``CYBERSECQWEN_API_KEY``, or ``OPENAI_API_KEY``,
    which is sent over https only. A loopback server needs none.

    Args:
        target: ``URL#MODEL``; ``/v1`` is added to a URL without a path.
        concurrency: Requests under way at once.
        timeout_s: Seconds for one request, from sending to the last byte.
        attempts: Tries for one item before it is given up with an ``error`` generation.
        backoff_s: First wait between tries; it doubles.
        requests_per_minute: A limit that the endpoint sets.
        give_up_after: Items in a row that may fail before the endpoint counts as gone.

    Attributes:
        base: Address that the protocol's paths are added to.
        model: The model's name there.
        headers: What every request carries, the key among it.

    Raises:
        InputError: The target is no URL and model.
    """

    def __init__(
        self,
        target: str,
        *,
        concurrency: int = 8,
        timeout_s: float = 300.0,
        attempts: int = 6,
        backoff_s: float = 1.0,
        requests_per_minute: float | None = None,
        give_up_after: int = 10,
    ) -> None:
        url, _, self.model = target.partition("#")
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not self.model:
            raise InputError(f"openai:{target}: expected openai:http(s)://HOST[:PORT][/v1]#MODEL")
        if parts.username or parts.password:
            raise InputError("openai: keep the key out of the URL, put it in CYBERSECQWEN_API_KEY")
        self._name = f"openai:{target}"
        base = url.rstrip("/") if parts.path.strip("/") else f"{url.rstrip('/')}/v1"
        self.base = base
        self.headers = {"Content-Type": "application/json", **_authorization(parts.scheme)}
        self._url = f"{base}/chat/completions"
        self._concurrency = concurrency
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._backoff_s = backoff_s
        self._give_up_after = give_up_after
        self._pacer = Pacer(requests_per_minute)
        self._probing = threading.Lock()
        self._client = httpx.Client(
            headers=self.headers,
            limits=httpx.Limits(max_connections=concurrency + 1),
            trust_env=not _is_loopback(parts.hostname),  # no proxy between this machine and itself
        )

    @property
    def name(self) -> str:
        """The model SPEC it was opened from."""
        return self._name

    @property
    def capabilities(self) -> frozenset[Capability]:
        """It scores when the server lists log-probabilities, which one request finds out."""
        with self._probing:
            return frozenset({"generate", "score"} if self._lists_logprobs else {"generate"})

    def generate(
        self, conversations: Iterable[Sequence[Message]], sampling: Sampling
    ) -> Iterator[Generation]:
        """Answer each conversation, in order, ``concurrency`` at a time.

        What fails for good becomes an ``error`` generation, in its place.

        Raises:
            ModelError: The server refuses every request alike (address, key, model), or
                ``give_up_after`` items in a row have failed.
        """
        jobs = (
            (conversation, item_seed(sampling.seed, index))
            for index, conversation in enumerate(conversations, sampling.first_index)
        )
        failed = 0
        for answer in in_order(lambda job: self._answer(*job, sampling), jobs, self._concurrency):
            failed = failed + 1 if answer.finish == "error" else 0
            if failed >= self._give_up_after:
                raise ModelError(f"{self._name}: {failed} items in a row failed: {answer.error}")
            yield answer

    def stream(
        self, conversation: Sequence[Message], sampling: Sampling
    ) -> Iterator[str | Generation]:
        """Write one answer piece by piece, then yield the whole; see ``Backend.stream``.

        The request is tried again until the answer has begun, and not after.

        Raises:
            ModelError: The server would refuse every request alike (address, key, model).
        """
        start = time.monotonic()
        cutter = StopCutter(sampling.stop)
        pieces: list[str] = []
        finish: Literal["stop", "length"] = "stop"
        usage = _Usage()
        try:
            for chunk in self._chunks(conversation, sampling):
                usage = chunk.usage or usage
                for choice in chunk.choices[:1]:
                    said = choice.delta or choice.message or _Reply()
                    if piece := cutter.feed(said.content or ""):
                        pieces.append(piece)
                        yield piece
                    finish = "length" if choice.finish_reason == "length" else finish
                if cutter.stopped:
                    finish = "stop"
                    break
            if piece := cutter.end():
                pieces.append(piece)
                yield piece
        except (TransientError, RefusedError) as error:
            if isinstance(error, RefusedError) and error.fatal:
                raise ModelError(f"{self._name}: {error}") from error
            seconds = time.monotonic() - start
            yield Generation("".join(pieces), "error", seconds, error=str(error))
            return
        yield Generation(
            "".join(pieces),
            finish,
            time.monotonic() - start,
            new_tokens=usage.completion_tokens,
            prompt_tokens=usage.prompt_tokens,
        )

    def score(
        self,
        conversation: Sequence[Message],
        continuations: Sequence[str],
        *,
        whole: bool = False,
        offsets: Sequence[float] = (),
        within: float = math.inf,
    ) -> tuple[float, ...]:
        """Return the natural-log probability of one-token continuations.

        The protocol lists only the likeliest first tokens. A continuation that is not among them
        gets minus infinity: less likely than any that is.

        Raises:
            ModelError: The server lists no log-probabilities, or none of the continuations, or
                one of them takes several tokens, as every whole answer does with its end.
        """
        require_capability(self._name, self.capabilities, "score")
        if whole:
            raise ModelError(f"{self._name}: can score one-token continuations, not their end")
        try:
            listed = self._first_tokens(conversation)
        except (TransientError, RefusedError) as error:
            raise ModelError(f"{self._name}: {error}") from error
        for text in continuations:
            begun = [token for token in listed if token and text.startswith(token)]
            if not text or (text not in listed and begun):
                raise ModelError(f"{self._name}: can score one-token continuations, not {text!r}")
        if not any(text in listed for text in continuations):
            raise ModelError(f"{self._name}: the {_TOP} likeliest tokens hold no continuation")
        return tuple(listed.get(text, float("-inf")) for text in continuations)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @cached_property
    def _lists_logprobs(self) -> bool:
        question = [Message("user", "Answer with one letter: A or B?")]
        try:
            return bool(self._first_tokens(question))
        except RefusedError as error:
            if error.fatal:
                raise ModelError(f"{self._name}: {error}") from error
            return False
        except TransientError as error:
            raise ModelError(f"{self._name}: {error}") from error

    def _first_tokens(self, conversation: Sequence[Message]) -> Mapping[str, float]:
        sampling = Sampling(temperature=1.0, max_tokens=1)  # 1: logits are not rescaled
        choice = self._complete(
            self._body(conversation, sampling, 0) | {"logprobs": True, "top_logprobs": _TOP}
        ).choices[0]
        positions = (choice.logprobs and choice.logprobs.content) or []
        return {t.token: t.logprob for t in positions[0].top_logprobs} if positions else {}

    def _answer(self, conversation: Sequence[Message], seed: int, sampling: Sampling) -> Generation:
        start = time.monotonic()
        try:
            reply = self._complete(self._body(conversation, sampling, seed))
        except RefusedError as error:
            if error.fatal:
                raise ModelError(f"{self._name}: {error}") from error
            return Generation("", "error", time.monotonic() - start, error=str(error))
        except TransientError as error:
            reason = f"{error} (after {self._attempts} attempts)"
            return Generation("", "error", time.monotonic() - start, error=reason)
        choice = reply.choices[0]
        # Not every server honours ``stop``.
        text, stopped = cut_at_stop(choice.message.content or "", sampling.stop)
        finish: Literal["stop", "length"] = "stop"
        if choice.finish_reason == "length" and not stopped:
            finish = "length"
        usage = reply.usage or _Usage()
        return Generation(
            text,
            finish,
            time.monotonic() - start,
            new_tokens=usage.completion_tokens,
            prompt_tokens=usage.prompt_tokens,
        )

    def _chunks(self, conversation: Sequence[Message], sampling: Sampling) -> Iterator[_Chunk]:
        seed = item_seed(sampling.seed, sampling.first_index)
        body = self._body(conversation, sampling, seed)
        data = msgspec.json.encode(
            body | {"stream": True, "stream_options": {"include_usage": True}}
        )

        def request() -> httpx.Response:
            return open_stream(self._client, self._url, data, self._timeout_s)

        reply = persist(request, self._pacer, attempts=self._attempts, backoff_s=self._backoff_s)
        with closing(reply):
            if "event-stream" not in reply.headers.get("content-type", ""):
                yield _chunk(reply.read())
                return
            whole = False
            for event in events(reply, self._timeout_s):
                if event == b"[DONE]":
                    return
                chunk = _chunk(event)
                whole |= any(choice.finish_reason for choice in chunk.choices)
                yield chunk
        if not whole:
            raise TransientError("the answer broke off")

    def _body(
        self, conversation: Sequence[Message], sampling: Sampling, seed: int
    ) -> dict[str, Any]:
        if sampling.raw:
            raise RefusedError("a chat endpoint cannot continue a bare text", fatal=False)
        turns = [
            {"role": t.role, "content": t.content} for t in escape_special_tokens(conversation)
        ]
        body: dict[str, Any] = {
            "model": self.model,
            "messages": turns,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": seed,
        }
        return body | ({"stop": list(sampling.stop)} if sampling.stop else {})

    def _complete(self, body: dict[str, Any]) -> _Completion:
        data = msgspec.json.encode(body)

        def request() -> _Completion:
            raw = post(self._client, self._url, data, self._timeout_s)
            try:
                reply = msgspec.json.decode(raw, type=_Completion)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                start = raw[:80].decode("utf-8", "replace")
                raise TransientError(f"no chat completion ({error}): {start!r}") from error
            if not reply.choices:
                raise TransientError("a chat completion without a choice")
            return reply

        return persist(request, self._pacer, attempts=self._attempts, backoff_s=self._backoff_s)


def _chunk(data: bytes) -> _Chunk:
    try:
        chunk = msgspec.json.decode(data, type=_Chunk)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        start = data[:80].decode("utf-8", "replace")
        raise TransientError(f"no part of a chat completion ({error}): {start!r}") from error
    if chunk.error is not None:
        raise TransientError(f"the server gave up: {str(chunk.error)[:200]}")
    return chunk


def _authorization(scheme: str) -> dict[str, str]:
    key = os.environ.get("CYBERSECQWEN_API_KEY", "")
    if not key and scheme == "https":
        key = os.environ.get("OPENAI_API_KEY", "")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
