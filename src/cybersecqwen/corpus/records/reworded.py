"""Descriptions told in plain words by a language model, to learn from beside the descriptions.

Whoever asks about a weakness in their own words uses neither the names nor the turns of phrase of
CVE records. What a language model tells of a record keeps the record's labels; the trainer leaves
out what no longer tells of them.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.corpus.journal import Journal, key_of

_ROWS_OF_AN_ID = 44
_FIRST_YEAR = 2016
_NEWER = 2021  # rows since then are taken before older ones
_SHORTEST, _LONGEST = 60, 700  # characters of a description
_ANSWERS = 2  # to each description
_SHORTEST_TOLD, _LONGEST_TOLD = 25, 260
_NUMBERED = re.compile(r"C[VW]E-")

_SYSTEM = "You are a security analyst who explains problems to colleagues in everyday words."
_ASK = (
    "Say in one short plain sentence what goes wrong, or what somebody can do, as you would tell "
    "it a colleague in a chat. Leave out product names, file and function names, version numbers, "
    "CVE and CWE ids, and the technical name of the class of weakness.\n\nDescription: {}"
)
_SHOWN = (
    (
        "ExampleCMS 4.2 before 4.2.7 allows remote authenticated users to bypass intended access "
        "restrictions and read private calendar entries via a direct request to ical.php.",
        "Calling the calendar feed directly shows private entries to users who should not see "
        "them.",
    ),
    (
        "An issue was discovered in Foo Camera firmware 1.3. The RTSP parser does not restrict "
        "the number of fragments, leading to memory exhaustion.",
        "The camera collects stream fragments without any limit and runs out of memory.",
    ),
    (
        "Improper neutralization of argument delimiters in a command in BarTool 2.0 allows a local "
        "attacker to alter the behaviour of the backup via a crafted file name.",
        "A file name that begins with a dash is taken as an option by the command that the tool "
        "starts.",
    ),
)


def chosen_rows(rows: Sequence[CorpusRow], seed: int) -> list[CorpusRow]:
    """Return rows to be told in plain words: some of each id, newer ones first."""
    fit = [
        row
        for row in rows
        if (row.year or 0) >= _FIRST_YEAR and _SHORTEST <= len(row.text) <= _LONGEST
    ]
    draw = random.Random(seed)
    draw.shuffle(fit)
    taken: Counter[str] = Counter()
    chosen = []
    for row in sorted(fit, key=lambda row: (row.year or 0) < _NEWER):
        first = next(iter((*row.ids("nvd"), *row.ids("cna"))), "")
        if first and taken[first] < _ROWS_OF_AN_ID:
            taken[first] += 1
            chosen.append(row)
    return chosen


def reworded_rows(
    rows: Sequence[CorpusRow], teacher: Backend, journal: Journal, seed: int
) -> Iterator[CorpusRow]:
    """Yield what a language model tells of chosen rows, each with its row's id, date and labels.

    Args:
        rows: Labelled rows to learn from.
        teacher: The language model.
        journal: What it has told so far.
        seed: Of the choice.

    Raises:
        ModelError: The teacher cannot answer.
    """
    asked, owners = {}, {}
    for row in chosen_rows(rows, seed):
        messages = _conversation(row.text)
        for number in range(_ANSWERS):
            key = key_of(teacher.name, "reworded", number, row.id, row.text)
            asked[key], owners[key] = messages, row
    sampling = Sampling(temperature=0.7, top_p=0.95, max_tokens=48, seed=seed)
    told = set()
    for key, line in journal.answers(teacher, asked, sampling).items():
        row, text = owners[key], " ".join(line.text.split())
        whole = line.finish == "stop" and _SHORTEST_TOLD <= len(text) <= _LONGEST_TOLD
        if whole and not _NUMBERED.search(text) and (row.id, text) not in told:
            told.add((row.id, text))
            yield CorpusRow(row.id, text, row.published, row.labels)


def _conversation(description: str) -> tuple[Message, ...]:
    shown = [
        message
        for before, after in _SHOWN
        for message in (Message("user", _ASK.format(before)), Message("assistant", after))
    ]
    return (Message("system", _SYSTEM), *shown, Message("user", _ASK.format(description)))
