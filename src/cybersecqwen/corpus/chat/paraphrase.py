"""A language model puts answers into other words; what it changes in substance is thrown away."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.corpus.chat.draft import DraftExample
from cybersecqwen.corpus.chat.recipe import ParaphraseTeacher
from cybersecqwen.corpus.chat.validate import ID_REGEX, Verifier
from cybersecqwen.corpus.journal import Journal, key_of

Outcome = Literal[
    "phrased",
    "gave up",
    "cut off",
    "unchanged",
    "ids",
    "numbers",
    "quotations",
    "last line",
    "check",
]
"""What came of asking. All but ``phrased`` leave the answer as it was: the teacher gave up, was cut
off, said the same; lost or added ids, numbers or quotations; changed the last line; or wrote what
the checks of every row throw away."""

INSTRUCTION = (
    "Rewrite the answer below so that it reads naturally. Say the same and nothing else: keep "
    "every identifier, number, citation in square brackets and text in quotation marks exactly as "
    "it stands, and if the last line is an identifier, a letter or a vector alone, keep that line. "
    "Do not lengthen it. Reply with the rewritten answer only."
)
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_QUOTATION = re.compile(r'"([^"]+)"')
_FEWEST_WORDS = 6


def phrase(
    drafts: Sequence[DraftExample],
    teacher: Backend,
    options: ParaphraseTeacher,
    seed: int,
    verifier: Verifier,
    journal: Journal,
) -> tuple[list[DraftExample], Counter[str]]:
    """Return the drafts with answers in the teacher's words where these pass, and the outcomes.

    Answers of a letter or an id alone are left as they are. What the journal knows is not asked
    again.
    """
    places = [place for place, d in enumerate(drafts) if len(d.response.split()) >= _FEWEST_WORDS]
    keys = {place: _key(teacher.name, options, seed, drafts[place]) for place in places}
    lines = journal.answers(
        teacher,
        {keys[place]: _conversation(drafts[place]) for place in places},
        Sampling(temperature=options.temperature, max_tokens=options.max_tokens, seed=seed),
    )
    outcomes: Counter[str] = Counter()
    phrased = list(drafts)
    for place in places:
        line = lines[keys[place]]
        new = replace(drafts[place], response=line.text.strip())
        outcome = _outcome(drafts[place], new, line.finish, verifier)
        outcomes[outcome] += 1
        if outcome == "phrased":
            phrased[place] = new
    return phrased, outcomes


def _conversation(draft: DraftExample) -> tuple[Message, ...]:
    text = f"{INSTRUCTION}\n\nQuestion:\n{draft.prompt}\n\nAnswer:\n{draft.response}"
    return (Message("user", text),)


def _outcome(old: DraftExample, new: DraftExample, finish: str, verifier: Verifier) -> Outcome:
    checks: tuple[tuple[Outcome, bool], ...] = (
        ("gave up", finish != "error" and bool(new.response)),
        ("cut off", finish == "stop"),
        ("unchanged", new.response != old.response),
        ("ids", _same(ID_REGEX, old, new)),
        ("numbers", _same(_NUMBER, old, new)),
        ("quotations", _same(_QUOTATION, old, new)),
        ("last line", not old.gold or _last(old) == _last(new) or not _alone(old)),
        ("check", verifier.intrinsic_rejection(new) is None),
    )
    return next((name for name, holds in checks if not holds), "phrased")


def _same(pattern: re.Pattern[str], old: DraftExample, new: DraftExample) -> bool:
    return set(pattern.findall(old.response)) == set(pattern.findall(new.response))


def _last(draft: DraftExample) -> str:
    return draft.response.rstrip().rpartition("\n")[2]


def _alone(draft: DraftExample) -> bool:
    return _last(draft) == draft.gold


def _key(name: str, options: ParaphraseTeacher, seed: int, draft: DraftExample) -> str:
    drawn = (options.temperature, options.max_tokens, seed)
    return key_of(name, INSTRUCTION, *drawn, draft.prompt, draft.response)
