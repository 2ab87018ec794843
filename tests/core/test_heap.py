from __future__ import annotations

import subprocess
import sys

import pytest

_GROWN_AND_GONE = """
import sys
from cybersecqwen.core.heap import return_free_blocks, return_large_blocks
def resident():
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmRSS"))
return_large_blocks()
for size in (1 << 20, 4 << 20, 20 << 20):
    held = [bytes(bytearray(size)) for _ in range(80 * (1 << 20) // size)]
    del held
small = [bytes(2000) for _ in range(50_000)]
del small[:-1]  # the last one lies on top of the heap
return_free_blocks()
print(resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone")
def test_what_is_freed_goes_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _GROWN_AND_GONE], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 60_000
