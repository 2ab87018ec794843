"""What attackers do in a text: ATT&CK techniques of sentences, scenarios and reports, as rows."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import atomic_write
from cybersecqwen.core.jsonl import json_line
from cybersecqwen.core.records import RecordProblem
from cybersecqwen.core.text.clean import clean, has_text
from cybersecqwen.sources import read_advisories
from cybersecqwen.sources.advisories.prose import markup_kind, says_nothing
from cybersecqwen.sources.io.streams import ByteSource
from cybersecqwen.specialists.technique import TechniqueCandidate, TechniqueClassifier

_LIKELIEST = 5
_DIGITS = 4
_REPORT_ENDINGS = {".txt", ".md"}


def is_report(path: Path) -> bool:
    """Whether a file is one text to be read as a whole, by its ending; else it holds records."""
    return path.suffix.lower() in _REPORT_ENDINGS


def report_text(data: bytes, name: str) -> str:
    """Return a report's text.

    Args:
        data: As read.
        name: What to call it in a message.

    Returns:
        The text; its encoding is told as that of records is.

    Raises:
        InputError: It is no text.
    """
    content = ByteSource(io.BufferedReader(io.BytesIO(data)), name).as_utf8().read()
    if b"\0" in content:
        raise InputError(f"{name}: no text: byte {content.index(0)} is NUL")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: neither UTF-8 nor Windows-1252 (byte {error.start})") from error


def technique_rows(
    classifier: TechniqueClassifier,
    source: Path,
    report: Callable[[RecordProblem], None],
    *,
    format: str = "auto",  # noqa: A002 - as ``read_advisories`` calls it
) -> Iterator[dict[str, Any]]:
    """Yield a row for the text of each record of a file.

    Args:
        classifier: The specialist.
        source: The file.
        report: Called with each record whose text cannot be read.
        format: As for ``read_advisories``.

    Raises:
        InputError: The source cannot be read.
    """
    for record in read_advisories(source, format):
        if isinstance(record, RecordProblem):
            if record.is_failure:
                report(record)
            continue
        try:
            yield technique_row(classifier, record.description, record.id)
        except InputError as error:
            report(RecordProblem(record.where, record.id, str(error)))


def write_technique_rows(
    classifier: TechniqueClassifier,
    source: Path,
    sink: Path | IO[bytes],
    report: Callable[[RecordProblem], None],
    *,
    format: str = "auto",  # noqa: A002 - as ``read_advisories`` calls it
) -> int:
    """Write the rows of ``technique_rows`` as JSON lines and return how many they are.

    Args:
        classifier: The specialist.
        source: The file.
        sink: A file to write, whole or not at all, or a stream.
        report: As for ``technique_rows``.
        format: As for ``read_advisories``.

    Raises:
        InputError: The source cannot be read, or the output cannot be written.
    """
    rows = 0
    try:
        with atomic_write(sink) if isinstance(sink, Path) else nullcontext(sink) as stream:
            for row in technique_rows(classifier, source, report, format=format):
                stream.write(json_line(row))
                rows += 1
    except OSError as error:
        raise InputError(f"{sink}: cannot be written: {error.strerror}") from error
    return rows


def technique_row(
    classifier: TechniqueClassifier, text: str, record_id: str = "text"
) -> dict[str, Any]:
    """Return what a text says of techniques.

    ``about`` has the likeliest techniques of a text that is on one, with probabilities that add up
    to 1 over all that the model knows; ``abstained`` whether the first of them is under the
    model's threshold. ``tells`` has every technique that the text tells of, each by itself.

    Args:
        classifier: The specialist.
        text: A sentence, a scenario or a report.
        record_id: What to call it.

    Raises:
        InputError: The text has nothing to read, or is none on what happened: markup, an id, an
            address, a placeholder.
    """
    if not has_text(text):
        raise InputError("the text has nothing to read")
    if kind := markup_kind(text):
        raise InputError(f"the text is {kind}: give what attackers did, in words")
    if says_nothing(text):
        raise InputError(f"{clean(text)[:40]!r} tells nothing of what attackers did")
    about = classifier.classify(text, top_k=_LIKELIEST)
    return {
        "id": record_id,
        "about": [_found(classifier, one) for one in about],
        "abstained": about[0].probability < classifier.config.threshold,
        "tells": [_found(classifier, one) for one in classifier.techniques_of(text)],
        "model": classifier.name,
        "attack": classifier.config.attack_version,
    }


def _found(classifier: TechniqueClassifier, found: TechniqueCandidate) -> dict[str, Any]:
    parent, _, sub = found.id.partition(".")
    return {
        "id": found.id,
        "name": found.name,
        "probability": round(found.probability, _DIGITS),
        **({"parent": {"id": parent, "name": _name(classifier, parent)}} if sub else {}),
        "sentence": found.sentence,
        "citation": found.citation,
    }


def _name(classifier: TechniqueClassifier, technique: str) -> str:
    """Return the name of a technique, empty for one that the model does not know."""
    known = zip(classifier.config.techniques, classifier.config.names, strict=True)
    return next((name for id_, name in known if id_ == technique), "")
