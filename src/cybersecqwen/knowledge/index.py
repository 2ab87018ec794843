"""The knowledge index on disk: built in seconds, replaced as a whole, opened by memory map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.atomic_folder import atomic_folder
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import write_json, write_text
from cybersecqwen.core.passages import merge_entries, page_of, passages_of
from cybersecqwen.core.records import Catalogue, Entry, Passage
from cybersecqwen.core.text.terms import terms
from cybersecqwen.knowledge import passage_store
from cybersecqwen.knowledge.index_manifest import FORMAT, MANIFEST, IndexManifest, SourceInfo
from cybersecqwen.knowledge.lexical import TermIndex, Vocabulary
from cybersecqwen.knowledge.names import NAMES, NameTable
from cybersecqwen.knowledge.notices import notice_of
from cybersecqwen.knowledge.pairs import PairIndex
from cybersecqwen.knowledge.spelling import WORDS, word_counts

NOTICE = "NOTICE"
PAGES = "pages.json"
ARRAYS = ("pages", "about", "kinds", "links", "vocabulary")
PASSAGE_TERMS = "passage_terms"
HEAD_TERMS = "head_terms"

HEAD_KINDS = frozenset({"description", "term", "alias"})
"""Passages that say what their page is about."""


class PageTable(msgspec.Struct, frozen=True):
    """The entries, by the number of their page: the order of the passages.

    Attributes:
        ids: Their ids.
        titles: Their names.
        kinds: As in ``Entry``.
        sources: The number of the first source that holds each.
        withdrawn: Numbers of those that their source has withdrawn.
        replaced_by: What their sources say to use instead, by id.
        subkinds: What their sources say more exactly, by id: ``malware`` or ``tool``.
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    kinds: tuple[str, ...]
    sources: tuple[int, ...]
    withdrawn: tuple[int, ...]
    replaced_by: dict[str, tuple[str, ...]]
    subkinds: dict[str, str] = {}


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


def _write(
    folder: Path,
    catalogues: Sequence[Catalogue],
    entries: Mapping[str, Entry],
    passages: Sequence[Passage],
) -> IndexManifest:
    number = {name: n for n, name in enumerate(entries)}
    passage_store.write(folder, passages)
    kinds = Counter(passage.kind for passage in passages)
    kind_number = {kind: n for n, kind in enumerate(sorted(kinds))}
    relations = tuple(sorted({r for entry in entries.values() for r, _ in entry.links}))
    arrays: dict[str, NDArray[Any]] = {
        "pages": np.array([number[page_of(p.id)] for p in passages], np.int32),  # (N,)
        # Which other entry a passage concerns; -1 for none.  (N,)
        "about": np.array([number.get(_about(p.id), -1) for p in passages], np.int32),
        "kinds": np.array([kind_number[p.kind] for p in passages], np.uint8),  # (N,)
        "links": _links(entries, number, relations),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    _write_terms(folder, passages, arrays["pages"])
    _write_compact(folder / PAGES, _page_table(catalogues, entries, number))
    texts = [passage.text for passage in passages]
    names = NameTable.of(entries.values(), word_counts(texts, lower_case=True))
    _write_compact(folder / NAMES, names)
    _write_compact(folder / WORDS, word_counts(texts))
    manifest = IndexManifest(
        format=FORMAT,
        sources=tuple(
            SourceInfo(c.name, c.version, c.date, c.sha256, len(c.entries), len(c.problems))
            for c in catalogues
        ),
        entries=len(entries),
        passages=len(passages),
        kinds={kind: kinds[kind] for kind in kind_number},
        relations=relations,
    )
    write_text(folder / NOTICE, notice_of(catalogue.name for catalogue in catalogues))
    write_json(folder / MANIFEST, manifest)
    return manifest


def _write_compact(path: Path, content: Any) -> None:
    path.write_bytes(msgspec.json.encode(content))


def _links(
    entries: Mapping[str, Entry], number: Mapping[str, int], relations: Sequence[str]
) -> NDArray[np.int32]:
    """Return the links between live entries (links, 3): from, relation, to; by ``from``."""
    rows = [
        (number[entry.id], relations.index(relation), number[target])
        for entry in entries.values()
        if not entry.withdrawn
        for relation, target in entry.links
        if target in number
    ]
    return np.array(rows, np.int32).reshape(-1, 3)


def _page_table(
    catalogues: Sequence[Catalogue], entries: Mapping[str, Entry], number: Mapping[str, int]
) -> PageTable:
    first: dict[str, int] = {}
    for source, catalogue in enumerate(catalogues):
        for entry in catalogue.entries:
            first.setdefault(entry.id, source)
    return PageTable(
        ids=tuple(entries),
        titles=tuple(entry.name for entry in entries.values()),
        kinds=tuple(entry.kind for entry in entries.values()),
        sources=tuple(first[name] for name in entries),
        withdrawn=tuple(number[entry.id] for entry in entries.values() if entry.withdrawn),
        replaced_by={e.id: e.replaced_by for e in entries.values() if e.withdrawn},
        subkinds={e.id: e.subkind for e in entries.values() if e.subkind},
    )


def _write_terms(folder: Path, passages: Sequence[Passage], pages: NDArray[np.int32]) -> None:
    """Write what is searched: passages by term, pages' heads by term, pages by pair of terms."""
    rows, vocabulary = _numbered(passages)
    np.save(folder / "vocabulary.npy", np.array([t.encode() for t in vocabulary]))
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
    TermIndex.build(rows, len(vocabulary)).save(folder, PASSAGE_TERMS)
    TermIndex.build(heads, len(vocabulary)).save(folder, HEAD_TERMS)
    PairIndex.build(rows[start:end] for start, end in pairwise(starts)).save(folder)


def _numbered(passages: Iterable[Passage]) -> tuple[list[list[int]], list[str]]:
    """Return each passage's terms as numbers, and the sorted vocabulary."""
    texts = [terms(f"{p.title} {p.id} {p.text}") for p in passages]
    vocabulary = sorted({t for text in texts for t in text if len(t) <= Vocabulary.LONGEST})
    number = {term: n for n, term in enumerate(vocabulary)}
    return [[number[t] for t in text if t in number] for text in texts], vocabulary


def _about(citation: str) -> str:
    return citation.partition("#")[2].partition("-")[2]
