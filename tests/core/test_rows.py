from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.jsonl import read_rows, write_rows
from cybersecqwen.core.rows import (
    ChatRow,
    CorpusRow,
    QuizRow,
    labels_of,
    read_chat_rows,
    read_corpus_rows,
    read_quiz_rows,
)

ROW = CorpusRow("CVE-2024-1", "text", "2024-05-06", labels_of(cna=("CWE-79",)), True)
QUESTION = QuizRow("q", "kind", "plain", 2, "?", ("a", "b"), 1, "CWE-1", "CWE-1#x", "e", "cwe", "4")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [ROW])
    write_rows(tmp_path / "quiz.jsonl", [QUESTION])
    write_rows(tmp_path / "chat.jsonl", [ChatRow("p", "r", "s", "k")])
    assert list(read_corpus_rows(tmp_path / "rows.jsonl")) == [(1, ROW)]
    assert list(read_quiz_rows(tmp_path / "quiz.jsonl")) == [(1, QUESTION)]
    assert list(read_chat_rows(tmp_path / "chat.jsonl")) == [(1, ChatRow("p", "r", "s", "k"))]


def test_keys_of_version_0_1_are_still_read(tmp_path: Path) -> None:
    corpus, quiz = tmp_path / "rows.jsonl", tmp_path / "quiz.jsonl"
    corpus.write_text('{"id": "CVE-2024-1", "text": "x", "familiar": true}\n')
    quiz.write_text(
        '{"id": "q", "question": "?", "choices": ["a", "b"], "answer": 0, "thinned": 2}'
    )
    assert [row.near_train_duplicate for _, row in read_corpus_rows(corpus)] == [True]
    assert [row.paraphrase_level for _, row in read_quiz_rows(quiz)] == [2]


def test_labels_of_any_labeller_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"id": "1", "text": "x", "labels": {"ours": ["CWE-79"]}}\n')
    ((_, row),) = read_corpus_rows(path)
    assert (row.ids("ours"), row.ids("nvd"), row.labelled) == (("CWE-79",), (), True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "q", "question": "?", "choices": ["a", "b"], "answer": 2}', "none of 2 to 10"),
        ('{"id": "q", "question": "?", "choices": ["a"], "answer": 0}', "none of 2 to 10"),
        ('{"question": "?"}', "no question of a quiz"),
    ],
)
def test_no_question_is_named_by_its_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "quiz.jsonl"
    good = '{"id": "first", "question": "?", "choices": ["a", "b"], "answer": 0}'
    path.write_text(f"{good}\n\n{line}\n")
    with pytest.raises(InputError, match=f"quiz.jsonl:3.*{message}"):
        list(read_quiz_rows(path))


def test_an_id_that_comes_twice_is_named(tmp_path: Path) -> None:
    path = tmp_path / "quiz.jsonl"
    path.write_text('{"id": "q", "question": "?", "choices": ["a", "b"], "answer": 0}\n' * 2)
    with pytest.raises(InputError, match=r"quiz\.jsonl:2: q: the id is that of line 1"):
        list(read_quiz_rows(path))


def test_a_damaged_or_empty_line_of_a_corpus_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"id": "CVE-2024-1", "text": "x"}\n{"id": 7}\n')
    with pytest.raises(InputError, match=r"train\.jsonl:2: not a corpus row"):
        list(read_corpus_rows(path))
    path.write_text('{"prompt": "p", "response": " "}\n')
    with pytest.raises(InputError, match=r"train\.jsonl:1: an empty prompt"):
        list(read_chat_rows(path))
    path.write_bytes(b'{"id": "\xff"}\n')
    with pytest.raises(InputError, match=r"train\.jsonl:1: a row"):
        list(read_rows(path, dict, "a row"))
