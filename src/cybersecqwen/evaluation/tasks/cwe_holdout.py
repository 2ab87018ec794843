"""Our own hold-out: a finished corpus's ``validation.jsonl``, by labeller and date."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task


class _Row(msgspec.Struct, frozen=True):
    id: str
    text: str
    published: str = ""
    labels: dict[str, list[str]] = {}
    familiar: bool = False


def _load(path: Path, options: LoadOptions) -> list[Question]:
    decoder = msgspec.json.Decoder(_Row)
    questions = []
    seen: dict[str, int] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error}") from error
    for number, line in enumerate(lines, 1):
        try:
            row = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}:{number}: not a corpus row: {error}") from error
        if seen.setdefault(row.id, number) != number:
            raise InputError(f"{path}:{number}: id {row.id} is that of line {seen[row.id]} too")
        labels = row.labels.get(options.labeller)
        if not labels or row.published < options.since:
            continue
        if options.unfamiliar and row.familiar:
            continue
        questions.append(
            Question(
                id=row.id,
                task="cwe-holdout",
                prompt=f"Which weakness (CWE ID) does this vulnerability come from?\n\n{row.text}",
                gold=labels[0],
                source=row.id,
                text=row.text,
            )
        )
    if not questions:
        raise InputError(
            f"{path}: no row labelled by {options.labeller}"
            + (f" and published since {options.since}" if options.since else "")
        )
    return questions


TASK = Task(
    name="cwe-holdout",
    title="CVE to CWE (our own hold-out)",
    kind="cwe",
    load=_load,
)
