"""Every format that is read, in the order in which it is tried. A new one is one line here."""

from __future__ import annotations

from cybersecqwen.sources.advisories.csaf import CSAF
from cybersecqwen.sources.advisories.cve4 import CVE4
from cybersecqwen.sources.advisories.cve5 import CVE5
from cybersecqwen.sources.advisories.cyclonedx import CYCLONEDX
from cybersecqwen.sources.advisories.formats import (
    JsonFormat,
    SourceFormat,
    TextFormat,
    WorkbookFormat,
)
from cybersecqwen.sources.advisories.grype import GRYPE
from cybersecqwen.sources.advisories.kev import KEV
from cybersecqwen.sources.advisories.msrc import MSRC
from cybersecqwen.sources.advisories.npm_audit import NPM_AUDIT
from cybersecqwen.sources.advisories.nvd import NVD
from cybersecqwen.sources.advisories.openvex import OPENVEX
from cybersecqwen.sources.advisories.osv import GITHUB, OSV, OSV_YAML
from cybersecqwen.sources.advisories.osv_scanner import OSV_SCANNER
from cybersecqwen.sources.advisories.plain_text import TEXT
from cybersecqwen.sources.advisories.rustsec import RUSTSEC
from cybersecqwen.sources.advisories.tables import CSV
from cybersecqwen.sources.advisories.trivy import TRIVY
from cybersecqwen.sources.advisories.workbook import XLSX

ALL: tuple[SourceFormat, ...] = (
    CVE5,
    CVE4,
    CSAF,
    CYCLONEDX,
    OPENVEX,
    KEV,
    MSRC,
    TRIVY,
    GRYPE,
    OSV_SCANNER,
    NPM_AUDIT,
    GITHUB,
    NVD,
    OSV,
    OSV_YAML,
    RUSTSEC,
    XLSX,
    CSV,
    TEXT,
)

JSON_FORMATS: tuple[JsonFormat, ...] = tuple(f for f in ALL if isinstance(f, JsonFormat))
TEXT_FORMATS: tuple[TextFormat, ...] = tuple(f for f in ALL if isinstance(f, TextFormat))
WORKBOOKS: tuple[WorkbookFormat, ...] = tuple(f for f in ALL if isinstance(f, WorkbookFormat))
