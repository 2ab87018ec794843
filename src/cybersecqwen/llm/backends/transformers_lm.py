"""Models that Hugging Face transformers can load, on CUDA, ROCm or CPU by the same code."""

from __future__ import annotations

import copy
import importlib.util
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
)

from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.interfaces import Capability
from cybersecqwen.core.progress_bars import silent_without_terminal
from cybersecqwen.core.prompts import escape_special_tokens
from cybersecqwen.llm.backends.common import (
    StopCutter,
    batches,
    cut_at_stop,
    item_seed,
    plain_prompt,
    raw_prompt,
)
from cybersecqwen.llm.backends.loading import base_hint, is_adapter, load
from cybersecqwen.llm.backends.token_stream import TokenStream
from cybersecqwen.llm.decoding.prefix_sharing import Branches, branched, next_words
from cybersecqwen.llm.decoding.seeded_sampling import SeededSampling
from cybersecqwen.llm.decoding.token_tree import TokenTree, takes_trees

_SCORED_TOGETHER = 64  # continuations in one pass: 64 rows of logits over 150,000 words are 190 MB
_SCORED_TOGETHER_ON_GPU = 256  # as a tree, where a pass costs its start more than its width


class TransformersBackend:
    """A causal language model run by transformers.

    bfloat16 on a GPU and float32 on a CPU; FlashAttention-2 where it is installed, else PyTorch's
    own attention. Remote code is never run.

    Args:
        model: A hub id, a folder (of a whole model, or of an adapter, which is merged into its
            base on loading), or a GGUF file (its weights are dequantised).
        batch_size: Conversations answered together.
        device: ``cuda`` (also ROCm's name), ``cpu`` ...; the GPU when there is one.
        raw: Put the turns' bare text to the model, without a chat template, as a base model
            that continues a few-shot prompt needs.
        local: Load a folder of safetensors and nothing else: no download, no pickle.
        base: Hub id or folder of an adapter's base, where it is not where the adapter says.
        adapter: Folder of an adapter that is merged into ``model`` on loading.

    Raises:
        ModelError: The model cannot be loaded.
    """

    def __init__(
        self,
        model: str,
        *,
        batch_size: int = 8,
        device: str | None = None,
        raw: bool = False,
        local: bool = False,
        base: str | None = None,
        adapter: str | None = None,
    ) -> None:
        self._name = f"hf:{model}"
        if adapter is not None:
            self._name += f" with {adapter}"
            if not is_adapter(adapter):
                raise ModelError(f"{adapter}: no adapter's folder: it has no adapter_config.json")
            model, base = adapter, model
        self.batch_size = batch_size
        self._raw = raw
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        on_gpu = self._device.startswith("cuda")
        flash = on_gpu and importlib.util.find_spec("flash_attn") is not None
        try:
            with silent_without_terminal():
                self._tokenizer, self._model = load(
                    model,
                    base,
                    local=local,
                    dtype=torch.bfloat16 if on_gpu else torch.float32,
                    attn_implementation="flash_attention_2" if flash else "sdpa",
                )
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            hint = base_hint(model) if base is None else ""
            raise ModelError(f"{self._name}: cannot load the model: {hint}{error}") from error
        self._model.to(self._device).eval()
        self._context: int | None = getattr(self._model.config, "max_position_embeddings", None)
        self._trees = takes_trees(self._model.config)
        self._ends = _end_tokens(self._model, self._tokenizer)
        self._pad = self._tokenizer.pad_token_id
        if self._pad is None:
            self._pad = min(self._ends, default=0)
        # The checkpoint's own sampling defaults (top_k, penalties) would silently join ours.
        self._model.generation_config = GenerationConfig(
            do_sample=False, eos_token_id=sorted(self._ends) or None, pad_token_id=self._pad
        )

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
        """Answer each conversation, in order, ``batch_size`` at a time.

        Each answer is drawn with its own seed, so it does not depend on its neighbours' (but for
        rounding). A prompt that leaves no room for an answer gives an ``error`` generation.
        """
        index = sampling.first_index
        for batch in batches(conversations, self.batch_size):
            seeds = [item_seed(sampling.seed, index + place) for place in range(len(batch))]
            index += len(batch)
            prompts = [self._encode(conversation, raw=sampling.raw) for conversation in batch]
            yield from self._answer(prompts, seeds, sampling)

    def stream(
        self, conversation: Sequence[Message], sampling: Sampling
    ) -> Iterator[str | Generation]:
        """Write one answer piece by piece, then yield the whole; see ``Backend.stream``."""
        prompt = self._encode(conversation, raw=sampling.raw)
        if self._context and len(prompt) + sampling.max_tokens > self._context:
            reason = _too_long(len(prompt), self._context, sampling.max_tokens)
            yield Generation("", "error", 0.0, error=reason)
            return
        start = time.monotonic()
        seed = item_seed(sampling.seed, sampling.first_index)
        cutter = StopCutter(sampling.stop)
        written: list[int] = []
        shown = fed = 0
        with TokenStream(lambda listener: self._write([prompt], [seed], sampling, **listener)) as s:
            for token in s:
                written.append(token)
                if token in self._ends:
                    break
                text = self._settled(written)
                if piece := cutter.feed(text[fed:]):
                    shown += len(piece)
                    yield piece
                fed = max(fed, len(text))
                if cutter.stopped:
                    break
        whole = self._read(written, len(prompt), sampling, time.monotonic() - start)
        if rest := whole.text[shown:]:
            yield rest
        yield whole

    def score(
        self,
        conversation: Sequence[Message],
        continuations: Sequence[str],
        *,
        whole: bool = False,
        offsets: Sequence[float] = (),
        within: float = math.inf,
    ) -> tuple[float, ...]:
        """Return each continuation's natural-log probability.

        The conversation is read once; the continuations then share its key-value cache in
        right-padded passes, all to their end. Each is tokenised by itself, as a turn begins.

        Raises:
            ModelError: A continuation is empty, the conversation does not fit the model, or whole
                answers are asked for and the model has no token that ends a turn.
        """
        prompt = self._encode(conversation)
        texts = [self._tokens(text) for text in continuations]
        if not all(texts):
            raise ModelError(f"{self._name}: an empty continuation has no probability")
        if whole and not self._ends:
            raise ModelError(f"{self._name}: no token ends its turns, so no answer is whole")
        # Any of several tokens can end a turn; together they are as likely as the turn's end.
        closings = [[token] for token in sorted(self._ends)] if whole else [[]]
        ends = [text + closing for text in texts for closing in closings]
        longest = max(map(len, ends), default=0)
        if self._context and len(prompt) + longest > self._context:
            raise ModelError(f"{self._name}: {_too_long(len(prompt), self._context)}")
        with torch.inference_mode():
            scores = torch.tensor(self._score(prompt, ends), dtype=torch.float64)
        return tuple(scores.view(len(texts), len(closings)).logsumexp(1).tolist())

    def score_groups(
        self, groups: Iterable[tuple[Sequence[Sequence[Message]], Sequence[str]]]
    ) -> Iterator[list[tuple[float, ...]]]:
        """Yield what ``score`` gives for each conversation of each group, in order.

        The conversations of a group are read in one pass, what they begin with once; ``batch_size``
        groups are read together.

        Raises:
            ModelError: As ``score``.
        """
        for batch in batches(groups, self.batch_size):
            ends = [[self._tokens(text) for text in texts] for _, texts in batch]
            if not self._trees or any(len(end) != 1 for found in ends for end in found):
                for conversations, texts in batch:
                    yield [self.score(conversation, texts) for conversation in conversations]
                continue
            prompts = [[self._encode(c) for c in conversations] for conversations, _ in batch]
            longest = max(len(prompt) for found in prompts for prompt in found)
            if self._context and longest + 1 > self._context:
                raise ModelError(f"{self._name}: {_too_long(longest, self._context)}")
            rows = [branched(found) for found in prompts]
            with torch.inference_mode():
                words = self._next_words(rows)
            for found, following in zip(ends, words, strict=True):
                yield [tuple(row) for row in following[:, [end[0] for end in found]].tolist()]

    def _next_words(self, rows: list[Branches]) -> list[Any]:
        try:
            return next_words(self._model, rows, self._pad)
        except torch.OutOfMemoryError:
            if len(rows) == 1:
                raise
        half = len(rows) // 2
        return self._next_words(rows[:half]) + self._next_words(rows[half:])

    def _score(self, prompt: list[int], ends: list[list[int]]) -> tuple[float, ...]:
        ids = torch.tensor([prompt], device=self._device)  # (1, P)
        read = self._model(ids, use_cache=True, logits_to_keep=1)
        # Older versions of Transformers give and take it by the other name alone.
        name = "cache" if "cache" in read else "past_key_values"
        kept = {name: read[name]}
        first = read.logits[0, -1].float().log_softmax(-1)  # (V,)
        totals = first[[end[0] for end in ends]].tolist()
        longer = [place for place, end in enumerate(ends) if len(end) > 1]
        together = self._score_tree if self._trees else self._score_rows
        wide = self._trees and self._device.startswith("cuda")
        for places in batches(longer, _SCORED_TOGETHER_ON_GPU if wide else _SCORED_TOGETHER):
            rest = together(kept, len(prompt), [ends[place] for place in places])
            for place, score in zip(places, rest, strict=True):
                totals[place] += score
        return tuple(totals)

    def _score_tree(self, kept: dict[str, Any], seen: int, ends: list[list[int]]) -> list[float]:
        """Return what each continuation's tokens after its first add, all in one short pass.

        Continuations that begin alike share their beginning: the tree of them is laid out as one
        row in which a token sees the prompt and its own ancestors alone (as SpecInfer verifies
        guesses, Miao et al., arXiv 2305.09781).
        """
        tree = TokenTree(ends)
        allowed = torch.ones(len(tree.tokens), seen + len(tree.tokens), dtype=torch.bool)
        allowed[:, seen:] = torch.tensor(tree.ancestors)
        logits = self._model(
            torch.tensor([tree.tokens], device=self._device),  # (1, N)
            attention_mask=allowed[None, None].to(self._device),  # (1, 1, N, P + N)
            position_ids=torch.tensor([[seen + d for d in tree.depths]], device=self._device),
            **kept,
        ).logits[0]  # (N, V)
        (cache,) = kept.values()
        cache.crop(-len(tree.tokens))
        words = logits.float().log_softmax(-1)
        before = torch.tensor([n for path in tree.paths for n, _ in path], device=self._device)
        after = torch.tensor([t for path in tree.paths for _, t in path], device=self._device)
        steps = words[before, after].tolist()
        sums, start = [], 0
        for path in tree.paths:
            sums.append(sum(steps[start : start + len(path)]))
            start += len(path)
        return sums

    def _score_rows(self, kept: dict[str, Any], seen: int, ends: list[list[int]]) -> list[float]:
        """Return the same from a row for each continuation, where attention takes no tree."""
        width = max(map(len, ends)) - 1
        tokens = torch.tensor([row + [self._pad] * (width + 1 - len(row)) for row in ends])
        tokens = tokens.to(self._device)  # (B, W + 1)
        real = torch.tensor([[n < len(row) for n in range(width + 1)] for row in ends])
        real = real.to(self._device)
        kept = copy.deepcopy(kept)
        (cache,) = kept.values()
        cache.batch_repeat_interleave(len(ends))
        prompt = torch.ones(len(ends), seen, dtype=torch.long, device=self._device)
        logits = self._model(
            tokens[:, :-1],
            attention_mask=torch.cat([prompt, real[:, :-1].long()], dim=1),  # (B, P + W)
            **kept,
        ).logits.float()  # (B, W, V)
        chosen = logits.log_softmax(-1).gather(2, tokens[:, 1:, None])[..., 0]  # (B, W)
        sums: list[float] = chosen.masked_fill(~real[:, 1:], 0.0).sum(-1).tolist()
        return sums

    def _answer(
        self, prompts: list[list[int]], seeds: list[int], sampling: Sampling
    ) -> list[Generation]:
        room = sampling.max_tokens
        fits = [not self._context or len(prompt) + room <= self._context for prompt in prompts]
        rows = [place for place, fit in enumerate(fits) if fit]
        start = time.monotonic()
        written = self._write([prompts[n] for n in rows], [seeds[n] for n in rows], sampling)
        seconds = (time.monotonic() - start) / max(len(rows), 1)
        by_place = dict(zip(rows, written, strict=True))
        answers = []
        for place, prompt in enumerate(prompts):
            if place in by_place:
                answers.append(self._read(by_place[place], len(prompt), sampling, seconds))
            else:
                reason = _too_long(len(prompt), self._context or 0, room)
                answers.append(Generation("", "error", 0.0, error=reason))
        return answers

    def _settled(self, tokens: list[int]) -> str:
        """Return as much of the tokens' text as later tokens cannot change."""
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True)
        if self._tokenizer.clean_up_tokenization_spaces:
            # A space goes when a full stop or the like follows it.
            return text[: max(text.rfind(" "), 0)]
        return text.rstrip("\ufffd")  # a character of which bytes are missing

    def _write(
        self, prompts: list[list[int]], seeds: list[int], sampling: Sampling, **listener: Any
    ) -> list[list[int]]:
        if not prompts:
            return []
        width = max(map(len, prompts))
        # Left padding, so that every answer starts at the same column.
        ids = torch.tensor([[self._pad] * (width - len(row)) + row for row in prompts])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts])
        options: dict[str, Any] = {"max_new_tokens": sampling.max_tokens}
        if sampling.stop:
            options |= {"stop_strings": list(sampling.stop), "tokenizer": self._tokenizer}
        if sampling.temperature > 0:
            options["logits_processor"] = LogitsProcessorList([SeededSampling(sampling, seeds)])
        try:
            with torch.inference_mode():
                out = self._model.generate(
                    ids.to(self._device),
                    attention_mask=mask.to(self._device),
                    **options,
                    **listener,
                )  # (B, W + new)
        except torch.OutOfMemoryError:
            if len(prompts) == 1:
                raise
            half = len(prompts) // 2
            return self._write(prompts[:half], seeds[:half], sampling) + self._write(
                prompts[half:], seeds[half:], sampling
            )
        return [list(row) for row in out[:, width:].tolist()]

    def _read(
        self, tokens: list[int], prompt: int, sampling: Sampling, seconds: float
    ) -> Generation:
        end = next((n for n, token in enumerate(tokens) if token in self._ends), None)
        kept = tokens if end is None else tokens[:end]
        whole: str = self._tokenizer.decode(kept, skip_special_tokens=True)
        text, stopped = cut_at_stop(whole, sampling.stop)
        # A row that ended at a stop text is filled up with padding to its batch's width.
        finish: Any = "stop" if stopped or end is not None else "length"
        # Servers count the end token too.
        count = len(kept) if end is None else len(kept) + 1
        return Generation(text, finish, seconds, new_tokens=count, prompt_tokens=prompt)

    def _encode(self, conversation: Sequence[Message], *, raw: bool = False) -> list[int]:
        turns = escape_special_tokens(conversation)
        raw = raw or self._raw
        if raw or self._tokenizer.chat_template is None:
            text = raw_prompt(turns) if raw else plain_prompt(turns)
            return list(self._tokenizer(text)["input_ids"])
        try:
            text = self._tokenizer.apply_chat_template(
                [{"role": turn.role, "content": turn.content} for turn in turns],
                tokenize=False,
                add_generation_prompt=True,
            )
        except Exception as error:  # jinja2's own, or whatever the template raises
            raise ModelError(f"{self._name}: the chat template refuses: {error}") from error
        return self._tokens(text)

    def _tokens(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    configured = getattr(model.generation_config, "eos_token_id", None)
    listed = configured if isinstance(configured, list) else [configured]
    return frozenset(t for t in [*listed, tokenizer.eos_token_id] if t is not None)


def _too_long(prompt: int, context: int, room: int = 0) -> str:
    answer = f" and {room} for the answer" if room else ""
    return f"a prompt of {prompt} tokens{answer} does not fit the model's {context}"
