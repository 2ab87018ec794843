"""The opened index: passages and pages by id, by name, by words and by relation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.passages import page_of
from cybersecqwen.core.records import Passage
from cybersecqwen.core.text.terms import terms
from cybersecqwen.knowledge.concepts import glossary_passage
from cybersecqwen.knowledge.index import ARRAYS, HEAD_TERMS, PAGES, PASSAGE_TERMS, PageTable
from cybersecqwen.knowledge.index_manifest import IndexManifest, read_manifest
from cybersecqwen.knowledge.intents import Intent, passage_kinds
from cybersecqwen.knowledge.lexical import TermIndex, Vocabulary
from cybersecqwen.knowledge.names import NAMES, NameFinder, NameTable, field_spellings
from cybersecqwen.knowledge.pairs import PairIndex
from cybersecqwen.knowledge.passage_store import PassageStore
from cybersecqwen.knowledge.query import Query, parse
from cybersecqwen.knowledge.spelling import WORDS, Speller
from cybersecqwen.knowledge.understanding import understood

# What a passage gains, as shares of the best BM25 score, when the question names its page; half
# of it when it names the entry the passage is about. An id leaves no doubt, nor does a name that
# is all of the question; a name within it may be an ordinary word. The page's head, its
# description, gains a little more.
_ID_SHARE = 1.0
_WHOLE_NAME_SHARE = 1.5
_NAME_SHARE = 0.25
_HEAD_SHARE = 0.5
_WITHDRAWN_SHARE = 0.01  # of its score that a withdrawn page keeps where its id is not asked for

# Chosen on 2,500 questions made from the knowledge base: thinned sentences, some of their words
# exchanged for others of like meaning, with or without a thinned description of their page.
_KIND_FACTOR = 1.2  # for a passage of the kind that the question asks for
_HEAD_WEIGHT = 0.3  # of the BM25 score of the page's head
_PAIR_WEIGHT = 0.3  # of the page's score for pairs of words


class PassageIndex:
    """An index, opened by memory map.

    Args:
        folder: What ``build`` made.

    Raises:
        InputError: The folder is no knowledge index, or a damaged one.
    """

    def __init__(self, folder: Path) -> None:
        self.manifest: IndexManifest = read_manifest(folder)
        self._folder = folder
        try:
            self._page_table = msgspec.json.decode((folder / PAGES).read_bytes(), type=PageTable)
            pages, about, kinds, links, vocabulary = (
                np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in ARRAYS
            )
            self.vocabulary = Vocabulary(vocabulary)
            self._terms = TermIndex.load(folder, PASSAGE_TERMS, self.manifest.passages)
            self._heads = TermIndex.load(folder, HEAD_TERMS, self.manifest.entries)
            self._pairs = PairIndex.load(folder)
            self._passages = PassageStore(folder)
        except Exception as error:  # numpy's, of a damaged head, share no base
            raise InputError(f"{folder}: damaged knowledge index: {error}") from error
        self._pages: NDArray[np.int32] = pages  # (N,)
        self._about: NDArray[np.int32] = about  # (N,)
        self._kinds: NDArray[np.uint8] = kinds  # (N,)
        self._links: NDArray[np.int32] = links  # (L, 3)
        self.parse: Callable[[str], Query] = lru_cache(256)(self._parse)

    def __len__(self) -> int:
        return self.manifest.passages

    # Passages and pages

    def passage(self, number: int) -> Passage:
        """Return a passage by its place in the index."""
        return self._passages[number]

    def cited(self, citation: str) -> Passage | None:
        """Return the passage of a citation id, or None where there is none."""
        if defined := glossary_passage(citation):
            return defined
        page = self.page(page_of(citation))
        return next((passage for passage in page if passage.id == citation), None)

    def page(self, name: str) -> list[Passage]:
        """Return the passages of the page with that id; none if there is no such page."""
        return [self.passage(int(place)) for place in self.places(name)]

    def passages_of(self, name: str, *kinds: str) -> list[Passage]:
        """Return a page's passages of some kinds, in order."""
        places = self.places(name)
        return [self.passage(int(place)) for place in places[self.of_kinds(kinds)[places]]]

    def places(self, name: str) -> NDArray[np.intp]:
        """Return where in the index the passages of a page lie; nowhere if there is no such page.

        A page's passages lie together, its head first.
        """
        page = self._page_numbers.get(name, -2)
        first, end = np.searchsorted(self._pages, [page, page + 1])
        return np.arange(first, end)

    def has_page(self, name: str) -> bool:
        """Whether there is a page with that id."""
        return name in self._page_numbers

    def title(self, name: str) -> str:
        """Return a page's name, or an empty string where there is no such page."""
        number = self._page_numbers.get(name)
        return "" if number is None else self._page_table.titles[number]

    def kind(self, name: str) -> str:
        """Return what a page is about, as in ``Entry.kind``; empty where there is none."""
        number = self._page_numbers.get(name)
        return "" if number is None else self._page_table.kinds[number]

    def subkind(self, name: str) -> str:
        """Return what a page's source says more exactly of its kind, as in ``Entry.subkind``."""
        return self._page_table.subkinds.get(name, "")

    def source(self, name: str) -> str:
        """Return the name of the first source of a page that exists, such as ``cwe``."""
        return self.manifest.sources[self._page_table.sources[self._page_numbers[name]]].name

    def is_withdrawn(self, name: str) -> bool:
        """Whether the source of a page has deprecated or revoked it."""
        return name in self._page_table.replaced_by

    def replacements(self, name: str) -> tuple[str, ...]:
        """Return what a withdrawn page's source says to use instead."""
        return self._page_table.replaced_by.get(name, ())

    def pages_of_kind(self, *kinds: str) -> list[str]:
        """Return the ids of the pages of some kinds that are not withdrawn, in order."""
        table = self._page_table
        return [
            name
            for name, kind in zip(table.ids, table.kinds, strict=True)
            if kind in kinds and name not in table.replaced_by
        ]

    def lists(self) -> dict[str, str]:
        """Return the titles of views and categories by id."""
        return {page: self.title(page) for page in self.pages_of_kind("view", "category")}

    # Relations

    def linked(self, name: str, *relations: str) -> list[str]:
        """Return the ids that a page leads to by some relations, in its source's order."""
        number = self._page_numbers.get(name, -2)
        first, end = np.searchsorted(self._links[:, 0], [number, number + 1])
        return self._ends(self._links[first:end], relations, 2)

    def linking(self, name: str, *relations: str) -> list[str]:
        """Return the ids of pages that lead to one by some relations."""
        number = self._page_numbers.get(name, -2)
        order = self._by_target
        first, end = np.searchsorted(self._links[:, 2], [number, number + 1], sorter=order)
        return self._ends(self._links[order[first:end]], relations, 0)

    def _ends(self, links: NDArray[np.int32], relations: Sequence[str], column: int) -> list[str]:
        wanted = [n for n, name in enumerate(self.manifest.relations) if name in relations]
        ids = self._page_table.ids
        pages = dict.fromkeys(ids[row[column]] for row in links.tolist() if row[1] in wanted)
        return [page for page in pages if page not in self._page_table.replaced_by]

    @cached_property
    def _by_target(self) -> NDArray[np.intp]:
        return np.argsort(self._links[:, 2], kind="stable")

    def joining(self, names: Iterable[str]) -> NDArray[np.intp]:
        """Return where the passages lie that belong to one of the pages and concern another."""
        pages = [self._page_numbers[name] for name in names if name in self._page_numbers]
        return np.flatnonzero(np.isin(self._pages, pages) & np.isin(self._about, pages))

    # Names

    @cached_property
    def names(self) -> NameFinder:
        """What finds names in texts."""
        table = msgspec.json.decode((self._folder / NAMES).read_bytes(), type=NameTable)
        return NameFinder((*table.spellings, *field_spellings(self.has_page)))

    @cached_property
    def speller(self) -> Speller:
        """What mends typing errors."""
        counts = msgspec.json.decode((self._folder / WORDS).read_bytes(), type=dict[str, int])
        return Speller(counts, self.names.words)

    def _parse(self, text: str) -> Query:
        return understood(parse(text, self))

    # Search

    def search(self, query: str, limit: int = 8) -> list[tuple[Passage, float]]:
        """Return the best passages and their scores, best first; none that share no term."""
        scores = self.relevance(query)
        return [(self.passage(int(n)), float(scores[n])) for n in best(scores, limit)]

    def best_pages(self, scores: NDArray[np.float32], limit: int) -> list[str]:
        """Return the ids of the best pages by their best passage's score, best first."""
        highest = np.maximum.reduceat(scores, self._page_starts)
        return [self._page_table.ids[n] for n in best(highest, limit)]

    def relevance(self, question: str | Query) -> NDArray[np.float32]:
        """Return every passage's score (N,).

        It is BM25, more for the kind asked for; a share of what its page scores for its head and
        for pairs of words; and a share of the best for what the question names.
        """
        query = self.parse(question) if isinstance(question, str) else question
        numbers = self.vocabulary.numbers(terms(query.corrected))
        scores = self._terms.scores(numbers)
        scores[self.of_kinds(passage_kinds(query.corrected))] *= _KIND_FACTOR
        pages = _HEAD_WEIGHT * self._heads.scores(numbers)
        pages += _PAIR_WEIGHT * self._pairs.scores(numbers)
        scores += self._spread(pages) * (scores > 0)
        unit = float(scores.max(initial=0.0)) or 1.0
        scores[self._withdrawn] *= _WITHDRAWN_SHARE
        for name, share in self._shares(query).items():
            places = self.places(name)
            if len(places):
                scores[places] += share * unit
                scores[places[:1]] += _HEAD_SHARE * share * unit
                scores[self._about == self._pages[places[0]]] += share * unit / 2
        return scores

    def _shares(self, query: Query) -> dict[str, float]:
        """Return how much of the best score the pages gain that a question names."""
        alone = query.intent is Intent.DEFINITION and not query.rest and len(query.mentions) == 1
        whole = _WHOLE_NAME_SHARE if alone else _NAME_SHARE
        shares: dict[str, float] = {}
        for mention in query.mentions:
            for place, page in enumerate(mention.pages):
                share = whole if place == 0 else min(whole, _NAME_SHARE * 2)
                shares[page] = max(shares.get(page, 0.0), _ID_SHARE if mention.is_id else share)
                shares |= dict.fromkeys(self.replacements(page), _ID_SHARE)
        return shares

    def term_scores(self, wanted: Sequence[str]) -> NDArray[np.float32]:
        """Return every passage's BM25 score (N,) for some terms."""
        return self._terms.scores(self.vocabulary.numbers(wanted))

    def passages_holding(self, term: int) -> NDArray[np.intp]:
        """Return where the passages lie that hold a term, by its number."""
        return self._terms.holding(term)

    def head_scores(self, wanted: Sequence[str]) -> NDArray[np.float32]:
        """Return every page's BM25 score (pages,) for some terms, by its head alone."""
        return self._heads.scores(self.vocabulary.numbers(wanted))

    def idf(self, wanted: Sequence[str]) -> NDArray[np.float64]:
        """Return the inverse document frequency of those terms that the index knows.

        A term adds at most that much to a BM25 score (Lucene's variant).
        """
        return self._terms.idf(self.vocabulary.numbers(wanted))

    def rarity(self, wanted: Sequence[str]) -> NDArray[np.float64]:
        """Return the inverse document frequency of each term, known or not."""
        rare = np.full(len(wanted), np.log1p((len(self) + 0.5) / 0.5))
        here = [place for place, term in enumerate(wanted) if term in self.vocabulary]
        rare[here] = self.idf([wanted[place] for place in here])
        return rare

    def page_maximum(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return, for every passage, the highest of its page's scores (N,)."""
        return self._spread(np.maximum.reduceat(scores, self._page_starts))

    def of_kinds(self, kinds: Iterable[str]) -> NDArray[np.bool_]:
        """Return which passages (N,) are of one of the kinds."""
        wanted = set(kinds)
        numbers = [n for n, kind in enumerate(self.manifest.kinds) if kind in wanted]
        table = np.zeros(256, np.bool_)  # a kind's number is a byte
        table[numbers] = True
        mask: NDArray[np.bool_] = table[self._kinds]
        return mask

    def on_pages_of_kind(self, *kinds: str) -> NDArray[np.bool_]:
        """Return which passages (N,) stand on pages of some kinds, withdrawn ones left out."""
        mask = np.array([kind in kinds for kind in self._page_table.kinds])
        mask[list(self._page_table.withdrawn)] = False
        found: NDArray[np.bool_] = mask[self._pages]
        return found

    @property
    def page_of_passage(self) -> NDArray[np.int32]:
        """The number of each passage's page (N,), rising."""
        return self._pages

    @property
    def about(self) -> NDArray[np.int32]:
        """The number of the other page that each passage concerns (N,); -1 for none."""
        return self._about

    @property
    def page_ids(self) -> tuple[str, ...]:
        """The ids of all pages, in order."""
        return self._page_table.ids

    @property
    def head_places(self) -> NDArray[np.intp]:
        """Where each page's first passage lies (pages,)."""
        return self._page_starts

    @cached_property
    def _withdrawn(self) -> NDArray[np.bool_]:
        return self.of_kinds(("withdrawn",))

    def _spread(self, pages: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return each page's value for each of its passages (N,)."""
        lengths = np.diff(self._page_starts, append=len(self))
        spread: NDArray[np.float32] = np.repeat(pages, lengths)
        return spread

    @cached_property
    def _page_starts(self) -> NDArray[np.intp]:
        # A page's passages lie together.
        return np.flatnonzero(np.diff(self._pages, prepend=-1))

    @cached_property
    def _page_numbers(self) -> dict[str, int]:
        return {name: n for n, name in enumerate(self._page_table.ids)}


def best(scores: NDArray[np.float32], limit: int) -> NDArray[np.intp]:
    """Return the places of the ``limit`` highest scores above 0, best first, ties in order."""
    limit = min(limit, int((scores > 0).sum()))
    if limit == 0:
        return np.array([], dtype=np.intp)
    if limit < len(scores):
        lowest = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        places = np.flatnonzero(scores >= lowest)
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")][:limit]
