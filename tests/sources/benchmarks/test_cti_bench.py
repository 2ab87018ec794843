from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.sources.benchmarks import cti_bench

RCM = "URL\tDescription\tPrompt\tGT\n"
ROW = "https://x/{n}\tText {n}\tMap: Text {n}\tCWE-79\n"


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_rows_become_questions_named_by_their_place(tmp_path: Path) -> None:
    file = write(tmp_path / "rcm.tsv", RCM + ROW.format(n=0) + ROW.format(n=1))
    first, second = cti_bench.read_questions(file, "rcm")
    assert (first.id, second.id) == ("rcm-0000", "rcm-0001")
    assert (first.text, first.prompt, first.gold) == ("Text 0", "Map: Text 0", "CWE-79")
    assert first.source == "https://x/0"


def test_quotes_are_text_and_a_mark_of_order_and_carriage_returns_are_not(tmp_path: Path) -> None:
    row = 'u\t"quoted" text\tsay "it"\tcwe-0089\r\n'
    file = write(tmp_path / "rcm.tsv", b"\xef\xbb\xbf" + (RCM + row).encode())
    (question,) = cti_bench.read_questions(file, "rcm")
    assert question.text == '"quoted" text'
    assert question.gold == "CWE-89"


def test_multiple_choice_keeps_blank_options_and_mends_the_letters_case(tmp_path: Path) -> None:
    head = "URL\tQuestion\tOption A\tOption B\tOption C\tOption D\tPrompt\tGT\n"
    file = write(tmp_path / "mcq.tsv", head + "u\tq\ta\tb\tc\t\tp\tb\n")
    (question,) = cti_bench.read_questions(file, "mcq")
    assert question.choices == ("a", "b", "c", "")
    assert question.gold == "B"


def test_attribution_takes_its_answers_from_the_saved_responses(tmp_path: Path) -> None:
    file = write(tmp_path / "taa.tsv", "URL\tText\tPrompt\nu\tt\tp\n")
    gold = write(tmp_path / "cti-taa-responses.tsv", "GT\tModel\nAPT28  \tX\n")
    (question,) = cti_bench.read_questions(file, "taa", gold)
    assert question.gold == "APT28"
    write(gold, "GT\tModel\nAPT28\tX\nAPT29\tX\n")
    with pytest.raises(InputError, match="2 rows of answers for 1 questions"):
        cti_bench.read_questions(file, "taa", gold)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (RCM.encode(), "no row below"),
        (b"URL,Description,Prompt,GT\nu,d,p,CWE-79\n", "row 1 has no tab"),
        (b"URL\tDescription\tPrompt\nu\td\tp\n", "row 1: no column GT"),
        (b"URL\tURL\tDescription\tPrompt\tGT\n", "row 1: column URL occurs twice"),
        (RCM.encode() + b"u\td\tp\n", "row 2: 3 fields where 4 belong"),
        (RCM.encode() + b"u\td\tp\t \n", "row 2: column GT is empty"),
        (RCM.encode() + b"u\t\tp\tCWE-1\n", "row 2: column Description is empty"),
        (RCM.encode() + b"u\td\tp\tXSS\n", "row 2: column GT: 'XSS' is not a CWE id"),
        (RCM.encode() + b"u\td\tp\tCWE-1\nu\td\xe9\tp\tCWE-1\n", "row 3: byte 0xe9 is not UTF-8"),
    ],
)
def test_unusable_files_are_named_with_row_and_column(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = write(tmp_path / "cti-rcm.tsv", content)
    with pytest.raises(InputError, match=message) as caught:
        cti_bench.read_questions(file, "rcm")
    assert str(file) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.tsv"):
        cti_bench.read_questions(tmp_path / "nowhere.tsv", "rcm")


def test_saved_answers_are_told_apart_by_their_expected_answers(tmp_path: Path) -> None:
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    for gold, task in (("CWE-79", "rcm"), ("b", "mcq"), (vector, "vsp")):
        file = write(tmp_path / "saved.tsv", f"GT\tOne\tTwo\n{gold}\tx \tX\n")
        one, two = cti_bench.read_saved_answers(file)
        assert (one.task, one.model, two.model) == (task, "One", "Two")
        assert one.answers == ("x",)
    with pytest.raises(InputError, match="no known task"):
        cti_bench.read_saved_answers(write(tmp_path / "saved.tsv", "GT\tOne\nAPT28\tX\n"))
    with pytest.raises(InputError, match="needs the column GT"):
        cti_bench.read_saved_answers(write(tmp_path / "saved.tsv", "Gold\tOne\nA\tB\n"))


@pytest.mark.data
def test_the_real_files_have_the_rows_they_are_known_for(data_dir: Path) -> None:
    folder = data_dir / "cti-bench"
    counts = {"rcm": 1000, "mcq": 2500, "vsp": 1000, "ate": 60}
    for task, count in counts.items():
        questions = cti_bench.read_questions(folder / f"cti-{task}.tsv", task)
        assert len(questions) == count
        assert len({question.id for question in questions}) == count
    gold = folder / "responses" / "cti-taa-responses.tsv"
    assert len(cti_bench.read_questions(folder / "cti-taa.tsv", "taa", gold)) == 50
