from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.rows import CorpusRow, labels_of
from cybersecqwen.corpus.journal import Journal
from cybersecqwen.corpus.records.reworded import chosen_rows, reworded_rows

LONG = "The web page of the product does not encode what visitors write before it shows it."


def row(number: int, *, year: int = 2023, text: str = LONG, cwe: str = "CWE-79") -> CorpusRow:
    return CorpusRow(
        f"CVE-{year}-{number}", text, f"{year}-01-02", labels_of(nvd=(cwe,)), title="A title"
    )


@dataclass
class Teller:
    """Tells the same twice of some, of others something else, cut off or with an id."""

    capabilities: frozenset[str] = frozenset({"generate"})
    name: str = "teller"
    asked: int = 0

    def generate(
        self, conversations: Iterable[Sequence[Message]], sampling: Sampling
    ) -> Iterator[Generation]:
        told = (
            ("What visitors write is run as script by others.", "stop"),
            ("What visitors write is run as script by others.", "stop"),
            ("It is CVE-2023-1, which everybody should patch soon.", "stop"),
            ("What visitors write is shown without", "length"),
        )
        for _ in conversations:
            yield Generation(*told[self.asked % len(told)], 0.0)
            self.asked += 1

    def score(self, *_: Any, **__: Any) -> tuple[float, ...]:
        raise NotImplementedError


def test_some_rows_of_each_id_are_told_the_newer_first() -> None:
    rows = [row(n, year=2018) for n in range(20)] + [row(n) for n in range(40)]
    rows += [row(99, cwe="CWE-89"), row(98, text="Too short."), row(97, year=2012)]
    chosen = chosen_rows(rows, 1)
    found = [(r.year, r.ids("nvd")[0]) for r in chosen]
    assert found.count((2023, "CWE-79")) == 40
    assert found.count((2018, "CWE-79")) == 4
    assert found.count((2023, "CWE-89")) == 1
    assert len(found) == 45


def test_what_is_told_keeps_the_labels_and_nothing_else(tmp_path: Path) -> None:
    journal, teller = Journal(tmp_path / "journal.jsonl"), Teller()
    made = list(reworded_rows([row(1), row(2)], teller, journal, 1))
    assert [r.text for r in made] == ["What visitors write is run as script by others."]
    assert made[0].labels == row(1).labels
    assert made[0].title == ""
    again = list(reworded_rows([row(1), row(2)], teller, Journal(tmp_path / "journal.jsonl"), 1))
    assert again == made
    assert teller.asked == 4
