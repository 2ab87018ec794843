from __future__ import annotations

from cybersecqwen.core.resources import usable_cores, usable_memory


def test_there_is_a_core_and_some_memory() -> None:
    assert usable_cores() >= 1
    assert usable_memory() > 1 << 20
