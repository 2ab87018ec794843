"""Small made-up benchmarks and systems for the evaluation's tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.records import Candidate, CwePrediction, Labeller
from cybersecqwen.evaluation.log import Header, LogRow, RunLog, write_log

GOLDS = ("CWE-79", "CWE-89", "CWE-787", "CWE-79")


class FakeSpecialist:
    """Says CWE-79, surer of some texts than of others."""

    name = "fake 1.0"
    digest = "d1"
    window = 1024

    def map_many(
        self, texts: Iterable[str], *, labeller: Labeller = "nvd", top_k: int = 5
    ) -> Iterator[CwePrediction]:
        for text in texts:
            sure = 0.9 if "script" in text else 0.6
            rest = (Candidate("CWE-89", (1 - sure) * 0.75), Candidate("CWE-20", (1 - sure) * 0.25))
            yield CwePrediction(
                "CWE-79", sure, (Candidate("CWE-79", sure), *rest)[:top_k], abstained=False
            )


class FakeBackend:
    """Answers with the last word of the question and the place it was asked at."""

    name = "fake:model"
    capabilities = frozenset({"generate", "score"})

    def __init__(self, fail_at: int | None = None, batch_size: int = 1) -> None:
        self.batch_size = batch_size
        self.fail_at = fail_at
        self.calls: list[tuple[int, int]] = []

    def generate(
        self, conversations: Iterable[Sequence[Message]], sampling: Sampling
    ) -> Iterator[Generation]:
        self.calls.append((sampling.seed, sampling.first_index))
        for place, conversation in enumerate(conversations, sampling.first_index):
            if place == self.fail_at:
                self.fail_at = None
                raise KeyboardInterrupt
            word = conversation[-1].content.split()[-1]
            yield Generation(f"{sampling.seed}/{place}: {word}", "stop", 0.25, new_tokens=3)

    def score(
        self,
        conversation: Sequence[Message],
        continuations: Sequence[str],
        *,
        whole: bool = False,
        offsets: Sequence[float] = (),
        within: float = math.inf,
    ) -> tuple[float, ...]:
        return tuple(-float(len(text) + place) for place, text in enumerate(continuations))


@pytest.fixture
def specialist() -> FakeSpecialist:
    return FakeSpecialist()


@pytest.fixture
def make_backend() -> Callable[..., FakeBackend]:
    return FakeBackend


@pytest.fixture
def rcm_file(tmp_path: Path) -> Path:
    """Four questions, two of which expect CWE-79; texts end with the expected id."""
    rows = [
        f"https://nvd/CVE-2024-{n}\tA {word} flaw {n} of {gold}\tMap it: {gold}\t{gold}"
        for n, (gold, word) in enumerate(
            zip(GOLDS, ("script", "query", "write", "script"), strict=True)
        )
    ]
    file = tmp_path / "rcm.tsv"
    file.write_text("URL\tDescription\tPrompt\tGT\n" + "\n".join(rows))
    return file


@pytest.fixture
def make_log(tmp_path: Path) -> Callable[..., RunLog]:
    """Write and return a log from one trial's readings, and those of further trials."""

    def make(
        readings: Sequence[str | None],
        golds: Sequence[str],
        *further: Sequence[str | None],
        task: str = "cti-rcm",
        model: str = "model",
        sources: Sequence[str] = (),
        confidence: Sequence[float] = (),
        open_book: bool = False,
    ) -> RunLog:
        trials = [readings, *further]
        rows = [
            LogRow(
                id=f"item-{place}",
                trial=trial,
                seed=42 + trial,
                output=said or "unreadable text",
                reading=said,
                gold=gold,
                source=sources[place] if sources else "",
                confidence=confidence[place] if confidence else None,
            )
            for trial, column in enumerate(trials)
            for place, (said, gold) in enumerate(zip(column, golds, strict=True))
        ]
        header = Header(
            task=task,
            protocol="ref",
            protocol_sha256="p",
            model=model,
            seeds=list(range(42, 42 + len(trials))),
            items=len(golds),
            open_book=open_book,
        )
        path = tmp_path / f"{model}-{task}.jsonl"
        write_log(path, header, rows)
        return RunLog(path, header, rows)

    return make
