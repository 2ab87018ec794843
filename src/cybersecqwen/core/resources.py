"""What this machine lets the process use."""

from __future__ import annotations

import os
from pathlib import Path

_ASSUMED_BYTES = 8 << 30
"""Memory of a machine that does not say how much it has."""


def usable_cores() -> int:
    """Return how many processor cores the process may run on: a container may allow it few."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_memory() -> int:
    """Return how many bytes of main memory the process may still take: a container may allow few.

    Linux's estimate of what is available, and the control group's limit less what it holds; where
    the system tells neither, half of all memory.
    """
    found = []
    try:
        facts = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(int(facts["MemAvailable"].split()[0]) * 1024)
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            found.append(int(limit) - int((group / "memory.current").read_text()))
    except (OSError, ValueError, KeyError):
        pass  # another system, or another version of control groups
    if found:
        return max(0, min(found))
    return (total_memory() or _ASSUMED_BYTES) // 2


def total_memory() -> int | None:
    """Return the machine's main memory in bytes; None where the system does not say (Windows)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
