"""The local store: advisories of any source by id, and their texts by words, in one SQLite file.

Of an id the newest record counts, by the date its source last changed it; what other sources say
beside it (labels, scores, references) is kept with whose it is. Every batch is one transaction, so
that a process killed at any moment leaves whole records, and an import goes on where it stopped.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory
from cybersecqwen.sources.advisories.advisory_fields import canonical_id
from cybersecqwen.sources.store_info import StoreInfo, age_in_words
from cybersecqwen.sources.stored_records import merged, store_columns, stored_advisory

BATCH = 2000
"""Records of one transaction."""

_VERSION = 1
_SCHEMA = """
CREATE TABLE records (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, modified TEXT NOT NULL,
    title TEXT NOT NULL, description TEXT NOT NULL, products TEXT NOT NULL, more BLOB NOT NULL);
CREATE TABLE aliases (alias TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (alias, id)) WITHOUT ROWID;
CREATE TABLE imports (
    file TEXT PRIMARY KEY, size INTEGER NOT NULL, changed INTEGER NOT NULL,
    done INTEGER NOT NULL, finished TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE texts USING fts5(
    title, description, products, content='records', content_rowid='key');
"""
_ROW = "key, id, state, modified, title, description, products, more"
_FALLBACK_ID = re.compile(r"(?:line|record)-\d+")
_WORD = re.compile(r"\w+")
_INDEXED = re.compile(r"[^\W_]+")  # a word as the index cuts them
_RARE_WORDS = 12
_COMPARED = 60
_UNSEEN = 2.0  # weight of a word of another text that the record does not have


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far the import of a file has come.

    Attributes:
        done: Records that are in the store; where all are, the file need not be read again.
        finished: Whether all are.
    """

    done: int = 0
    finished: bool = False


@dataclass(frozen=True, slots=True)
class SimilarAdvisory:
    """An advisory whose description is like another's.

    Attributes:
        record: The advisory.
        likeness: Weight of the words that both descriptions have, as a share of the weight of all
            their words, 0 to 1.
    """

    record: Advisory
    likeness: float


def has_own_id(record: Advisory) -> bool:
    """Whether a record has an id of its own, and is not called by its place in a file."""
    return _FALLBACK_ID.fullmatch(record.id) is None


class AdvisoryStore:
    """Advisories in one SQLite file; may be used by several threads.

    Args:
        path: The file.
        create: Whether to make it where it is missing, and to write to it.

    Raises:
        InputError: There is no such store, it is something else, or of another version.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._writable = create
        if not create and not path.is_file():
            raise InputError(f"{path}: no local store; fill one: data fetch nvd, data import FILE")
        try:
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._db = sqlite3.connect(path, timeout=60, check_same_thread=False)
            else:
                uri = f"{path.resolve().as_uri()}?mode=ro"
                self._db = sqlite3.connect(uri, uri=True, timeout=60, check_same_thread=False)
            self._db.isolation_level = None  # transactions are begun by hand
            self._prepare(create=create)
        except (sqlite3.Error, OSError) as error:
            raise InputError(f"{path}: no local store that can be used: {error}") from error

    def _prepare(self, *, create: bool) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if create:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("PRAGMA cache_size=-65536")  # KiB
            if version == 0:
                with self._transaction():
                    for statement in _SCHEMA.strip().split(";\n"):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version={_VERSION}")
                version = _VERSION
        if version != _VERSION:
            raise InputError(
                f"{self.path}: a store of version {version}, this program's are {_VERSION}; "
                "delete it and import again"
            )

    def close(self) -> None:
        """Close the file, without files beside it where nobody else reads it."""
        with self._lock:
            if self._writable:
                with suppress(sqlite3.OperationalError):
                    self._db.execute("PRAGMA journal_mode=DELETE")
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def progress(self, file: Path) -> ImportProgress:
        """Return how far an earlier import of a file came, if the file is still the same."""
        stat = file.stat()
        found = self._db.execute(
            "SELECT done, finished != '' FROM imports WHERE file=? AND size=? AND changed=?",
            (str(file.resolve()), stat.st_size, stat.st_mtime_ns),
        ).fetchone()
        return ImportProgress(found[0], bool(found[1])) if found else ImportProgress()

    def add(self, records: Iterable[Advisory], file: Path | None = None, *, begun: int = 0) -> int:
        """Take in records, a batch at a time; return how many there were.

        Args:
            records: What to take in; ids that name a line or a number only are left out.
            file: The file they come from, whose import is noted as it goes.
            begun: How many of its records an earlier import took in.

        Raises:
            InputError: The disk is full, or the file is locked or damaged.
        """
        stream = iter(records)
        count = begun
        try:
            while True:
                batch = list(islice(stream, BATCH))
                with self._lock, self._transaction():
                    self._merge(batch)
                    count += len(batch)
                    self._note(file, count, finished=len(batch) < BATCH)
                if len(batch) < BATCH:
                    return count - begun
        except sqlite3.Error as error:
            raise InputError(f"{self.path}: cannot be written: {error}") from error

    def _note(self, file: Path | None, count: int, *, finished: bool) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        if file:
            stat = file.stat()
            row = (str(file.resolve()), stat.st_size, stat.st_mtime_ns, count)
            self._db.execute(
                "INSERT OR REPLACE INTO imports VALUES (?, ?, ?, ?, ?)",
                (*row, now if finished else ""),
            )
        self._db.execute("INSERT OR REPLACE INTO facts VALUES ('imported', ?)", (now,))

    def _merge(self, batch: Sequence[Advisory]) -> None:
        newest: dict[str, Advisory] = {}
        for record in batch:
            if has_own_id(record):
                known = newest.get(record.id)
                newest[record.id] = merged(known, record) if known else record
        known_rows = {row[1]: row for row in self._rows(list(newest))}
        inserted, replaced = [], []
        for name, record in newest.items():
            row = known_rows.get(name)
            if row is None:
                inserted.append(store_columns(record))
                continue
            old = stored_advisory(row)
            new = merged(old, record)
            if new != old:
                replaced.append((row, store_columns(new)))
        self._write(inserted, replaced)
        aliases = [(alias, record.id) for record in newest.values() for alias in record.aliases]
        self._db.executemany("INSERT OR IGNORE INTO aliases VALUES (?, ?)", aliases)
        if dates := [record.modified[:10] for record in newest.values() if record.modified]:
            self._db.execute(
                "INSERT INTO facts VALUES ('newest', ?1) ON CONFLICT (name) DO UPDATE "
                "SET value=max(value, ?1)",
                (max(dates),),
            )

    def _write(
        self,
        inserted: Sequence[tuple[str | bytes, ...]],
        replaced: Sequence[tuple[tuple[str | bytes, ...], tuple[str | bytes, ...]]],
    ) -> None:
        last = self._db.execute("SELECT coalesce(max(key), 0) FROM records").fetchone()[0]
        self._db.executemany(
            "INSERT INTO records (key, id, state, modified, title, description, products, more) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(last + number, *row) for number, row in enumerate(inserted, 1)],
        )
        index = "INSERT INTO texts (rowid, title, description, products) VALUES (?, ?, ?, ?)"
        self._db.executemany(
            index, [(last + number, *row[3:6]) for number, row in enumerate(inserted, 1)]
        )
        # The index keeps no text, so that it has to be told what it is to forget.
        changed = [(old, new) for old, new in replaced if old[4:7] != new[3:6]]
        self._db.executemany(
            "INSERT INTO texts (texts, rowid, title, description, products) "
            "VALUES ('delete', ?, ?, ?, ?)",
            [(old[0], *old[4:7]) for old, _ in changed],
        )
        self._db.executemany(
            "UPDATE records SET id=?, state=?, modified=?, title=?, description=?, products=?, "
            "more=? WHERE key=?",
            [(*new, old[0]) for old, new in replaced],
        )
        self._db.executemany(index, [(old[0], *new[3:6]) for old, new in changed])

    def _rows(self, ids: Sequence[str]) -> list[tuple[str | bytes, ...]]:
        return self._db.execute(
            f"SELECT {_ROW} FROM records WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(ids)),),
        ).fetchall()

    def get(self, name: str) -> Advisory | None:
        """Return the advisory of an id, or of whatever has that id as an alias; None without.

        Where several records name it (GitHub's and Go's of one CVE), the newest counts.

        Raises:
            InputError: The file is damaged.
        """
        name = canonical_id(name)
        try:
            with self._lock:
                rows = self._rows([name])
                if not rows:
                    named = self._db.execute("SELECT id FROM aliases WHERE alias=?", (name,))
                    rows = self._rows([row[0] for row in named.fetchall()])
        except sqlite3.Error as error:
            raise InputError(f"{self.path}: cannot be read: {error}") from error
        found = [stored_advisory(row) for row in rows]
        return max(found, key=lambda record: (record.modified, record.id), default=None)

    def search(self, query: str, limit: int = 10) -> list[Advisory]:
        """Return the advisories whose texts match all words of a query, the best first.

        Raises:
            InputError: The file is damaged.
        """
        words = " ".join(f'"{word}"' for word in _WORD.findall(query)[:32])
        if not words:
            return []
        columns = ", ".join(f"records.{name}" for name in _ROW.split(", "))
        try:
            with self._lock:
                rows = self._db.execute(
                    f"SELECT {columns} FROM texts JOIN records ON records.key = texts.rowid "
                    "WHERE texts MATCH ? ORDER BY bm25(texts), records.key LIMIT ?",
                    (words, limit),
                ).fetchall()
        except sqlite3.Error as error:
            raise InputError(f"{self.path}: cannot be read: {error}") from error
        return [stored_advisory(row) for row in rows]

    def similar(self, record: Advisory, limit: int = 3) -> list[SimilarAdvisory]:
        """Return the labelled advisories whose descriptions share most with a record's.

        What is shared is weighed by how rare it is in the store. Only texts with one of the
        record's rarest words are looked at, and of those the best matches by BM25.

        Args:
            record: Its own id, and what has it as an alias, is left out.
            limit: Advisories to return at most, the most alike first.

        Raises:
            InputError: The file is damaged.
        """
        own = _words(record.description)
        try:
            with self._lock:
                weights = self._rarity(own)
                rare = sorted(weights, key=lambda word: (-weights[word], word))[:_RARE_WORDS]
                query = " OR ".join(f'description : "{word}"' for word in rare)
                columns = ", ".join(f"records.{name}" for name in _ROW.split(", "))
                rows = self._db.execute(
                    f"SELECT {columns} FROM texts JOIN records ON records.key = texts.rowid "
                    "WHERE texts MATCH ? ORDER BY bm25(texts), records.key LIMIT ?",
                    (query or '""', _COMPARED),
                ).fetchall()
        except sqlite3.Error as error:
            raise InputError(f"{self.path}: cannot be read: {error}") from error
        names = {record.id, *record.aliases}
        found = []
        for other in map(stored_advisory, rows):
            if other.labels and not names & {other.id, *other.aliases}:
                theirs = _words(other.description)
                shared = sum(weights.get(word, 0.0) for word in own & theirs)
                all_of_it = sum(weights.get(word, _UNSEEN) for word in own | theirs)
                found.append(SimilarAdvisory(other, shared / all_of_it if all_of_it else 0.0))
        return sorted(found, key=lambda one: (-one.likeness, one.record.id))[:limit]

    def _rarity(self, words: set[str]) -> dict[str, float]:
        """Return the weight of each word that texts of the store have: the rarer, the more."""
        self._db.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS temp.words USING fts5vocab('main', 'texts', 'row')"
        )
        total = self._db.execute("SELECT count(*) FROM records").fetchone()[0]
        counted = self._db.execute(
            "SELECT term, doc FROM temp.words WHERE term IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(words)),),
        )
        return {term: math.log(1 + total / count) for term, count in counted.fetchall()}

    def age(self) -> str:
        """Return how old the store is, in words, without counting what it holds.

        Raises:
            InputError: The file is damaged.
        """
        try:
            with self._lock:
                facts = dict(self._db.execute("SELECT name, value FROM facts").fetchall())
        except sqlite3.Error as error:
            raise InputError(f"{self.path}: cannot be read: {error}") from error
        return age_in_words(facts.get("imported", ""), facts.get("newest", ""))

    def info(self) -> StoreInfo:
        """Return what the store holds and how old it is.

        Raises:
            InputError: The file is damaged.
        """
        try:
            with self._lock:
                counted = self._db.execute("SELECT state, count(*) FROM records GROUP BY state")
                states = dict(counted.fetchall())
                facts = dict(self._db.execute("SELECT name, value FROM facts").fetchall())
            size = self.path.stat().st_size
        except (sqlite3.Error, OSError) as error:
            raise InputError(f"{self.path}: cannot be read: {error}") from error
        newest, imported = facts.get("newest", ""), facts.get("imported", "")
        return StoreInfo(self.path, sum(states.values()), states, newest, imported, size)


def _words(text: str) -> set[str]:
    """Return the distinct words of a text as the index has them."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return set(_INDEXED.findall("".join(c for c in plain if not unicodedata.combining(c))))
