"""SARIF 2.1.0 (OASIS standard), in the form that GitHub's code scanning takes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from urllib.parse import quote

import msgspec

from cybersecqwen.apps.outputs.rows import MapRow, RecordRow
from cybersecqwen.apps.outputs.spool import RowSpool
from cybersecqwen.apps.outputs.table import remark
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.taxonomy import Taxonomy

SHOWN_RESULTS = 5_000
"""Results of a run that GitHub shows; it drops what is over."""

MOST_RUNS = 20
MOST_RESULTS = 25_000
"""Runs of a file and results of a run above which GitHub refuses the whole file."""

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_MESSAGE_CHARACTERS = 300  # of a description; GitHub's upload ends at 10 MB, packed
_UNKNOWN_SEVERITY = 5.0
_USAGE = {
    "allowed": "allowed",
    "allowed-with-review": "allowed with review",
    "discouraged": "discouraged",
    "prohibited": "prohibited",
}


class SarifWriter:
    """A SARIF log, cut into runs that GitHub shows whole.

    Each run has a category of its own (``automationDetails.id``), since GitHub refuses two runs of
    one tool and category. A run's rules come after its results, which JSON allows: they carry the
    highest score among the results.

    Args:
        taxonomy: The catalogue, for names and its version.
        version: Version of this package.
    """

    def __init__(self, taxonomy: Taxonomy, version: str) -> None:
        self._taxonomy = taxonomy
        self._version = version

    def __call__(self, rows: Iterable[MapRow]) -> Iterator[bytes]:
        """Return the log.

        Raises:
            InputError: There are more rows than GitHub takes in one file.
        """
        with RowSpool(rows) as spool:
            size = _run_size(len(spool))
            yield b'{"$schema":"%s","version":"2.1.0","runs":[' % _SCHEMA.encode()
            stream = iter(spool)
            fingerprints: Counter[str] = Counter()
            for number in range(1, max(-(-len(spool) // size), 1) + 1):
                yield b"\n" if number == 1 else b",\n"
                yield from self._run(islice(stream, size), number, fingerprints)
            yield b"]}\n"

    def _run(
        self, rows: Iterator[RecordRow], number: int, fingerprints: Counter[str]
    ) -> Iterator[bytes]:
        encode = msgspec.json.Encoder().encode
        places: dict[str, int] = {}
        worst: dict[str, float] = {}
        yield b'{"results":['
        between = b"\n"
        for row in rows:
            place = places.setdefault(row.cwe, len(places))
            if row.cvss_score is not None:
                worst[row.cwe] = max(worst.get(row.cwe, 0.0), row.cvss_score)
            yield between + encode(_result(row, place, fingerprints))
            between = b",\n"
        category = {"id": f"cybersecqwen/part-{number}/"}
        yield b'\n],"automationDetails":' + encode(category)
        yield b',"columnKind":"unicodeCodePoints","tool":'
        yield encode(self._tool(list(places), worst)) + b',"taxonomies":'
        yield encode([self._taxa(list(places))]) + b"}"

    def _tool(self, cwes: list[str], worst: dict[str, float]) -> dict[str, object]:
        return {
            "driver": {
                "name": "cybersecqwen",
                "semanticVersion": self._version,
                "supportedTaxonomies": [{"name": "CWE", "index": 0}],
                "rules": [self._rule(cwe, place, worst.get(cwe)) for place, cwe in enumerate(cwes)],
            }
        }

    def _rule(self, cwe: str, place: int, score: float | None) -> dict[str, object]:
        entry = self._taxonomy.get(cwe)
        name = entry.name if entry else cwe
        usage = _USAGE.get(entry.usage if entry else "", "unknown")
        about = (
            f"{cwe}: {name}. CWE {self._taxonomy.version}; MITRE's mapping usage of this id: "
            f"{usage}."
        )
        if score is None:
            severity = (
                f"None of its records has a CVSS score; {_UNKNOWN_SEVERITY} stands for unknown."
            )
        else:
            severity = f"Highest CVSS base score among its records: {score}."
        return {
            "id": cwe,
            "shortDescription": {"text": name},
            "fullDescription": {"text": about},
            "help": {
                "text": f"{about} {severity} See {help_uri(cwe)}",
                "markdown": f"{about}\n\n{severity}\n\n[{cwe} at MITRE]({help_uri(cwe)})",
            },
            "helpUri": help_uri(cwe),
            "defaultConfiguration": {"level": "warning"},
            "properties": {
                "tags": ["security", f"external/cwe/{cwe.lower()}"],
                "security-severity": f"{_UNKNOWN_SEVERITY if score is None else score:.1f}",
            },
            "relationships": [{"target": _taxon(cwe, place), "kinds": ["equal"]}],
        }

    def _taxa(self, cwes: list[str]) -> dict[str, object]:
        return {
            "name": "CWE",
            "version": self._taxonomy.version,
            "organization": "MITRE",
            "informationUri": "https://cwe.mitre.org/",
            "shortDescription": {"text": "The MITRE Common Weakness Enumeration"},
            "taxa": [
                {
                    "id": cwe,
                    "shortDescription": {"text": self._taxonomy.name(cwe) or cwe},
                    "helpUri": help_uri(cwe),
                }
                for cwe in cwes
            ],
        }


def help_uri(cwe: str) -> str:
    """Return MITRE's page about a canonical id."""
    return f"https://cwe.mitre.org/data/definitions/{cwe.removeprefix('CWE-')}.html"


def _run_size(rows: int) -> int:
    """Return how many results each run gets: what GitHub shows, or more if there are too many."""
    if rows > MOST_RUNS * MOST_RESULTS:
        raise InputError(
            f"{rows:,} results are more than the {MOST_RUNS * MOST_RESULTS:,} that GitHub takes in "
            "one SARIF file; map the input in parts"
        )
    return max(SHOWN_RESULTS, -(-rows // MOST_RUNS))


def _taxon(cwe: str, place: int) -> dict[str, object]:
    return {"id": cwe, "index": place, "toolComponent": {"name": "CWE", "index": 0}}


def _result(row: RecordRow, place: int, fingerprints: Counter[str]) -> dict[str, object]:
    note = remark(row)
    said = f"{row.id}: {row.cwe} {row.name} (confidence {row.confidence:.0%}"
    said += f"; {note})" if note else ")"
    description = " ".join(row.description.split())
    if len(description) > _MESSAGE_CHARACTERS:
        description = f"{description[: _MESSAGE_CHARACTERS - 1]}…"
    return {
        "ruleId": row.cwe,
        "ruleIndex": place,
        "level": "note" if row.abstained else "warning",
        "message": {"text": f"{said}. {description}" if description else said},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(row.file)},
                    "region": {"startLine": max(row.line, 1)},
                },
                "logicalLocations": [{"fullyQualifiedName": row.id, "kind": "advisory"}],
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": _fingerprint(row, fingerprints)},
        "taxa": [_taxon(row.cwe, place)],
        "properties": {
            "confidence": row.confidence,
            "abstained": row.abstained,
            "candidates": row.candidates,
            "backoff": row.backoff,
            "usage": row.usage,
            "agrees": row.agrees,
            "cvss": row.cvss,
            "model": row.model,
        },
    }


def _uri(file: str) -> str:
    """Return a relative reference (RFC 3986) to the input file."""
    return quote(file or "standard-input", safe="/")


def _fingerprint(row: RecordRow, seen: Counter[str]) -> str:
    """Return what stays the same for a record from run to run: a hash of its id and text.

    GitHub matches alerts by the fingerprint of this name alone; the number behind the colon tells
    equal records of one file apart.
    """
    # The answer is left out, so that another model's other answer is no new alert. Where an id
    # is but a line's number, the text tells the record.
    named = row.id if not row.id.startswith("line-") else row.description or row.id
    digest = hashlib.sha256(named.encode()).hexdigest()[:16]
    seen[digest] += 1
    return f"{digest}:{seen[digest]}"
