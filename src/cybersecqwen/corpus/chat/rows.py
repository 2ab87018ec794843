"""What a line of training data is about, whether it is a corpus row or a conversation."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from cybersecqwen.core.rows import CVE_ID, TrainingLine
from cybersecqwen.core.text.sentences import sentences

_OPTION = re.compile(r"(?m)^\s*\**\(?(?:[A-H]|[a-h]|\d)[).:]\**\s")
_FEWEST_OPTIONS = 3

_FEW_WORDS = 12
_REFERS = re.compile(
    r"\b(?:different|differs?|unique|separate|distinct|similar|related|same|incomplete|fix(?:es|ed)?|"
    r"patch(?:es|ed)?|regression|bypass(?:es)?|because|due|variant|duplicates?|than|from|see|refer)\b",
    re.IGNORECASE,
)

_MARKERS = ("CVE Description:", "**Text:**", "**Question:**")


@dataclass(frozen=True, slots=True)
class TrainingText:
    """A line of training data.

    Attributes:
        cve: CVE id it is about, or an empty string.
        text: What a model reads, without the instructions around it.
        answer: What it is to answer.
        also: Further texts of it that must not be anybody else's: the whole conversation, and of
            a multiple choice the question without its options.
    """

    cve: str
    text: str
    answer: str
    also: tuple[str, ...] = ()


_DECODER = msgspec.json.Decoder(TrainingLine)


def subject(prompt: str) -> str:
    """Return the part of a prompt after the words that introduce its subject, else all of it."""
    for marker in _MARKERS:
        if marker in prompt:
            return prompt.split(marker, 1)[1].strip()
    return prompt.strip()


def bare_question(prompt: str) -> str:
    """Return a multiple choice's question without its options; empty where there are none.

    Long options would else hide a question that another text asks in other words.
    """
    options = list(_OPTION.finditer(prompt))
    if len(options) < _FEWEST_OPTIONS:
        return ""
    paragraphs = prompt[: options[0].start()].strip().split("\n\n")
    return subject(paragraphs[-1])


def ids_asked_about(text: str) -> tuple[str, ...]:
    """Return the CVE ids that a text asks about, or states something of, with few words around.

    A description that refers to another record (``a different vulnerability than CVE-2020-1234``)
    is not about that one.
    """
    if "cve-" not in text.lower():
        return ()
    found = [
        match[0].upper()
        for line in text.splitlines()
        for sentence in sentences(line)
        if len(CVE_ID.sub(" ", sentence).split()) <= _FEW_WORDS and not _REFERS.search(sentence)
        for match in CVE_ID.finditer(sentence)
    ]
    return tuple(dict.fromkeys(found))


def read_example(line: bytes) -> TrainingText:
    """Read a corpus row, a prompt and response, or a conversation of messages.

    Raises:
        msgspec.MsgspecError: The line is no such object.
        ValueError: It has no text.
    """
    row = _DECODER.decode(line)
    match = CVE_ID.search(f"{row.id} {row.cve} {row.source}")
    cve = match[0].upper() if match else ""
    if text := row.text or row.description:
        return TrainingText(cve, text, repr(row.labels))
    said = {turn.get("role", ""): turn.get("content", "") for turn in row.messages}
    prompt = row.prompt or said.get("user", "")
    answer = row.response or said.get("assistant", "")
    about = subject(prompt)
    if not about:
        raise ValueError("no text: neither text, description, prompt nor a user's message")
    if row.kind:
        text, *others = texts_of(prompt, answer)
        return TrainingText(cve, text, answer, tuple(others))
    # A question may quote a benchmark in its answer; a description's answer is only its label.
    whole = about if "CVE Description:" in prompt else f"{about}\n{answer}"
    return TrainingText(cve, whole, answer, tuple(filter(None, [bare_question(prompt)])))


def texts_of(prompt: str, answer: str) -> list[str]:
    """Return what of a conversation is compared with benchmarks.

    That is its subject, all of it, and of a multiple choice the question alone.
    """
    return [subject(prompt), f"{prompt}\n{answer}", *filter(None, [bare_question(prompt)])]
