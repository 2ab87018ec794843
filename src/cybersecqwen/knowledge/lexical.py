"""bm25s, kept from JAX."""

from __future__ import annotations

import sys
from typing import Any


def _without_jax() -> Any:
    """Import bm25s as if JAX were not installed.

    Where JAX is, bm25s runs it once on import, and JAX takes three quarters of a GPU's memory from
    whatever else is to run there. What bm25s wants it for, picking the highest scores, is not used.
    """
    known = sys.modules.get("jax")
    sys.modules["jax"] = None  # type: ignore[assignment]  # Python's mark for: do not import
    try:
        import bm25s  # noqa: PLC0415
    finally:
        if known is None:
            del sys.modules["jax"]
        else:
            sys.modules["jax"] = known
    return bm25s


bm25s = _without_jax()
