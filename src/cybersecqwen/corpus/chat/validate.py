"""What a question and its answer must pass to become training data."""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

from cybersecqwen.core.answer_parsing import AnswerParser, Pattern
from cybersecqwen.core.taxonomy import Taxonomy
from cybersecqwen.core.text.clean import clean, normalised
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.corpus.chat.draft import DraftExample
from cybersecqwen.corpus.chat.recipe import Limits
from cybersecqwen.corpus.chat.token_estimate import estimate

Reason = Literal[
    "length",
    "answer",
    "policy",
    "citation",
    "ungrounded id",
    "ungrounded number",
    "ungrounded quotation",
    "repeated prompt",
    "stock sentence",
]
"""Why a question was thrown away. ``answer``: its answer is not read as what the record says.
``policy``: the answer is a weakness that MITRE does not let be mapped to. ``ungrounded``: an id, a
number or a quotation is neither in the prompt nor in what the answer cites."""

ID_REGEX = re.compile(
    r"\b(?:CWE-\d+|CAPEC-\d+|CVE-\d{4}-\d{4,}|TA\d{4}|T\d{4}(?:\.\d{3})?|[GSMC]\d{4})\b"
)
_CITATION = re.compile(r"\[((?:CWE-|CAPEC-|T|M|G|S|C)\d[^\]\s]*)\]")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_QUOTATION = re.compile(r'"([^"]+)"')
_READERS = {
    "cwe": AnswerParser("cwe", (Pattern(r"\b(CWE-\d+)\b", "unique", last_line=True),)),
    "choice": AnswerParser("choice", (Pattern(r"(?:Answer: )?([{letters}])$", last_line=True),)),
}
_FEWEST_WORDS = 6


class Verifier:
    """Checks rows one after another, and remembers those it passed.

    Args:
        limits: Limits of length and repetition.
        taxonomy: The CWE table that has the mapping policy.
        rows: How many are planned: a stock sentence's share is of these.
    """

    def __init__(self, limits: Limits, taxonomy: Taxonomy, rows: int) -> None:
        self._limits = limits
        self._taxonomy = taxonomy
        self._most = max(3, round(limits.stock * rows))
        self._prompts: set[str] = set()
        self._sentences: Counter[str] = Counter()

    def rejection_reason(self, draft: DraftExample) -> Reason | None:
        """Return why a row cannot be used, or None."""
        if normalised(draft.prompt) in self._prompts:
            return "repeated prompt"
        if any(self._sentences[s] >= self._most for s in stock_sentences(draft.response)):
            return "stock sentence"
        return self.intrinsic_rejection(draft)

    def intrinsic_rejection(self, draft: DraftExample) -> Reason | None:
        """Return what is wrong with a row by itself, or None."""
        if not draft.response or (
            estimate(draft.prompt) > self._limits.prompt
            or estimate(draft.response) > self._limits.response
        ):
            return "length"
        if draft.gold and _read_answer(draft) != draft.gold:
            return "answer"
        if draft.reads == "cwe" and not self._taxonomy.is_mappable(draft.gold):
            return "policy"
        return self._ungrounded(draft)

    def accept(self, draft: DraftExample) -> None:
        """Remember a row that is used."""
        self._prompts.add(normalised(draft.prompt))
        self._sentences.update(stock_sentences(draft.response))

    def _ungrounded(self, draft: DraftExample) -> Reason | None:
        cited = {p.id for p in draft.passages} | {p.id.partition("#")[0] for p in draft.passages}
        if not set(_CITATION.findall(draft.response)) <= cited:
            return "citation"
        given = _evidence_of(draft)
        if not set(ID_REGEX.findall(draft.response)) <= set(ID_REGEX.findall(given)):
            return "ungrounded id"
        if not set(_NUMBER.findall(draft.response)) <= set(_NUMBER.findall(given)):
            return "ungrounded number"
        shown = clean(given)
        quotations = _QUOTATION.findall(draft.response)
        if not all(clean(quotation) in shown for quotation in quotations):
            return "ungrounded quotation"
        return None


def _evidence_of(draft: DraftExample) -> str:
    """Return all that an answer may take ids, numbers and quotations from."""
    passages = (f"{p.id} {p.title}: {p.text}" for p in draft.passages)
    return "\n".join([draft.prompt, draft.gold, *passages])


def _read_answer(draft: DraftExample) -> str | None:
    """Return what the last line of a row's answer is read as."""
    if draft.reads is None:
        return None
    return _READERS[draft.reads].read(draft.response, draft.options or 4)


def stock_sentences(response: str) -> list[str]:
    """Return an answer's sentences without what differs from record to record."""
    text = ID_REGEX.sub("0", _QUOTATION.sub("q", _CITATION.sub("", response)))
    pieces = (piece for line in text.splitlines() for piece in sentences(line))
    found = (normalised(_NUMBER.sub("0", piece)) for piece in pieces)
    return [sentence for sentence in found if sentence.count(" ") >= _FEWEST_WORDS - 1]
