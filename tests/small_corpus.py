"""A synthetic recipe with one of everything a build has to deal with."""

from __future__ import annotations

import json
from pathlib import Path

TEXTS = {
    "overflow": "Heap overflow in the parser of Alpha Viewer lets attackers run code by way of a "
    "crafted image whose header claims more rows than the file holds",
    "script": "Beta Forum echoes the search term without encoding so that a visitor who follows a "
    "prepared link runs the attacker's script in the forum's own pages",
    "query": "Gamma Shop builds its order query from the customer field which lets anyone with an "
    "account read every table of the database behind the shop",
    "path": "Delta Server resolves dot segments in upload names after its check and therefore "
    "writes files anywhere the service account may write",
    "race": "Epsilon Kernel frees the socket while a second thread still reads from it because the "
    "close path drops its lock before the reference count is lowered",
    "token": "Zeta Gateway accepts session tokens signed with the empty key when the key store is "
    "unreachable and so lets strangers in as administrators",
}

BENCHMARK_TEXT = (
    "Omega Router compares the administrator password only up to the first differing letter and "
    "leaks through its timing how many letters of a guess were right"
)


def row(cve: str, text: str, cwe: list[str], published: str = "") -> dict[str, object]:
    return {"cve": cve, "description": text, "cwe": cwe, "published": published}


def nvd_rows() -> list[dict[str, object]]:
    return [
        row("CVE-2020-0001", TEXTS["overflow"], ["CWE-787"], "2020-03-04"),
        row("CVE-2020-0002", TEXTS["script"] + " in 1.2.3", ["CWE-79"], "2020-03-05"),
        row("CVE-2021-0003", TEXTS["script"] + " in 2.0", ["CWE-80"], "2021-03-05"),
        row("CVE-2021-0004", TEXTS["path"], ["CWE-264"], "2021-05-05"),  # a category
        row("CVE-2020-0005", BENCHMARK_TEXT, ["CWE-208"], "2020-01-01"),  # by text
        row("CVE-2023-9999", "Another text altogether, nothing like it", ["CWE-208"]),  # by id
        # One week is held out, the other is not; see test_split.
        row("CVE-2024-0006", TEXTS["query"], ["CWE-89"], HELD_OUT_DAY),
        row("CVE-2024-0007", TEXTS["race"], ["CWE-416"], TRAINING_DAY),
        row("CVE-2024-0008", TEXTS["race"] + " again", ["CWE-362"], HELD_OUT_DAY),
    ]


def cna_rows() -> list[dict[str, object]]:
    return [
        row("CVE-2020-0001", "A shorter text of the vendor's", ["CWE-122"]),
        row("CVE-2019-0010", TEXTS["token"], []),
        {"cve": "CVE-2019-0011", "description": "** REJECT ** Do not use."},
    ]


HELD_OUT_DAY = "2024-02-07"
TRAINING_DAY = "2024-01-17"

RECIPE = """\
name: small
sources:
  - {path: nvd.jsonl, format: jsonl, labels_from: nvd}
  - {path: cna.jsonl, format: jsonl, labels_from: cna}
benchmarks: [bench.tsv]
split: {validation_since: 2024-01-01, validation_every: 5, guard: validation}
"""


def write_small(folder: Path) -> Path:
    """Write sources, benchmark and recipe into a folder and return the recipe's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("nvd.jsonl", nvd_rows()), ("cna.jsonl", cna_rows())):
        (folder / name).write_text("".join(json.dumps(entry) + "\n" for entry in rows))
    lines = [
        "URL\tDescription\tPrompt\tGT",
        f"https://nvd.nist.gov/vuln/detail/CVE-2023-9999\t{BENCHMARK_TEXT}\tWhich? {BENCHMARK_TEXT}"
        "\tCWE-208",
    ]
    (folder / "bench.tsv").write_text("\n".join(lines) + "\n")
    recipe = folder / "small.yaml"
    recipe.write_text(RECIPE)
    return recipe
