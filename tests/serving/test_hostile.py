"""A short run of what ``fuzz/hostile.py`` does in full."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

pytest.importorskip("fastapi")
import httpx
from hostile import KINDS, outcomes

schemathesis = pytest.importorskip("schemathesis")
# Loaded only when needed, it is parsed at a depth at which CPython 3.11's parser was seen to fail.
pytest.importorskip("schemathesis.specs.openapi.schemas")


@schemathesis.serializer("application/x-ndjson")
def _ndjson(_: Any, value: Any) -> bytes:
    rows = value if isinstance(value, list) else [value]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_hostile_requests(live: Any) -> None:
    found = list(outcomes("127.0.0.1", live.port, 0, 20 * len(KINDS), clients=8))
    assert not [outcome for outcome in found if outcome.fault]
    assert len(Counter(outcome.kind for outcome in found)) == len(KINDS)
    assert len({outcome.status for outcome in found}) >= 5
    assert httpx.get(f"{live.url}/health", timeout=60).json() == {"status": "ok"}
    row = httpx.post(f"{live.url}/api/map", json={"text": "sql"}, timeout=60).json()
    assert row["cwe"] == "CWE-89"


def test_openapi_finds_no_500(live: Any) -> None:
    from hypothesis import HealthCheck, Phase, given, settings

    document = httpx.get(f"{live.url}/openapi.json", timeout=60).json()
    schema = schemathesis.openapi.from_dict(document)
    strategies = [
        result.ok().as_strategy()
        for result in schema.get_all_operations()
        if result.ok().path != "/metrics"
    ]
    assert len(strategies) >= 10

    for strategy in strategies:

        @settings(
            max_examples=8,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def check(case: Any) -> None:
            reply = case.call(base_url=live.url, timeout=60)
            assert reply.status_code != 500

        check()
