"""A small recipe for conversations: records, a made-up catalogue, a benchmark."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

PRODUCTS = ("Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta", "Eta", "Theta", "Iota", "Kappa")
PLACES = ("Shop", "Forum", "Wiki", "Portal", "Desk", "Board", "Mail", "Files", "Audit", "Store")

TEXTS = {
    "CWE-79": "Stored cross-site scripting in {name} before {version} lets remote authenticated "
    "users inject arbitrary web script or HTML via the {field} parameter of {file}",
    "CWE-89": "{name} through {version} has an SQL injection in {file}, so that an unauthenticated "
    "attacker can execute arbitrary SQL commands by way of the {field} argument",
    "CWE-22": "Directory traversal in the download page of {name} before {version} allows remote "
    "attackers to read arbitrary files with dot dot sequences in {field} of {file}",
    "CWE-352": "The settings form of {name} {version} lacks a token, and cross-site request "
    "forgery against {file} lets remote attackers hijack the authentication of administrators by "
    "{field}",
}
BENCHMARK_TEXT = (
    "Omega Router compares the administrator password only up to the first differing letter and "
    "leaks through its timing how many letters of a guess were right"
)


def records() -> list[dict[str, Any]]:
    """Return CVE 5 records: each weakness in each of ten products, and a benchmark's item."""
    rows = []
    for place, product in enumerate(PRODUCTS):
        for kind, (cwe, text) in enumerate(TEXTS.items()):
            number = 1000 + 10 * place + kind
            filled = text.format(
                name=f"{product} {PLACES[(place * 3 + kind) % 10]}",
                version=f"{place + 1}.{kind}.{number}",
                field=f"{product.lower()}_{kind}_key",
                file=f"{PLACES[place].lower()}/{product.lower()}{kind}.php",
            )
            rows.append(record(f"CVE-2024-{number}", filled, cwe, f"2024-0{1 + place % 8}-11"))
    rows.append(record("CVE-2024-9999", BENCHMARK_TEXT, "CWE-208", "2024-03-11"))
    return rows


def record(name: str, text: str, cwe: str, day: str) -> dict[str, Any]:
    return {
        "dataType": "CVE_RECORD",
        "cveMetadata": {"cveId": name, "state": "PUBLISHED", "datePublished": f"{day}T00:00:00"},
        "containers": {
            "cna": {
                "descriptions": [{"lang": "en", "value": text}],
                "problemTypes": [{"descriptions": [{"lang": "en", "cweId": cwe}]}],
            }
        },
    }


def weakness(number: str, name: str, text: str, parent: str, pattern: str = "") -> dict[str, Any]:
    return {
        "ID": number,
        "Name": name,
        "Status": "Stable",
        "Abstraction": "Base",
        "Description": text,
        "RelatedWeaknesses": [{"Nature": "ChildOf", "CweID": parent, "ViewID": "1000"}],
        "RelatedAttackPatterns": [pattern] if pattern else [],
        "CommonConsequences": [
            {"Scope": ["Confidentiality"], "Impact": ["Read Application Data"]},
            {"Scope": ["Integrity"], "Impact": ["Execute Unauthorized Code or Commands"]},
        ],
        "PotentialMitigations": [
            {
                "Phase": ["Implementation"],
                "Description": f"Check {name.lower()} at every place where input comes in.",
            }
        ],
        "DetectionMethods": [
            {"Method": "Fuzzing", "Description": f"Send input that provokes {name.lower()}."}
        ],
        "MappingNotes": {"Usage": "Allowed", "Rationale": "Base level."},
    }


def catalogue() -> dict[str, Any]:
    return {
        "ContentVersion": "9.1",
        "ContentDate": "2026-01-21",
        "Weaknesses": [
            weakness(
                "79",
                "Improper Neutralization ('Cross-site Scripting')",
                "The product writes input into a page as cross-site script.",
                "74",
                "901",
            ),
            weakness(
                "89",
                "Improper Neutralization ('SQL Injection')",
                "The product builds an SQL query from input by injection.",
                "74",
            ),
            weakness(
                "22",
                "Improper Limitation ('Path Traversal')",
                "The product follows a path or directory traversal of dot dot sequences.",
                "668",
            ),
            weakness(
                "352",
                "Cross-Site Request Forgery (CSRF)",
                "The product acts on a request forgery.",
                "345",
            ),
        ],
    }


def capec() -> dict[str, Any]:
    common = {"modified": "2023-01-30T00:00:00.000Z", "x_capec_version": "3.9"}
    return {
        "type": "bundle",
        "id": "bundle--1",
        "objects": [
            {
                **common,
                "type": "attack-pattern",
                "id": "attack-pattern--c1",
                "name": "Stored Cross-site Scripting",
                "description": "An attacker stores script in a page that others read.",
                "external_references": [
                    {"source_name": "capec", "external_id": "CAPEC-901"},
                    {"source_name": "cwe", "external_id": "CWE-79"},
                ],
                "x_capec_status": "Draft",
            },
            {
                **common,
                "type": "course-of-action",
                "id": "course-of-action--c3",
                "name": "coa-901-0",
                "description": "Encode what is written into a page for the place it stands in.",
            },
            {
                **common,
                "type": "relationship",
                "id": "relationship--1",
                "relationship_type": "mitigates",
                "source_ref": "course-of-action--c3",
                "target_ref": "attack-pattern--c1",
            },
        ],
    }


RECIPE = """\
name: small-chat
kind: chat
sources: [{path: cve.jsonl, format: cve5}]
benchmarks: [bench.tsv]
knowledge: {cwe: cwe.json.gz, stix: [capec.json]}
split: {validation_since: 2024-01-01, validation_every: 4, guard: mark}
mapping: {rows: 24, answers: {justified: 1, id: 1, reason: 1}, id_first: true, labellers: {cna: 1}}
quiz: {rows: 4}
statements: {rows: 3}
limits: {stock: 0.5, alike: {containment: 1, cosine: 0.99}}
validation: 6
"""


def write_small_chat(folder: Path) -> Path:
    """Write sources, catalogues, benchmark and recipe into a folder; return the recipe's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cve.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in records()))
    (folder / "cwe.json.gz").write_bytes(gzip.compress(json.dumps(catalogue()).encode()))
    (folder / "capec.json").write_text(json.dumps(capec()))
    url = "https://nvd.nist.gov/vuln/detail/CVE-2024-9999"
    (folder / "bench.tsv").write_text(f"URL\tDescription\tGT\n{url}\t{BENCHMARK_TEXT}\tCWE-208\n")
    recipe = folder / "chat.yaml"
    recipe.write_text(RECIPE)
    return recipe
