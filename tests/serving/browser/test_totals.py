"""How many records a file seems to hold."""

from __future__ import annotations

import pytest


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
