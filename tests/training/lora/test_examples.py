from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytestmark = pytest.mark.torch

from cybersecqwen.core.errors import InputError, ModelError  # noqa: E402
from cybersecqwen.core.rows import ChatRow  # noqa: E402
from cybersecqwen.training.lora.examples import encode_examples, read_chat_corpus  # noqa: E402
from cybersecqwen.training.lora.model import find_base  # noqa: E402
from tiny_chat import chat_rows, write_rows  # noqa: E402


def test_a_folder_brings_validation_and_a_file_does_not(chat_corpus: Path) -> None:
    folder = read_chat_corpus(chat_corpus)
    assert (len(folder.train), len(folder.validation)) == (48, 16)
    assert set(folder.hashes) == {"train.jsonl", "validation.jsonl"}
    alone = read_chat_corpus(chat_corpus / "train.jsonl")
    assert alone.train == folder.train
    assert not alone.validation


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"prompt": "a"}\n', ":1: no prompt and response"),
        ('{"prompt": "a", "response": "b"}\nnot json\n', ":2: no prompt and response"),
        ('{"prompt": "a", "response": "  "}\n', ":1: an empty prompt or response"),
        ("", "no rows to train on"),
    ],
)
def test_a_line_that_is_no_example_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=reason):
        read_chat_corpus(path)


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.jsonl"):
        read_chat_corpus(tmp_path / "nothing.jsonl")


def test_the_bases_own_answers_come_as_often_as_the_recipe_says(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.jsonl", chat_rows(4, 1))
    with pytest.raises(InputError, match="`corpus replay`"):
        read_chat_corpus(tmp_path, replay=3)
    write_rows(tmp_path / "replay.jsonl", [{"prompt": "What is 2 + 2?", "response": "4"}])
    assert len(read_chat_corpus(tmp_path).train) == 4
    found = read_chat_corpus(tmp_path, replay=3)
    assert [row.response for row in found.train[4:]] == ["4", "4", "4"]
    assert set(found.hashes) == {"train.jsonl", "replay.jsonl"}
    alone = read_chat_corpus(tmp_path / "train.jsonl", replay=2)
    assert len(alone.train) == 6


def test_rows_of_a_kind_are_repeated_as_the_recipe_says(tmp_path: Path) -> None:
    kinds = ("map", "map-id", "quiz")
    rows = [row | {"kind": kind} for row, kind in zip(chat_rows(3, 1), kinds, strict=True)]
    write_rows(tmp_path / "train.jsonl", rows)
    found = read_chat_corpus(tmp_path, repeat={"map": 3}).train
    assert sorted(row.kind for row in found) == ["map"] * 3 + ["map-id"] * 3 + ["quiz"]
    kept = read_chat_corpus(tmp_path, repeat={"map": 0}).train
    assert [row.kind for row in kept] == ["quiz"]
    with pytest.raises(InputError, match="leaves out every row"):
        read_chat_corpus(tmp_path, repeat={"map": 0, "quiz": 0})
    with pytest.raises(InputError, match="'mapping', which `repeat` names"):
        read_chat_corpus(tmp_path, repeat={"mapping": 2})


def test_the_answer_begins_where_inference_begins_to_write(chat_base: Path) -> None:
    tokenizer = find_base(str(chat_base)).tokenizer
    row = ChatRow(**chat_rows(1, 5)[0])
    (encoded,) = encode_examples(tokenizer, [row])
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": row.prompt}], tokenize=False, add_generation_prompt=True
    )
    before, after = encoded.ids[: encoded.answer], encoded.ids[encoded.answer :]
    assert before.tolist() == tokenizer(prompt, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(after) == f"{row.response}<|im_end|>\n"


def test_the_final_answer_is_where_it_is_first_given_away(chat_base: Path) -> None:
    tokenizer = find_base(str(chat_base)).tokenizer
    said = "It maps to CWE-79, I think.\n\nCWE-79"
    (encoded,) = encode_examples(tokenizer, [ChatRow("p", said, "", "")])
    assert tokenizer.decode(encoded.ids[encoded.final]).strip(" ,") == "CWE-79"
    assert encoded.final.max() < len(encoded) - 8
    (prose,) = encode_examples(tokenizer, [ChatRow("p", "long " * 20, "", "")])
    assert not len(prose.final)


def test_a_text_cannot_end_its_own_turn(chat_base: Path) -> None:
    tokenizer = find_base(str(chat_base)).tokenizer
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    (encoded,) = encode_examples(tokenizer, [ChatRow("a <|im_end|> b", "c", "", "")])
    assert encoded.ids.tolist().count(end) == 2


def test_a_base_without_a_template_is_refused(chat_base: Path) -> None:
    tokenizer = find_base(str(chat_base)).tokenizer
    tokenizer.chat_template = None
    with pytest.raises(ModelError, match="instruction-tuned"):
        encode_examples(tokenizer, [ChatRow("a", "b", "", "")])


def test_a_template_that_rewrites_the_prompt_is_refused(chat_base: Path) -> None:
    tokenizer = find_base(str(chat_base)).tokenizer
    tokenizer.chat_template = (
        "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    with pytest.raises(ModelError, match="another way"):
        encode_examples(tokenizer, [ChatRow("a", "b", "", "")])


def test_rows_of_a_corpus_that_carry_more_are_read(tmp_path: Path) -> None:
    rows = [row | {"extra": "1"} for row in chat_rows(2, 1)]
    assert len(read_chat_corpus(write_rows(tmp_path / "rows.jsonl", rows)).train) == 2
