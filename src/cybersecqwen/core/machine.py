"""What this machine lets the process use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return how many processor cores the process may run on: a container may allow it few."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
