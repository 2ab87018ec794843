"""An assessment for a person at a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cybersecqwen.apps.outputs.table import LABELLER_NAMES, denied_sentence, short_name
from cybersecqwen.core.cvss_metrics import METRIC_NAMES, VALUE_NAMES
from cybersecqwen.core.text.clean import clean

_PATTERNS = 4
_WHO = 12
"""Columns of a party's name."""


def assessment_text(
    row: dict[str, Any], by_labeller: Mapping[str, dict[str, Any]], width: int
) -> str:
    """Return what the specialists say of one text, no line longer than a terminal.

    Args:
        row: The row whose details are shown, as ``Assessor.row`` makes it.
        by_labeller: The text's row in each party's practice.
        width: Columns of the terminal.
    """
    lines = [
        *(_weakness(who, said, width) for who, said in by_labeller.items()),
        *_others(row, width),
        *_denied(row, width),
        "",
        *_severity(row, by_labeller, width),
        *_techniques(row, width),
        *_chain(row, width),
        *_mitigations(row, width),
    ]
    return "\n".join(lines) + "\n"


def record_texts(rows: Iterable[dict[str, Any]], width: int) -> Iterator[bytes]:
    """Return what is said of each record, under its id and what it says itself.

    Args:
        rows: As ``Assessor.row`` makes them.
        width: Columns of the terminal.
    """
    for number, row in enumerate(rows):
        # An id and a title are untrusted: nothing in them may reach the terminal as a command.
        title = clean(f"{row['id']}  {row.get('title', '')}".rstrip())
        lines = [*([""] if number else []), textwrap.shorten(title, width, placeholder=" …")]
        lines += [f"  it says {said}" for said in _own(row["record"])]
        shown = assessment_text(row, {row["cvss"]["labeller"]: row}, width)
        yield ("\n".join(lines) + f"\n\n{shown}").encode()


_OTHER_PARTIES = {"adp": "ADP", "other": "another party"}
"""Parties whose practice no model follows."""


def _own(record: dict[str, Any]) -> Iterator[str]:
    """Yield each weakness and vector that a record has itself, and whose it is."""
    for said in (*record["cwe"], *record["cvss"]):
        party = (LABELLER_NAMES | _OTHER_PARTIES)[said["by"]]
        name = f", {said['name']}" if "name" in said else ""
        yield clean(f"{said.get('cwe') or said['vector']} ({party}{name})")


def _weakness(who: str, row: dict[str, Any], width: int) -> str:
    head = f"{LABELLER_NAMES[who]:<{_WHO}}  {row['cwe']:<8}  {row['confidence']:>4.0%}  "
    backoff = row["backoff"]
    note = row["band"]
    if backoff and backoff["cwe"] != row["cwe"]:
        note = f"at least {backoff['cwe']}"
    tail = "" if note == "sure" else f"  ({note})"
    return f"{head}{short_name(clean(row['name']), width - len(head) - len(tail))}{tail}"


def _others(row: dict[str, Any], width: int) -> Iterator[str]:
    for other in row["weaknesses"][1:]:
        head = f"{'  also':<{_WHO}}  {other['cwe']:<8}  {other['probability']:>4.0%}  "
        yield f"{head}{short_name(clean(other['name']), width - len(head))}"


def _denied(row: dict[str, Any], width: int) -> Iterator[str]:
    if said := row.get("denied"):
        yield from ("", *textwrap.wrap(denied_sentence(said), width))


def _severity(
    row: dict[str, Any], by_labeller: Mapping[str, dict[str, Any]], width: int
) -> Iterator[str]:
    yield "Severity"
    for who, said in by_labeller.items():
        yield _scored(LABELLER_NAMES[who], said["cvss"])
    newest = next((said["cvss4"] for said in by_labeller.values() if said["cvss4"]), None)
    if newest:
        yield _scored("Vendor, v4.0", {**newest, "vector": ""}).rstrip()
        yield f"  {newest['vector']}"
    yield ""
    yield f"{LABELLER_NAMES[row['cvss']['labeller']]}, and the words that tell"
    for metric, found in row["cvss"]["metrics"].items():
        value = VALUE_NAMES[metric][found["value"]]
        line = f"  {METRIC_NAMES[metric]:<19}  {value:<9}  {found['probability']:>4.0%}  "
        words = clean(", ".join(found["because"]))
        yield f"{line}{textwrap.shorten(words, width - len(line), placeholder=' …')}".rstrip()


def _scored(who: str, cvss: dict[str, Any]) -> str:
    return f"  {who:<{_WHO}}  {cvss['score']:>4.1f} {cvss['severity']:<8}  {cvss['vector']}"


def _techniques(row: dict[str, Any], width: int) -> Iterator[str]:
    if row["techniques"]:
        yield from ("", "Techniques")
    for found in row["techniques"]:
        tail = f"  ({found['role']})"
        name = short_name(clean(found["name"]), width - 19 - len(tail))
        yield f"  {found['id']:<9}  {found['probability']:>4.0%}  {name}{tail}"


def _chain(row: dict[str, Any], width: int) -> Iterator[str]:
    """Yield the weakness's attack patterns, those that lead to techniques first."""
    patterns = sorted(row["chain"], key=lambda pattern: not pattern["techniques"])
    if patterns:
        yield from ("", f"{row['cwe']} in the catalogues' own links (CAPEC, ATT&CK)")
    for pattern in patterns[:_PATTERNS]:
        led = ", ".join(found["id"] for found in pattern["techniques"])
        tail = f"  -> {led}" if led else ""
        name = short_name(clean(pattern["name"]), width - 13 - len(tail))
        yield f"  {pattern['id']:<9}  {name}{tail}"
    if len(patterns) > _PATTERNS:
        yield f"  and {len(patterns) - _PATTERNS} more attack patterns"


def _mitigations(row: dict[str, Any], width: int) -> Iterator[str]:
    if row["mitigations"]:
        yield from ("", "Mitigations")
    for mitigation in row["mitigations"]:
        text = f"{clean(mitigation['text'])} [{mitigation['citation']}]"
        yield textwrap.fill(text, width, initial_indent="- ", subsequent_indent="  ")
