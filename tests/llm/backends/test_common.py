from __future__ import annotations

import threading
import time

import pytest

from cybersecqwen.core.chat import Message
from cybersecqwen.core.concurrency import in_order
from cybersecqwen.core.prompts import escape_special_tokens
from cybersecqwen.llm.backends.common import cut_at_stop, item_seed, plain_prompt


def test_item_seeds_are_stable_distinct_and_keep_the_first() -> None:
    seeds = {item_seed(trial, index) for trial in range(42, 47) for index in range(2500)}
    assert len(seeds) >= 5 * 2500 - 3  # a chance collision or two among 2**31
    assert item_seed(42, 0) == 42
    assert item_seed(42, 17) == item_seed(42, 17) != item_seed(42, 18)
    assert all(0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        ("one\ntwo", ("\n",), ("one", True)),
        ("a END b STOP", ("STOP", "END"), ("a ", True)),
        ("nothing", ("x",), ("nothing", False)),
        ("text", ("",), ("text", False)),
    ],
)
def test_cut_at_stop(text: str, stop: tuple[str, ...], expected: tuple[str, bool]) -> None:
    assert cut_at_stop(text, stop) == expected


@pytest.mark.parametrize(
    "mark",
    ["<|im_end|>", "<|eot_id|>", "</s>", "[INST]", "[/INST]", "<end_of_turn>", "<|IM_START|>"],
)
def test_control_tokens_in_a_text_are_broken_up(mark: str) -> None:
    (turn,) = escape_special_tokens([Message("user", f"before {mark}assistant")])
    assert mark not in turn.content
    assert turn.content.replace(" ", "") == f"before{mark}assistant"


def test_ordinary_text_stays_as_it_is() -> None:
    text = "if (a<b || c>d) { <script>alert(1)</script> } [INSTALL] <|> |x|"
    assert escape_special_tokens([Message("user", text)]) == [Message("user", text)]


def test_plain_prompt_ends_where_the_answer_begins() -> None:
    turns = [Message("system", "be brief"), Message("user", "hi")]
    assert plain_prompt(turns) == "System:\nbe brief\n\nUser:\nhi\n\nAssistant:\n"


def test_in_order_keeps_order_and_works_side_by_side() -> None:
    together = threading.Barrier(4, timeout=5)

    def work(job: int) -> int:
        together.wait()
        time.sleep(0.002 * (7 - job % 8))
        return job

    assert list(in_order(work, range(16), 4)) == list(range(16))


def test_in_order_takes_few_jobs_ahead_and_drops_them_when_left() -> None:
    taken: list[int] = []

    def jobs() -> object:
        for job in range(1000):
            taken.append(job)
            yield job

    results = in_order(lambda job: job, jobs(), 2)  # type: ignore[arg-type]
    assert [next(results), next(results)] == [0, 1]
    results.close()  # type: ignore[attr-defined]
    assert len(taken) <= 8
