"""Memory that is free going back to the system, where the C library would rather keep it.

glibc takes a large block from the system by itself, so that it goes back at once; but with each
such block that is freed it takes larger ones from its heaps instead, up to 32 MiB, and keeps a heap
for each of many threads. A service that has had many large requests then holds what none needs.
See mallopt(3) and malloc_trim(3). Other systems' libraries are left as they are.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # <malloc.h>
_LARGE_BYTES = 256 << 10
_HEAPS = 2


def _library() -> Any:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


def return_large_blocks() -> None:
    """Let blocks of 256 KiB and more go back when they are freed; to be called before threads."""
    library = _library()
    if hasattr(library, "mallopt"):
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)
        library.mallopt(_M_ARENA_MAX, _HEAPS)


def return_free_blocks() -> None:
    """Give back whatever is free now; some milliseconds."""
    library = _library()
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
