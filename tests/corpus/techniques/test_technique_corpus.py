"""The technique corpus: what is held out, what is left out, what a teacher adds."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.mitre_files import attack_object, relation, write_bundle

from cybersecqwen.apps.corpus import build_technique_corpus
from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.technique_rows import TechniqueRow
from cybersecqwen.corpus.journal import Journal
from cybersecqwen.corpus.techniques import page_reports, teacher
from cybersecqwen.corpus.techniques.page_reports import pages_facts, written_reports

SOURCE_PAGE = "S9001"
PAGES = [f"S90{number:02}" for number in range(1, 30)]
DONE = {
    "T9100": "counts every lantern of the harbour",
    "T9200": "carries wax away at dawn",
    "T9300": "hides ropes below the old pier",
}
BENCHMARK_TEXT = "Glowworm counts every lantern of the harbour and then sleeps until the next moon."


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path, PAGES)


def write_data(folder: Path, pages: Sequence[str]) -> Path:
    objects = [attack_object("attack-pattern", name, f"Title {name}", "One.") for name in DONE]
    for page in pages:
        name = "Glowworm" if page == SOURCE_PAGE else f"Moth{page}"
        objects.append(attack_object("malware", page, name, f"{name} is a moth."))
        link = f"[{name}](https://attack.mitre.org/software/{page})"
        objects += [
            relation("uses", f"malware--{page}", f"attack-pattern--{technique}", f"{link} {done}.")
            for technique, done in DONE.items()
        ]
    for name in ("knowledge", "attack", "cti-bench"):
        (folder / name).mkdir()
    bundle = write_bundle(folder / "knowledge" / "plain.json", objects)
    content = bundle.read_bytes()
    packed = content if content[:2] == b"\x1f\x8b" else gzip.compress(content)
    (folder / "knowledge" / "enterprise-attack.stix.json.gz").write_bytes(packed)
    bundle.unlink()
    told = [{"text": "They took wax.", "label": "T9200", "doc_title": "A", "bag": 1}]
    reports = folder / "attack" / "tram2_single_label.json.gz"
    reports.write_bytes(gzip.compress(json.dumps(told).encode()))
    row = f"https://attack.mitre.org/software/{SOURCE_PAGE}/\tEnterprise\t{BENCHMARK_TEXT}\tAsk\tT9100"
    header = "URL\tPlatform\tDescription\tPrompt\tGT"
    (folder / "cti-bench" / "cti-ate.tsv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    return folder


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_source_pages_stay_out_and_whole_pages_are_held_out(data: Path, tmp_path: Path) -> None:
    report = build_technique_corpus(data, tmp_path / "out")
    train, held = (rows(tmp_path / "out" / f"{name}.jsonl") for name in ("train", "validation"))
    assert report["source_pages_left_out"] == 1
    assert report["their_sentences"] == len(DONE)
    pages = {row["group"] for row in train if row["kind"] == "procedure"}
    assert SOURCE_PAGE not in pages | {row["group"] for row in held}
    assert held
    assert not pages & {row["group"] for row in held}
    assert all("Moth" not in row["text"] for row in train)
    reports = rows(tmp_path / "out" / "reports.jsonl")
    assert {row["group"] for row in reports} == {
        r["group"] for r in held if r["kind"] == "procedure"
    }
    assert all("{actor}" not in row["text"] for row in reports)
    assert all(row["text"].startswith(f"Moth{row['group']} is a moth. ") for row in reports)
    openings = rows(tmp_path / "out" / "openings.jsonl")
    assert {row["group"] for row in openings} == pages
    assert not rows(tmp_path / "out" / "paragraphs.jsonl")


def test_a_teachers_reports_are_kept_but_for_what_is_unfit_or_resembles_the_benchmark(
    data: Path, tmp_path: Path
) -> None:
    told = "Whoever came at dawn carries off the wax, hides every rope below an old wooden pier"
    facts = f"{told}, and has a harbour's lanterns counted by somebody else."
    rules = [
        {"match": "- The malware", "reply": BENCHMARK_TEXT + " " + facts},
        {"match": "- The implant", "reply": f'"{facts}\nThat was seen by many people."'},
        {"match": "- The sample", "reply": "This was not seen by anybody " + "at all " * 9},
        {"match": "Title T9100\n", "reply": "This is T9100 of ATT&CK at work."},
        {"match": "Attack technique:", "reply": "Somebody was seen near the boats."},
        {"match": "Sentence:", "reply": "Seen in other words."},
        {"match": "Write one fluent paragraph", "reply": f"{facts} That was seen by many people."},
        {"match": "Write a short entry", "reply": f"{facts} That was seen by many people."},
    ]
    script = tmp_path / "script.jsonl"
    script.write_text("".join(json.dumps(rule) + "\n" for rule in rules), encoding="utf-8")
    report = build_technique_corpus(data, tmp_path / "out", f"mock:{script}")
    made = rows(tmp_path / "out" / "reports.jsonl")
    assert report["teacher"] == f"mock:{script}"
    assert made
    learnt = rows(tmp_path / "out" / "train.jsonl")
    paragraphs = rows(tmp_path / "out" / "paragraphs.jsonl")
    assert {row["group"] for row in paragraphs} == {
        row["group"] for row in learnt if row["kind"] == "procedure"
    }
    for row in made + paragraphs:
        assert row["text"].endswith("That was seen by many people.")
        assert set(row["techniques"]) == set(DONE)
    held_out = rows(tmp_path / "out" / "scenarios.jsonl")
    for scenarios in (held_out, [row for row in learnt if row["kind"] == "scenario"]):
        assert {row["technique"] for row in scenarios} == {"T9200", "T9300"}
    wordings = [row for row in learnt if row["kind"] == "wording"]
    assert {row["text"] for row in wordings} == {"Seen in other words."}
    assert report["train"] == len(learnt)


def test_a_fact_that_a_report_leaves_out_is_unsure(tmp_path: Path) -> None:
    facts = [
        TechniqueRow("The tool counts every lantern of the harbour", "T1", "procedure", "S1"),
        TechniqueRow("The tool carries wax away at dawn", "T2", "procedure", "S1"),
        TechniqueRow("The tool hides ropes below the old pier", "T3", "procedure", "S1"),
        TechniqueRow("The tool mends torn heavy sails of canvas indoors", "T4", "procedure", "S1"),
    ]
    said = (
        "At dawn it carries off the wax, hides ropes under some pier and counts lanterns in every "
    )
    said += "harbour that it comes to, and mends sails indoors, whatever the weather may be."

    class Leaving(Teacher):
        def generate(
            self, conversations: Iterable[Sequence[Message]], sampling: Sampling
        ) -> Iterator[Generation]:
            return (Generation(said, "stop", 0.0) for _ in conversations)

    paragraph, entry = written_reports(
        [facts, facts],
        {},
        Leaving(0),  # type: ignore[arg-type]
        Journal(tmp_path / "journal"),
    )
    assert (paragraph.techniques, paragraph.unsure) == (("T1", "T2", "T3"), ("T4",))
    # Of an entry, which is briefer, two words in five are enough.
    assert (entry.techniques, entry.unsure) == (("T1", "T2", "T3", "T4"), ())


class Teacher:
    """Answers so many conversations, then fails."""

    name = "teacher"
    capabilities = frozenset({"generate"})

    def __init__(self, most: int) -> None:
        self.left = most
        self.asked: list[str] = []

    def generate(
        self, conversations: Iterable[Sequence[Message]], sampling: Sampling
    ) -> Iterator[Generation]:
        for conversation in conversations:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            self.asked.append(conversation[-1].content)
            yield Generation(
                f"{len(self.asked)} boats were seen, and somebody takes wax from them. " * 6,
                "stop",
                0.0,
            )


def test_an_interrupted_teacher_is_not_asked_the_same_again(tmp_path: Path) -> None:
    told = [
        TechniqueRow("{actor} takes wax from boats", f"T{n}", "procedure", f"S{n % 9}")
        for n in range(90)
    ]
    facts = pages_facts(told, 5)
    file = tmp_path / "journal.jsonl"
    first, second = Teacher(7), Teacher(10_000)
    with pytest.raises(KeyboardInterrupt):
        list(written_reports(facts, {}, first, Journal(file)))  # type: ignore[arg-type]
    made = list(written_reports(facts, {}, second, Journal(file)))  # type: ignore[arg-type]
    assert len(first.asked) + len(second.asked) == len(facts) == len(made) == 36


@pytest.mark.torch
def test_a_real_model_on_this_machine_writes_scenarios_and_wordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tests.tiny_chat import write_base

    for module, name, number in (
        (teacher, "_SCENARIOS", 1),
        (teacher, "_HELD_OUT_SCENARIOS", 0),
        (page_reports, "_TIMES", 0),
    ):
        monkeypatch.setattr(module, name, number)
    data = write_data(tmp_path, PAGES[:4])
    spec = f"hf:{write_base(tmp_path / 'base')}"
    report = build_technique_corpus(data, tmp_path / "out", spec)
    made = rows(tmp_path / "out" / "train.jsonl")
    # What a random model writes ends by chance, and is left out where no sentence of it does.
    written = [row for row in made if row["kind"] in ("scenario", "wording")]
    assert 0 < len(written) <= len(DONE) + 12
    assert {row["technique"] for row in written} <= set(DONE)
    assert (report["teacher"], report["train"]) == (spec, len(made))
    known = {row["text"] for row in made if row["kind"] == "procedure"}
    assert not known & {row["text"] for row in written}
