from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Catalogue, Entry, Section
from cybersecqwen.corpus.catalogue_graph import CatalogueGraph, CatalogueLibrary
from cybersecqwen.corpus.journal import Journal
from cybersecqwen.corpus.quiz.build import build_quiz
from cybersecqwen.corpus.quiz.recipe import QuizRecipe
from cybersecqwen.corpus.quiz.written import written_questions

RECIPE = QuizRecipe(name="q", sources=("s",), written=40)
GOOD = (
    "Q: Which gate of the {0} do thieves break at night?\n"
    "R: The eastern gate\nW: The western gate\nW: The roof\n**W: The cellar door**"
)
BAD = [
    "Q: Which gate does the passage name for the {0}?\nR: a\nW: b\nW: c\nW: d",
    "Q: Which gate of the {0} do thieves break at night?\nR: The roof\nW: the roof.\nW: c\nW: d",
    "Sure! Here is a question about the {0}.",
]


@dataclass
class Teacher:
    """Writes by turns good and bad questions, and knows the right option where it believes."""

    believes: bool = True
    capabilities: frozenset[str] = frozenset({"generate", "score"})
    name: str = "fake"
    asked: list[str] = field(default_factory=list)

    def generate(
        self, conversations: Iterable[Sequence[Message]], sampling: Sampling
    ) -> Iterator[Generation]:
        for number, conversation in enumerate(conversations):
            prompt = conversation[-1].content
            self.asked.append(prompt)
            found = re.search(r"Text: (\w+)", prompt)
            text = GOOD if number % 4 == 0 else BAD[number % 4 - 1]
            yield Generation(text.format(f"{found[1] if found else ''} {number}"), "stop", 0.0)

    def score(
        self, conversation: Sequence[Message], continuations: Sequence[str], **more: Any
    ) -> tuple[float, ...]:
        lines = conversation[-1].content.splitlines()
        said = [next(line for line in lines if line.startswith(f"{c}.")) for c in continuations]
        return tuple(0.0 if ("eastern" in s) == self.believes else -6.0 for s in said)


@pytest.fixture(scope="module")
def library() -> CatalogueLibrary:
    text = (
        "Thieves climb into the {0} at midnight by breaking its eastern gate, which is of old wood."
    )
    entries = tuple(
        Entry(f"T910{n}", f"{name} Robbing", "technique",
              sections=(Section("description", text.format(name)),))
        for n, name in enumerate(("Lantern", "Harbour", "Orchard", "Granary"))
    )  # fmt: skip
    gone = Entry("T9199", "Old Robbing", "technique", withdrawn=True,
                 sections=(Section("description", text.format("well")),))  # fmt: skip
    return CatalogueLibrary.of([Catalogue("town", "7", "2026-01-01", "", (*entries, gone))])


def _written(library: CatalogueLibrary, teacher: Teacher, folder: Path, **more: Any) -> list[Any]:
    graph = CatalogueGraph(library.entries, library.passages)
    journal = Journal(folder / "journal.jsonl")
    return written_questions(graph, library, RECIPE, teacher, journal, **more)  # type: ignore[arg-type]


def test_well_formed_questions_that_the_teacher_answers_are_kept(
    library: CatalogueLibrary, tmp_path: Path
) -> None:
    teacher = Teacher()
    rows = _written(library, teacher, tmp_path)
    assert len(rows) == -(-len(teacher.asked) // 4)
    for row in rows:
        assert row.choices[row.answer] == "The eastern gate"
        assert set(row.choices) == {
            "The eastern gate", "The western gate", "The roof", "The cellar door"
        }  # fmt: skip
        assert row.page in library.entries
        assert row.kind == "written-description"
    assert not any("T9199" in prompt for prompt in teacher.asked), "withdrawn pages are not asked"


def test_what_the_teacher_itself_answers_otherwise_is_dropped(
    library: CatalogueLibrary, tmp_path: Path
) -> None:
    assert _written(library, Teacher(believes=False), tmp_path) == []


def test_what_was_written_is_not_asked_again(library: CatalogueLibrary, tmp_path: Path) -> None:
    first = _written(library, Teacher(), tmp_path)
    again = Teacher()
    assert _written(library, again, tmp_path) == first
    assert again.asked == []


def test_a_teacher_without_probabilities_is_refused(
    library: CatalogueLibrary, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="fake"):
        _written(library, Teacher(capabilities=frozenset({"generate"})), tmp_path)


def test_a_quiz_holds_them_and_leaves_no_journal(library: CatalogueLibrary, tmp_path: Path) -> None:
    (tmp_path / "s").write_text("{}", "utf-8")
    build_quiz(RECIPE, library, tmp_path, tmp_path / "quiz", teacher=Teacher())  # type: ignore[arg-type]
    lines = (tmp_path / "quiz" / "train.jsonl").read_text("utf-8")
    lines += (tmp_path / "quiz" / "validation.jsonl").read_text("utf-8")
    assert '"written-description"' in lines
    assert sorted(p.name for p in tmp_path.iterdir()) == ["quiz", "s"]
