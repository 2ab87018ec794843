"""A base's own answers to neutral prompts, to be learnt beside a corpus: nothing is forgotten."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.jsonl import write_rows
from cybersecqwen.core.rows import REPLAY_KIND, ChatRow
from cybersecqwen.corpus.chat.neutral_prompts import neutral_prompts
from cybersecqwen.corpus.journal import Journal, key_of


def write_replay(
    base: Backend, out: Path, *, prompts: int = 1000, max_tokens: int = 140, seed: int = 42
) -> int:
    """Write the answers of a base to neutral prompts as rows to train on; return how many.

    Answers are greedy. Those that are cut off or empty are left out. Each row's source is the
    base's SPEC. What a killed call has written is not asked for again.

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
    asked = {key_of(base.name, max_tokens, p): p for p in neutral_prompts(prompts, seed)}
    lines = journal.answers(
        base,
        {key: (Message("user", prompt),) for key, prompt in asked.items()},
        Sampling(max_tokens=max_tokens),
    )
    rows = [
        ChatRow(prompt, lines[key].text.strip(), source=base.name, kind=REPLAY_KIND)
        for key, prompt in asked.items()
        if lines[key].finish == "stop" and lines[key].text.strip()
    ]
    write_rows(out, rows)
    journal.remove()
    return len(rows)
