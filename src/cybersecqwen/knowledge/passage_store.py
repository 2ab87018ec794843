"""Passages on disk: compressed in blocks, of which the last ones read are kept."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.records import Passage

FILE = "passages.bin"
OFFSETS = "passage_blocks.npy"
_BLOCK = 48  # passages: some 4 kB compressed, a fifth of a millisecond to read
_KEPT = 256  # blocks


class PassageStore:
    """Passages by their place.

    Args:
        folder: Where ``write`` put them.
    """

    def __init__(self, folder: Path) -> None:
        self._offsets: NDArray[np.int64] = np.load(folder / OFFSETS)  # (blocks + 1,)
        self._bytes = np.memmap(folder / FILE, np.uint8, "r")
        self._block = lru_cache(_KEPT)(self._read)

    def __getitem__(self, place: int) -> Passage:
        block, within = divmod(place, _BLOCK)
        return self._block(block)[within]

    def _read(self, block: int) -> list[Passage]:
        start, end = self._offsets[block], self._offsets[block + 1]
        content = zlib.decompress(self._bytes[start:end].tobytes())
        return msgspec.json.decode(content, type=list[Passage])


def write(folder: Path, passages: Sequence[Passage]) -> None:
    """Write passages in order."""
    offsets = [0]
    with (folder / FILE).open("wb") as stream:
        for start in range(0, len(passages), _BLOCK):
            content = zlib.compress(msgspec.json.encode(passages[start : start + _BLOCK]), 9)
            offsets.append(offsets[-1] + stream.write(content))
    np.save(folder / OFFSETS, np.array(offsets, np.int64))
