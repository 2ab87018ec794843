"""JSON documents that are recognised and hold no records: what they are, what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class JsonRefusal:
    """A kind of JSON document that is named and not read; fields as in ``RefusedFormat``."""

    title: str
    recognised_by: str
    advice: str
    matches: Callable[[Mapping[str, Any]], bool]

    @property
    def reason(self) -> str:
        """The message."""
        return f"{self.title}, no vulnerability records: {self.advice}"


_ERROR_KEYS = frozenset(
    (
        *("error", "errors", "message", "status", "code", "statusCode", "detail", "title", "type"),
        *("timestamp", "path", "documentation_url", "error_description", "error_code", "success"),
        *("description", "reason", "details", "request_id", "requestId", "instance", "trace"),
        *("msg", "fault", "ok"),
    )
)
_ERROR_SIGNS = frozenset(
    (
        *("error", "errors", "error_code", "error_description", "documentation_url"),
        *("statusCode", "fault"),
    )
)
_CODES = ("status", "code", "statusCode", "status_code", "error_code", "http_code")
_OF_A_RECORD = frozenset(("id", "cve", "cveID", "cveId", "cve_id", "ghsa_id"))
_ERROR_STATUS = range(400, 600)  # of HTTP


def _is_api_error(value: Mapping[str, Any]) -> bool:
    keys = {key for key, item in value.items() if item not in (None, [], {}, "")}
    if not keys or keys & _OF_A_RECORD:
        return False
    codes = (str(value.get(key, "")) for key in _CODES)
    status = any(code.isdigit() and int(code[:9]) in _ERROR_STATUS for code in codes)
    said = {"message", "msg", "detail", "error", "errors", "title"} & keys
    failed = value.get("success") is False or value.get("ok") is False
    if (status and said) or (failed and keys <= _ERROR_KEYS):
        return True
    if keys - _ERROR_KEYS:
        return False
    return bool(
        status
        or keys & _ERROR_SIGNS
        or ({"message", "msg"} & keys and not {"description", "details"} & keys)
        or keys == {"detail"}
    )


def _is_manifest(value: Mapping[str, Any]) -> bool:
    parts = {"dependencies", "devDependencies", "scripts", "main", "engines", "require"}
    return {"name", "version"} <= set(value) and bool(parts & set(value))


JSON_REFUSALS: tuple[JsonRefusal, ...] = (
    JsonRefusal(
        "an API's error answer",
        "`error`, `message`, `status`, `code` and the like alone",
        "the call that was to fetch the records failed",
        _is_api_error,
    ),
    JsonRefusal(
        "a SARIF log",
        "`runs` and `version`",
        "it names findings in code; give advisories, or the scanner's own report",
        lambda value: "runs" in value and ("$schema" in value or "version" in value),
    ),
    JsonRefusal(
        "an SPDX document",
        "`spdxVersion`, or `@graph` and an SPDX `@context`",
        "it lists packages; give what a scanner finds in it",
        lambda value: "spdxVersion" in value or ("@graph" in value and "spdx" in str(value)),
    ),
    JsonRefusal(
        "a STIX bundle",
        "`type` `bundle` and `objects`",
        "ATT&CK and CAPEC go into a knowledge base: kb build",
        lambda value: value.get("type") == "bundle" and "objects" in value,
    ),
    JsonRefusal(
        "NVD's list of products or of changes",
        "`format` `NVD_CPE`, `NVD_CVEHistory` and the like",
        "get the vulnerabilities: data fetch nvd",
        lambda value: (
            str(value.get("format", "")).startswith("NVD_CPE")
            or value.get("format") in {"NVD_CVEHistory", "NVD_SOURCE", "NVD_CPEMatchString"}
        ),
    ),
    JsonRefusal(
        "a list of where CSAF advisories lie",
        "`canonical_url` and `publisher`, `aggregator`, or `feed` with `entry`",
        "get the advisories that it lists",
        lambda value: (
            {"canonical_url", "publisher"} <= set(value)
            or {"aggregator", "csaf_providers"} <= set(value)
            or (isinstance(value.get("feed"), dict) and "entry" in value["feed"])
        ),
    ),
    JsonRefusal(
        "the CWE catalogue",
        "`Weaknesses` and `ContentVersion`",
        "it goes into a knowledge base: kb build",
        lambda value: "Weaknesses" in value,
    ),
    JsonRefusal(
        "a log of changes of the CVE List",
        "`fetchTime` and `numberOfChanges`",
        "give the records beside it",
        lambda value: "fetchTime" in value and ("numberOfChanges" in value or "new" in value),
    ),
    JsonRefusal(
        "a lock file of packages",
        "`lockfileVersion`",
        "give what an audit or a scanner finds in it",
        lambda value: "lockfileVersion" in value,
    ),
    JsonRefusal(
        "a package's manifest",
        "`name`, `version` and `dependencies`, `scripts` or the like",
        "give what an audit or a scanner finds in it",
        _is_manifest,
    ),
    JsonRefusal(
        "an OpenAPI document or a notebook",
        "`openapi`, `swagger`, or `nbformat`",
        "give records",
        lambda value: bool({"openapi", "swagger", "nbformat"} & set(value)),
    ),
    JsonRefusal(
        "a JSON schema",
        "`$schema` and `properties` or `definitions`",
        "give records of that schema",
        lambda value: "$schema" in value and bool({"properties", "definitions"} & set(value)),
    ),
)
"""What is told by a document's members, in the order in which it is tried."""


def json_refusal(value: Mapping[str, Any]) -> str:
    """Return why a JSON object is no record and what to do; empty where it is of no known kind."""
    return next((kind.reason for kind in JSON_REFUSALS if kind.matches(value)), "")


def unknown_json(value: Any) -> str:
    """Return what JSON is that holds no records, and what to do."""
    first = value[0] if isinstance(value, list) and value else value
    known = json_refusal(first) if isinstance(first, dict) else ""
    return known or (
        "JSON of an unknown kind: no advisory format that is read, and no field "
        f"description, text or summary{shown_keys(value)}"
    )


def shown_keys(value: Any) -> str:
    """Return the first keys of an object, for a message."""
    keys = [key[:40] for key in value] if isinstance(value, dict) else []
    return f"; its keys: {', '.join(keys[:8])}" if keys else ""
