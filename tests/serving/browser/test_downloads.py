"""The page's own writers give the bytes that the command line gives."""

from __future__ import annotations

import msgspec
import pytest

from cybersecqwen.apps.outputs.csv_table import write_csv
from cybersecqwen.apps.outputs.rows import MapRow, NamedCwe

NAMES = [
    "=HYPERLINK('x')",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tcmd",
    "\r\n=1",
    'quote " and, comma',
    "two\nlines",
    "plain",
    "émigré \U0001f512",
    "'",
    "",
]
NUMBERS = [1.0, 0.0, 0.5, 0.123456, 0.1, 0.0001, 0.00009, 0.000001, 0.999999, 1e-05, 0.333333]


def rows() -> list[MapRow]:
    return [
        MapRow(
            id=name,
            cwe="CWE-79",
            name=NAMES[-place],
            confidence=NUMBERS[place % len(NUMBERS)],
            candidates=tuple(NamedCwe("CWE-79", "x", number) for number in NUMBERS),
            abstained=place % 2 == 0,
            backoff=NamedCwe("CWE-74", name, NUMBERS[-place % len(NUMBERS)]) if place % 3 else None,
            model=name,
            usage="allowed",
            catalogue="4.19.1",
        )
        for place, name in enumerate(NAMES)
    ]


def test_csv_is_the_same_to_the_byte(page) -> None:
    lines = [msgspec.json.encode(row).decode() for row in rows()]
    made = page.evaluate(
        """async (lines) => {
            const { Rows } = await import("/static/lib/rows.js");
            const rows = new Rows();
            for (const line of lines) rows.addRow(JSON.parse(line), line);
            return [await (await rows.csv()).text(), await rows.jsonl().text()];
        }""",
        lines,
    )
    assert made[0].encode() == b"".join(write_csv(rows()))
    assert made[1].splitlines() == lines


@pytest.mark.parametrize(
    ("content", "kind", "total"),
    [
        ('{"totalResults": 1555, "vulnerabilities": [', "auto", 1555),
        ('{"CVE_data_numberOfCVEs" : "1550", "CVE_Items": [', "auto", 1550),
        ('{"id": 1, "description": "a \\" b"}\n\n{"id": 2, "text": "c"}', "auto", 2),
        ('id,description\n1,"two\nlines"\n2,b\n', "auto", 2),
        ('a text\nanother " one\n', "text", 2),
        ('{\n "containers": {}\n}', "auto", None),
        ("", "auto", 0),
    ],
)
def test_the_number_of_records_is_guessed(page, content: str, kind: str, total: int) -> None:
    guess = """async ([content, format, zipped]) => {
        const { estimate } = await import("/static/lib/totals.js");
        let file = new Blob([content]);
        if (zipped) {
            const packed = file.stream().pipeThrough(new CompressionStream("gzip"));
            file = await new Response(packed).blob();
        }
        return estimate(file, format);
    }"""
    assert page.evaluate(guess, [content, kind, False]) == total
    assert page.evaluate(guess, [content, kind, True]) == total
