from __future__ import annotations

import json
from pathlib import Path

import pytest

from cybersecqwen.core.config import load_recipe
from cybersecqwen.core.errors import InputError
from cybersecqwen.corpus.cleaning.check import check_corpus
from cybersecqwen.corpus.records.build import build_records
from cybersecqwen.corpus.records.recipe import CorpusRecipe
from small_corpus import BENCHMARK_TEXT, TEXTS, write_small


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_small(tmp_path / "data")
    return tmp_path / "data"


def _write(path: Path, *rows: dict) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_built_corpus_is_clean_and_one_more_row_is_seen(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build_records(load_recipe(data / "small.yaml", CorpusRecipe), data, out)
    report = check_corpus(out, [data / "bench.tsv"])
    assert (report.clean, report.rows, report.overlapping_rows) == (True, 6, 0)
    with (out / "unlabelled.jsonl").open("a") as stream:
        stream.write(json.dumps({"id": "CVE-2023-9999", "text": "other words"}) + "\n")
    report = check_corpus(out, [data / "bench.tsv"])
    assert (report.clean, report.overlapping_rows) == (False, 1)
    assert [(o.measure, o.items, o.rows) for o in report.overlaps if o.rows] == [("id", 1, 1)]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": f"Map it. CVE Description: {BENCHMARK_TEXT}", "response": "CWE-208"},
        {"prompt": "Tell me of it", "response": f"It says: {BENCHMARK_TEXT}"},
        {
            "messages": [
                {"role": "system", "content": "You map."},
                {"role": "user", "content": BENCHMARK_TEXT},
                {"role": "assistant", "content": "CWE-208"},
            ]
        },
        {"cve": "CVE-2020-0001", "description": BENCHMARK_TEXT},
        {"prompt": "What is it?", "response": "A bug.", "source": "CVE-2023-9999"},
    ],
)
def test_conversations_and_other_rows_are_read_too(data: Path, tmp_path: Path, row: dict) -> None:
    clean = {"prompt": f"CVE Description: {TEXTS['race']}", "response": "CWE-416"}
    path = _write(tmp_path / "chat.jsonl", clean, row)
    report = check_corpus(path, [data / "bench.tsv"])
    assert (report.clean, report.rows, report.overlapping_rows) == (False, 2, 1)
    examples = [row for overlap in report.overlaps for row, _ in overlap.examples]
    assert examples[0] in {"chat.jsonl:2", "CVE-2020-0001", "CVE-2023-9999"}


def test_duplicates_are_counted_by_text_and_with_their_answer(data: Path, tmp_path: Path) -> None:
    ask = "CVE Description: A bug in the parser."
    path = _write(
        tmp_path / "chat.jsonl",
        {"prompt": ask, "response": "CWE-20"},
        {"prompt": ask.replace("A bug", "a  BUG"), "response": "CWE-20"},
        {"prompt": ask, "response": "CWE-119"},
    )
    report = check_corpus(path, [data / "bench.tsv"])
    assert (report.duplicate_texts, report.duplicate_rows, report.clean) == (2, 1, True)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "no rows"),
        ('{"id": "CVE-2020-0001", "text": "x"}\nnot json\n', "f.jsonl:2"),
        ('{"id": "CVE-2020-0001"}\n', "f.jsonl:1.*no text"),
    ],
)
def test_what_cannot_be_checked_is_an_error_not_a_pass(
    data: Path, tmp_path: Path, content: str, named: str
) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match=named):
        check_corpus(path, [data / "bench.tsv"])


def test_a_folder_without_a_corpus_is_an_error(data: Path) -> None:
    with pytest.raises(InputError, match=r"train\.jsonl"):
        check_corpus(data, [data / "bench.tsv"])


@pytest.mark.data
def test_the_reference_training_rows_against_cti_rcm(data_dir: Path) -> None:
    report = check_corpus(
        data_dir / "reference" / "rcm_2021_train.jsonl", [data_dir / "cti-bench" / "cti-rcm.tsv"]
    )
    items = {overlap.measure: overlap.items for overlap in report.overlaps}
    assert report.rows == 6776
    assert items["text"] == 1
    assert items["ngram"] == 77
    assert (report.duplicate_texts, report.duplicate_rows) == (288, 251)
    assert not report.clean


_CYRILLIC = str.maketrans("aceopx", "асеорх")


@pytest.mark.parametrize(
    "text",
    [
        BENCHMARK_TEXT.upper(),
        BENCHMARK_TEXT.translate(_CYRILLIC),
        " ".join(f"<b>{word}</b>" for word in BENCHMARK_TEXT.split()),
        BENCHMARK_TEXT.replace("e", "é").replace("a", "a\u200b"),
        "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in BENCHMARK_TEXT),
    ],
)
def test_an_item_in_other_letters_is_found(data: Path, tmp_path: Path, text: str) -> None:
    row = {"prompt": text, "response": "CWE-208", "kind": "map"}
    assert not check_corpus(_write(tmp_path / "chat.jsonl", row), [data / "bench.tsv"]).clean


def test_a_question_is_found_in_other_words_and_among_long_options(tmp_path: Path) -> None:
    question = "Which mitigation limits how often an account may fail to authenticate in a row?"
    (tmp_path / "mcq.tsv").write_text(f"Question\tOption A\tGT\n{question}\tLockout\tA\n")
    asked = "Which mitigation limits how often an account may fail in a row to authenticate?"
    options = "\n".join(f"{letter}) {'some other words of an option ' * 9}" for letter in "ABCD")
    other = "Which data source shows that a scheduled task was made by a service?"
    for stem, clean in ((asked, False), (other, True)):
        row = {"prompt": f"Choose.\n\n{stem}\n\n{options}", "response": "A", "kind": "quiz"}
        found = check_corpus(_write(tmp_path / "chat.jsonl", row), [tmp_path / "mcq.tsv"])
        assert found.clean == clean


def test_what_a_base_answered_is_compared_too(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    _write(folder / "train.jsonl", {"prompt": "What is rain?", "response": "Water."})
    _write(folder / "replay.jsonl", {"prompt": "Tell me.", "response": BENCHMARK_TEXT})
    assert not check_corpus(folder, [data / "bench.tsv"]).clean
