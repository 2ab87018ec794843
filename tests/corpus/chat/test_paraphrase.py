from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.corpus.chat.draft import DraftExample
from cybersecqwen.corpus.chat.paraphrase import phrase
from cybersecqwen.corpus.chat.recipe import Limits, ParaphraseTeacher
from cybersecqwen.corpus.chat.validate import Verifier
from cybersecqwen.corpus.journal import Journal

OLD = 'The text says "oil in 2 fields": the product does not drain fields.\n\nCWE-79'


class Script:
    """A teacher that says what it is told to, and counts how often it is asked."""

    name = "script"
    capabilities = frozenset({"generate"})

    def __init__(self, *answers: Generation) -> None:
        self.answers = list(answers)
        self.asked = 0

    def generate(
        self, conversations: Iterable[Sequence[Message]], sampling: Sampling
    ) -> Iterator[Generation]:
        for _ in conversations:
            self.asked += 1
            yield self.answers.pop(0)


def _draft(number: int = 0, response: str = OLD) -> DraftExample:
    prompt = f"Which? CVE Description: oil in 2 fields of lamp {number}"
    return DraftExample("map", prompt, response, "CVE-2024-0001", gold="CWE-79", reads="cwe")


def _said(text: str, finish: str = "stop") -> Generation:
    return Generation(text, finish, 0.0)  # type: ignore[arg-type]


def _phrase(
    teacher: Script, drafts: list[DraftExample], path: Path
) -> tuple[list[DraftExample], Counter[str]]:
    verifier = Verifier(Limits(), shipped_taxonomy(), 100)
    return phrase(drafts, teacher, ParaphraseTeacher(), 1, verifier, Journal(path))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (_said('Fields are not drained: "oil in 2 fields" shows it.\n\nCWE-79'), "phrased"),
        (_said(OLD), "unchanged"),
        (_said("", "error"), "gave up"),
        (_said(OLD + " and", "length"), "cut off"),
        (_said('"oil in 2 fields" it is.\n\nCWE-89'), "ids"),
        (_said('"oil in 2 fields", CWE-79 and CWE-80.\n\nCWE-79'), "ids"),
        (_said('"oil in 2 fields" of 3.\n\nCWE-79'), "numbers"),
        (_said("There is oil in 2 fields of it.\n\nCWE-79"), "quotations"),
        (_said('CWE-79 because of "oil in 2 fields" here.'), "last line"),
        (_said('"oil in 2 fields" ' + "and so on " * 300 + "\n\nCWE-79"), "check"),
    ],
)
def test_only_the_same_in_other_words_is_taken(
    answer: Generation, outcome: str, tmp_path: Path
) -> None:
    drafts, outcomes = _phrase(Script(answer), [_draft()], tmp_path / "journal")
    assert outcomes == {outcome: 1}
    assert (drafts[0].response == OLD) == (outcome != "phrased")


def test_an_answer_of_an_id_alone_is_not_asked_about(tmp_path: Path) -> None:
    teacher = Script()
    drafts, outcomes = _phrase(teacher, [_draft(response="CWE-79")], tmp_path / "journal")
    assert (teacher.asked, outcomes.total(), drafts[0].response) == (0, 0, "CWE-79")


def test_what_was_written_is_not_asked_again_even_with_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    new = 'Seen: "oil in 2 fields", which is undrained.\n\nCWE-79'
    first = Script(_said(new), _said(OLD))
    whole, outcomes = _phrase(first, [_draft(1), _draft(2)], path)
    path.write_bytes(path.read_bytes()[:-5])
    second = Script(_said(OLD))
    again, _ = _phrase(second, [_draft(1), _draft(2)], path)
    assert (second.asked, again) == (1, whole)
    third = Script()
    assert _phrase(third, [_draft(1), _draft(2)], path) == (whole, outcomes)
    assert third.asked == 0
