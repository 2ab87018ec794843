"""Training conversations: read from a corpus, rendered by the base's own template, tokenised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.chat import Message
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.files import sha256_file
from cybersecqwen.core.prompts import escape_special_tokens
from cybersecqwen.core.rows import REPLAY_FILE, ChatRow, read_chat_rows

TRAIN_FILE = "train.jsonl"
VALIDATION_FILE = "validation.jsonl"

_LONGEST_FINAL_ANSWER = 40
"""Characters of a last line that still counts as a short answer, such as an id or a letter."""


@dataclass(frozen=True)
class ChatCorpus:
    """A corpus of conversations.

    Attributes:
        train: What is learnt.
        validation: What is only measured; may be empty.
        hashes: SHA-256 of each file read, by its name.
    """

    train: list[ChatRow]
    validation: list[ChatRow]
    hashes: dict[str, str]


@dataclass(frozen=True)
class Encoded:
    """Token ids of an example.

    Attributes:
        ids: (T,) int32, prompt and answer.
        answer: Place of the answer's first token; those before it are the prompt.
        final: (F,) places of the tokens that first spell the answer's last line, when that is
            short: an id or a letter. A model that gets all of them right has answered right.
        kind: Of the conversation.
    """

    ids: NDArray[np.int32]
    answer: int
    final: NDArray[np.int32]
    kind: str = ""

    def __len__(self) -> int:
        return len(self.ids)


def read_chat_corpus(
    path: Path, replay: int = 0, repeat: Mapping[str, int] | None = None
) -> ChatCorpus:
    """Read a JSONL file of ``ChatRow``, or a folder with ``train.jsonl`` of them.

    A folder's ``validation.jsonl`` is read too, if there is one.

    Args:
        path: The file or folder.
        replay: How often to repeat each of the base's own answers, which the folder (the file's,
            else) holds as ``replay.jsonl``.
        repeat: How often to have rows, by what their kind begins with; 0 for never.

    Raises:
        InputError: A file is missing or empty, a line is no such row, no row is of a kind to
            repeat, or none is left; the message names it.
    """
    files = [path / TRAIN_FILE, path / VALIDATION_FILE] if path.is_dir() else [path]
    if path.is_dir() and not files[0].is_file():
        raise InputError(f"{path}: holds no {TRAIN_FILE}; `cybersecqwen corpus build` makes one")
    train = [row for _, row in read_chat_rows(files[0])]
    if not train:
        raise InputError(f"{files[0]}: no rows to train on")
    found = [file for file in files if file.is_file()]
    validation = [row for _, row in read_chat_rows(files[1])] if len(found) > 1 else []
    for kind, times in (repeat or {}).items():
        of_kind = [row for row in train if row.kind.startswith(kind)]
        if not of_kind:
            raise InputError(f"{files[0]}: no rows of the kind {kind!r}, which `repeat` names")
        if times == 0:
            train = [row for row in train if not row.kind.startswith(kind)]
        train += of_kind * (times - 1)
    if not train:
        raise InputError(f"{files[0]}: `repeat` leaves out every row")
    if replay:
        kept = (path if path.is_dir() else path.parent) / REPLAY_FILE
        if not kept.is_file():
            raise InputError(
                f"{kept}: not there, and the recipe repeats the base's own answers: write them "
                "with `corpus replay`, or set `replay: 0` in the recipe"
            )
        train += [row for _, row in read_chat_rows(kept)] * replay
        found.append(kept)
    return ChatCorpus(train, validation, {file.name: sha256_file(file) for file in found})


def encode_examples(tokenizer: Any, examples: Sequence[ChatRow]) -> list[Encoded]:
    """Tokenise conversations as inference will meet them: the prompt by itself, then the answer.

    Raises:
        ModelError: The base has no chat template, or one that changes a prompt once it is answered.
    """
    if tokenizer.chat_template is None:
        raise ModelError(
            f"{tokenizer.name_or_path}: no chat template; take an instruction-tuned base, which "
            "brings one"
        )
    parts = [_render(tokenizer, example) for example in examples]
    prompts = _tokenise(tokenizer, [prompt for prompt, _ in parts])
    answers = _tokenise(tokenizer, [answer for _, answer in parts])
    encoded = []
    for example, prompt, answer in zip(examples, prompts, answers, strict=True):
        ids = np.array(prompt["ids"] + answer["ids"], dtype=np.int32)
        start = len(prompt["ids"])
        final = _final(example.response, answer["offsets"]) + start
        encoded.append(Encoded(ids, start, final, example.kind))
    return encoded


def _render(tokenizer: Any, example: ChatRow) -> tuple[str, str]:
    """Return the text before the answer, and the answer with what ends its turn."""
    said = escape_special_tokens(
        [Message("user", example.prompt), Message("assistant", example.response)]
    )
    turns = [{"role": turn.role, "content": turn.content} for turn in said]
    prompt = tokenizer.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(turns, tokenize=False)
    if not whole.startswith(prompt):
        raise ModelError(
            f"{tokenizer.name_or_path}: its chat template writes a prompt in another way once the "
            "answer is there, so that the answer cannot be told from it"
        )
    return prompt, whole[len(prompt) :]


def _tokenise(tokenizer: Any, texts: list[str]) -> list[dict[str, Any]]:
    if not texts:
        return []
    found = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    return [
        {"ids": ids, "offsets": offsets}
        for ids, offsets in zip(found["input_ids"], found["offset_mapping"], strict=True)
    ]


def _final(response: str, offsets: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
    """Return which of the answer's tokens first spell its last line, if that is short."""
    lines = response.strip().splitlines()
    last = lines[-1].strip()
    if len(last) > _LONGEST_FINAL_ANSWER:
        return np.zeros(0, np.int32)
    start = response.find(last)
    end = start + len(last)
    places = [n for n, (a, b) in enumerate(offsets) if a < end and b > start]
    return np.array(places, dtype=np.int32)
