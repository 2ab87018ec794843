"""A base's own answers to neutral prompts, as rows to train on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.rows import read_chat_rows
from cybersecqwen.corpus.chat.replay import write_replay


class EchoBackend:
    """Says the prompt back; is cut off at every third; stops the process at the fourth, if told."""

    capabilities = frozenset({"generate"})
    name = "echo"

    def __init__(self, dies_after: int | None = None) -> None:
        self.asked = 0
        self._dies_after = dies_after

    def generate(
        self, conversations: Iterable[Sequence[Message]], sampling: Sampling
    ) -> Iterator[Generation]:
        assert sampling.temperature == 0
        for (turn,) in conversations:
            if self.asked == self._dies_after:
                raise KeyboardInterrupt
            self.asked += 1
            cut = turn.content.startswith("Write")
            yield Generation(f"You said: {turn.content}", "length" if cut else "stop", seconds=0.0)


def test_whole_answers_become_rows(tmp_path: Path) -> None:
    out = tmp_path / "replay.jsonl"
    count = write_replay(EchoBackend(), out, prompts=60)
    rows = [row for _, row in read_chat_rows(out)]
    assert 10 < len(rows) == count < 60
    assert all(row.response == f"You said: {row.prompt}" and row.kind == "replay" for row in rows)
    assert not any(row.prompt.startswith("Write") for row in rows)


def test_a_killed_call_goes_on_where_it_was(tmp_path: Path) -> None:
    out = tmp_path / "replay.jsonl"
    with pytest.raises(KeyboardInterrupt):
        write_replay(EchoBackend(dies_after=20), out, prompts=60)
    assert not out.exists()
    again = EchoBackend()
    write_replay(again, out, prompts=60)
    assert again.asked == 40
    write_replay(EchoBackend(), tmp_path / "whole.jsonl", prompts=60)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["replay.jsonl", "whole.jsonl"]
