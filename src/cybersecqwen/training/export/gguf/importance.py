"""How much each column of a model's matrices matters, measured on training text.

The importance matrix of llama.cpp: the mean square of what flows into each column. A quantiser that
knows it puts its error where little flows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.jsonl import read_rows
from cybersecqwen.core.model_files import NO_CODE, check_stated_files
from cybersecqwen.core.rows import TrainingLine

_TOKENS = 512  # of one piece of text
_PIECES = 128  # as many as change nothing any more


def read_texts(path: Path) -> list[str]:
    """Read training text: JSONL of prompts and responses or of texts, else plain text.

    Raises:
        InputError: It is missing or empty, or a line has no text.
    """
    if path.suffix == ".jsonl":
        rows = read_rows(path, TrainingLine, "no training row")
        texts = [row.text or f"{row.prompt}\n{row.response}" for _, row in rows]
    else:
        try:
            whole = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot read the text: {error}") from error
        texts = [part for part in whole.split("\n\n") if part.strip()]
    if not any(text.strip() for text in texts):
        raise InputError(f"{path}: no text")
    return texts


def measure(folder: Path, texts: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """Return the mean square of each matrix's inputs, (columns,) by its Hugging Face name.

    Args:
        folder: The model.
        texts: As many as fill 128 pieces of 512 tokens are used, from the first on.

    Raises:
        ModelError: A file of the model is not the one that its folder states.
    """
    check_stated_files(folder)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # Many processors compute in bfloat16 much slower than in float32.
    dtype = "auto" if device == "cuda" else torch.float32
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **NO_CODE)
    tokenizer = AutoTokenizer.from_pretrained(folder, **NO_CODE)
    model.to(device).eval()
    sums: dict[str, Any] = {}
    seen: dict[str, int] = {}
    watched = [
        module.register_forward_pre_hook(_adder(name, sums, seen))
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    ]
    with torch.inference_mode():
        for piece in _pieces(tokenizer, texts):
            model(torch.tensor([piece], device=device), use_cache=False)
    for handle in watched:
        handle.remove()
    return {name: (total / seen[name]).float().cpu().numpy() for name, total in sums.items()}


def _adder(name: str, sums: dict[str, Any], seen: dict[str, int]) -> Callable[[Any, Any], None]:
    def add(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        flow = inputs[0].reshape(-1, inputs[0].shape[-1]).double()  # (tokens, columns)
        sums[name] = sums.get(name, 0) + flow.square().sum(0)
        seen[name] = seen.get(name, 0) + len(flow)

    return add


def _pieces(tokenizer: Any, texts: Iterable[str]) -> Iterable[list[int]]:
    waiting: list[int] = []
    given = 0
    for text in texts:
        waiting += tokenizer(f"{text}\n\n", add_special_tokens=False)["input_ids"]
        while len(waiting) >= _TOKENS:
            yield waiting[:_TOKENS]
            waiting = waiting[_TOKENS:]
            given += 1
            if given == _PIECES:
                return
    if waiting:
        yield waiting
