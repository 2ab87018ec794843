"""Our own hold-out: a finished corpus's ``validation.jsonl``, by labeller and date."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Question
from cybersecqwen.core.rows import read_corpus_rows
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task


def _load(path: Path, options: LoadOptions) -> list[Question]:
    questions = []
    seen: dict[str, int] = {}
    for number, row in read_corpus_rows(path):
        if seen.setdefault(row.id, number) != number:
            raise InputError(f"{path}:{number}: id {row.id} is that of line {seen[row.id]} too")
        labels = row.ids(options.labeller)
        if not labels or row.published < options.since:
            continue
        if options.without_near_duplicates and row.near_train_duplicate:
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
