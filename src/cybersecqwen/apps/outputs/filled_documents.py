"""Documents as they came in, with a weakness where they had none and nothing else changed."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cybersecqwen.apps.outputs.proposal import proposal_of
from cybersecqwen.apps.outputs.rows import MapRow, NamedCwe, RecordRow
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.taxonomy import Taxonomy

Documents = Callable[[], Iterable[tuple[str, bytes]]]
"""Opens the input again: each document's name and bytes."""

_INDENT = re.compile(r"^[\[{]\r?\n([ \t]+)")


class FilledDocuments(ABC):
    """Writes the input's own documents again.

    One document is written as it was laid out; several, each on one line. An answer that is not
    sure enough to be published, or that MITRE prohibits for mapping, fills nothing in.

    Args:
        documents: The input.
        taxonomy: The catalogue.
    """

    kind: str
    """What a document is called in a message."""

    def __init__(self, documents: Documents, taxonomy: Taxonomy) -> None:
        self._documents = documents
        self._taxonomy = taxonomy
        self.notes: list[str] = []

    def __call__(self, rows: Iterable[MapRow]) -> Iterator[bytes]:
        """Return the documents.

        Raises:
            InputError: The input holds no document of this kind.
        """
        proposals: dict[str, NamedCwe] = {}
        unsure = 0
        for row in rows:
            if isinstance(row, RecordRow) and (row.nvd_cwe or row.cna_cwe):
                continue
            proposal = proposal_of(row, self._taxonomy)
            if proposal is None:
                unsure += 1
            else:
                proposals[row.id] = proposal
        written = filled = 0
        held: tuple[str, Any] | None = None
        for name, content in self._documents():
            for text, document in self.decoded(name, content):
                together = document if isinstance(document, list) else [document]
                if not together or not all(map(self.recognises, together)):
                    raise InputError(f"{name}: no {self.kind}; --to jsonl and csv take any input")
                filled += sum(self.fill(one, proposals) for one in together)
                if held is not None:
                    yield _line(held[1])
                held = (text, document)
                written += 1
        if held is None:
            raise InputError(f"the input holds no {self.kind}")
        yield _laid_out(*held) if written == 1 else _line(held[1])
        self.notes.append(f"{filled:,} weaknesses filled in")
        if unsure:
            self.notes.append(f"{unsure:,} answers are unsure or must not be mapped to; left out")

    def decoded(self, name: str, content: bytes) -> Iterator[tuple[str, Any]]:
        """Yield the texts and the values of a file's documents.

        Raises:
            InputError: It holds none.
        """
        yield from _decoded(name, content)

    @abstractmethod
    def recognises(self, document: Any) -> bool:
        """Whether a document is of this kind."""

    @abstractmethod
    def fill(self, document: Any, proposals: dict[str, NamedCwe]) -> int:
        """Fill a document in; return how many weaknesses were added."""


class FilledCsaf(FilledDocuments):
    """CSAF 2.0 (``cwe``) and 2.1 (``cwes``, with the catalogue's version)."""

    kind = "CSAF document"

    def recognises(self, document: Any) -> bool:
        """Whether it has CSAF's head."""
        head = document.get("document") if isinstance(document, dict) else None
        return isinstance(head, dict) and "csaf_version" in head

    def fill(self, document: Any, proposals: dict[str, NamedCwe]) -> int:
        """Fill in each vulnerability's weakness."""
        head = document["document"]
        newer = str(head["csaf_version"]) != "2.0"
        tracking = head.get("tracking")
        name = tracking.get("id") if isinstance(tracking, dict) else ""
        count = 0
        for number, vulnerability in enumerate(_objects(document.get("vulnerabilities")), start=1):
            ids = [
                vulnerability.get("cve"),
                *(each.get("text") for each in _objects(vulnerability.get("ids"))),
                f"{name}#{number}",  # what a vulnerability without an id is called
            ]
            found = next((proposals[i] for i in ids if isinstance(i, str) and i in proposals), None)
            if found is None or vulnerability.get("cwe") or vulnerability.get("cwes"):
                continue
            value: dict[str, str] = {"id": found.cwe, "name": found.name}
            if newer:
                value["version"] = _release(self._taxonomy.version)
                _insert(vulnerability, "cwes", [value], after="cve")
            else:
                _insert(vulnerability, "cwe", value, after="cve")
            count += 1
        return count


class FilledOsv(FilledDocuments):
    """OSV, with the ids where GitHub's advisories have them: ``database_specific.cwe_ids``."""

    kind = "OSV record"

    def decoded(self, name: str, content: bytes) -> Iterator[tuple[str, Any]]:
        """Yield records of JSON as they stand, and of YAML as JSON has them."""
        start = content[:4096].lstrip()
        if start.startswith((b"{", b"[", b"\xef\xbb\xbf{", b"\xef\xbb\xbf[")):
            yield from super().decoded(name, content)
            return
        if start.startswith(b"```toml"):
            raise InputError(
                f"{name}: RustSec's Markdown, which has no place for a weakness; --to jsonl and "
                "csv take any input"
            )
        try:
            # Only a file of records is filled in; a single text needs no reader.
            from cybersecqwen.sources.advisories.osv import yaml_records

            records = yaml_records(content)
        except ValueError as error:
            raise InputError(f"{name}: neither JSON nor YAML: {error}") from error
        for record in records:
            yield json.dumps(record, ensure_ascii=False, indent=2) + "\n", record

    def recognises(self, document: Any) -> bool:
        """Whether it is a record, or a list of them under ``vulns``."""
        if not isinstance(document, dict):
            return False
        records = _objects(document.get("vulns")) or [document]
        return all("id" in record and _OSV_KEYS & record.keys() for record in records)

    def fill(self, document: Any, proposals: dict[str, NamedCwe]) -> int:
        """Fill in each record's weakness."""
        count = 0
        for record in _objects(document.get("vulns")) or [document]:
            found = proposals.get(str(record.get("id")))
            specific = record.get("database_specific")
            if found is None or (specific is not None and not isinstance(specific, dict)):
                continue
            if specific and (specific.get("cwe_ids") or specific.get("cwes")):
                continue
            record["database_specific"] = {**(specific or {}), "cwe_ids": [found.cwe]}
            count += 1
        return count


_OSV_KEYS = frozenset({"affected", "details", "summary", "schema_version", "modified"})


class FilledCycloneDx(FilledDocuments):
    """CycloneDX 1.4 and later: ``vulnerabilities[].cwes``, numbers."""

    kind = "CycloneDX document"

    def recognises(self, document: Any) -> bool:
        """Whether it says so."""
        return isinstance(document, dict) and document.get("bomFormat") == "CycloneDX"

    def fill(self, document: Any, proposals: dict[str, NamedCwe]) -> int:
        """Fill in each vulnerability's weakness."""
        count = 0
        for vulnerability in _objects(document.get("vulnerabilities")):
            found = proposals.get(str(vulnerability.get("id")))
            if found is None or vulnerability.get("cwes"):
                continue
            _insert(vulnerability, "cwes", [int(found.cwe.removeprefix("CWE-"))], after="ratings")
            count += 1
        return count


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _insert(target: dict[str, Any], key: str, value: object, *, after: str) -> None:
    """Set a key, right behind another where that is there."""
    items = [(name, held) for name, held in target.items() if name != key]
    place = next((n for n, (name, _) in enumerate(items, start=1) if name == after), len(items))
    target.clear()
    target.update([*items[:place], (key, value), *items[place:]])


def _release(version: str) -> str:
    """Return a catalogue's version as CSAF 2.1 writes it: two numbers."""
    return ".".join(version.split(".")[:2])


def _decoded(name: str, content: bytes) -> Iterator[tuple[str, Any]]:
    """Return the documents of a file: one, or one a line."""
    try:
        text = content.decode("utf-8-sig")
        try:
            yield text, json.loads(text)
        except json.JSONDecodeError as error:
            lines = [line for line in text.splitlines() if line.strip()]
            if len(lines) < 2 or not all(line.lstrip().startswith("{") for line in lines):
                raise
            try:
                yield from [(line, json.loads(line)) for line in lines]
            except json.JSONDecodeError:
                raise error from None
    except ValueError as error:
        raise InputError(f"{name}: no JSON, so it cannot be filled in: {error}") from error


def _line(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _laid_out(text: str, document: object) -> bytes:
    """Return a document with the indentation, escapes and last line break of its first text."""
    found = _INDENT.match(text)
    tight = found is None and '": ' not in text[:400]
    made = json.dumps(
        document,
        ensure_ascii=text.isascii() and "\\u" in text,
        indent=found[1] if found else None,
        separators=(",", ":") if tight else (("," if found else ", "), ": "),
    )
    return (made + ("\n" if text.endswith("\n") else "")).encode()
