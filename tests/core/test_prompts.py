from __future__ import annotations

from cybersecqwen.core import prompts
from cybersecqwen.core.chat import Message
from cybersecqwen.core.records import Passage, Question

QUESTION = Question(
    id="mcq-0000",
    task="cti-mcq",
    prompt="Which? {gold} **Options:** A) one B) two",
    gold="B",
    choices=("one", "{text}", "three", "four"),
    source="https://example.org/secret",
    text="Which one?",
)


def test_the_benchmarks_prompt_goes_through_unchanged() -> None:
    (message,) = prompts.render_question(QUESTION, prompts.BENCHMARK)
    assert message == Message("user", QUESTION.prompt)


def test_gold_and_source_are_never_shown_and_braces_are_plain_text() -> None:
    for template in vars(prompts).values():
        if isinstance(template, prompts.Template):
            (message,) = prompts.render_question(QUESTION, template)
            assert "secret" not in message.content
    (message,) = prompts.render_question(QUESTION, prompts.CHOICE_LETTER)
    assert "B. {text}" in message.content


def test_letters_are_listed_as_the_instruction_needs_them() -> None:
    (message,) = prompts.render_question(QUESTION, prompts.CHOICE_LETTER_LINE)
    assert "four candidate answers (A, B, C and D)" in message.content
    assert "one of A, B, C, or D." in message.content


def test_worked_examples_stand_between_the_head_and_the_question() -> None:
    example = Question("mcq-0001", "cti-mcq", "p", "A", ("x", "y"), text="Example?")
    (message,) = prompts.render_question(QUESTION, prompts.CHOICE_FEW_SHOT, [example])
    head, shown, asked = message.content.split("\n\n")
    assert head == prompts.CHOICE_FEW_SHOT.head
    assert shown == "Example?\nA. x\nB. y\nAnswer: A"
    assert asked.endswith("D. four\nAnswer:")


def test_passages_come_first_with_their_citation_ids() -> None:
    passage = Passage("T1059#description", "Scripting", "description", "Adversaries script.")
    (message,) = prompts.render_question(QUESTION, prompts.BENCHMARK, passages=[passage])
    assert message.content.index("[T1059#description]") < message.content.index("Which?")
