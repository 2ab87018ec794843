"""One way to put a question to a model, shared by evaluation and serving."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cybersecqwen.core.chat import Message
from cybersecqwen.core.records import Labeller, Passage, Question

LETTERS = "ABCDEFGHIJ"

# How chat templates spell turn marks: ChatML and Llama 3, Llama 2 and Mistral, Gemma.
_CONTROL_TOKEN = re.compile(
    r"<\|[^|<>\s]{1,40}\|>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|<[be]os>", re.IGNORECASE
)

_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, slots=True)
class Template:
    """How a question becomes the user's message.

    Attributes:
        question: The message's layout. It may use ``{prompt}`` (the benchmark's own text, with its
            instruction), ``{text}`` (the bare subject), ``{options}`` (lettered, one a line),
            ``{inline}`` (lettered, in one line), ``{letters}``, ``{or_letters}`` and ``{count}``.
        example: Layout of a worked example, which may also use ``{gold}``; empty for none.
        head: What stands before worked examples.
    """

    question: str = "{prompt}"
    example: str = ""
    head: str = ""


BENCHMARK = Template()
"""The benchmark's own prompt as the only message."""

CHOICE_LETTER_LINE = Template(
    "Given the following question and {count} candidate answers ({letters}), choose the best "
    "answer. Your response should be of the following format: 'Answer: $LETTER' (without quotes) "
    "where $LETTER is one of {or_letters}.\n\n{text}\n\n{options}"
)
"""What Meta's Llama 3.1 evaluations, and after them FAITH, ask of an instruct model."""

CWE_JUSTIFIED = Template(
    "Analyze the following CVE description and map it to the appropriate CWE. Provide a brief "
    "justification for your choice. Ensure the last line of your response contains only the CWE "
    "ID.\n\nCVE Description: {text}"
)
"""CTI-Bench's instruction for RCM, laid out as FAITH and Foundation-Sec's report do."""

CHOICE_FEW_SHOT = Template(
    question="{text}\n{options}\nAnswer:",
    example="{text}\n{options}\nAnswer: {gold}",
    head="The following are multiple choice questions about computer security.",
)
CWE_FEW_SHOT = Template(
    question="CVE Description: {text}\nAnswer:",
    example="CVE Description: {text}\nAnswer: {gold}",
    head="The following is a CVE description. Map it to the appropriate CWE ID.",
)
"""The layouts for base models in Foundation-Sec-8B's report (arXiv 2504.21039, appendix B.3)."""

CHOICE_LETTER = Template("{text}\n\n{options}\n\nReply with the letter of the best answer alone.")
CWE_ID = Template(
    "Reply with the CWE ID alone of the weakness that this vulnerability comes from.\n\n"
    "CVE Description: {text}"
)
CWE_ID_CNA = Template(
    "Reply with the CWE ID alone of the weakness that the vendor (CNA) would record for this "
    "vulnerability.\n\nCVE Description: {text}"
)
CWE_ID_BY: Mapping[Labeller, Template] = {"nvd": CWE_ID, "cna": CWE_ID_CNA}
"""For an id by either labeller's convention. What all records share stands first, so that a model
that keeps what it has read reads it once."""

_CWE_REASON = (
    "Say in one or two sentences what in this text points to {cwe}. Quote it, and use only what "
    "it says.\n\nCVE Description: {text}"
)


def cwe_reason_prompt(text: str, cwe: str) -> str:
    """Return what asks why a description was mapped to a weakness; our own models learn it."""
    return _CWE_REASON.format(cwe=cwe, text=text)


def option_lines(choices: Sequence[str]) -> str:
    """Return the choices one a line, each behind its letter."""
    return "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, choices, strict=False))


def option_line(choices: Sequence[str]) -> str:
    """Return the choices in one line, each behind its letter."""
    return " ".join(f"{letter}) {text}" for letter, text in zip(LETTERS, choices, strict=False))


def render_question(
    question: Question,
    template: Template,
    examples: Sequence[Question] = (),
    passages: Sequence[Passage] = (),
) -> tuple[Message, ...]:
    """Return the conversation that puts a question to a model.

    Args:
        question: What to ask. Its ``gold`` and ``source`` are not shown.
        template: The prompt's template.
        examples: Worked examples for a template that has a layout for them.
        passages: Passages to put before everything else, for open-book answers.
    """
    parts = [_fill(template.example, example, example.gold) for example in examples]
    if parts and template.head:
        parts.insert(0, template.head)
    parts.append(_fill(template.question, question, ""))
    if passages:
        parts.insert(0, passage_block(passages))
    return (Message("user", "\n\n".join(parts)),)


def passage_block(passages: Sequence[Passage]) -> str:
    """Return passages for a model to read, each behind its citation id."""
    shown = "\n\n".join(f"[{found.id}] {found.title}: {found.text}" for found in passages)
    return f"These passages may help with what follows.\n\n{shown}"


def _fill(layout: str, question: Question, gold: str) -> str:
    letters = LETTERS[: len(question.choices)]
    return layout.format(
        prompt=question.prompt,
        text=question.text or question.prompt,
        options=option_lines(question.choices),
        inline=option_line(question.choices),
        letters=_listed(letters, "and"),
        or_letters=_listed(letters, "or"),
        count=_COUNTS[len(letters)],
        gold=gold,
    )


def _listed(letters: str, word: str) -> str:
    if len(letters) < 2:
        return letters
    comma = "," if word == "or" else ""
    return f"{', '.join(letters[:-1])}{comma} {word} {letters[-1]}"


def escape_special_tokens(conversation: Iterable[Message]) -> list[Message]:
    """Return the turns with spelled-out control tokens broken up by a space.

    A tokenizer reads ``<|im_end|>`` inside a question as the end of the turn, so that an
    advisory's text could speak in another's name.
    """
    return [
        Message(turn.role, _CONTROL_TOKEN.sub(lambda m: f"{m[0][0]} {m[0][1:]}", turn.content))
        for turn in conversation
    ]
