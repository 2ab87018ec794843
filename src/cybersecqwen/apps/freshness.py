"""The age of everything that is installed: catalogue, model, knowledge base, store."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

from cybersecqwen.core.errors import CyberSecQwenError
from cybersecqwen.core.freshness import PartAge, age_limit, age_of, age_warning, missing
from cybersecqwen.core.paths import advisory_store_file
from cybersecqwen.core.taxonomy import shipped_taxonomy


def installed_parts() -> list[PartAge]:
    """Return the age of each part; a missing one says so, and what to do."""
    taxonomy = shipped_taxonomy()
    newer = "install a newer release, or a newer bundle"
    return [
        age_of("CWE catalogue", taxonomy.version, taxonomy.date, newer),
        _model(newer),
        *knowledge_parts(),
        _store(),
    ]


def _model(newer: str) -> PartAge:
    from cybersecqwen.specialists.model_info import model_facts

    try:
        facts = model_facts("embedded")
    except CyberSecQwenError as error:
        return missing("model", str(error))
    return age_of(f"model {facts.name}", facts.version, facts.provenance.get("date", ""), newer)


def knowledge_parts(folder: Path | None = None) -> list[PartAge]:
    """Return the age of each source of a knowledge base; None: the one that is used by default."""
    from cybersecqwen.knowledge.index_manifest import read_manifest
    from cybersecqwen.knowledge.location import default_folder

    remedy = "data fetch, then kb build; or install a newer bundle"
    try:
        manifest = read_manifest(folder or default_folder())
    except (CyberSecQwenError, OSError):
        return [missing("knowledge base", remedy)]
    return [
        age_of(f"knowledge base: {source.name}", source.version, source.date, remedy)
        for source in manifest.sources
    ]


def knowledge_warning(folder: Path | None = None) -> str:
    """Return the warning that answers from a knowledge base carry; empty where there is none."""
    return _warning_on(datetime.now(UTC).date(), age_limit(), folder)


@lru_cache(maxsize=8)
def _warning_on(day: date, limit: int | None, folder: Path | None) -> str:
    """Return the warning of a day, under a limit of so many days; both are keys of the cache."""
    return age_warning(knowledge_parts(folder))


def _store() -> PartAge:
    remedy = "data fetch nvd, or data import FILE"
    path = advisory_store_file()
    if not path.is_file():
        return missing("store of records", f"look-ups by id find nothing; {remedy}")
    from cybersecqwen.sources.advisory_store import AdvisoryStore  # and every reader with it

    try:
        facts = AdvisoryStore(path).info()
    except CyberSecQwenError as error:
        return missing("store of records", str(error))
    return age_of("store of records", "", facts.imported, remedy)
