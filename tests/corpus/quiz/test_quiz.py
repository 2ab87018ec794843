from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from cybersecqwen.core.config import load_recipe
from cybersecqwen.core.records import Catalogue, Entry, Section
from cybersecqwen.core.rows import QuizRow
from cybersecqwen.core.text.clean import normalised
from cybersecqwen.corpus.catalogue_graph import CatalogueGraph, CatalogueLibrary
from cybersecqwen.corpus.quiz import wording
from cybersecqwen.corpus.quiz.build import build_quiz
from cybersecqwen.corpus.quiz.generate import ask
from cybersecqwen.corpus.quiz.kinds import CLAUSES, HALVES, LINKS, STATEMENTS, VALUES
from cybersecqwen.corpus.quiz.recipe import QuizRecipe
from cybersecqwen.corpus.quiz.rows import QuizTally
from cybersecqwen.corpus.quiz.wording import (
    STYLES,
    bare_sentences,
    halves,
    masked,
    reworded,
    wordings,
)

THINGS = ("lantern", "harbour", "orchard", "granary", "windmill", "quarry", "foundry", "brewery")
MEASURES = ("Locks", "Patrols", "Fences", "Ledgers", "Alarms", "Drills", "Seals", "Audits")


def _entries() -> dict[str, Entry]:
    """Eight techniques under two tactics, each with two of eight mitigations."""
    found = [
        Entry(f"TA900{n}", name, "tactic", sections=(Section("description", text),))
        for n, (name, text) in enumerate(
            [("Entry", "The thief wants to come inside the walls of the town at night.")] * 1
            + [("Escape", "The thief wants to leave the town again without being seen there.")]
        )
    ]
    for n, thing in enumerate(THINGS):
        measures = (MEASURES[n], MEASURES[(n + 1) % 8])
        found.append(
            Entry(
                f"T910{n}",
                f"{thing.title()} Robbing",
                "technique",
                sections=(
                    Section(
                        "description",
                        f"Thieves climb into the {thing} at midnight by breaking its eastern gate "
                        f"{n}. Carts loaded from the {thing} leave before sunrise every morning.",
                    ),
                    Section("facts", f"Platforms: {', '.join(THINGS[n:] + THINGS[: n // 2])}."),
                    *(
                        Section(
                            "mitigation",
                            f"{m} (M910{MEASURES.index(m)}): Put {m.lower()} around each {thing} "
                            f"and count them before winter number {n}.",
                            f"M910{MEASURES.index(m)}",
                        )
                        for m in measures
                    ),
                ),
                links=(("tactic", f"TA900{n % 2}"),),
            )
        )
    for n, name in enumerate(MEASURES):
        found.append(
            Entry(
                f"M910{n}",
                name,
                "mitigation",
                sections=(Section("description", f"{name} keep strangers away from storehouses."),),
                links=(("mitigates", f"T910{n}"), ("mitigates", f"T910{(n - 1) % 8}")),
            )
        )
    return {entry.id: entry for entry in found}


@pytest.fixture(scope="module")
def library() -> CatalogueLibrary:
    entries = tuple(_entries().values())
    return CatalogueLibrary.of([Catalogue("town", "7", "2026-01-01", "", entries)])


@pytest.fixture(scope="module")
def graph(library: CatalogueLibrary) -> CatalogueGraph:
    return CatalogueGraph(library.entries, library.passages)


@pytest.fixture(scope="module")
def rows(library: CatalogueLibrary, graph: CatalogueGraph) -> list[QuizRow]:
    return ask(graph, library, QuizRecipe(name="q", sources=("x",)), QuizTally())


def test_questions_have_distinct_options_and_a_passage_that_can_be_cited(
    rows: list[QuizRow], library: CatalogueLibrary, graph: CatalogueGraph
) -> None:
    cited = {p.id: p.text for p in library.passages}
    assert len(rows) > 40
    assert len({row.id for row in rows}) == len(rows)
    for row in rows:
        assert len({normalised(choice) for choice in row.choices}) == len(row.choices) >= 4
        assert cited[row.passage] == row.evidence
        assert (row.source, row.version) == ("town", "7")


def test_no_wrong_option_is_linked_too(rows: list[QuizRow]) -> None:
    asked = [row for row in rows if row.kind == "technique-mitigation"]
    assert asked
    for row in asked:
        number = int(row.page[-1])
        right = {MEASURES[number], MEASURES[(number + 1) % 8]}
        named = {
            m for m in MEASURES for i, c in enumerate(row.choices) if i != row.answer and m in c
        }
        assert not named & right
        assert any(m in row.right for m in right)


def test_a_question_for_the_exception_has_right_the_one_that_is_not_listed(
    library: CatalogueLibrary,
    graph: CatalogueGraph,
) -> None:
    recipes = [QuizRecipe(name="q", sources=("x",), seed=seed) for seed in range(6)]
    rows = [row for recipe in recipes for row in ask(graph, library, recipe, QuizTally())]
    asked = [row for row in rows if row.kind == "technique-platform-not"]
    assert asked
    for row in asked:
        facts = next(s.text for s in _entries()[row.page].sections if s.kind == "facts")
        assert row.right not in facts
        assert all(choice in facts for choice in row.choices if choice != row.right)
        assert "NOT" in row.question or "EXCEPT" in row.question


def test_the_same_recipe_makes_the_same_questions_and_letters_are_balanced(
    library: CatalogueLibrary, graph: CatalogueGraph, rows: list[QuizRow]
) -> None:
    recipe = QuizRecipe(name="q", sources=("x",))
    assert ask(graph, library, recipe, QuizTally()) == rows
    other = QuizRecipe(name="q", sources=("x",), seed=7)
    assert ask(graph, library, other, QuizTally()) != rows
    counts = Counter(row.answer for row in rows if len(row.choices) == 4)
    assert max(counts.values()) - min(counts.values()) <= len({row.kind for row in rows})


def test_every_kind_can_be_worded_in_every_family() -> None:
    known = wordings()
    names = {kind.name for kind in (*LINKS, *STATEMENTS, *CLAUSES, *VALUES)}
    names |= {"id-name", "name-id", "alias-name", "name-alias"}
    assert set(known.kinds) == names
    assert not names & {kind.name for kind in HALVES}
    for layouts in (known.families, known.negated, known.halves):
        assert set(layouts) == set(STYLES)


def test_a_build_takes_out_benchmark_questions_and_holds_whole_pages_out(
    library: CatalogueLibrary, graph: CatalogueGraph, rows: list[QuizRow], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "x").write_text("the source")
    stolen = next(row for row in rows if row.kind == "technique-mitigation")
    (data / "bench.tsv").write_text(
        "URL\tQuestion\tOption A\tOption B\tGT\n"
        f"https://example.org\t{stolen.question}\t{stolen.right}\tother\tA\n"
    )
    recipe = QuizRecipe(name="q", sources=("x",), benchmarks=("bench.tsv",), validation_every=2)
    report = build_quiz(recipe, library, data, tmp_path / "out")
    parts = {
        name: [json.loads(line) for line in (tmp_path / "out" / f"{name}.jsonl").open()]
        for name in ("train", "validation")
    }
    ids = {row["id"] for lines in parts.values() for row in lines}
    assert stolen.id not in ids
    assert sum(report.removed["benchmark"].values()) >= 1
    assert not any(overlap.rows for overlap in report.overlap_after)
    pages = [{row["page"] for row in lines} for lines in parts.values()]
    assert all(pages)
    assert not pages[0] & pages[1]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert set(manifest["inputs"]) == {"x", "bench.tsv"}


def test_texts_are_shortened_and_reworded_but_not_at_level_0() -> None:
    text = "For example, adversaries may abuse the gate (in the east) in order to obtain grain"
    draw = random.Random(1)
    assert reworded(text, 0, draw) == text
    short = reworded(text, 1, draw)
    assert "east" not in short
    assert not short.startswith("For example")
    assert {reworded(text, 2, random.Random(n)) for n in range(20)} - {text, short}


def test_sentences_halves_and_masks() -> None:
    assert list(bare_sentences("One is here. Two is e.g. there.\n\nThree.")) == [
        "One is here",
        "Two is e.g. there",
        "Three",
    ]
    cut = halves("The thief breaks the eastern gate of the town in order to carry off the grain")
    assert cut is not None
    assert (cut.mark, cut.second) == ("in order to", "carry off the grain")
    assert halves("Too short by far") is None
    assert masked("Moths like APT-Moth's lamp", ("APT-Moth",), "it") == "Moths like it lamp"


@pytest.mark.data
def test_the_shipped_recipe_reads(data_dir: Path) -> None:
    recipe = load_recipe(Path(__file__).parents[3] / "recipes" / "corpus" / "quiz.yaml", QuizRecipe)
    assert all((data_dir / name).is_file() for name in (*recipe.sources, *recipe.benchmarks))


def test_every_word_with_synonyms_is_found_however_it_is_written() -> None:
    lexicon = wording._lexicon()
    for word in lexicon.swaps:
        for written in (word, word.upper()):
            if match := lexicon.pattern.fullmatch(written):
                assert lexicon.swaps[match[0].lower()]
    assert "c2" in lexicon.swaps
