from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.rows import CorpusRow, labels_of
from cybersecqwen.corpus.cleaning.benchmarks import read_benchmark
from cybersecqwen.corpus.cleaning.decontaminate import BenchmarkFilter, decontaminate
from cybersecqwen.corpus.records.recipe import NearDuplicate
from small_corpus import BENCHMARK_TEXT, TEXTS

OTHER_ITEM = "Psi Mailer hands the sender's name to the shell of the host before any check"


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    path = tmp_path / "bench.tsv"
    path.write_text(
        "URL\tDescription\tPrompt\tGT\n"
        f"https://nvd.nist.gov/vuln/detail/CVE-2023-9999\t{BENCHMARK_TEXT}\tp\tCWE-208\n"
        f"https://nvd.nist.gov/vuln/detail/CVE-2023-9998\t{OTHER_ITEM}\tp\tCWE-78\n"
    )
    return path


def _row(cve: str, text: str) -> CorpusRow:
    return CorpusRow(cve, text, "", labels_of())


def test_each_measure_takes_out_its_rows_and_names_item_and_score(benchmark: Path) -> None:
    start = " ".join(BENCHMARK_TEXT.split()[:17])
    rows = [
        _row("CVE-2020-0001", TEXTS["race"]),
        _row("CVE-2023-9998", "The vendor's own words, not the benchmark's"),
        _row("CVE-2020-0002", f"Summary: {BENCHMARK_TEXT.upper()}!"),
        _row("CVE-2020-0003", f"{start} and much besides"),
        _row("CVE-2020-0004", TEXTS["path"]),
    ]
    done = decontaminate(rows, [benchmark], NearDuplicate())
    assert [row.id for row in done.result.kept] == ["CVE-2020-0001", "CVE-2020-0004"]
    assert [
        (
            r.id,
            [
                (m.measure, m.item, m.score)
                for m in r.matches
                if m.measure not in {"cosine", "words"}
            ],
        )
        for r in done.result.removed
    ] == [
        ("CVE-2023-9998", [("id", "CVE-2023-9998", 1.0)]),
        ("CVE-2020-0002", [("text", "CVE-2023-9999", 1.0), ("ngram", "CVE-2023-9999", 1.0)]),
        ("CVE-2020-0003", [("ngram", "CVE-2023-9999", round(10 / 19, 4))]),
    ]
    assert {r.stage for r in done.result.removed} == {"benchmark"}
    counts = {o.measure: (o.size, o.items, o.rows) for o in done.overlaps}
    assert (counts["id"], counts["text"], counts["ngram"]) == ((2, 1, 1), (2, 1, 1), (2, 1, 2))
    ngram = next(o for o in done.overlaps if o.measure == "ngram")
    assert [name for name, _ in ngram.examples] == ["CVE-2020-0002", "CVE-2020-0003"]


def test_reworded_copies_are_found_by_cosine(benchmark: Path) -> None:
    # One word in seven exchanged: no run of eight words is left.
    tokens = OTHER_ITEM.split()
    tokens[6], tokens[13:14] = "title", ["inspection"]
    done = decontaminate(
        [_row("CVE-2020-0001", " ".join(tokens))], [benchmark], NearDuplicate(cosine=0.6)
    )
    assert [m.measure for m in done.result.removed[0].matches] == ["cosine", "words"]
    assert 0.6 <= done.result.removed[0].matches[0].score < 0.9


def test_other_numbers_do_not_hide_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "bench.jsonl"
    path.write_text('{"id": 1, "text": "Foo 1.0 leaks keys"}\n')
    done = decontaminate([_row("CVE-2020-0001", "Foo 2.10.3 leaks keys")], [path], NearDuplicate())
    assert done.result.removed[0].matches[0].measure == "digits"
    assert done.result.removed[0].matches[0].item == "line 1"


def test_memory_does_not_hold_the_stream(benchmark: Path) -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield "", "", TEXTS["race"]

    matches = BenchmarkFilter([benchmark], NearDuplicate()).find(endless())
    assert next(matches) == ()
    assert taken < 10_000


def test_no_benchmarks_means_nothing_to_take_out() -> None:
    rows = [_row("CVE-2020-0001", TEXTS["race"])]
    assert decontaminate(rows, [], NearDuplicate()).result.kept == rows


def test_every_text_column_counts_and_prompts_only_without_one(tmp_path: Path) -> None:
    both = tmp_path / "both.csv"
    both.write_text("id,Description,Text,Prompt\nx,first,second,third\n")
    assert read_benchmark(both).texts == ["first", "second"]
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"prompt": "Map this. CVE Description: the bug", "answer": "A"}\n\n')
    assert read_benchmark(prompts).texts == ["the bug"]
    assert read_benchmark(prompts).ids == ["line 1"]


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("b.tsv", b"URL\tDescription\n", "no items"),
        ("b.tsv", b"URL\tGT\nu\tA\n", "b.tsv:2: no text"),
        ("b.jsonl", b"[1]\n", "b.jsonl:1: not a JSON object"),
        ("b.jsonl", b"{\n", "cannot read"),
        ("b.tsv", b"URL\tDescription\n\xff\xfe\t\n", "cannot read"),
    ],
)
def test_an_unusable_benchmark_is_named(
    tmp_path: Path, name: str, content: bytes, named: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=named):
        read_benchmark(path)


def test_a_missing_benchmark_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.tsv"):
        read_benchmark(tmp_path / "none.tsv")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Which CWE is CVE-2023-9998?", True),
        ("Map the record below to a CWE.\ncve-2023-9998\nAnswer with the id alone.", True),
        ("What is the weakness?\nID: CVE-2023-9998, published in 2023\nCWE-78", True),
        ("You are an analyst who maps records. Name the weakness of CVE-2023-9998 now.", True),
        ("The race is lost, a different vulnerability than CVE-2023-9998.", False),
        ("NOTE: this exists because of an incomplete fix for CVE-2023-9998.", False),
        ("Which CWE is CVE-2023-9997?", False),
    ],
)
def test_an_id_alone_is_an_item_too(benchmark: Path, text: str, found: bool) -> None:
    check = BenchmarkFilter([benchmark], NearDuplicate())
    (matches,) = check.find([("row", "", text)])
    assert [(match.measure, match.item) for match in matches] == (
        [("id", "CVE-2023-9998")] if found else []
    )
