"""Records as token ids, part by part, and the views of them that a model is shown in training.

At work a specialist meets bare texts, whole records and everything between, clear sentences in
the middle of much that says nothing, and texts that say nothing at all. So in training a record's
parts are left out at random, sentences that name no weakness are put around some descriptions,
and some descriptions are replaced by such sentences altogether.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from cybersecqwen.core.text.clean import render
from cybersecqwen.core.text.record import BREAK, PARTS, RecordParts, part_texts, year_word
from cybersecqwen.training.recipes.specialist import Views, Years
from cybersecqwen.training.specialist.rows import TokenisedTexts

_ENCODE_AT_ONCE = 4096
CWE_PART = PARTS.index("cwe")
VECTOR_PART = PARTS.index("vector")

Tokens = NDArray[np.int32]

When = Literal["own", "assumed", "unsaid"]
"""As of which year a record is read: its own, the assumed one, or as a text at work whose year
nobody says, which is the assumed one if it uses a settled name, else none."""


@dataclass(frozen=True)
class View:
    """What of one record is shown.

    Attributes:
        tokens: Ids, special tokens included.
        shown: Whether each of ``PARTS`` is there, (P,).
        empty: Whether neutral sentences stand in the description's place.
        assumed: Whether it is as of the assumed year.
    """

    tokens: Tokens
    shown: NDArray[np.bool_]
    empty: bool
    assumed: bool = False


@dataclass(frozen=True)
class RowYears:
    """When N records were published, for a model that tells years apart.

    Attributes:
        known: The years that it tells apart.
        own: (N,), as of which year each record is read.
        named: (N,), whether its description uses a settled name.
    """

    known: Years
    own: Sequence[int]
    named: NDArray[np.bool_]

    @property
    def recent(self) -> NDArray[np.bool_]:
        """Whether each record's labels are as of the assumed year, (N,)."""
        return np.asarray(self.own) >= self.known.assumed - self.known.recent


class PartTokens:
    """Token ids of N records, cut at the parts.

    Args:
        tokenizer: Its special tokens go around each view.
        descriptions: N descriptions, as published.
        parts: What the records say besides.
        neutral: Sentences that name no weakness.
        max_tokens: Longest view.
        years: When the records were published; None where years are not told apart.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        descriptions: Sequence[str],
        parts: Sequence[RecordParts],
        neutral: Sequence[str],
        max_tokens: int,
        years: RowYears | None = None,
    ) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        around = tokenizer.encode("").ids
        self._first, self._last = around[:1], around[-1:]
        self._break = tokenizer.encode(BREAK, add_special_tokens=False).ids
        self._descriptions = tokenize(tokenizer, [render(text) for text in descriptions])
        texts = [part_texts(record) for record in parts]
        self._parts = [
            tokenize(tokenizer, [text.get(name, "") for text in texts]) for name in PARTS
        ]
        self._neutral = tokenize(tokenizer, [render(text) for text in neutral])
        self._max_tokens = max_tokens
        self.years = years
        known = sorted({*years.own, years.known.assumed}) if years is not None else []
        words = tokenize(tokenizer, [year_word(year) for year in known])
        self._year_words = {year: words[place] for place, year in enumerate(known)}
        self.present = np.stack([np.diff(p.starts) > 0 for p in self._parts], axis=1)  # (N, P)

    def __len__(self) -> int:
        return len(self._descriptions)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each record's description, special tokens included, cut at the longest."""
        lengths = np.minimum(np.diff(self._descriptions.starts) + 2, self._max_tokens)
        return [int(length) for length in lengths]

    def show(
        self, row: int | np.integer, shown: NDArray[np.bool_], *, when: When = "assumed"
    ) -> Tokens:
        """Return the view of one record with some of its parts, (T,).

        Where years are told apart it is as of the year that ``when`` says.
        """
        year = 0
        if self.years is not None and when == "own":
            year = self.years.own[int(row)]
        elif self.years is not None and (when == "assumed" or self.years.named[int(row)]):
            year = self.years.known.assumed
        return self._join(row, shown, [], [], self._descriptions[row], year)

    def draw(self, row: int, odds: Views, draw: np.random.Generator, hint: int) -> View:
        """Return a view of one record, drawn at random; ``hint`` is the part that may tell."""
        shown = np.zeros(len(PARTS), bool)
        if self.present[row].any():
            kind = draw.random()
            if kind < odds.whole + odds.some:
                shown = self.present[row].copy()
                if kind < odds.some:
                    shown &= draw.random(len(PARTS)) < 0.5
                if draw.random() >= odds.hint:
                    shown[hint] = False
        description = self._descriptions[row]
        before: list[Tokens] = []
        after: list[Tokens] = []
        fate = draw.random() if len(self._neutral) else 1.0
        if fate < odds.padded + odds.empty:
            count = int(draw.integers(1, odds.most_sentences + 1))
            chosen = [self._neutral[i] for i in draw.integers(0, len(self._neutral), count)]
            cut = int(draw.integers(0, count + 1))
            before, after = chosen[:cut], chosen[cut:]
        empty = fate < odds.empty
        if empty:
            description = np.zeros(0, np.int32)
            shown = np.zeros(len(PARTS), bool)
        year, assumed = 0, False
        if self.years is not None and not empty:
            when = draw.random()
            assumed = when < odds.assumed
            if assumed:
                year = self.years.known.assumed
            elif when < odds.assumed + odds.year:
                year = self.years.own[row]
        tokens = self._join(row, shown, before, after, description, year)
        return View(tokens, shown, empty, assumed)

    def _join(
        self,
        row: int | np.integer,
        shown: NDArray[np.bool_],
        before: Sequence[Tokens],
        after: Sequence[Tokens],
        description: Tokens,
        year: int = 0,
    ) -> Tokens:
        pieces: list[Tokens | list[int]] = [self._first]
        if year:
            pieces += [self._year_words[year], self._break]
        for place in np.flatnonzero(shown):
            pieces += [self._parts[place][row], self._break]
        room = self._max_tokens - sum(map(len, pieces)) - 1
        # Where a padded description is too long, what pads it gives way.
        spare = max(0, room - len(description))
        for sentence in before:
            if len(sentence) <= spare:
                pieces.append(sentence)
                spare -= len(sentence)
        pieces.append(description[:room])
        for sentence in after:
            if len(sentence) <= spare:
                pieces.append(sentence)
                spare -= len(sentence)
        pieces.append(self._last)
        return np.concatenate(pieces).astype(np.int32)


def tokenize(tokenizer: Tokenizer, rendered: Sequence[str]) -> TokenisedTexts:
    """Return the ids of rendered texts, whole and without special tokens."""
    pieces: list[Tokens] = []
    lengths: list[int] = []
    for start in range(0, len(rendered), _ENCODE_AT_ONCE):
        encodings = tokenizer.encode_batch_fast(
            list(rendered[start : start + _ENCODE_AT_ONCE]), add_special_tokens=False
        )
        ids = [encoding.ids for encoding in encodings]
        lengths.extend(map(len, ids))
        pieces.append(np.array([i for text in ids for i in text], dtype=np.int32))
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    return TokenisedTexts(np.concatenate(pieces) if pieces else np.zeros(0, np.int32), starts)


def join_texts(views: Sequence[Tokens]) -> TokenisedTexts:
    """Return views end to end."""
    starts = np.zeros(len(views) + 1, dtype=np.int64)
    np.cumsum([len(view) for view in views], out=starts[1:])
    return TokenisedTexts(np.concatenate(views) if views else np.zeros(0, np.int32), starts)
