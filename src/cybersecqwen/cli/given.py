"""What a verb over vulnerabilities was given: one description, ids, or records."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cybersecqwen.cli.description_argument import check_description, ids_alone, pasted_records
from cybersecqwen.cli.places import place
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.paths import advisory_store_file


@dataclass(frozen=True, slots=True)
class Given:
    """What is to be answered: a text; else a file, folder or URL; else standard input.

    Attributes:
        text: A description; None for records.
        source: The records' place; None for standard input.
        records: What stands for standard input, where records were given in place of a text.
        format: What the records are.
    """

    text: str | None = None
    source: Path | str | None = None
    records: io.BytesIO | None = None
    format: str = "auto"

    @property
    def typed(self) -> bool:
        """Whether it stands on the command line itself, so that it is little."""
        return self.text is not None or self.records is not None


def what_was_given(words: Sequence[str], source: str | None, form: str, *, verb: str) -> Given:
    """Find out what is to be answered.

    Args:
        words: What was typed besides options.
        source: The value of ``--input``; None where it was not given.
        form: The value of ``--format``.
        verb: The verb, for advice.

    Raises:
        InputError: It is nothing that can be answered; with what to do instead.
    """
    ids = ids_alone(words) if source is None else None
    if ids and advisory_store_file().is_file():
        return Given(records=io.BytesIO(ids), format="text")
    if len(words) > 1:
        first = next((word for word in words if Path(word).is_file()), "")
        raise InputError(
            f"{first} is a file: {verb} --input {first}"
            if first
            else f'put the text in quotes: cybersecqwen {verb} "..."'
        )
    if words and source is not None:
        raise InputError("give a text or --input FILE (- for standard input), one of the two")
    if words and words[0] != "-":
        return _described(words[0], form, verb)
    if not words and source is None and (sys.stdin is None or sys.stdin.isatty()):
        raise InputError("give a text in quotes, --input FILE, or records on standard input")
    if source in {None, "-"}:
        return Given(format=form)
    assert source is not None
    return Given(source=place(source), format=form)


def _described(word: str, form: str, verb: str) -> Given:
    # Arguments that are no UTF-8 arrive with their bytes as lone surrogates.
    text = os.fsencode(word).decode("utf-8", "replace")
    if pasted := pasted_records(text):
        return Given(records=io.BytesIO(pasted), format=form)
    check_description(text, verb)
    return Given(text=text)
