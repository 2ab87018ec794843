"""Fill the local store of advisories, and look ids up in it: for the command line and the service.

A record that has an id and no text (a list of ids, a VEX statement, a scanner's bare finding) is
given the store's text on its way to the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from cybersecqwen.core.locks import exclusive
from cybersecqwen.core.paths import advisory_store_file
from cybersecqwen.core.records import Advisory, LabelSource, RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import canonical_id
from cybersecqwen.sources.advisory_store import AdvisoryStore, has_own_id
from cybersecqwen.sources.detect import read_advisories
from cybersecqwen.sources.store_info import StoreInfo

_PROBLEMS_KEPT = 100


@dataclass(slots=True)
class ImportSummary:
    """What an import brought.

    Attributes:
        store: The store afterwards.
        files: Files that were read.
        unchanged: Files that an earlier import had taken in.
        records: Records taken in, of all states.
        unnamed: Records without an id, which are not kept.
        failed: Records that could not be read.
        problems: The first of those, and notes.
    """

    store: StoreInfo
    files: int = 0
    unchanged: int = 0
    records: int = 0
    unnamed: int = 0
    failed: int = 0
    problems: list[RecordProblem] = field(default_factory=list)


def open_store(path: Path | None = None) -> AdvisoryStore | None:
    """Open the local store to read it; None where there is none.

    Args:
        path: The file, instead of where it lies by default.

    Raises:
        InputError: The file is no store.
    """
    file = path or advisory_store_file()
    return AdvisoryStore(file) if file.is_file() else None


def import_files(
    paths: Sequence[Path],
    *,
    store: Path | None = None,
    format: str = "auto",  # noqa: A002 - as ``read_advisories`` calls it
    labels_from: LabelSource = "other",
    progress: Callable[[int], None] = lambda _records: None,
) -> ImportSummary:
    """Take files of any format that is read into the local store.

    An import that was interrupted goes on where it stopped; a file that was taken in and has not
    changed is not read again.

    Args:
        paths: Files or folders.
        store: The store's file, instead of where it lies by default.
        format: As for ``read_advisories``.
        labels_from: As for ``read_advisories``.
        progress: Called with the records taken in so far.

    Returns:
        What was taken in, and what could not be.

    Raises:
        InputError: A file is missing or of no kind that is read, another import is running, or the
            disk is full.
    """
    file = store or advisory_store_file()
    with exclusive(file):
        target = AdvisoryStore(file, create=True)
        try:
            summary = ImportSummary(target.info())
            for path in _files(paths):
                _import_file(path, target, summary, format, labels_from, progress)
            summary.store = target.info()
        finally:
            target.close()
    return summary


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir() and any(child.is_dir() for child in path.iterdir()):
            yield path  # a tree, such as a clone of a database: read as one input
        elif path.is_dir():
            yield from sorted(child for child in path.iterdir() if _is_feed(child))
        else:
            yield path


def _is_feed(file: Path) -> bool:
    return file.is_file() and not file.name.startswith(".") and file.suffix != ".part"


def _import_file(
    path: Path,
    store: AdvisoryStore,
    summary: ImportSummary,
    format_: str,
    labels_from: LabelSource,
    progress: Callable[[int], None],
) -> None:
    noted = path if path.is_file() else None
    before = store.progress(noted) if noted else None
    if before and before.finished:
        summary.unchanged += 1
        return
    summary.files += 1
    begun = before.done if before else 0
    records = _storable(read_advisories(path, format_, labels_from=labels_from), summary, progress)
    store.add(islice(records, begun, None), noted, begun=begun)


def _storable(
    records: Iterable[Advisory | RecordProblem],
    summary: ImportSummary,
    progress: Callable[[int], None],
) -> Iterator[Advisory]:
    for record in records:
        known = record.advisory if isinstance(record, RecordProblem) else record
        if known and not has_own_id(known):
            summary.unnamed += 1
        elif known and (known.state != "published" or isinstance(record, Advisory)):
            summary.records += 1
            progress(summary.records)
            yield known
        elif isinstance(record, RecordProblem):
            summary.failed += record.is_failure
            if len(summary.problems) < _PROBLEMS_KEPT:
                summary.problems.append(record)


def look_up(name: str, store: AdvisoryStore | None) -> Advisory | RecordProblem:
    """Return the advisory of an id, or why there is no text of it.

    Args:
        name: The id, in any case.
        store: The local store; None where there is none.

    Raises:
        InputError: The store is damaged.
    """
    name = canonical_id(name)
    if store is None:
        reason = "an id; to look it up fill the local store: data fetch nvd, or data import FILE"
        return RecordProblem(name, name, reason, "no_description")
    found = store.get(name)
    if found is None:
        reason = f"the local store does not know it ({store.age()})"
        return RecordProblem(name, name, reason, "no_description")
    return _usable(replace(found, where=name))


def _usable(found: Advisory) -> Advisory | RecordProblem:
    if found.state != "published":
        reason = f"{found.state}, says the local store"
        if found.state == "rejected" and found.description.strip():
            reason = f"{reason}: {' '.join(found.description.split())[:200]}"
        return RecordProblem(found.where, found.id, reason, found.state, found)
    if not found.description.strip():
        reason = "the local store has no description of it"
        return RecordProblem(found.where, found.id, reason, "no_description", found)
    return found


def with_descriptions(
    records: Iterable[Advisory | RecordProblem],
    store: AdvisoryStore | None,
    notice: Callable[[str], None] = lambda _: None,
) -> Iterator[Advisory | RecordProblem]:
    """Yield records as they come, those without a text with the one that the store has.

    What the input says beside the id (its columns, its own labels) stays.

    Args:
        records: What a reader yields.
        store: The local store; without one nothing changes.
        notice: Called once, with where texts are taken from and how old that is.

    Raises:
        InputError: The store is damaged.
    """
    told = False
    for record in records:
        known = _without_text(record)
        if store is None or known is None:
            yield record
            continue
        names = (known.id, *known.aliases)
        found = next(filter(None, map(store.get, names)), None)
        if found is None:
            reason = f"no description, and the local store does not know it ({store.age()})"
            yield RecordProblem(known.where, known.id, reason, "no_description", known)
            continue
        if not told:
            told = True
            notice(f"records without a text are looked up in the local store, {store.age()}")
        yield _usable(
            replace(
                found,
                id=known.id,
                labels=tuple(dict.fromkeys((*known.labels, *found.labels))),
                where=known.where,
                line=known.line,
                columns=known.columns,
            )
        )


def _without_text(record: Advisory | RecordProblem) -> Advisory | None:
    """Return what is known of a record that has an id and no text."""
    missing = isinstance(record, RecordProblem) and record.kind == "no_description"
    return record.advisory if missing and isinstance(record, RecordProblem) else None
