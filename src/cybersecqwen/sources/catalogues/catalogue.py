"""Knowledge sources by what they hold, not by what they are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Catalogue
from cybersecqwen.sources.catalogues.cwe_text import read_cwe_text
from cybersecqwen.sources.catalogues.stix import read_stix


def read_catalogue(path: Path) -> Catalogue:
    """Read the CWE catalogue, or a STIX bundle of ATT&CK or CAPEC, whichever the file is.

    Raises:
        InputError: It is neither; the message says why for both.
    """
    try:
        return read_stix(path)
    except InputError as stix:
        try:
            return read_cwe_text(path)
        except InputError as cwe:
            raise InputError(f"{path}: neither a STIX bundle ({stix}) nor CWE ({cwe})") from cwe


def newest_releases(catalogues: Sequence[Catalogue]) -> tuple[list[Catalogue], list[Catalogue]]:
    """Return the newest release of each catalogue in the order given, and the older ones.

    An old download beside the new one would bring back what the newer release changed or dropped.
    """
    newest: dict[str, Catalogue] = {}
    for catalogue in catalogues:
        known = newest.get(catalogue.name)
        if known is None or _release(catalogue) > _release(known):
            newest[catalogue.name] = catalogue
    kept = [catalogue for catalogue in catalogues if newest[catalogue.name] is catalogue]
    return kept, [catalogue for catalogue in catalogues if catalogue not in kept]


def _release(catalogue: Catalogue) -> tuple[str, list[int]]:
    return catalogue.date, [int(part) for part in re.findall(r"\d+", catalogue.version)]
