"""A short run of ``fuzz/chaos.py``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi")


@pytest.mark.skipif(sys.platform != "linux", reason="sets another process's limits")
def test_every_request_has_an_honest_end(tmp_path: Path) -> None:
    from chaos import chaos

    account = chaos(12.0, tmp_path, clients=2, pause=1.5)
    assert account.dishonest == []
    ends = {end for _, end in account.ends}
    assert {"answered", "cut by a kill", "left"} <= ends
