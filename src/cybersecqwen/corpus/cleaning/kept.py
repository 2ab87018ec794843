"""Clean records, kept beside a corpus until it is whole: a killed build does not clean again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from cybersecqwen import __version__
from cybersecqwen.core.code_state import code_state
from cybersecqwen.core.files import atomic_write
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.corpus.cleaning.pipeline import CleaningState, Observer
from cybersecqwen.corpus.cleaning.split import CorpusParts
from cybersecqwen.corpus.records.recipe import RecordsRecipe

_WORTH_KEEPING = 30.0  # seconds that cleaning took

Cleaned = tuple[CleaningState, CorpusParts]


class CleanedRecords:
    """What cleaning came to for the corpus at a path, in a hidden file beside it.

    It counts only for the same settings, inputs, catalogue and code.

    Args:
        out: The corpus's folder.
        recipe: What to build; of it what cleaning depends on counts.
        inputs: SHA-256 of every file read.
    """

    def __init__(self, out: Path, recipe: RecordsRecipe, inputs: dict[str, str]) -> None:
        self._file = out.with_name(f".{out.name}.cleaned")
        self._code = code_state()
        fields = [getattr(recipe, name) for name in RecordsRecipe.__struct_fields__]
        made_from = [__version__, self._code.commit, shipped_taxonomy().version, fields, inputs]
        self._key = hashlib.sha256(msgspec.json.encode(made_from)).digest()

    def once(self, clean: Callable[[], Cleaned], observe: Observer) -> Cleaned:
        """Return what a killed build kept, else what ``clean`` returns, kept where it took long."""
        if self._file.is_file() and not self._code.dirty:
            content = self._file.read_bytes()
            if content.startswith(self._key):
                observe("going on with the records that an earlier build cleaned")
                return msgspec.msgpack.decode(content[len(self._key) :], type=Cleaned)
        start = time.monotonic()
        cleaned = clean()
        if time.monotonic() - start > _WORTH_KEEPING and not self._code.dirty:
            with atomic_write(self._file) as stream:
                stream.write(self._key + msgspec.msgpack.encode(cleaned))
        return cleaned

    def remove(self) -> None:
        """Delete the file: the build is done."""
        self._file.unlink(missing_ok=True)
