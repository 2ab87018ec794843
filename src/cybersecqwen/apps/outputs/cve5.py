"""CVE records: a container for each, as an authorised data publisher (ADP) adds one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from cybersecqwen.apps.outputs.proposal import proposal_of
from cybersecqwen.apps.outputs.rows import MapRow
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.taxonomy import Taxonomy

_CVE_ID = re.compile(r"CVE-\d{4}-\d{4,19}")
_UUID = re.compile(r"[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}", re.IGNORECASE)
_PLACEHOLDER_ORG = "00000000-0000-4000-9000-000000000000"
"""Stands in the container until the publisher's own id is known; no organisation has it."""


class Cve5Writer:
    """One JSON object a line: ``{"cveId", "adpContainer"}``, the latter as CVE Services take it.

    A record without a CVE id gets none, nor does one whose answer is not sure enough to be
    published; both are told by ``notes``.

    Args:
        taxonomy: The catalogue.
        version: Version of this package.
        org_id: UUID of the organisation that publishes.

    Raises:
        InputError: ``org_id`` is no UUID as the CVE Program gives them (version 4).
    """

    def __init__(self, taxonomy: Taxonomy, version: str, org_id: str = "") -> None:
        if org_id and not _UUID.fullmatch(org_id):
            raise InputError(f"--org-id takes a UUID of version 4, not {org_id[:60]!r}")
        self._taxonomy = taxonomy
        self._version = version
        self._org_id = org_id or _PLACEHOLDER_ORG
        self.notes: list[str] = []

    def __call__(self, rows: Iterable[MapRow]) -> Iterator[bytes]:
        """Return the containers."""
        encode = msgspec.json.Encoder().encode
        written = unnamed = unsure = 0
        for row in rows:
            if not _CVE_ID.fullmatch(row.id):
                unnamed += 1
                continue
            proposal = proposal_of(row, self._taxonomy)
            if proposal is None:
                unsure += 1
                continue
            container = self._container(proposal.cwe, proposal.name, row)
            yield encode({"cveId": row.id, "adpContainer": container}) + b"\n"
            written += 1
        if unnamed:
            self.notes.append(f"{unnamed:,} records have no CVE id, so no container")
        if unsure:
            self.notes.append(f"{unsure:,} answers are unsure or must not be mapped to; left out")
        if written and self._org_id == _PLACEHOLDER_ORG:
            self.notes.append(f"providerMetadata.orgId is a placeholder: {_PLACEHOLDER_ORG}")

    def _container(self, cwe: str, name: str, row: MapRow) -> dict[str, object]:
        return {
            "title": "Weakness proposed by cybersecqwen",
            "providerMetadata": {"orgId": self._org_id},
            "problemTypes": [
                {
                    "descriptions": [
                        {
                            "type": "CWE",
                            "lang": "en",
                            "cweId": cwe,
                            "description": f"{cwe} {name}",
                        }
                    ]
                }
            ],
            "x_generator": {"engine": f"cybersecqwen {self._version}"},
            "x_cybersecqwen": {
                "confidence": row.confidence,
                "usage": row.usage,
                "cweVersion": row.catalogue,
                "model": row.model,
            },
        }
