"""The knowledge index on disk: built in seconds, replaced as a whole, opened by memory map."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.atomic_folder import atomic_folder, recover
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import write_json
from cybersecqwen.core.passages import merge_entries, page_of, passages_of
from cybersecqwen.core.records import Catalogue, Entry, Passage
from cybersecqwen.core.text.clean import normalised
from cybersecqwen.core.text.terms import terms
from cybersecqwen.knowledge.lexical import bm25s
from cybersecqwen.knowledge.pairs import PairIndex

FORMAT = 2
"""Raised whenever the files' layout or the way texts become terms changes."""

MANIFEST = "manifest.json"
PASSAGES = "passages.jsonl"
ARRAYS = ("offsets", "pages", "about", "kinds")
NAMES = "names.json"
BM25 = "bm25"
HEADS = "heads"

HEAD_KINDS = frozenset({"description", "term", "alias"})
"""Passages that say what their page is about."""

# CWE names end in the weakness's common name: ``... ('SQL Injection')``.
_COMMON_NAME = re.compile(r"\('([^']+)'\)")


class SourceInfo(msgspec.Struct, frozen=True):
    """What one source contributed: its own version and date, its file's hash, its entries."""

    name: str
    version: str
    date: str
    sha256: str
    entries: int
    problems: int


class IndexManifest(msgspec.Struct, frozen=True):
    """What an index holds.

    Attributes:
        format: Of its files.
        sources: What it was made from.
        entries: How many, withdrawn ones too.
        passages: How many.
        kinds: How many passages of each kind; their order numbers the kinds.
        page_ids: The entries' ids, in the passages' order.
    """

    format: int
    sources: tuple[SourceInfo, ...]
    entries: int
    passages: int
    kinds: dict[str, int]
    page_ids: tuple[str, ...]


class Names(msgspec.Struct, frozen=True):
    """Normalised names and aliases, each with its spellings and the page ids they lead to."""

    by_words: dict[str, list[tuple[str, str]]]
    replaced_by: dict[str, tuple[str, ...]]


def build(catalogues: Sequence[Catalogue], out: Path) -> IndexManifest:
    """Build an index of all catalogues in folder ``out``, in place of one that is there.

    The new folder is made beside the old and takes its name only when it is whole.

    Raises:
        LockedError: Another process builds it.
        InputError: ``out`` exists and is no knowledge index, or nothing is there to index.
    """
    with atomic_folder(out, MANIFEST) as made:
        entries = merge_entries(catalogues)
        passages = list(passages_of(entries))
        if not passages:
            raise InputError("nothing to index: the sources hold no entries")
        return _write(made, catalogues, entries, passages)


def read_manifest(folder: Path) -> IndexManifest:
    """Read what an index holds.

    Raises:
        InputError: The folder is no knowledge index, or one of another format.
    """
    recover(folder)
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=IndexManifest)
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{folder}: no knowledge index (kb build makes one): {error}") from error
    if manifest.format != FORMAT:
        raise InputError(f"{folder}: index format {manifest.format}, not {FORMAT}: run kb build")
    return manifest


def _write(
    folder: Path,
    catalogues: Sequence[Catalogue],
    entries: Mapping[str, Entry],
    passages: Sequence[Passage],
) -> IndexManifest:
    page_ids = tuple(entries)
    number = {name: n for n, name in enumerate(page_ids)}
    offsets = [0]
    with (folder / PASSAGES).open("wb") as stream:
        for passage in passages:
            offsets.append(offsets[-1] + stream.write(msgspec.json.encode(passage) + b"\n"))
    kinds = Counter(passage.kind for passage in passages)
    kind_number = {kind: n for n, kind in enumerate(sorted(kinds))}
    arrays: dict[str, NDArray[Any]] = {
        "offsets": np.array(offsets, np.int64),  # (N + 1,)
        "pages": np.array([number[page_of(p.id)] for p in passages], np.int32),  # (N,)
        # Which other entry a passage concerns; -1 for none.  (N,)
        "about": np.array([number.get(_about(p.id), -1) for p in passages], np.int32),
        "kinds": np.array([kind_number[p.kind] for p in passages], np.uint8),  # (N,)
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    _write_words(folder, passages, arrays["pages"])
    write_json(folder / NAMES, _names(entries.values()))
    manifest = IndexManifest(
        format=FORMAT,
        sources=tuple(
            SourceInfo(c.name, c.version, c.date, c.sha256, len(c.entries), len(c.problems))
            for c in catalogues
        ),
        entries=len(entries),
        passages=len(passages),
        kinds={kind: kinds[kind] for kind in kind_number},
        page_ids=page_ids,
    )
    write_json(folder / MANIFEST, manifest)
    return manifest


def _write_words(folder: Path, passages: Sequence[Passage], pages: NDArray[np.int32]) -> None:
    """Write what is searched: passages by term, pages' heads by term, pages by pair of terms."""
    rows, vocabulary = _numbered(passages)
    starts = np.flatnonzero(np.diff(pages, prepend=-1, append=-1))
    heads = [
        [
            term
            for place in range(start, end)
            if place == start or passages[place].kind in HEAD_KINDS
            for term in rows[place]
        ]
        for start, end in pairwise(starts)
    ]
    for name, texts in ((BM25, rows), (HEADS, heads)):
        retriever = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
        retriever.index((texts, vocabulary), show_progress=False)
        retriever.save(folder / name, show_progress=False)
    PairIndex.build(rows[start:end] for start, end in pairwise(starts)).save(folder)


def _numbered(passages: Iterable[Passage]) -> tuple[list[list[int]], dict[str, int]]:
    """Return each passage's terms as numbers, and the vocabulary."""
    vocabulary: dict[str, int] = {}
    rows = [
        [vocabulary.setdefault(t, len(vocabulary)) for t in terms(f"{p.title} {p.id} {p.text}")]
        for p in passages
    ]
    return rows, vocabulary


def _about(citation: str) -> str:
    return citation.partition("#")[2].partition("-")[2]


def _names(entries: Iterable[Entry]) -> Names:
    by_words: dict[str, list[tuple[str, str]]] = defaultdict(list)
    replaced_by: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        if entry.withdrawn:
            replaced_by[entry.id] = entry.replaced_by
            continue
        spellings = [entry.name, *entry.aliases, *_COMMON_NAME.findall(entry.name)]
        if ": " in entry.name:  # ATT&CK's sub-techniques: parent, colon, own name
            spellings.append(entry.name.rpartition(": ")[2])
        for spelling in dict.fromkeys(spellings):
            if key := normalised(spelling):
                by_words[key].append((spelling, entry.id))
    return Names(dict(by_words), replaced_by)
