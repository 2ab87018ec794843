"""Which id of a row may be written into somebody's document."""

from __future__ import annotations

from cybersecqwen.apps.outputs.mapping_usage import is_allowed
from cybersecqwen.apps.outputs.rows import MapRow, NamedCwe
from cybersecqwen.core.taxonomy import Taxonomy


def proposal_of(row: MapRow, taxonomy: Taxonomy) -> NamedCwe | None:
    """Return the id to publish: the answer if it is sure, else the ancestor that is; else None.

    A guess is not published, nor is an id that MITRE prohibits for mapping.
    """
    if not row.abstained:
        entry = taxonomy.get(row.cwe)
        if entry is not None and entry.usage != "prohibited" and not entry.deprecated:
            return NamedCwe(row.cwe, row.name, row.confidence, row.usage)
        return None
    if row.backoff and is_allowed(taxonomy, row.backoff.cwe):
        return row.backoff
    return None
