"""Files that are recognised and hold no records that can be read: what they are, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cybersecqwen.sources.advisories.prose import is_mostly_markup

_START_BYTES = 2048


@dataclass(frozen=True, slots=True)
class RefusedFormat:
    """A kind of file that is named and not read.

    Attributes:
        title: What it is called.
        recognised_by: By what, in a line for the guide.
        advice: What to do instead.
        matches: Whether the first bytes of a file, in UTF-8 and without blanks, are of this kind;
            the file's name is given too.
    """

    title: str
    recognised_by: str
    advice: str
    matches: Callable[[bytes, str], bool]

    @property
    def reason(self) -> str:
        """The message."""
        return f"{self.title}, no vulnerability records: {self.advice}"


def _starts(*beginnings: bytes) -> Callable[[bytes, str], bool]:
    return lambda head, _name: head.startswith(beginnings)


def _finds(pattern: bytes) -> Callable[[bytes, str], bool]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda head, _name: compiled.search(head, 0, _START_BYTES) is not None


_HTML = re.compile(
    rb"(?:<\?xml[^>]*>|<!--.*?-->|\s)*<(?:!doctype\s+html|html|head|body|title|meta|script|h1|center)\b",
    re.IGNORECASE | re.DOTALL,
)
_ELEMENT = re.compile(rb"<([A-Za-z_][\w.:-]*)(?:\s[^<>]*)?/?>")
_ANY_TAG = re.compile(rb"<[^<>]*>")
_FEWEST_WORDS = 4
_MARKDOWN_SIGNS = re.compile(
    rb"^(?:#{1,6} \S|```|~~~|[-*] \[[^\]]*\]\(|\|[-: |]+\|$)", re.MULTILINE
)
_MARKDOWN_NAMES = (".md", ".markdown", ".rst", ".adoc")
_YAML_LINE = re.compile(rb"(?:[A-Za-z_][\w.-]*|\"[^\"\n]+\"):(?:\s|$)|\s*- |\s+\S|#|---|\.\.\.")
_INI_LINE = re.compile(rb"\[[\w.\" -]+\]\s*$|[\w.-]+\s*=\s*\S|[#;]|\s*$")


def _is_xml_of(*roots: bytes) -> Callable[[bytes, str], bool]:
    names = b"|".join(roots)
    pattern = re.compile(rb"<(?:\w+:)?(?:" + names + rb")[\s>]")
    return lambda head, _name: (
        head.startswith(b"<") and pattern.search(head, 0, _START_BYTES) is not None
    )


def _is_xml(head: bytes, _name: str) -> bool:
    """Whether a text begins as XML; a description may begin with a tag that it is about."""
    if head.startswith((b"<?xml", b"<!")):
        return True
    root = _ELEMENT.match(head)
    if root is None:
        return False
    first = _ANY_TAG.sub(b" ", head.split(b"\n", 1)[0])
    return len(first.split()) < _FEWEST_WORDS or head.rstrip().endswith(b"</%s>" % root[1])


def _is_markdown(head: bytes, name: str) -> bool:
    if name.lower().endswith(_MARKDOWN_NAMES):
        return True
    first = head[:_START_BYTES].split(b"\n", 1)[0]
    signs = len(_MARKDOWN_SIGNS.findall(head[:_START_BYTES]))
    return first.startswith(b"# ") and (signs > 1 or b"](" in head[:_START_BYTES])


def _lines_match(pattern: re.Pattern[bytes], head: bytes) -> bool:
    lines = [line for line in head.split(b"\n")[:40] if line.strip()]
    return len(lines) > 1 and all(pattern.match(line) for line in lines[: max(2, len(lines) - 1)])


def _is_yaml(head: bytes, name: str) -> bool:
    if head.startswith((b"%YAML", b"--- \n", b"---\n", b"---\r\n")):
        return True
    first = head.split(b"\n", 1)[0].rstrip()
    if not re.match(rb"[A-Za-z_][\w.-]*:(?:\s|$)", first) or not _lines_match(_YAML_LINE, head):
        return False
    keys = re.findall(rb"^[A-Za-z_][\w.-]*:(?=\s|$)", head[:_START_BYTES], re.MULTILINE)
    return name.lower().endswith((".yaml", ".yml")) or len(keys) > 1


def _is_ini(head: bytes, _name: str) -> bool:
    return head.startswith(b"[") and _lines_match(_INI_LINE, head) and b"=" in head


REFUSALS: tuple[RefusedFormat, ...] = (
    RefusedFormat(
        "a PDF",
        "`%PDF-`",
        "save the text, or get the advisory as CSAF or OSV",
        _starts(b"%PDF-"),
    ),
    RefusedFormat(
        "a Git LFS pointer",
        "`version https://git-lfs`",
        "the file itself was not fetched: git lfs pull",
        _starts(b"version https://git-lfs"),
    ),
    RefusedFormat(
        "a picture",
        "magic bytes of PNG, JPEG, GIF",
        "give the records as text",
        _starts(b"\x89PNG", b"\xff\xd8\xff", b"GIF8"),
    ),
    RefusedFormat(
        "an SQLite database",
        "`SQLite format 3`",
        "export the table as CSV",
        _starts(b"SQLite format 3\x00"),
    ),
    RefusedFormat("a Parquet file", "`PAR1`", "export it as CSV or JSON lines", _starts(b"PAR1")),
    RefusedFormat(
        "an old Excel workbook or Word document (.xls, .doc)",
        "magic bytes of OLE files",
        "save it as .xlsx or CSV",
        _starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    ),
    RefusedFormat(
        "a program",
        "magic bytes of ELF, PE and Mach-O",
        "give the records as text",
        _starts(b"\x7fELF", b"MZ\x90\x00", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"),
    ),
    RefusedFormat(
        "an HTML page",
        "`<!doctype html>`, `<html>` and the like at the start",
        "the server may have sent an error page in place of the file; fetch it again",
        lambda head, _name: _HTML.match(head) is not None,
    ),
    RefusedFormat(
        "a Nessus report in XML",
        "root `NessusClientData_v2`",
        "export it as CSV",
        _is_xml_of(b"NessusClientData(?:_v2)?"),
    ),
    RefusedFormat(
        "a CVRF advisory in XML",
        "root `cvrfdoc`",
        "get the publisher's CSAF (JSON)",
        _is_xml_of(b"cvrfdoc"),
    ),
    RefusedFormat(
        "a CycloneDX BOM in XML",
        "root `bom`",
        "export it as JSON",
        _is_xml_of(b"bom"),
    ),
    RefusedFormat(
        "an NVD feed in XML, which NVD has given up",
        "root `nvd`",
        "get the JSON feed: data fetch nvd",
        _is_xml_of(b"nvd"),
    ),
    RefusedFormat(
        "XML",
        "`<?xml` or an element at the start",
        "get it as JSON or CSV",
        _is_xml,
    ),
    RefusedFormat(
        "a PEM file",
        "`-----BEGIN`",
        "keys and certificates hold no descriptions",
        _starts(b"-----BEGIN "),
    ),
    RefusedFormat(
        "Markdown",
        "name ending in .md or .rst, or a heading and other marks",
        "of Markdown only RustSec advisories are read; give one description a line, without marks",
        _is_markdown,
    ),
    RefusedFormat(
        "YAML of another kind than an OSV advisory",
        "`key: value` lines",
        "of YAML only OSV advisories are read (PyPA's); convert it to JSON",
        _is_yaml,
    ),
    RefusedFormat(
        "a TOML or INI file",
        "`[section]` and `key = value` lines",
        "give the records as JSON or CSV",
        _is_ini,
    ),
    RefusedFormat(
        "broken JSON, YAML or XML",
        "one line in five of the first hundred is a piece of such",
        "its beginning is missing or damaged; fetch it again",
        is_mostly_markup,
    ),
)
"""What is told by a file's beginning, in the order in which it is tried."""


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
        *(
            "description",
            "reason",
            "details",
            "request_id",
            "requestId",
            "instance",
            "trace",
            "msg",
        ),
    )
)
_ERROR_SIGNS = frozenset(
    ("error", "errors", "error_code", "error_description", "documentation_url", "statusCode")
)
_FIRST_ERROR_STATUS = 400  # of HTTP


def _is_api_error(value: Mapping[str, Any]) -> bool:
    keys = set(value)
    if not keys or keys - _ERROR_KEYS:
        return False
    codes = (value.get("status"), value.get("code"))
    return bool(
        keys & _ERROR_SIGNS
        or any(isinstance(code, int) and code >= _FIRST_ERROR_STATUS for code in codes)
        or ({"message", "msg"} & keys and not {"description", "details"} & keys)
        or keys == {"detail"}
    )


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


def refusal(head: bytes, name: str) -> str:
    """Return why a file is not read and what to do; empty where it is of no such kind.

    Args:
        head: Its first bytes, in UTF-8.
        name: Its name.
    """
    start = head.lstrip()
    return next((kind.reason for kind in REFUSALS if kind.matches(start, name)), "")
