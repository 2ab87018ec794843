"""Corrections: kept in the browser, exported as rows that a corpus is built from."""

from __future__ import annotations

import json
from pathlib import Path

from browsing import HEAP, VAGUE, map_text
from cybersecqwen.core.records import Advisory, CweLabel
from cybersecqwen.corpus.records.build import build_records
from cybersecqwen.corpus.records.recipe import CorpusRecipe, RecordSource
from cybersecqwen.sources import read_advisories


def correct(page, words: str, option: str, cve: str = "") -> None:
    page.click("text=Correct it…")
    picker = page.locator("[role=combobox]")
    picker.press_sequentially(words)
    page.wait_for_selector(f"[role=option]:has-text('{option}')")
    while option not in (page.inner_text("[role=option][aria-selected=true]")):
        picker.press("ArrowDown")
    picker.press("Enter")
    if cve:
        page.fill("input[placeholder^='CVE-']", cve)
    page.wait_for_selector("button:has-text('Keep the correction'):enabled")
    page.click("text=Keep the correction")
    page.wait_for_selector(".notice.good")


def export(page, folder: Path) -> Path:
    page.click("nav a[href='#corrections']")
    with page.expect_download() as waiting:
        page.click("button:has-text('Export')")
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_an_export_is_read_and_built_into_a_corpus(page, tmp_path: Path) -> None:
    map_text(page, HEAP)
    correct(page, "heap based", "CWE-122", "CVE-2024-33333")
    page.check("input[value=cna]")
    page.wait_for_selector(".answer:has-text('The vendor (CNA)')")
    correct(page, "122", "CWE-122", "CVE-2024-33333")
    map_text(page, VAGUE)
    page.click("text=It is right")
    page.reload()
    assert page.inner_text("#correction-count") == "2"
    path = export(page, tmp_path)
    assert path.suffix == ".jsonl"
    records = list(read_advisories(path, "jsonl"))
    assert all(isinstance(record, Advisory) for record in records)
    known = {record.id: record for record in records}
    assert len(known) == 2
    both = known.pop("CVE-2024-33333")
    assert both.description == HEAP
    assert set(both.labels) == {CweLabel("CWE-122", "nvd"), CweLabel("CWE-122", "cna")}
    (other,) = known.values()
    assert other.description == VAGUE
    assert [label.source for label in other.labels] == ["cna"]
    row = json.loads(path.read_text("utf-8").splitlines()[1])
    assert row["predicted"]["nvd"]["cwe"] == "CWE-787"
    recipe = CorpusRecipe("corrections", (RecordSource(path.name, "jsonl"),))
    report = build_records(recipe, tmp_path, tmp_path / "corpus")
    assert report is not None
    rows = (tmp_path / "corpus" / "train.jsonl").read_text("utf-8")
    assert "CVE-2024-33333" in rows
    assert "CWE-122" in rows


def test_an_id_that_cannot_be_taught_is_refused(page) -> None:
    map_text(page, HEAP)
    page.click("text=Correct it…")
    page.locator("[role=combobox]").press_sequentially("CWE-664")  # a pillar, discouraged
    page.wait_for_selector("[role=option]:has-text('CWE-664')")
    page.keyboard.press("Escape")
    assert page.locator("[role=listbox]").is_hidden()
    assert page.locator("form.panel").is_visible()  # Escape closed the list alone
    picker = page.locator("[role=combobox]")
    picker.fill("")
    picker.press_sequentially("CWE-16")
    page.wait_for_selector("[role=option]:has-text('CWE-16 ')")
    picker.press("Enter")
    page.wait_for_selector("form.panel:has-text('prohibits mapping to CWE-16')")
    assert page.locator("text=Keep the correction").is_disabled()
    picker.fill("zebra quokka")
    page.wait_for_selector(".picker .hint:has-text('Nothing found')")


def test_corrections_can_be_deleted_and_cleared(page) -> None:
    for text in (HEAP, VAGUE):
        map_text(page, text)
        page.click("text=It is right")
        page.wait_for_selector(".notice.good")
    page.click("nav a[href='#corrections']")
    assert page.locator("#corrections-list tbody tr").count() == 2
    page.click("#corrections-list tbody button >> nth=0")
    assert page.locator("#corrections-list tbody tr").count() == 1
    page.watched.confirm = True
    page.click("text=Clear all")
    page.wait_for_selector("#corrections-list .empty")
    assert page.is_hidden("#correction-count")


def test_a_full_storage_is_said_so(page) -> None:
    map_text(page, HEAP)
    page.evaluate("""() => {
        const most = 'x'.repeat(1024);
        try { for (let n = 0; ; n += 1) localStorage.setItem(`fill${n}`, most); } catch { }
        try { for (let n = 0; ; n += 1) localStorage.setItem(`f${n}`, ''); } catch { }
    }""")
    page.click("text=It is right")
    page.wait_for_selector(".notice.bad")
    assert "storage for the page is full" in page.inner_text(".correct")
