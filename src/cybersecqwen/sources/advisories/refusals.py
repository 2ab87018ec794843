"""Files that are recognised and hold no records that can be read: what they are, what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from cybersecqwen.sources.advisories.prose import is_mostly_markup
from cybersecqwen.sources.io.file_names import README_NAMES

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
    rb"(?:<\?xml[^>]*>|<!--.*?-->|\s)*<(?:!doctype\s+html|html|head|body|meta)\b",
    re.IGNORECASE | re.DOTALL,
)
_HTML_PART = re.compile(rb"<(?:title|script|style|h\d|center|div|p|table|br|hr)\b", re.IGNORECASE)
_ELEMENT = re.compile(rb"<([A-Za-z_][\w.:-]*)(?:\s[^<>]*)?/?>")
_ANY_TAG = re.compile(rb"<[^<>]*>")
_FEWEST_WORDS = 4
_MARKDOWN_SIGNS = re.compile(
    rb"^(?:#{1,6} \S|```|~~~|[-*] \[[^\]]*\]\(|\|[-: |]+\|$)", re.MULTILINE
)
_HEADING = re.compile(rb"#{1,6} \S")
_DRAWN = re.compile(r"^[ \t]*[+\u2500-\u257f][-+=|\u2500-\u257f \t]{8,}$", re.MULTILINE)
_MARKDOWN_NAMES = (".md", ".markdown", ".rst", ".adoc")
_YAML_LIST = re.compile(rb"- [A-Za-z_][\w.-]*:(?:\s|$)")
_YAML_LINE = re.compile(rb"(?:[A-Za-z_][\w.-]*|\"[^\"\n]+\"):(?:\s|$)|\s*- |\s+\S|#|---|\.\.\.")
_INI_LINE = re.compile(rb"\[{1,2}[\w.\" -]+\]{1,2}\s*$|[\w.-]+\s*=\s*\S|[#;]|\s*$")


_SETTING = re.compile(rb"(?:export )?[A-Za-z_]\w*=\S*\s*$|#|\s*$")
_LINES_TRIED = 40
_CODE_STARTS = (b"#!", b"#include", b"diff --git ", b"<?php", b"--- a/", b"/*")
_SQL = re.compile(rb"(?:INSERT INTO|CREATE TABLE|DROP TABLE|PRAGMA \w|BEGIN(?: TRANSACTION)?;|-- )")
_CODE_LINE = re.compile(
    rb"\s*(?:import \w[\w.]*|from [\w.]+ import .+|(?:async )?def .+:|class .+:|if .+:|for .+:"
    rb"|(?:FROM|RUN|CMD|COPY|ADD|ENV|ARG|EXPOSE|WORKDIR|USER|LABEL|ENTRYPOINT) .+"
    rb"|else:|try:|return\b.*|[\w.]+\(.*\)|[\w.\[\]\"']+ [-+]?= .+|#include .*|.*[;{}])"
)
_STATUS_LINE = re.compile(r"(?:HTTP/\d\S* |error )?[45]\d\d\b[\s:-]*[\w' -]*[.!]?", re.IGNORECASE)
_STATUS_PHRASES = {
    *(status.phrase.lower() for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST),
    *("rate limit exceeded", "access denied", "invalid api key", "unauthorised", "no such key"),
}
_GATEWAYS_SAY = (
    *("upstream ", "no healthy upstream", "request forbidden", "rbac: ", "default backend - "),
    *("stream timeout", "rate limit exceeded", "the requested url ", "error code: "),
)
_LONGEST_ERROR = 300
_PART_OF_ALL = 10  # all but one in so many
_MAIL_FIELD = re.compile(
    rb"^(?:from|to|subject|date|received|return-path|message-id|mime-version|delivered-to|cc"
    rb"|reply-to|content-type|x-[\w-]+): ",
    re.IGNORECASE | re.MULTILINE,
)


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


def _is_html(head: bytes, name: str) -> bool:
    if _HTML.match(head):
        return True
    return name.lower().endswith((".html", ".htm")) and head.startswith(b"<")


def _is_markdown(head: bytes, name: str) -> bool:
    if name.lower().endswith(_MARKDOWN_NAMES):
        return True
    first = head[:_START_BYTES].split(b"\n", 1)[0]
    signs = len(_MARKDOWN_SIGNS.findall(head[:_START_BYTES]))
    if first.startswith(b"# ") and b"](" in head[:_START_BYTES]:
        return True
    return _HEADING.match(first) is not None and signs > 1


def _lines_match(pattern: re.Pattern[bytes], head: bytes) -> bool:
    lines = [line for line in head.split(b"\n")[:40] if line.strip()]
    return len(lines) > 1 and all(pattern.match(line) for line in lines[: max(2, len(lines) - 1)])


def _is_yaml(head: bytes, name: str) -> bool:
    if head.startswith((b"%YAML", b"--- \n", b"---\n", b"---\r\n")):
        return True
    first = head.split(b"\n", 1)[0].rstrip()
    named = name.lower().endswith((".yaml", ".yml"))
    if named and _YAML_LIST.match(first):
        return True
    if not re.match(rb"[A-Za-z_][\w.-]*:(?:\s|$)", first) or not _lines_match(_YAML_LINE, head):
        return False
    keys = re.findall(rb"^[A-Za-z_][\w.-]*:(?=\s|$)", head[:_START_BYTES], re.MULTILINE)
    return named or len(keys) > 1


def _is_ini(head: bytes, _name: str) -> bool:
    if _lines_match(_SETTING, head):
        return True
    return head.startswith(b"[") and _lines_match(_INI_LINE, head) and b"=" in head


def _is_code(head: bytes, _name: str) -> bool:
    if head.startswith(_CODE_STARTS) or _SQL.match(head):
        return True
    lines = [line.rstrip() for line in head.split(b"\n")[:_LINES_TRIED] if line.strip()]
    code = sum(_CODE_LINE.fullmatch(line) is not None for line in lines)
    return code > 1 and 2 * code > len(lines)


def _is_error_message(head: bytes, name: str) -> bool:
    """Whether a text is a server's few words on why it gives no file."""
    lines = [line.strip() for line in head[:_START_BYTES].split(b"\n") if line.strip()]
    if not lines or len(lines) > 2 or len(lines[0]) > _LONGEST_ERROR:
        return False
    first = lines[0].decode("utf-8", "replace")
    if _STATUS_LINE.fullmatch(first) or first.lower().rstrip(" .!") in _STATUS_PHRASES:
        return True
    stem = re.sub(r"\.(?:gz|bz2|xz|zst)$", "", name.lower())
    return first.lower().startswith(_GATEWAYS_SAY) or (
        len(lines) == 1 and stem.endswith((".json", ".jsonl", ".ndjson"))
    )


def _lines_are(pattern: bytes, fewest: int) -> Callable[[bytes, str], bool]:
    """Return whether at least so many of the first lines match, and nearly all of them."""
    compiled = re.compile(pattern, re.IGNORECASE)

    def matches(head: bytes, _name: str) -> bool:
        lines = [line for line in head.split(b"\n")[:_LINES_TRIED] if line.strip()]
        found = sum(compiled.match(line) is not None for line in lines)
        return found >= fewest and _PART_OF_ALL * found >= (_PART_OF_ALL - 1) * len(lines)

    return matches


def _is_email(head: bytes, _name: str) -> bool:
    found = _MAIL_FIELD.findall(head[:_START_BYTES])
    return len(found) > 2 and _MAIL_FIELD.match(head) is not None


def _is_drawn(head: bytes, _name: str) -> bool:
    lines = _DRAWN.findall(head[:_START_BYTES].decode("utf-8", "replace"))
    return len(lines) > 1 or head.startswith(b"NAME  ")


def _is_readme(_head: bytes, name: str) -> bool:
    base = name.rsplit("/", 1)[-1].lower()
    return base.startswith(README_NAMES) and "." not in base.removesuffix(".txt")


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
        _is_html,
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
        "a piece of HTML",
        "an element of HTML at the start, and few words beside",
        "the server may have sent an error message in place of the file; fetch it again",
        lambda head, name: _HTML_PART.match(head) is not None and _is_xml(head, name),
    ),
    RefusedFormat(
        "XML",
        "`<?xml` or an element at the start",
        "get it as JSON or CSV",
        _is_xml,
    ),
    RefusedFormat(
        "a text in rich text (RTF) or PostScript",
        "`{\\rtf`, `%!PS`",
        "save it as plain text, one description a line",
        _starts(b"{\\rtf", b"%!PS"),
    ),
    RefusedFormat(
        "a text signed or encrypted with PGP",
        "`-----BEGIN PGP`",
        "give the text in it, one description a line",
        _starts(b"-----BEGIN PGP "),
    ),
    RefusedFormat(
        "an HTTP message with its head",
        "`HTTP/1.1 200` and the like at the start, or a boundary over `Content-Disposition`",
        "give the body alone (curl without --include)",
        _finds(rb"\AHTTP/\d\S* [23]\d\d\b|\A--\S+\r?\nContent-"),
    ),
    RefusedFormat(
        "a PEM file",
        "`-----BEGIN`",
        "keys and certificates hold no descriptions",
        _starts(b"-----BEGIN "),
    ),
    RefusedFormat(
        "an e-mail",
        "lines `From:`, `Subject:` and the like at the start",
        "give the advisory in it as text, one description a line",
        _is_email,
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
        "`[section]` and `key = value` lines, or `NAME=value` lines alone",
        "give the records as JSON or CSV",
        _is_ini,
    ),
    RefusedFormat(
        "Python's notation of objects",
        "`{'` or `[{'` at the start",
        "write it with json.dump",
        _finds(rb"\A[\[(\s]*\{\s*'[^'\n]*'\s*:"),
    ),
    RefusedFormat(
        "a log",
        "lines that begin with a time",
        "give the records",
        _lines_are(rb"\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d", 2),
    ),
    RefusedFormat(
        "a list of files",
        "lines that are names of files",
        "give the files themselves, or their folder",
        _lines_are(rb"\"?[\w./\\-]+\.(?:json|ya?ml|xml|csv|gz|zip|md)\"?(?:,.*)?\s*$", 1),
    ),
    RefusedFormat(
        "source code, a script or a patch",
        "`#!`, `#include`, `INSERT INTO` and the like; or most lines are statements",
        "give the records as text",
        _is_code,
    ),
    RefusedFormat(
        "a scanner's table for a terminal",
        "lines that draw a table, or Grype's head `NAME INSTALLED`",
        "let the scanner write JSON",
        _is_drawn,
    ),
    RefusedFormat(
        "a server's error message, or a few words where JSON should be",
        "an HTTP status or its words alone; one line under a name that ends in .json",
        "the call that was to fetch the records failed",
        _is_error_message,
    ),
    RefusedFormat(
        "a readme, a licence or the like",
        "its name",
        "give the records beside it",
        _is_readme,
    ),
    RefusedFormat(
        "broken JSON, YAML or XML",
        "one line in five of the first hundred is a piece of such",
        "its beginning is missing or damaged; fetch it again",
        is_mostly_markup,
    ),
)
"""What is told by a file's beginning, in the order in which it is tried."""


def refusal(head: bytes, name: str) -> str:
    """Return why a file is not read and what to do; empty where it is of no such kind.

    Args:
        head: Its first bytes, in UTF-8.
        name: Its name.
    """
    start = head.lstrip()
    return next((kind.reason for kind in REFUSALS if kind.matches(start, name)), "")
