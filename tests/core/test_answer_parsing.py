from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cybersecqwen.core import answer_parsing
from cybersecqwen.core.answer_parsing import canonical_answer

VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
ALL = [
    value
    for value in vars(answer_parsing).values()
    if isinstance(value, answer_parsing.AnswerParser)
]


@pytest.mark.parametrize(
    ("text", "last", "unique"),
    [
        ("It is CWE-79.", "CWE-79", "CWE-79"),
        ("CWE-20 at first sight, but CWE-79", "CWE-79", None),
        ("CWE-79 is the one.\n\nCWE-79", "CWE-79", "CWE-79"),
        ("cwe-0089", "CWE-89", "CWE-89"),
        ("CWE\u2011352", None, "CWE-352"),  # a hyphen that does not break
        ("CWE ID: 22", None, "CWE-22"),
        ("no idea", None, None),
    ],
)
def test_cwe_readers(text: str, last: str | None, unique: str | None) -> None:
    assert answer_parsing.CWE_LAST.read(text) == last
    assert answer_parsing.CWE_UNIQUE.read(text) == unique


@pytest.mark.parametrize(
    ("text", "ref", "faith"),
    [
        ("Answer: B", "B", "B"),
        ("answer:(c)", "C", "C"),
        ("Answer: Because it scales", "B", None),  # no word boundary in the first
        ("The answer is D.", "D", "D"),
        ("Reasons ...\n\n(A)", "A", "A"),
        ("Reasons ...\n\nA", "A", None),  # only a reply that is nothing else
        ("C", "C", "C"),
        ("c", "C", "C"),
        ("Option A fits; option B does not", "A", None),
        ("Answer: A ... Answer: B", "A", None),  # two different ones
        ("Surely (B), I say: (B)", None, "B"),
        ("Either (B) or (X)", None, None),
        ("Answer: E", None, None),
        ("I refuse.", None, None),
    ],
)
def test_choice_readers(text: str, ref: str | None, faith: str | None) -> None:
    assert answer_parsing.CHOICE_REF.read(text) == ref
    assert answer_parsing.CHOICE_UNIQUE.read(text) == faith


def test_a_fifth_letter_counts_only_where_there_is_a_fifth_option() -> None:
    assert answer_parsing.CHOICE_REF.read("Answer: E", options=5) == "E"
    assert answer_parsing.CHOICE_REF.read("Answer: E", options=4) is None


def test_patterns_are_tried_in_order() -> None:
    text = "Option D is tempting.\nThe answer is B.\nAnswer: C\nA"
    assert answer_parsing.CHOICE_REF.read(text) == "C"
    assert answer_parsing.CHOICE_REF.read(text.replace("Answer: C\n", "")) == "B"
    assert answer_parsing.CHOICE_REF.read("Option D is tempting.\nA") == "A"


def test_paper_reader_takes_the_last_letter_that_stands_alone() -> None:
    assert answer_parsing.CHOICE_PAPER.read("A firewall would not help.\nC") == "C"


def test_vectors() -> None:
    two = f"First {VECTOR}, then AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    assert answer_parsing.CVSS_LAST.read(two) == VECTOR.replace("AV:N", "AV:L")
    assert answer_parsing.CVSS_UNIQUE.read(two) is None
    assert answer_parsing.CVSS_UNIQUE.read(f"**{VECTOR}**") == VECTOR
    assert answer_parsing.CVSS_LAST.read("severity high") is None


def test_techniques_fold_sub_techniques_and_prefer_the_last_line() -> None:
    text = "T1105 is out.\nT1059.001, T1071, T1059"
    assert answer_parsing.TECHNIQUES_LAST_LINE.read(text) == "T1059,T1071"
    assert answer_parsing.TECHNIQUES_LAST_LINE.read("T1105 it is\nthat is all") == "T1105"
    assert answer_parsing.TECHNIQUES_STRICT.read("T1105 it is\nthat is all") is None


def test_actors() -> None:
    assert (
        answer_parsing.ACTOR_LINE.read("Long story.\nAnswer: **Lazarus Group**.") == "Lazarus Group"
    )
    assert answer_parsing.ACTOR_LINE.read("APT28 ") == "APT28"
    assert answer_parsing.ACTOR_LINE.read("I think it is\n\n**Turla** for sure") == "Turla"
    assert answer_parsing.ACTOR_STRICT.read("Threat actor: A\nThreat actor: B") is None


def test_bare_answers_only_for_exact_readers() -> None:
    assert answer_parsing.CHOICE_EXACT.read(" b \n") == "B"
    assert answer_parsing.CHOICE_EXACT.read("Answer: B") is None
    assert answer_parsing.CWE_EXACT.read("CWE-79") == "CWE-79"


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_gives_a_canonical_answer_or_none(text: str) -> None:
    for reader in ALL:
        found = reader.read(text)
        assert found is None or canonical_answer(reader.kind, found) == found


def test_long_hostile_text_is_read_quickly() -> None:
    text = "AV:N/" * 20_000 + "answer " * 20_000 + "(" * 20_000
    for reader in ALL:
        expected = text if reader.kind == "text" else None
        assert reader.read(text) == expected
