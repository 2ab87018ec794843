"""A base's own answers to neutral prompts, to be learnt beside a corpus: nothing is forgotten."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.jsonl import write_rows
from cybersecqwen.core.rows import ChatRow
from cybersecqwen.corpus.chat.neutral_prompts import neutral_prompts
from cybersecqwen.corpus.journal import Journal, JournalLine

KIND = "replay"


def write_replay(
    base: Backend, out: Path, *, prompts: int = 1000, max_tokens: int = 140, seed: int = 42
) -> int:
    """Write the answers of a base to neutral prompts as rows to train on; return how many.

    Answers are greedy. Those that are cut off or empty are left out. What a killed call has
    written is not asked for again.

    Args:
        base: The model before it is fine-tuned.
        out: JSONL file to appear.
        prompts: How many to put; fewer where the forms give no more.
        max_tokens: Tokens of an answer at most.
        seed: Of the prompts.

    Raises:
        ModelError: The base cannot write.
    """
    journal = Journal(out.with_name(f".{out.name}.answered.jsonl"))
    drawn = neutral_prompts(prompts, seed)
    asked = {_key(base.name, prompt, max_tokens): prompt for prompt in drawn}
    missing = [key for key in asked if journal.get(key) is None]
    answers = base.generate(
        ((Message("user", asked[key]),) for key in missing), Sampling(max_tokens=max_tokens)
    )
    for key, answer in zip(missing, answers, strict=True):
        journal.add(JournalLine(key, answer.text, answer.finish))
    rows = []
    for key, prompt in asked.items():
        line = journal.get(key)
        if line is not None and line.finish == "stop" and line.text.strip():
            rows.append(ChatRow(prompt, line.text.strip(), kind=KIND))
    write_rows(out, rows)
    journal.remove()
    return len(rows)


def _key(name: str, prompt: str, max_tokens: int) -> str:
    whole = f"{name}\0{max_tokens}\0{prompt}"
    return hashlib.blake2b(whole.encode(), digest_size=16).hexdigest()
