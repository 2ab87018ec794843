"""CTI-Bench (NeurIPS 2024): its five question files and its saved model answers.

The files are tab-separated, without quoting, one row a line. Rows have no id of their own, so a
question's id is its task and its 0-based row (``rcm-0243``): the number by which others refer to
rows, and the only thing that saved answers in the rows' order can be joined on.

Source: Alam et al., CTIBench, arXiv 2406.07599; data under CC BY-NC-SA 4.0, for evaluation only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cybersecqwen.core.answer_parsing import AnswerKind, canonical_answer
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Question

OPTIONS = ("Option A", "Option B", "Option C", "Option D")

_KINDS: dict[str, AnswerKind] = {
    "rcm": "cwe",
    "mcq": "choice",
    "vsp": "cvss",
    "ate": "techniques",
    "taa": "actor",
}
_TEXT_COLUMN = {
    "rcm": "Description",
    "mcq": "Question",
    "vsp": "Description",
    "ate": "Description",
    "taa": "Text",
}
_HINTS = {
    "cwe": "a CWE id",
    "choice": "a letter",
    "cvss": "a CVSS v3 base vector",
    "techniques": "ATT&CK technique ids",
    "actor": "a name",
}


@dataclass(frozen=True, slots=True)
class SavedAnswers:
    """One model's saved answers, in the rows' order.

    Attributes:
        task: ``rcm``, ``mcq``, ``vsp`` or ``taa``.
        model: The column's heading.
        gold: Expected answers in canonical form.
        answers: What the file says the model answered, stripped; ``X`` stands for none.
    """

    task: str
    model: str
    gold: tuple[str, ...]
    answers: tuple[str, ...]


_MAX_ROWS = 200_000


def question_id(task: str, row: int) -> str:
    """Return the id of a 0-based row of a task's file."""
    return f"{task}-{row:04d}"


def read_questions(path: Path, task: str, answers: Path | None = None) -> list[Question]:
    """Read a question file.

    Args:
        path: The TSV file.
        task: ``rcm``, ``mcq``, ``vsp``, ``ate`` or ``taa``.
        answers: A file of saved answers whose ``GT`` column holds the expected ones, in the same
            order; TAA's own file has none.

    Raises:
        InputError: The file cannot be used; the message names the row and the column.
    """
    kind = _KINDS[task]
    columns = ["URL", _TEXT_COLUMN[task], "Prompt", *(OPTIONS if task == "mcq" else ())]
    if answers is None:
        columns.append("GT")
    table = read_tsv(path, columns)
    golds: Sequence[str]
    if answers is None:
        golds = [_gold(path, number, row["GT"], kind) for number, row in enumerate(table, 2)]
    else:
        golds = _gold_column(answers, kind, len(table))
    return [
        Question(
            id=question_id(task, index),
            task=f"cti-{task}",
            prompt=row["Prompt"],
            gold=gold,
            choices=tuple(row[option] for option in OPTIONS) if task == "mcq" else (),
            source=row["URL"],
            text=row[_TEXT_COLUMN[task]].strip(),
        )
        for index, (row, gold) in enumerate(zip(table, golds, strict=True))
    ]


def read_saved_answers(path: Path) -> list[SavedAnswers]:
    """Read a file of several models' answers: ``GT`` and one column a model.

    Raises:
        InputError: The file cannot be used, or its answers are of no task known here.
    """
    header, rows = _read_rows(path)
    if "GT" not in header or len(header) < 2:
        raise InputError(f"{path}: needs the column GT and one a model; it has {header}")
    place = header.index("GT")
    task = _guess_task(path, [row[place] for row in rows])
    kind = _KINDS[task]
    gold = tuple(_gold(path, number, row[place], kind) for number, row in enumerate(rows, 2))
    return [
        SavedAnswers(task, name, gold, tuple(row[column].strip() for row in rows))
        for column, name in enumerate(header)
        if column != place
    ]


def read_tsv(path: Path, required: Sequence[str]) -> list[dict[str, str]]:
    """Read a tab-separated file with a heading, every required column present and filled.

    Raises:
        InputError: The file is missing, not UTF-8, not tab-separated, lacks a column, or has a row
            with too few or too many fields or a blank where text belongs; row 1 is the heading.
    """
    header, rows = _read_rows(path)
    missing = [name for name in required if name not in header]
    if missing:
        raise InputError(f"{path}: row 1: no column {', '.join(missing)}; it has {header}")
    table = []
    for number, row in enumerate(rows, 2):
        fields = dict(zip(header, row, strict=True))
        for name in required:
            # An option may be blank: CTI-Bench has some that were once the word "None".
            if name not in OPTIONS and not fields[name].strip():
                raise InputError(f"{path}: row {number}: column {name} is empty")
        table.append(fields)
    return table


def _read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error}") from error
    if not data.strip():
        raise InputError(f"{path}: the file is empty")
    if data.count(b"\n") > _MAX_ROWS:
        raise InputError(f"{path}: over {_MAX_ROWS:,} rows, more than any benchmark has")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad_row = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}: row {bad_row}: byte {data[error.start]:#04x} is not UTF-8; another encoding "
            "would change what models are asked, so save the file as UTF-8"
        ) from error
    lines = [line.rstrip("\r") for line in text.rstrip("\r\n").split("\n")]
    header = [name.strip() for name in lines[0].split("\t")]
    if len(header) == 1:
        raise InputError(f"{path}: row 1 has no tab: the file is not tab-separated")
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise InputError(f"{path}: row 1: column {', '.join(sorted(twice))} occurs twice")
    rows = [line.split("\t") for line in lines[1:]]
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise InputError(f"{path}: row {number}: {len(row)} fields where {len(header)} belong")
    if not rows:
        raise InputError(f"{path}: no row below the heading")
    return header, rows


def _gold(path: Path, number: int, text: str, kind: AnswerKind) -> str:
    if not text.strip():
        raise InputError(f"{path}: row {number}: column GT is empty")
    gold = canonical_answer(kind, text)
    if gold is None:
        raise InputError(f"{path}: row {number}: column GT: {text[:40]!r} is not {_HINTS[kind]}")
    return gold


def _gold_column(path: Path, kind: AnswerKind, count: int) -> list[str]:
    table = read_tsv(path, ["GT"])
    if len(table) != count:
        raise InputError(f"{path}: {len(table)} rows of answers for {count} questions")
    return [_gold(path, number, row["GT"], kind) for number, row in enumerate(table, 2)]


def _guess_task(path: Path, golds: Sequence[str]) -> str:
    sample = next((gold for gold in golds if gold.strip()), "")
    for task in ("rcm", "vsp", "mcq"):
        if canonical_answer(_KINDS[task], sample):
            return task
    # A name can look like anything, so the file's own name has to say so.
    if "taa" in path.name.lower():
        return "taa"
    raise InputError(f"{path}: row 2: column GT: {sample[:40]!r} is an answer of no known task")
