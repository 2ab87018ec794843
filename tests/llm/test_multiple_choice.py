from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen.core.chat import Message
from cybersecqwen.core.ensemble import mixed
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Answer, ChoiceAnswer, Passage
from cybersecqwen.core.text.excerpts import excerpts
from cybersecqwen.llm.backends.mock import MockBackend
from cybersecqwen.llm.multiple_choice import (
    Choice,
    MultipleChoice,
    MultipleChoiceConfig,
    evidence,
    letter_shares,
    multiple_choice_config,
)

SHELF = [Passage(f"T{n}", f"Lamp {n}", "description", f"Lamp {n} burns oil.") for n in range(9)]


@dataclass
class Shelf:
    """Finds passages in order; the fifth supports the first option, the first another."""

    def search(self, query: str, limit: int = 8) -> list[tuple[Passage, float]]:
        return [(passage, 1.0) for passage in SHELF[:limit]]

    def bearing(self, question: str, choices: Sequence[str], limit: int) -> list[Passage]:
        return SHELF[:limit]

    def page(self, name: str) -> list[Passage]:
        return []

    def answer(self, question: str) -> Answer:
        return Answer("Not in the knowledge base.", found=False)

    def __init__(self) -> None:
        self.ranked: list[bool] = []

    def choose(
        self, question: str, choices: Sequence[str], *, glossary: bool = True
    ) -> ChoiceAnswer:
        self.ranked.append(glossary)
        count = len(choices)
        held = 0.2 if "moth" in question else 1.0
        return ChoiceAnswer(0, tuple([1 / count] * count), (SHELF[4], *[None] * (count - 1)), held)

    def defined(self, text: str) -> list[Passage]:
        return [Passage("GLOSSARY#moth", "Moth", "glossary", "A moth flies by night.")] * (
            "moth" in text
        )


def shown(shares: Sequence[float], limit: int) -> list[str]:
    supporting = (SHELF[0], None, SHELF[7], SHELF[5])[: len(shares)]
    found = ChoiceAnswer(0, tuple(shares), supporting)
    options = ("red", "blue", "pink", "grey")[: len(shares)]
    return [p.id for p in evidence(Shelf(), "Which?", options, found, limit)]  # type: ignore[arg-type]


def test_what_bears_on_a_question_and_what_supports_likely_options_stand_in_turn() -> None:
    shares = (0.1, 0.2, 0.3, 0.4)
    assert shown(shares, 6) == ["T3", "T2", "T7", "T1", "T5", "T0"], "the best is last"
    assert shown(shares, 2) == ["T5", "T0"]
    assert shown(shares, 1) == ["T0"]
    assert shown(shares[:2], 3) == ["T2", "T1", "T0"], "none is shown twice"


def test_a_long_passage_is_cut_to_what_is_asked() -> None:
    text = (
        "Lanterns give light. They hang in halls of stone and on the masts of ships at sea. "
        "Oil is drained by thieves at night. Wicks are trimmed by the keeper every morning at six."
    )
    passage = Passage("T1", "Lanterns", "description", text)
    (cut,) = excerpts([passage], "Who drains the oil?", 14)
    assert cut.text == "Lanterns give light. ... Oil is drained by thieves at night. ..."
    assert (cut.id, cut.title) == ("T1", "Lanterns")
    assert excerpts([passage], "Who drains the oil?", 60) == [passage]


def test_items_of_a_list_keep_its_heading() -> None:
    text = "Tactics: Halls (TA1). Used by: Owl (G1); Grey Moth (G2); Bat (G3); Fox (G4); Hen (G5)."
    passage = Passage("T1#relation-1", "Lanterns", "relation", text)
    (cut,) = excerpts([passage], "Does the moth use it?", 9)
    assert cut.text == "Tactics: Halls (TA1). ... Used by: Grey Moth (G2). ..."


def test_a_mix_weighs_the_readers_opinion() -> None:
    assert mixed([0.6, 0.4], [0.1, 0.9], 0.0) == pytest.approx([0.6, 0.4])
    assert mixed([0.6, 0.4], [0.1, 0.9], 1.0) == pytest.approx([0.06 / 0.42, 0.36 / 0.42])
    one = mixed([1.0, 0.0], [0.0, 1.0], 2.0)
    assert one[1] > one[0], "the twice counted opinion prevails"
    assert sum(one) == pytest.approx(1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"passages": 0},
        {"words": 0},
        {"rotations": 0},
        {"ranker_weight": -1},
        {"closed_weight": -1},
        {"reader_wait": 1},
    ],
)
def test_a_wrong_reading_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        multiple_choice_config(wrong)


def test_all_rotations_are_the_default_and_the_old_name_of_the_weight_is_read() -> None:
    assert multiple_choice_config({"reader_weight": 0.5}).ranker_weight == 0.5
    assert multiple_choice_config({"rotations": "all"}) == MultipleChoiceConfig()


def test_groups_go_together_to_a_model_that_takes_them(tmp_path: Path) -> None:
    sizes: list[tuple[int, int]] = []

    class Grouping(MockBackend):
        def score_groups(
            self, groups: Iterable[tuple[Sequence[Sequence[Message]], Sequence[str]]]
        ) -> Iterator[list[tuple[float, ...]]]:
            for conversations, letters in list(groups):
                sizes.append((len(conversations), len(letters)))
                yield [self.score(c, letters) for c in conversations]

    script = tmp_path / "script.jsonl"
    script.write_text('{"scores": {"A": -0.1, "B": -3, "C": -3}}', "utf-8")
    asked = [Choice("Which?", ("x", "y")), Choice("Which?", ("x", "y", "z"))]
    alone = list(letter_shares(MockBackend(str(script)), asked, None))
    assert list(letter_shares(Grouping(str(script)), asked, None)) == alone
    assert sizes == [(2, 2), (3, 3)]
    assert alone[1] == pytest.approx([1 / 3] * 3)


def test_what_a_model_says_without_the_book_counts_too(tmp_path: Path) -> None:
    script = tmp_path / "s.jsonl"
    lines = [  # with passages it likes the first option, by itself the second
        {"match": "These passages", "scores": {"A": -0.5, "B": -1.0}},
        {"match": "", "scores": {"A": -3.0, "B": -0.1}},
    ]
    script.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    best = {}
    for weight in (0.0, 1.2):
        config = MultipleChoiceConfig(rotations=1, ranker_weight=0, closed_weight=weight)
        chooser = MultipleChoice(MockBackend(str(script)), config, Shelf())  # type: ignore[arg-type]
        asked = [chooser.look_up("Which?", options) for options in (["red", "blue"], ["x", "y"])]
        best[weight] = [choice.best for choice in chooser.decide(asked)]
    assert best == {0.0: [1, 0], 1.2: [0, 1]}, "red is the second letter in sorted order"


def test_letters_inside_options_are_those_that_the_model_reads(tmp_path: Path) -> None:
    read: list[str] = []

    class Reading(MockBackend):
        def score_groups(
            self, groups: Iterable[tuple[Sequence[Sequence[Message]], Sequence[str]]]
        ) -> Iterator[list[tuple[float, ...]]]:
            for conversations, letters in groups:
                read.extend(c[-1].content for c in conversations)
                yield [self.score(c, letters) for c in conversations]

    script = tmp_path / "script.jsonl"
    script.write_text('{"scores": {"A": -1, "B": -1, "C": -1, "D": -0.1}}', "utf-8")
    options = ("zinc", "iron", "gold", "Both A and B")
    (shares,) = letter_shares(Reading(str(script)), [Choice("Which?", options)], None)
    assert len(read) == 3, "the plain options are rotated, what speaks of them stays behind"
    for text in read:
        lettered = dict(line.split(". ", 1) for line in text.splitlines() if line[1:3] == ". ")
        said = lettered["D"].removeprefix("Both ").split(" and ")
        assert {lettered[letter] for letter in said} == {"zinc", "iron"}
    assert shares[3] == max(shares)


def test_where_the_pages_seem_silent_the_glossary_is_read_too_and_the_ranker_is_not(
    tmp_path: Path,
) -> None:
    script = tmp_path / "s.jsonl"
    script.write_text(json.dumps({"scores": {"A": -0.1, "B": -3.0}}) + "\n", "utf-8")
    shelf = Shelf()
    chooser = MultipleChoice(
        MockBackend(str(script)),
        MultipleChoiceConfig(rotations=1),
        shelf,  # type: ignore[arg-type]
    )
    asked = chooser.look_up("When does a moth fly?", ["by day", "by night"])
    assert [p.id for p in asked.passages] == ["T1", "T4", "T0", "GLOSSARY#moth"]
    assert asked.ranked is not None
    assert asked.ranked.probabilities == (0.5, 0.5)
    asked = chooser.look_up("When is oil burnt?", ["x", "y"])
    assert [p.id for p in asked.passages] == ["T2", "T1", "T4", "T0"]
    assert shelf.ranked == [True, False]  # options are ranked once a question
