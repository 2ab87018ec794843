from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("trl")
pytestmark = pytest.mark.torch

from cybersecqwen.training.lora.examples import Encoded  # noqa: E402
from cybersecqwen.training.lora.packing import (  # noqa: E402
    EpochBatches,
    TokenRow,
    collate,
    make_rows,
    micro_batches,
    unpack,
)
from cybersecqwen.training.recipes.lora import LoraRecipe, Packing, Schedule  # noqa: E402

FIT = Schedule(epochs=1, batch=4, learning_rate=1e-3)
LENGTHS = (9, 20, 5, 14, 30, 7, 11)


def examples(seed: int = 0) -> list[Encoded]:
    draw = np.random.default_rng(seed)
    return [
        Encoded(draw.integers(5, 300, size).astype(np.int32), size // 2, np.zeros(0, np.int32))
        for size in LENGTHS
    ]


def recipe(packing: Packing, **more: Any) -> LoraRecipe:
    return LoraRecipe(name="t", fit=FIT, max_tokens=32, packing=packing, **more)


def test_every_token_is_in_exactly_one_row() -> None:
    given = sorted(token for e in examples() for token in e.ids.tolist())
    for packing in ("none", "blocks", "wrapped"):
        made = make_rows(examples(), recipe(packing))
        assert sorted(t for row in made.rows for t in row.ids.tolist()) == given
        assert max(map(len, made.rows)) <= 32
    assert len(make_rows(examples(), recipe("blocks")).rows) == 4, "30; 20 + 11; 14 + 9 + 7; 5"
    assert len(make_rows(examples(), recipe("wrapped")).rows) == 3


def test_too_long_examples_are_counted_not_cut() -> None:
    short = LoraRecipe(name="t", fit=FIT, max_tokens=16)
    made = make_rows(examples(), short)
    assert (len(made.rows), made.too_long) == (5, 2)


def test_answers_alone_are_learnt_or_everything() -> None:
    answers = sum(len(e) - e.answer for e in examples())
    for packing in ("none", "blocks"):
        made = make_rows(examples(), recipe(packing))
        assert sum(row.learnt for row in made.rows) == answers
        whole = make_rows(examples(), recipe(packing, loss="all"))
        assert sum(row.learnt for row in whole.rows) == sum(LENGTHS) - len(LENGTHS)
    wrapped = make_rows(examples(), recipe("wrapped", loss="all"))
    assert sum(row.learnt for row in wrapped.rows) == sum(LENGTHS) - len(wrapped.rows)


def test_learnt_is_what_the_labels_say() -> None:
    for packing in ("none", "blocks", "wrapped"):
        for loss in ("answer", "all"):
            rows = make_rows(examples(), recipe(packing, loss=loss)).rows
            for flat in (False, True):
                laid = rows if flat else [example for row in rows for example in unpack(row)]
                labels = collate(laid, flat=flat)["labels"]
                assert int((labels[:, 1:] != -100).sum()) == sum(row.learnt for row in rows)


def test_tokens_of_final_answers_count_as_often_as_said() -> None:
    marked = [
        Encoded(example.ids, example.answer, np.array([len(example) - 2], np.int32))
        for example in examples()
    ]
    for packing in ("none", "blocks", "wrapped"):
        rows = make_rows(marked, recipe(packing)).rows
        for flat in (False, True):
            laid = rows if flat else [example for row in rows for example in unpack(row)]
            made = collate(laid, flat=flat, final_weight=3.0)
            counted = (made["weights"] * (made["labels"] != -100))[:, 1:]
            assert float(counted.sum()) == sum(row.weight(3.0) for row in rows)
        assert sum(row.weight(1.0) for row in rows) == sum(row.learnt for row in rows)
        assert sum(row.weight(3.0) for row in rows) > sum(row.learnt for row in rows)


def test_widths_come_to_a_multiple_by_padding_that_is_not_learnt() -> None:
    rows = make_rows(examples(), recipe("none")).rows[:3]  # 9, 20 and 5 tokens
    narrow, wide = collate(rows, flat=False), collate(rows, flat=False, width_multiple=16)
    assert (narrow["input_ids"].shape, wide["input_ids"].shape) == ((3, 20), (3, 32))
    assert torch.equal(wide["input_ids"][:, :20], narrow["input_ids"])
    assert (wide["labels"][:, 20:] == -100).all()
    assert (wide["labels"] != -100).sum() == (narrow["labels"] != -100).sum()


def test_an_epochs_order_depends_on_its_number_alone() -> None:
    epoch = 0
    batches = EpochBatches(10, 4, seed=1, epoch=lambda: epoch)
    assert len(batches) == 3
    first = list(batches)
    epoch = 1
    second = list(batches)
    assert first != second
    assert sorted(n for batch in second for n in batch) == list(range(10))
    assert list(EpochBatches(10, 4, seed=1, epoch=lambda: 1)) == second


def test_a_stage_comes_whole_before_the_next() -> None:
    stages = [1, 0, 1, 0, 0, 1]
    batches = EpochBatches(6, 2, seed=1, epoch=lambda: 0, stages=stages)
    order = [stages[n] for batch in batches for n in batch]
    assert order == [0, 0, 0, 1, 1, 1]


def test_stratified_steps_are_alike_and_have_every_row_once() -> None:
    lengths = np.random.default_rng(0).integers(5, 500, 1_000).tolist()
    epoch = 0
    batches = EpochBatches(1_000, 12, seed=1, epoch=lambda: epoch, lengths=lengths)
    first = list(batches)
    assert sorted(row for step in first for row in step) == list(range(1_000))
    assert {len(step) for step in first[:-1]} == {12}
    assert len(first) == len(batches)
    mixed = list(EpochBatches(1_000, 12, seed=1, epoch=lambda: 0))

    def spread(steps: list[list[int]]) -> float:
        return float(np.std([np.mean([lengths[row] for row in step]) for step in steps]))

    whole = len(first) // 16 * 16  # the last window is not whole, and is left as it came
    assert spread(first[:whole]) < spread(mixed[:whole]) / 2
    assert first[whole:] == mixed[whole:]
    assert list(batches) == first
    epoch = 1
    assert list(batches) != first


def test_a_stratified_step_has_pieces_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(5, 500, 2_048)
    (step, *_) = EpochBatches(2_048, 128, seed=1, epoch=lambda: 0, lengths=lengths.tolist())
    pieces = np.sort(lengths[step]).reshape(8, 16)
    assert (pieces.max(1) - pieces.min(1)).max() < 20
    assert pieces[0].max() < 70
    assert pieces[-1].min() > 430


def test_micro_batches_keep_to_the_memory() -> None:
    rows = make_rows(examples(), recipe("none")).rows
    parts = micro_batches(rows, 40)
    assert sum(map(len, parts)) == len(rows)
    assert all(len(part) == 1 or max(map(len, part)) * len(part) <= 40 for part in parts)
    assert micro_batches(rows, 1) == [[row] for row in sorted(rows, key=len, reverse=True)]


def test_of_all_cuts_the_cheapest_is_taken() -> None:
    rows = [
        TokenRow(np.zeros(size, np.int32), np.zeros(size, np.int32)) for size in (40, 9, 10, 38, 8)
    ]
    assert [[len(r) for r in p] for p in micro_batches(rows, 100, 5)] == [[40, 38], [10, 9, 8]]
    assert len(micro_batches(rows, 100, 0)) == 5, "nothing is padded where passes cost nothing"
    assert len(micro_batches(rows, 1000, 10_000)) == 1, "a pass dearer than any padding"
    assert micro_batches([], 100, 5) == []


@pytest.fixture(scope="module")
def model(chat_base: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(
        chat_base, dtype=torch.float32, attn_implementation="sdpa"
    ).eval()


def alone(model: Any, row: TokenRow) -> Any:
    with torch.no_grad():
        return model(torch.from_numpy(row.ids.astype(np.int64))[None]).logits[0]


def together(model: Any, rows: list[TokenRow], *, flat: bool = False) -> Any:
    batch = collate(rows, flat=flat)
    batch.pop("labels")
    with torch.no_grad():
        return model(**batch, use_cache=False).logits  # as the trainer calls it


def test_padded_rows_compute_what_each_computes_alone(model: Any) -> None:
    rows = make_rows(examples(), recipe("none")).rows
    logits = together(model, rows)
    assert torch.isfinite(logits).all()
    for place, row in enumerate(rows):
        assert torch.allclose(logits[place, : len(row)], alone(model, row), atol=1e-4)


def test_blocks_do_not_see_each_other(model: Any) -> None:
    rows = make_rows(examples(), recipe("blocks")).rows
    assert sorted(len(row.starts) for row in rows) == [1, 1, 2, 3]
    singles = [example for row in rows for example in unpack(row)]
    expected = torch.cat([alone(model, single) for single in singles])
    assert torch.allclose(together(model, rows, flat=True)[0], expected, atol=1e-4)
    padded = together(model, singles)
    for place, single in enumerate(singles):
        assert torch.allclose(padded[place, : len(single)], alone(model, single), atol=1e-4)


def test_a_row_taken_apart_is_the_examples_that_were_put_in() -> None:
    given = {e.ids.tobytes() for e in examples()}
    for row in make_rows(examples(), recipe("blocks")).rows:
        singles = unpack(row)
        assert {single.ids.tobytes() for single in singles} <= given
        assert sum(single.learnt for single in singles) == row.learnt
    (first, *_) = make_rows(examples(), recipe("none")).rows
    assert unpack(first) == [first], "with its final answer, which validation asks for"


def test_wrapped_rows_leak_as_the_reference_does(model: Any) -> None:
    (row,) = make_rows(examples()[:2], recipe("wrapped")).rows
    first = min(examples()[:2], key=lambda e: row.ids.tolist().index(int(e.ids[0])))
    later = row.ids[len(first) :]
    seen = together(model, [row])[0, len(first) :]
    assert not torch.allclose(seen, alone(model, TokenRow(later, later)), atol=1e-2)
