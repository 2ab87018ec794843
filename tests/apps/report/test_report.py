"""The report: one file that loads nothing, and the same figures in three places."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import zlib
from dataclasses import replace
from html.parser import HTMLParser

import msgspec
import pytest

from apps.outputs.output_rows import TAXONOMY, advisory, prediction, record_row, row, written
from cybersecqwen.apps.outputs.rows import Assessed, MapRow, NamedTechnique, RecordRow
from cybersecqwen.apps.report.bundle import VIEW, report_script
from cybersecqwen.apps.report.markdown import figures_of
from cybersecqwen.apps.report.summary import ReportSummary, urgency
from cybersecqwen.core.records import CvssVector, CweLabel

EVIL = "</script><img src=x onerror=alert(1)>| `*_[x](javascript:alert(1))\u202e"
ASSESSED = Assessed(
    vector="CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    score=9.8,
    severity="critical",
    techniques=(NamedTechnique("T1190", "Exploit Public-Facing Application", 0.6, "exploitation"),),
)
LOW = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:N/I:L/A:N"


def rows() -> list[RecordRow]:
    """Agreeing, contradicted, unsure and unlabelled rows of several years and severities."""
    found = []
    for n in range(60):
        said = prediction(("CWE-89", "CWE-787", "CWE-79")[n % 3], 0.35 + n / 100, abstained=n < 30)
        said = replace(said, band="unsure" if n < 30 else "likely" if n < 45 else "sure")
        labels = (CweLabel("CWE-89", "nvd"),) if n % 4 else ()
        record = advisory(
            f"CVE-{2020 + n % 5}-{10000 + n}",
            labels=labels,
            published="" if n % 7 else f"{2019 + n % 3}-01-01",
            cvss=()
            if n % 5 == 0
            else (CvssVector(LOW, "3.1", "cna"),)
            if n % 2
            else advisory().cvss,
        )
        made = record_row(record, said)
        # Some without a score of their own are assessed as well.
        found.append(msgspec.structs.replace(made, assessed=ASSESSED) if n % 10 == 0 else made)
    return found


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self.addresses: list[str] = []
        self.policy = ""
        self._open = ""
        self._attributes: dict[str, str | None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._open, self._attributes = tag, given
        self.addresses += [str(given[name]) for name in ("src", "href") if name in given]
        assert not any(name.startswith("on") or name == "style" for name in given)
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(given["content"])
        if tag == "script":
            self.scripts.append((given, ""))

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            given, text = self.scripts[-1]
            self.scripts[-1] = (given, text + data)
        if self._open == "style":
            self.styles.append(data)


def page(*made: MapRow, title: str = "feed.json") -> _Page:
    parsed = _Page()
    parsed.feed(written("html", *made, title=title).decode("utf-8"))
    return parsed


def sha256(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def test_the_page_loads_nothing_and_runs_its_own_script_alone() -> None:
    parsed = page(*rows())
    assert parsed.addresses == []
    script = next(text for given, text in parsed.scripts if given.get("type") == "module")
    assert parsed.policy == (
        f"default-src 'none'; script-src {sha256(script)}; style-src {sha256(parsed.styles[0])}; "
        "base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in parsed.styles[0]


def test_what_a_stranger_wrote_stays_text() -> None:
    evil = record_row(advisory(EVIL, description=EVIL, title=EVIL, columns=((EVIL, EVIL),)))
    parsed = page(evil, title=EVIL)
    assert [given.get("type") for given, _ in parsed.scripts] == [
        "application/json",
        "text/plain",
        "module",
    ]
    facts = json.loads(parsed.scripts[0][1])
    assert facts["title"] == EVIL
    (packed,) = [text for given, text in parsed.scripts if given.get("class") == "part"]
    (unpacked,) = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert unpacked[0] == unpacked[13] == unpacked[14] == EVIL
    text = written("markdown", evil, title=EVIL).decode()
    assert "<img" not in text.replace("\\<", "")
    assert re.search(r"(?<!\\)`", text) is None
    assert "](javascript:" not in text.replace("\\]", "")


def test_the_same_rows_give_the_same_page() -> None:
    assert written("html", *rows()) == written("html", *rows())
    assert written("markdown", *rows()) == written("markdown", *rows())


def test_figures_stand_in_the_page_without_a_script() -> None:
    text = written("html", *rows()).decode()
    without = text[text.index("<noscript>") : text.index("</noscript>")]
    assert "<td>CWE-89</td>" in without
    assert "Where the record&#39;s label differs" in without
    summary = ReportSummary()
    for each in rows():
        summary.add(each)
    for table in figures_of(summary, TAXONOMY):
        assert all(f"<td>{line[-1]}</td>" in without for line in table.lines)


def test_rows_of_texts_and_no_rows_make_a_report_too() -> None:
    assert "Records answered: 1," in written("markdown", row()).decode()
    assert b"No model" in written("html")


def test_a_record_without_a_score_is_counted_by_ours() -> None:
    summary = ReportSummary()
    for each in rows():
        summary.add(each)
    assert summary.predicted == 6
    assert "6 of them by our reading" in written("markdown", *rows()).decode()


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_page_counts_as_the_summary_does() -> None:
    """The view's own code, run over the packed rows of a page."""
    parsed = page(*rows())
    parts = [text for given, text in parsed.scripts if given.get("class") == "part"]
    lists = [each for part in parts for each in json.loads(zlib.decompress(base64.b64decode(part)))]
    code = f"""
    import {{ tally, urgency, reviewReason }} from {json.dumps((VIEW / "results.js").as_uri())};
    import {{ rowOf }} from {json.dumps((VIEW / "packed_rows.js").as_uri())};
    const rows = {json.dumps(lists)}.map((list, place) => rowOf(list, place)[0]);
    const sum = tally(rows);
    const entries = (counts) => Object.fromEntries(counts);
    console.log(JSON.stringify({{
      rows: sum.rows, bands: sum.bands, labelled: sum.labelled, agreeing: sum.agreeing,
      cwes: entries(sum.cwes), years: entries(sum.years), severities: entries(sum.severities),
      pairs: entries(sum.pairs), urgency: rows.map(urgency),
    }}));
    """
    done = subprocess.run(
        ["node", "--input-type=module", "-e", code], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    summary = ReportSummary()
    for each in rows():
        summary.add(each)
    for name in ("rows", "bands", "labelled", "agreeing", "cwes", "years", "severities"):
        assert found[name] == getattr(summary, name), name
    assert found["pairs"] == {f"{said} {cwe}": n for (said, cwe), n in summary.pairs.items()}
    assert found["urgency"] == pytest.approx([urgency(each) for each in rows()], abs=1e-3)
    assert found["pairs"]
    first = [each.id for each in summary.first()]
    ranked = sorted(range(len(lists)), key=lambda n: (-found["urgency"][n], n))
    assert first[:10] == [lists[n][0] for n in ranked[:10]]


def test_the_script_is_all_of_its_modules() -> None:
    script = report_script()
    assert re.search(r"^(import|export)\b", script, re.MULTILINE) is None
    for name in ("dom", "charts", "result_view", "results", "row_table", "tree", "treemap"):
        assert script.count(f"const module_{name} = ") == 1
