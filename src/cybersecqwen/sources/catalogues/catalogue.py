"""Knowledge sources by what they hold, not by what they are called."""

from __future__ import annotations

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
