"""GGUF models run in this process by llama.cpp, through ``xllamacpp``."""

from __future__ import annotations

import math
import secrets
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import httpx
import xllamacpp
from msgspec import DecodeError
from msgspec.json import decode, encode

from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.concurrency import in_order
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.interfaces import Capability
from cybersecqwen.core.model_files import check_stated_files
from cybersecqwen.core.prompts import escape_special_tokens
from cybersecqwen.llm.backends.common import StopCutter, cut_at_stop, item_seed, raw_prompt
from cybersecqwen.llm.backends.http_retry import RefusedError, TransientError, events, open_stream
from cybersecqwen.llm.decoding.best_first import ListedContinuation, best_first

_FORCE = 1e5  # a logit bias that no logit outweighs
_LISTED = 128  # likeliest tokens asked for: most permitted answers are among them
_LOAD_SECONDS = 600.0
_HEAD_BYTES = 1 << 16
_ADAPTER_MARK = b"general.type" + struct.pack("<IQ", 8, 7) + b"adapter"  # 8: a string
_ANSWER = "answer-1a5f"  # stands in the template for what a model would say


class LlamaCppBackend:
    """A GGUF file run by llama.cpp on this machine.

    xllamacpp brings llama.cpp's server, which listens on a loopback port of its own choosing,
    behind a random key that only this object knows.

    Args:
        model: The GGUF file.
        context: Tokens that a prompt and its answer may have together.
        parallel: Answers written at the same time. One keeps answers reproducible to the last
            bit; more are faster on a GPU or many cores.
        threads: CPU threads; llama.cpp's own choice by default.
        gpu_layers: Layers kept on the GPU; all that fit by default.
        raw: Put the turns' bare text to the model, without its chat template.
        adapter: A LoRA adapter as a GGUF file, which is added to the model on loading.

    Raises:
        ModelError: A file is missing, is of another kind, is not the one that its folder states, or
            llama.cpp cannot load it.
    """

    def __init__(
        self,
        model: str,
        *,
        context: int = 8192,
        parallel: int = 1,
        threads: int | None = None,
        gpu_layers: int | None = None,
        raw: bool = False,
        adapter: str | None = None,
    ) -> None:
        self._name = f"gguf:{model}"
        _check_file(model, adapter=False)
        if adapter is not None:
            self._name += f" with {adapter}"
            _check_file(adapter, adapter=True)
        check_stated_files(model, adapter)
        self._parallel = parallel
        self._raw = raw
        key = secrets.token_hex(16)
        self._server = _start(
            self._name,
            model,
            key=key,
            context=context * parallel,
            parallel=parallel,
            threads=threads,
            gpu_layers=gpu_layers,
            adapter=adapter,
        )
        self._client = httpx.Client(
            base_url=self._server.listening_address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_LOAD_SECONDS,
            trust_env=False,  # a proxy has no business with a loopback address
            # The server closes an idle connection after seconds; a request may just have taken it.
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._tokens = lru_cache(maxsize=4096)(self._tokenise)

    @property
    def name(self) -> str:
        """The model SPEC it was opened from."""
        return self._name

    @property
    def capabilities(self) -> frozenset[Capability]:
        """It writes and it scores."""
        return frozenset({"generate", "score"})

    def generate(
        self, conversations: Iterable[Sequence[Message]], sampling: Sampling
    ) -> Iterator[Generation]:
        """Answer each conversation, in order.

        A prompt that does not fit the context gives an ``error`` generation.
        """
        jobs = (
            (conversation, item_seed(sampling.seed, index))
            for index, conversation in enumerate(conversations, sampling.first_index)
        )
        return in_order(lambda job: self._answer(*job, sampling), jobs, self._parallel)

    def stream(
        self, conversation: Sequence[Message], sampling: Sampling
    ) -> Iterator[str | Generation]:
        """Write one answer piece by piece, then yield the whole; see ``Backend.stream``.

        Of a character that the limit cuts, nothing is shown, where ``generate`` shows a mark.
        """
        start = time.monotonic()
        cutter = StopCutter(sampling.stop)
        pieces: list[str] = []
        last: dict[str, Any] = {}
        try:
            seed = item_seed(sampling.seed, sampling.first_index)
            body = self._request(conversation, seed, sampling)
            for last in self._events("/completion", **body, stream=True):
                if piece := cutter.feed(last.get("content", "")):
                    pieces.append(piece)
                    yield piece
                if cutter.stopped:
                    break
            if piece := cutter.end():
                pieces.append(piece)
                yield piece
        except ModelError as error:
            seconds = time.monotonic() - start
            yield Generation("".join(pieces), "error", seconds, error=str(error))
            return
        ended = cutter.stopped or last.get("stop_type") in {"eos", "word"}
        yield Generation(
            "".join(pieces),
            "stop" if ended else "length",
            time.monotonic() - start,
            new_tokens=last.get("tokens_predicted"),
            prompt_tokens=last.get("tokens_evaluated"),
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
        """Return each continuation's natural-log probability, exactly unless ``within`` is given.

        The server reports the probability of the token it emits and of the likeliest others, taken
        from the logits before any bias; so a token is forced, and the probabilities read back. The
        prompt stays cached between the calls, and continuations that begin alike share them. Each
        is tokenised by itself, as a turn begins.

        Raises:
            ModelError: A continuation is empty, or the conversation does not fit the context.
        """
        texts = [self._tokens(text, special=False) for text in continuations]
        if not all(texts):
            raise ModelError(f"{self._name}: an empty continuation has no probability")
        prompt = self._prompt(conversation)
        ends = [tokens + self._turn_end if whole else tokens for tokens in texts]
        read = lambda before, token: self._forced(prompt + before, token)  # noqa: E731
        return tuple(best_first(ends, read, offsets, within))

    @cached_property
    def _turn_end(self) -> tuple[int, ...]:
        """The token that ends an answer: the one that the chat template puts after it.

        A file may name another as its end of text.
        """
        turns = (("user", "?"), ("assistant", _ANSWER), ("user", "?"))
        messages = [{"role": role, "content": text} for role, text in turns]
        after = "" if self._raw else self._post("/apply-template", messages=messages)["prompt"]
        after = after.rpartition(_ANSWER)[2].lstrip() or self._ask("GET", "/props")["eos_token"]
        first = self._tokens(after, special=True)[:1]
        if not first or first == self._tokens(after, special=False)[:1]:
            raise ModelError(f"{self._name}: no token ends its turns, so no answer is whole")
        return first

    def close(self) -> None:
        """Stop the server and free the model."""
        self._client.close()
        del self._server

    def _answer(self, conversation: Sequence[Message], seed: int, sampling: Sampling) -> Generation:
        start = time.monotonic()
        try:
            reply = self._post("/completion", **self._request(conversation, seed, sampling))
        except ModelError as error:
            return Generation("", "error", time.monotonic() - start, error=str(error))
        text, stopped = cut_at_stop(reply["content"], sampling.stop)
        ended = stopped or reply["stop_type"] in {"eos", "word"}
        return Generation(
            text,
            "stop" if ended else "length",
            time.monotonic() - start,
            new_tokens=reply["tokens_predicted"],
            prompt_tokens=reply.get("tokens_evaluated"),
        )

    def _request(
        self, conversation: Sequence[Message], seed: int, sampling: Sampling
    ) -> dict[str, Any]:
        return {
            "prompt": self._prompt(conversation, raw=sampling.raw),
            "n_predict": sampling.max_tokens,
            # transformers' and vLLM's order; llama.cpp's other samplers stay out.
            "samplers": ["temperature", "top_p"],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
            "stop": list(sampling.stop),
            # Reusing another item's prompt changes rounding, and so, rarely, an answer.
            "cache_prompt": False,
        }

    def _forced(self, prompt: tuple[int, ...], token: int) -> ListedContinuation:
        """Return the log-probabilities, after a prompt, of a token and of the likeliest others."""
        reply = self._post(
            "/completion",
            prompt=prompt,
            n_predict=1,
            n_probs=_LISTED,
            samplers=["temperature"],
            temperature=0.0,
            logit_bias=[[token, _FORCE]],
            cache_prompt=True,
        )
        # Nothing is reported of a token that is part of a character, which waits for the rest.
        emitted = reply.get("completion_probabilities") or [{"id": None}]
        if emitted[0]["id"] != token:
            raise ModelError(f"{self._name}: llama.cpp reports no probability of token {token}")
        likeliest = {other["id"]: float(other["logprob"]) for other in emitted[0]["top_logprobs"]}
        least = min(likeliest.values(), default=0.0)
        return ListedContinuation(likeliest | {token: float(emitted[0]["logprob"])}, least)

    def _prompt(self, conversation: Sequence[Message], *, raw: bool = False) -> tuple[int, ...]:
        turns = escape_special_tokens(conversation)
        if self._raw or raw:
            return self._tokens(raw_prompt(turns), special=True)
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        text = self._post("/apply-template", messages=messages)["prompt"]
        return self._tokens(text, special=True)

    def _tokenise(self, text: str, special: bool) -> tuple[int, ...]:
        reply = self._post("/tokenize", content=text, add_special=special, parse_special=special)
        return tuple(reply["tokens"])

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        return self._ask("POST", path, json=body)

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            reply = self._client.request(method, path, **options)
            content: dict[str, Any] = reply.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ModelError(f"{self._name}: llama.cpp gave no answer: {error}") from error
        if reply.status_code != httpx.codes.OK:
            reason = content.get("error", {}).get("message", reply.text[:200])
            raise ModelError(f"{self._name}: {reason}")
        return content

    def _events(self, path: str, **body: Any) -> Iterator[dict[str, Any]]:
        """Yield what a reply streams, object by object; leaving early stops the server's work."""
        try:
            with closing(open_stream(self._client, path, encode(body), _LOAD_SECONDS)) as reply:
                for data in events(reply, _LOAD_SECONDS):
                    content: dict[str, Any] = decode(data)
                    if "error" in content:
                        raise ModelError(f"{self._name}: {content['error'].get('message')}")
                    yield content
        except (TransientError, RefusedError, DecodeError) as error:
            raise ModelError(f"{self._name}: {error}") from error


def _check_file(file: str, *, adapter: bool) -> None:
    """Refuse a file that is no model, or no adapter, and say what it is."""
    path = Path(file)
    if path.is_dir():
        made = "export gguf-adapter" if adapter else "export gguf"
        raise ModelError(f"{file}: a folder; llama.cpp takes one GGUF file ({made} makes it)")
    if not path.is_file():
        raise ModelError(f"{file}: no such file")
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if not head.startswith(b"GGUF"):
        raise ModelError(f"{file}: no GGUF file")
    is_adapter = _ADAPTER_MARK in head
    if is_adapter and not adapter:
        raise ModelError(
            f"{file}: an adapter; give its base: gguf:BASE.gguf --option adapter={file}"
        )
    if adapter and not is_adapter:
        raise ModelError(f"{file}: a model, not an adapter")


def _start(
    name: str,
    model: str,
    *,
    key: str,
    context: int,
    parallel: int,
    threads: int | None,
    gpu_layers: int | None,
    adapter: str | None,
) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = context
    params.n_parallel = parallel
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.verbosity = -1
    params.ui = False
    params.endpoint_slots = False
    params.offline = True
    if threads is not None:
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
    if gpu_layers is not None:
        params.n_gpu_layers = gpu_layers
    if adapter is not None:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(adapter, 1.0)]
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        _require_likely(model, adapter)
        raise ModelError(f"{name}: llama.cpp cannot load the model: {error}") from error


def _require_likely(model: str, adapter: str | None) -> None:
    """Tell why llama.cpp refuses a model, which it does not say itself, where the files show it.

    Raises:
        ModelError: A file is cut off, or the adapter is for another model.
    """
    shapes = {file: _shapes(file) for file in filter(None, (model, adapter))}
    for name, shape in shapes.get(adapter or "", {}).items():
        base, _, half = name.rpartition(".lora_")
        # A takes the base's inputs (first in GGUF), B gives its outputs.
        place = 0 if half == "a" else 1
        there = shapes[model].get(base)
        if half and (there is None or there[place] != shape[place]):
            raise ModelError(
                f"{adapter}: an adapter for another model than {model}: its {name} is of shape "
                f"{shape}, where {base} is {'missing' if there is None else f'of {there}'}"
            )


def _shapes(file: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a GGUF file's tensors, as it orders them."""
    from gguf import GGUFReader  # noqa: PLC0415 - only where a file is refused

    try:
        found = GGUFReader(file).tensors
    except (ValueError, IndexError, KeyError, OSError) as error:
        raise ModelError(f"{file}: is cut off or damaged; copy it again") from error
    return {tensor.name: tuple(map(int, tensor.shape)) for tensor in found}
