"""Evaluation logs: one JSONL file a run, a heading line and then one line per item and trial.

The log is the product: it holds every prompt and every raw output, so that scoring needs no model.
Lines are appended and flushed as answers come, in the order of trials and questions. A line that a
kill left unfinished is dropped when the run is resumed.

Two logs hold the same run when their ``digest`` is the same: it covers every line, but for the
fields that tell of the occasion and not of what was asked and answered (``OCCASION`` in the
heading, ``timings`` in the rows).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import atomic_write
from cybersecqwen.core.lenient_json import LenientDecoder
from cybersecqwen.core.records import Question

LOG_VERSION = 1

OCCASION = ("started", "commit", "dirty", "versions")
"""Fields of the heading that may differ between two goes at the same run."""


class Turn(msgspec.Struct, frozen=True):
    """One message of a prompt."""

    role: str
    content: str


class Timings(msgspec.Struct, frozen=True):
    """How long an answer took.

    Attributes:
        seconds: Wall time, shared out evenly inside a batch.
        new_tokens: Tokens written, where known.
    """

    seconds: float = 0.0
    new_tokens: int | None = None


class Released(msgspec.Struct, frozen=True):
    """What the makers of an imported result read and decided.

    Attributes:
        reading: Their reading, or None where they read nothing.
        correct: Whether they counted it as right.
    """

    reading: str | None
    correct: bool


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The heading line: what was run.

    Attributes:
        log: Format version.
        task: Task name.
        protocol: Protocol name.
        protocol_sha256: Hash of the protocol's whole content.
        model: The model's SPEC or name.
        system: More on the model: its own name, a digest of its weights, the labeller asked for.
        origin: ``run``, or ``import:`` and where from.
        open_book: Whether the system looks things up.
        knowledge_sha256: Hash of what the knowledge base says it was made from, when the book is
            open.
        base_model: Whether it was asked as a base model, with worked examples.
        sampling: Temperature, nucleus mass and token limit, where answers are drawn.
        seeds: One per trial.
        items: Questions per trial.
        data: The question file's name and SHA-256.
        questions_sha256: Hash of the questions asked, in order.
        template_sha256: Hash of the prompt template.
        versions: Of this package, Python and the libraries that shape results.
        commit: The checkout's commit, where run from one.
        dirty: Whether its files differed from the commit.
        started: UTC time.
        released: What an imported file says of itself, such as the accuracies of its trials.
    """

    log: int = LOG_VERSION
    task: str
    protocol: str
    protocol_sha256: str
    model: str
    system: dict[str, str] = {}
    origin: str = "run"
    open_book: bool = False
    knowledge_sha256: str = ""
    base_model: bool = False
    sampling: dict[str, float] = {}
    seeds: list[int]
    items: int
    data: dict[str, str] = {}
    questions_sha256: str = ""
    template_sha256: str = ""
    versions: dict[str, str] = {}
    commit: str = ""
    dirty: bool = False
    started: str = ""
    released: dict[str, Any] = {}


class LogRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item in one trial.

    Attributes:
        id: The question's id.
        trial: Number of the trial, from 0.
        seed: The trial's seed.
        prompt: What the model was shown, whole.
        output: What it wrote, whole.
        reading: What the protocol's reader made of it; None where nothing could be read.
        gold: The expected answer.
        options: How many letters were permitted, for a choice.
        source: Page or record the question came from; never shown to the model.
        confidence: Stated probability (0 to 1) of the answer, where the system has one.
        candidates: Likeliest answers and their probabilities, best first.
        abstained: Whether the system would rather not answer; ``output`` is then its best guess.
        backoff: The broader answer that it stands by instead, if any.
        finish: ``stop``, ``length`` or ``error``.
        error: Why the system gave up.
        cut: Whether an imported output may lack its end.
        released: What its makers read, for an imported answer.
        timings: Seconds that it took.
    """

    id: str
    trial: int
    seed: int
    prompt: list[Turn] = []
    output: str
    reading: str | None
    gold: str
    options: int = 4
    source: str = ""
    confidence: float | None = None
    candidates: list[tuple[str, float]] = []
    abstained: bool = False
    backoff: str = ""
    finish: Literal["stop", "length", "error"] = "stop"
    error: str = ""
    cut: bool = False
    released: Released | None = None
    timings: Timings = Timings()


@dataclass(frozen=True)
class RunLog:
    """A log in memory.

    Attributes:
        path: File that it was read from.
        header: The heading.
        rows: Whole lines, in the file's order.
        torn: Whether an unfinished last line was dropped.
    """

    path: Path
    header: Header
    rows: list[LogRow]
    torn: bool = False

    @property
    def missing(self) -> int:
        """How many items and trials are not there yet."""
        return self.header.items * len(self.header.seeds) - len(self.rows)

    def digest(self) -> str:
        """Return the SHA-256 of what was asked and answered."""
        heading = msgspec.structs.asdict(self.header)
        asked = {name: value for name, value in heading.items() if name not in OCCASION}
        digest = hashlib.sha256(msgspec.json.encode(asked))
        for row in self.rows:
            digest.update(msgspec.json.encode(msgspec.structs.replace(row, timings=Timings())))
        return digest.hexdigest()


def questions_sha256(questions: Iterable[Question]) -> str:
    """Return a hash of everything about the questions that can change a result, in order."""
    digest = hashlib.sha256()
    for question in questions:
        digest.update(msgspec.json.encode(question) + b"\n")
    return digest.hexdigest()


def encode_row(row: LogRow) -> bytes:
    """Return a row's line, its newline with it."""
    return msgspec.json.encode(row) + b"\n"


def write_log(path: Path, header: Header, rows: Iterable[LogRow] = ()) -> None:
    """Write a log, atomically."""
    with atomic_write(path) as stream:
        stream.write(msgspec.json.encode(header) + b"\n")
        stream.writelines(encode_row(row) for row in rows)


def read_log(path: Path) -> RunLog:
    """Read a log, whole or unfinished.

    Raises:
        InputError: It cannot be read, its heading is none of ours, a line but the last is
            damaged, or two lines are of the same item and trial; the message names the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read the log: {error}") from error
    # A line counts only with its newline: a kill can leave half of one, even a decodable half.
    whole, _, torn = data.rpartition(b"\n")
    lines = whole.split(b"\n") if whole else []
    if not lines:
        raise InputError(f"{path}: not an evaluation log: no heading line")
    try:
        header = LenientDecoder(Header).decode(lines[0])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}:1: not an evaluation log: {error}") from error
    if header.log != LOG_VERSION:
        raise InputError(f"{path}:1: log format {header.log}; this version reads {LOG_VERSION}")
    rows: list[LogRow] = []
    seen: dict[tuple[str, int], int] = {}
    decoder = LenientDecoder(LogRow)
    for number, line in enumerate(lines[1:], 2):
        try:
            row = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}:{number}: damaged line: {error}") from error
        first = seen.setdefault((row.id, row.trial), number)
        if first != number:
            raise InputError(f"{path}:{number}: {row.id} is on line {first} too")
        rows.append(row)
    return RunLog(path, header, rows, bool(torn))
