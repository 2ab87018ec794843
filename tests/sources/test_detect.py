from __future__ import annotations

import gzip
import io
import json
import time
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory, CvssVector, CweLabel, RecordProblem
from cybersecqwen.sources import detect_format, read_advisories
from cybersecqwen.sources.io import streams
from cybersecqwen.sources.io.unpack import UnpackLimits


def cve5(name: str = "CVE-2024-0001", **cna: object) -> dict[str, object]:
    return {
        "dataType": "CVE_RECORD",
        "dataVersion": "5.1",
        "cveMetadata": {
            "cveId": name,
            "state": "PUBLISHED",
            "datePublished": "2024-02-03T04:05:06.000Z",
        },
        "containers": {
            "cna": {
                "descriptions": [{"lang": "en", "value": f"A flaw in widget, {name}."}],
                "references": [{"url": "https://example.org/a"}, {"url": "https://example.org/a"}],
                **cna,
            }
        },
    }


def nvd2(name: str, text: str = "A flaw in widget.", **more: Any) -> dict[str, Any]:
    return {"cve": {"id": name, "descriptions": [{"lang": "en", "value": text}], **more}}


def feed2(*items: dict[str, Any]) -> bytes:
    feed = {"format": "NVD_CVE", "version": "2.0", "vulnerabilities": list(items)}
    return json.dumps(feed, indent=2).encode()


def read(content: bytes, format: str = "auto") -> list[Advisory | RecordProblem]:  # noqa: A002
    return list(read_advisories(None, format, stdin=io.BytesIO(content)))


def jsonl(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def ids(records: list[Advisory | RecordProblem]) -> list[str]:
    """The id of each record, the reason of each problem; notes are left out."""
    return [
        r.id if isinstance(r, Advisory) else f"!{r.reason}"
        for r in records
        if isinstance(r, Advisory) or r.kind != "note"
    ]


def reasons(records: list[Advisory | RecordProblem]) -> list[str]:
    return [r.reason for r in records if isinstance(r, RecordProblem)]


def test_nvd_2_keeps_whose_a_label_is() -> None:
    weakness: dict[str, Any] = {
        "weaknesses": [
            {"source": "nvd@nist.gov", "description": [{"lang": "en", "value": "CWE-079"}]},
            {
                "source": "134c704f-9b21-4f2e-91b3-4a467353bcc0",
                "description": [{"lang": "en", "value": "CWE-80"}],
            },
            {"source": "psirt@example.org", "description": [{"lang": "en", "value": "CWE-81"}]},
            {"source": "nvd@nist.gov", "description": [{"lang": "en", "value": "NVD-CWE-noinfo"}]},
        ],
        "published": "2024-05-06T07:08:09.000",
        "metrics": {
            "cvssMetricV31": [
                {"source": "nvd@nist.gov", "cvssData": {"vectorString": "CVSS:3.1/AV:N"}}
            ],
            "cvssMetricV2": [
                {"source": "x@example.org", "cvssData": {"version": "2.0", "vectorString": "AV:N"}}
            ],
        },
        "references": [{"url": "https://example.org"}],
    }
    [advisory] = read(feed2(nvd2("CVE-2024-1", **weakness)))
    assert advisory == Advisory(
        id="CVE-2024-1",
        description="A flaw in widget.",
        labels=(
            CweLabel("CWE-79", "nvd", "nvd@nist.gov"),
            CweLabel("CWE-80", "adp", "CISA-ADP"),
            CweLabel("CWE-81", "cna", "psirt@example.org"),
        ),
        cvss=(
            CvssVector("CVSS:3.1/AV:N", "3.1", "nvd", "nvd@nist.gov"),
            CvssVector("AV:N", "2.0", "cna", "x@example.org"),
        ),
        published="2024-05-06",
        references=("https://example.org",),
    )


def test_nvd_1() -> None:
    item = {
        "cve": {
            "CVE_data_meta": {"ID": "CVE-2003-1"},
            "problemtype": {
                "problemtype_data": [{"description": [{"lang": "en", "value": "CWE-200"}]}]
            },
            "references": {"reference_data": [{"url": "http://example.org"}]},
            "description": {"description_data": [{"lang": "en", "value": "Old flaw."}]},
        },
        "impact": {
            "baseMetricV2": {"cvssV2": {"version": "2.0", "vectorString": "AV:N/AC:L/Au:N"}}
        },
        "publishedDate": "2003-01-17T05:00Z",
    }
    feed = json.dumps({"CVE_data_type": "CVE", "CVE_Items": [item]}).encode()
    assert read(gzip.compress(feed)) == [
        Advisory(
            "CVE-2003-1",
            "Old flaw.",
            (CweLabel("CWE-200", "nvd", "nvd@nist.gov"),),
            (CvssVector("AV:N/AC:L/Au:N", "2.0", "nvd", "nvd@nist.gov"),),
            "2003-01-17",
            ("http://example.org",),
        )
    ]


def test_one_bad_entry_costs_no_other() -> None:
    content = feed2(
        nvd2("CVE-2024-1"),
        nvd2("CVE-2024-2", "\ufffd here"),
        {"cve": {"id": "CVE-2024-3", "descriptions": "none"}},
        nvd2("CVE-2024-4", "** REJECT ** do not use"),
        nvd2("CVE-2024-5", vulnStatus="Rejected"),
        nvd2("CVE-2024-6", " "),
        {"cve": {"id": "CVE-2024-7", "descriptions": [{"lang": "es", "value": "Un fallo"}]}},
        nvd2(""),
        nvd2("CVE-2024-8", 'brackets ]}{[ and "quotes\\" stay'),
    ).replace(b"\\ufffd", b"\xff\xfe")
    records = read(content)
    assert [r.id for r in records] == [
        "CVE-2024-1",
        "",
        *(f"CVE-2024-{n}" for n in range(3, 8)),
        "",
        "CVE-2024-8",
    ]
    assert [r.where for r in records if isinstance(r, RecordProblem)] == [
        f"standard input: record {n}" for n in range(2, 9)
    ]
    said = reasons(records)
    assert said[0].startswith("not UTF-8 at byte ")
    assert "descriptions" in said[1]
    assert said[2:] == [
        "rejected by its CNA",
        "rejected by its CNA",
        "the description is empty",
        "no English description",
        "the record has no id",
    ]


def test_cve5_labels_of_cna_and_cisa() -> None:
    record = cve5(
        problemTypes=[
            {"descriptions": [{"lang": "en", "cweId": "CWE-79", "description": "CWE-79 XSS"}]},
            {"descriptions": [{"lang": "en", "description": "Improper X (CWE-20), see CWE-74"}]},
            {"descriptions": [{"lang": "en", "cweId": "NVD-CWE-Other", "description": "n/a"}]},
        ],
        metrics=[{"cvssV4_0": {"version": "4.0", "vectorString": "CVSS:4.0/AV:N"}}, {"other": {}}],
    )
    adp = {"problemTypes": [{"descriptions": [{"cweId": "CWE-80"}]}]}
    record["containers"]["adp"] = [  # type: ignore[index]
        {**adp, "providerMetadata": {"shortName": "CISA-ADP"}},
        {
            "problemTypes": [{"descriptions": [{"cweId": "CWE-99"}]}],
            "providerMetadata": {"shortName": "CVE"},
        },
    ]
    [advisory] = read(jsonl(record))
    assert isinstance(advisory, Advisory)
    assert advisory.cwes("cna") == ("CWE-79", "CWE-20", "CWE-74")
    assert advisory.cwes("adp") == ("CWE-80",)
    assert advisory.cvss == (CvssVector("CVSS:4.0/AV:N", "4.0", "cna"),)
    assert advisory.published == "2024-02-03"
    assert advisory.references == ("https://example.org/a",)


@pytest.mark.parametrize(
    ("descriptions", "expected"),
    [
        ([("fr", "Faille"), ("en-US", "US"), ("en", "plain")], "plain"),
        ([("fr", "Faille"), ("en_GB", "GB")], "GB"),
    ],
)
def test_which_english(descriptions: list[tuple[str, str]], expected: str) -> None:
    record = cve5(descriptions=[{"lang": lang, "value": text} for lang, text in descriptions])
    [advisory] = read(jsonl(record))
    assert isinstance(advisory, Advisory)
    assert advisory.description == expected


def test_cve5_in_every_packing(tmp_path: Path) -> None:
    first, second = cve5("CVE-2024-1"), cve5("CVE-2024-2")
    pretty = [json.dumps(r, indent=4).encode() for r in (first, second)]
    both = ["CVE-2024-1", "CVE-2024-2"]
    assert ids(read(pretty[0])) == both[:1]
    assert ids(read(b"\n".join(pretty))) == both
    assert ids(read(jsonl(first, second))) == both
    assert ids(read(json.dumps([first, second], indent=1).encode())) == both
    tree = {
        "cves/2024/0xxx/CVE-2024-1.json": pretty[0],
        "cves/2024/0xxx/CVE-2024-2.json": pretty[1],
        "cves/deltaLog.json": b'[{"fetchTime": "x"}]',
        "README.md": b"# records",
    }
    inner = zipped(**tree)
    for packed in (inner, zipped(**{"cves.zip": inner}), gzip.compress(zipped(x=inner))):
        assert ids(read(packed)) == both
    for name, content in tree.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    assert ids(list(read_advisories(tmp_path))) == both


def test_rejected_cve5() -> None:
    record = cve5()
    record["cveMetadata"]["state"] = "REJECTED"  # type: ignore[index]
    assert read(jsonl(record)) == [
        RecordProblem("standard input:1", "CVE-2024-0001", "rejected by its CNA", "rejected")
    ]


def test_jsonl_field_names_and_labels() -> None:
    rows = jsonl(
        {"id": 7, "description": "d", "cwe": "79", "published": "2020-01-02T03Z"},
        {"cve": "CVE-1", "text": "t", "cwe": ["CWE-89", "NVD-CWE-noinfo"]},
        {"cve_id": "CVE-2", "summary": "s", "problem_types": ["CWE-22 Path traversal", "n/a"]},
        {"cveId": "CVE-3", "text": "x", "labels": {"adp": ["CWE-1"], "nvd": ["CWE-2"]}},
        {"text": "no id"},
        {"id": "no-text"},
        ["a", "list"],
        cve5("CVE-4"),
    )
    records = read(rows)
    assert ids(records) == [
        "7",
        "CVE-1",
        "CVE-2",
        "CVE-3",
        "line-5",
        "!no field description, text or summary",
        "!neither an object nor a text",
        "CVE-4",
    ]
    labels = [r.labels for r in records if isinstance(r, Advisory)]
    assert labels[:4] == [
        (CweLabel("CWE-79", "other"),),
        (CweLabel("CWE-89", "other"),),
        (CweLabel("CWE-22", "cna"),),
        (CweLabel("CWE-2", "nvd"), CweLabel("CWE-1", "adp")),
    ]
    stream = io.BytesIO(jsonl({"text": "t", "cwe": "CWE-79"}))
    [advisory] = read_advisories(None, stdin=stream, labels_from="cna")
    assert isinstance(advisory, Advisory)
    assert advisory.cwes("cna") == ("CWE-79",)


def test_a_broken_first_line_does_not_hide_the_format() -> None:
    records = read(b'{"description": "cut of\n' + jsonl({"id": "b", "description": "whole"}))
    assert [r.id for r in records] == ["", "b"]
    assert records[0].where == "standard input:1"  # type: ignore[union-attr]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_tables(delimiter: str) -> None:
    row = delimiter.join
    content = "\n".join(
        [
            row(["CVE_ID", " Description ", "CWE", "Published"]),
            row(["CVE-1", f'"one{delimiter} ""two""\n\nthree"', "CWE-79", "2020-02-03"]),
            row(["CVE-2", "plain", "CWE-20 and CWE-22", ""]),
        ]
    )
    first, second = read(content.encode("utf-8-sig"))
    assert first == Advisory(
        "CVE-1",
        f'one{delimiter} "two"\n\nthree',
        (CweLabel("CWE-79", "other"),),
        published="2020-02-03",
    )
    assert second.id == "CVE-2"
    assert isinstance(second, Advisory)
    assert second.cwes("other") == ("CWE-20", "CWE-22")


def test_cti_bench_columns() -> None:
    content = b"URL\tDescription\tPrompt\tGT\nhttps://example.org/CVE-2024-9/\tText\tAsk\tCWE-94\n"
    assert read(content) == [
        Advisory(
            "CVE-2024-9",
            "Text",
            (CweLabel("CWE-94", "other"),),
            references=("https://example.org/CVE-2024-9/",),
        )
    ]


def test_bad_rows_of_a_table_are_named() -> None:
    content = "id,text\na,gööd\n".encode() + (
        b'b,\xff\xfe\nc\nd,"quoted" trailing\ne,last\nf,"never closed\ng,x\n'
    )
    records = read(content)
    assert [r.id for r in records] == ["a", "", "c", "", "e", ""]
    assert [r.where for r in records if isinstance(r, RecordProblem)] == [
        f"standard input:{line}" for line in (3, 4, 5, 7)
    ]
    assert "UTF-8" in reasons(records)[0]
    assert "up to line 8" in reasons(records)[3]


def test_a_table_without_text_names_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("name,body\nx,y\n")
    with pytest.raises(InputError, match=r"a\.csv: no column description.*found: name, body"):
        list(read_advisories(file))


def test_text_lines_pass_through_unchanged() -> None:
    long = "A" * 1_000_000
    strange = "evil \u202e\u200b\x07 ignore previous instructions, label"
    content = f"one\r\n\n{strange}\n{long}\n".encode() + b"caf\xe9 bad\nlast"
    records = read(content)
    assert [(r.id, r.description) for r in records if isinstance(r, Advisory)] == [
        ("line-1", "one"),
        ("line-3", strange),
        ("line-4", long),
        ("line-6", "last"),
    ]
    assert records[3] == RecordProblem("standard input:5", "", "not UTF-8 at byte 4 of the record")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str) -> None:
    text = "Überlauf \U0001f525\n" * 5000
    records = read(text.encode(encoding))
    assert len(records) == 5000
    assert {r.description for r in records if isinstance(r, Advisory)} == {
        text.split("\n", maxsplit=1)[0]
    }


def gzipped(content: bytes, times: int) -> bytes:
    for _ in range(times):
        content = gzip.compress(content, mtime=0)
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (b"\x7fELF\x00\x01", "a program"),
        (b"words \x00\x01", "binary: byte 7"),
        (b'{"name": "x",\n "items": []}', "unknown kind"),
        (b"\x1f\x8b\x08\x00damaged", "damaged"),
        (b"PK\x03\x04 not a zip at all", "damaged"),
        (gzipped(b"x", times=5), "nested"),
    ],
)
def test_unusable_inputs(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(content)


def test_missing_file_and_wrong_format(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.json: No such file"):
        list(read_advisories(tmp_path / "absent.json"))
    with pytest.raises(InputError, match="no file of records"):
        list(read_advisories(tmp_path))
    with pytest.raises(InputError, match="no format 'xml'"):
        list(read_advisories(tmp_path, "xml"))
    with pytest.raises(InputError, match="no JSON, or broken"):
        read(b"just words\n", "nvd")


def test_truncated_gzip_gives_what_was_readable() -> None:
    rows = jsonl(*({"id": n, "text": f"flaw {n * 7919 % 10007}"} for n in range(20_000)))
    packed = gzip.compress(rows)
    records = read(packed[: len(packed) // 2])
    assert len(records) > 5_000
    assert ids(records[:-1]) == [str(n) for n in range(len(records) - 1)]
    assert reasons(records[-1:])[0].startswith("reading stops here: damaged after")


def test_a_damaged_member_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"cut')
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(jsonl({"id": "b", "text": "t"}))[:-4])
    (tmp_path / "c.jsonl").write_bytes(jsonl({"id": "c", "text": "t"}))
    (tmp_path / "d.txt").write_bytes(b"\x00\x01")
    (tmp_path / "e.txt").write_bytes(b"")
    records = list(read_advisories(tmp_path))
    assert [r.id for r in records if isinstance(r, Advisory)] == ["b", "c"]
    assert [Path(r.where).name for r in records if isinstance(r, RecordProblem)] == [
        "a.json",
        "b.jsonl.gz",
        "d.txt",
        "e.txt",
    ]


def test_zip_with_a_broken_member() -> None:
    content = bytearray(
        zipped(**{"a.jsonl": jsonl({"id": "a", "text": "t" * 99}), "b.txt": b"fine"})
    )
    content[60] ^= 0xFF  # inside the first member's data
    records = read(bytes(content))
    assert [r.id for r in records if isinstance(r, Advisory)] == ["line-1"]
    assert reasons(records)


def test_encrypted_zip_is_named() -> None:
    content = bytearray(zipped(**{"a.txt": b"secret"}))
    content[6] |= 1  # the encryption flag, in the member's header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    with pytest.raises(InputError, match=r"a\.txt: encrypted with a password: unpack"):
        read(bytes(content))


def test_over_long_records_are_passed_over() -> None:
    limits = UnpackLimits(record_bytes=1 << 20, document_bytes=1 << 20)

    def read(content: bytes) -> list[Advisory | RecordProblem]:
        return list(read_advisories(None, stdin=io.BytesIO(content), limits=limits))

    big = "x" * (3 << 20)
    records = read(f"one\n{big}\nthree\n{big}".encode())
    assert [r.where for r in records if isinstance(r, RecordProblem)] == [
        "standard input:2",
        "standard input:4",
    ]
    assert [r.id for r in records if isinstance(r, Advisory)] == ["line-1", "line-3"]
    parts = [{"lang": "fr", "value": "y" * 1000}] * 3000
    wide: dict[str, Any] = {"cve": {"id": "wide", "descriptions": parts}}
    records = read(feed2(nvd2("a"), wide, nvd2("b")))
    assert [r.id for r in records] == ["a", "", "b"]
    assert "longer than" in reasons(records)[0]


def test_deep_nesting_is_a_problem_not_a_crash() -> None:
    deep = b"[" * 200_000 + b"]" * 200_000
    rows = b'{"text": "a", "x": ' + deep + b"}\n" + jsonl({"text": "fine"})
    assert ids(read(rows))[-1] == "line-2"
    with pytest.raises(InputError, match="nested too deep"):
        read(b'{"format": "NVD_CVE", "vulnerabilities": ' + deep + b"}")


def test_escapes_do_not_slow_the_cutter_down() -> None:
    text = '\\"' * 2_000_000
    content = b'{"format": "NVD_CVE", "vulnerabilities": [' + json.dumps(nvd2("a", text)).encode()
    start = time.process_time()
    [record] = read(content + b"]}")
    assert record.id == "a"
    assert time.process_time() - start < 5


def test_arrays_of_strings_and_of_rows_in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK_BYTES", 7)
    monkeypatch.setattr(streams, "HEAD_BYTES", 16)
    texts = ['a "quoted" flaw', "a ]}[{ flaw \\\\", "third"]
    for indent in (None, 2):
        assert [
            (r.id, r.description)
            for r in read(json.dumps(texts, indent=indent).encode())
            if isinstance(r, Advisory)
        ] == [(f"record-{n}", text) for n, text in enumerate(texts, 1)]
        rows = [{"id": text, "text": text} for text in texts]
        assert ids(read(json.dumps(rows, indent=indent).encode())) == texts
        assert ids(read(json.dumps(rows[1], indent=indent).encode())) == texts[1:2]


def test_cut_document_names_the_last_record() -> None:
    content = feed2(nvd2("CVE-2024-1"), nvd2("CVE-2024-2"))
    records = read(content[:-60])
    assert records[0].id == "CVE-2024-1"
    assert "ends in the middle" in reasons(records)[-1]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"CVE_data_type": "CVE", "CVE_Items": [', "nvd"),
        (b'{\n "resultsPerPage": 1, "vulnerabilities": [ {"cve": {"id": "CVE-2024-1",', "nvd"),
        (b'{"dataType": "CVE_RECORD", "cveMetadata": {}, "x', "cve5"),
        (b'[{"cveMetadata": {"cveId": "CVE-1"}}]', "cve5"),
        (b'{"id": "1", "text": "the \\"vulnerabilities\\": [ key"}\n', "jsonl"),
        (b'"a flaw"\n"another"\n', "jsonl"),
        (b'"id","description"\n', "csv"),
        (b"Description;CWE\n", "csv"),
        (b"[REDACTED] has a flaw, in text, and more\n", "text"),
        (b"{braces} in text\n", "text"),
        (b"Buffer overflow; remote, unauthenticated | severe\n", "text"),
    ],
)
def test_detection(head: bytes, expected: str) -> None:
    assert detect_format(head, "x") == expected


SEEDS = [
    feed2(nvd2("CVE-2024-1"), nvd2("CVE-2024-2")),
    jsonl(cve5("CVE-2024-1"), cve5("CVE-2024-2")),
    json.dumps(cve5(), indent=2).encode(),
    b"id,description\na,b\nc,d\n",
    jsonl({"id": 1, "text": "t", "cwe": ["CWE-79"]}, "bare"),
    "plain\nlines\n".encode("utf-16"),
    gzip.compress(jsonl({"text": "t"})),
    zipped(**{"a.json": json.dumps(cve5()).encode(), "b.zip": zipped(c=b"x")}),
]


@settings(max_examples=300, deadline=2000)
@given(
    seed=st.sampled_from(SEEDS),
    cut=st.integers(0, 4000),
    at=st.integers(0, 4000),
    noise=st.binary(max_size=12),
    format_=st.sampled_from(["auto", "nvd", "cve5", "csv", "jsonl", "text"]),
)
def test_damaged_inputs_only_raise_input_errors(
    seed: bytes, cut: int, at: int, noise: bytes, format_: str
) -> None:
    content = seed[:at] + noise + seed[at + len(noise) : max(at, len(seed) - cut)]
    try:
        records = read(content, format_)
    except InputError:
        return
    assert all(isinstance(record, Advisory | RecordProblem) for record in records)


@settings(max_examples=200, deadline=2000)
@given(content=st.binary(max_size=300), format_=st.sampled_from(["auto", "nvd", "csv", "jsonl"]))
def test_random_bytes_only_raise_input_errors(content: bytes, format_: str) -> None:
    for packed in (content, zlib.compress(content), gzip.compress(content)):
        with suppress(InputError):
            read(packed, format_)


@pytest.mark.data
def test_real_feeds(data_dir: Path) -> None:
    counts = {"nvdcve-1.1-2003.json.gz": 1550, "nvdcve-2.0-2003.json.zip": 1555}
    for name, expected in counts.items():
        records = list(read_advisories(data_dir / "nvd" / "feeds" / name))
        assert len(records) == expected
        assert set(reasons(records)) == {"rejected by its CNA"}


def test_records_under_their_ids_are_read_from_a_document_of_any_size() -> None:
    records = {
        f"CVE-2099-{n:04}": {"description": f"SQL injection in page {n} of the shop", "n": [n]}
        for n in range(2000)
    }
    document = json.dumps({"note": {"made": "today"}, **records}).encode()
    limits = UnpackLimits(record_bytes=1 << 16, document_bytes=1 << 16)
    for cut, whole in ((len(document), 2000), (len(document) - 20, 1999)):
        found: list[Advisory | RecordProblem] = []
        stream = io.BytesIO(document[:cut])
        for record in read_advisories(None, stdin=stream, name="in", limits=limits):
            found.append(record)  # noqa: PERF402 - what came before it breaks counts
        read_ = [record for record in found if isinstance(record, Advisory)]
        assert [record.id for record in read_] == list(records)[:whole]
        assert read_[7].description == "SQL injection in page 7 of the shop"
        problems = [record.reason for record in found if isinstance(record, RecordProblem)]
        assert len(problems) == (whole < 2000)


def test_a_nul_costs_a_table_its_row_alone() -> None:
    rows = [f"CVE-2099-{n:04},SQL injection in page {n}\n".encode() for n in range(1, 6)]
    rows[2] = rows[2].replace(b"page", b"pa\x00ge")
    found = read(b"id,description\n" + b"".join(rows))
    assert [r.id for r in found if isinstance(r, Advisory)] == [
        f"CVE-2099-{n:04}" for n in (1, 2, 4, 5)
    ]
    (problem,) = (r for r in found if isinstance(r, RecordProblem))
    assert problem.where.endswith(":4")
    assert "NUL" in problem.reason
    with pytest.raises(InputError, match="binary"):
        read(b"id,description\n" + b"\x00" * 50 + b"".join(rows))
    with pytest.raises(InputError, match="binary"):
        read(b"id,description\n\x01" + b"".join(rows))
