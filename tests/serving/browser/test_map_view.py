"""Map: one text, its answer, its place in the tree and what the model is unsure about."""

from __future__ import annotations

import json

from browsing import HEAP, VAGUE, map_text


def test_a_text_is_answered_with_its_place_and_passages(page) -> None:
    map_text(page, HEAP)
    answer = page.inner_text("#map-result .answer")
    assert "NVD would say" in answer
    assert "CWE-787 Out-of-bounds Write" in answer
    assert "%" in answer
    path = page.locator("#map-side .tree code").all_inner_texts()
    assert path[:4] == ["CWE-664", "CWE-118", "CWE-119", "CWE-787"]
    assert page.locator(".tree .here").get_attribute("aria-current") == "true"
    assert "CWE-122" in path  # a child that is among the candidates stands open
    assert "Data is written past the end of a buffer." in page.inner_text("#map-side")
    assert page.locator("#map-result ol.bars > li").count() == 5
    values = page.locator("ol.bars meter").evaluate_all("bars => bars.map(bar => bar.value)")
    assert values == sorted(values, reverse=True)
    assert "CWE-787" in page.inner_text("#live")
    attacks = page.inner_text("#map-side .attacks")
    assert "linked by the catalogues themselves" in attacks
    assert "CAPEC-" in attacks


def test_severity_and_techniques_come_when_they_are_asked_for(page) -> None:
    map_text(page, HEAP)
    assert page.inner_text("#map-result .confidence .tag") in {"sure", "likely", "unsure"}
    assert page.locator("#map-result code:has-text('CVSS:3.1')").count() == 0
    page.click("#map-result summary:has-text('Severity and techniques')")
    page.wait_for_selector("#map-result code:has-text('CVSS:3.1/AV:')")
    section = page.inner_text("#map-result details.kind")
    assert "ATT&CK techniques" in section
    assert page.locator("#map-result details.kind tbody tr").count() == 8


def test_an_address_brings_its_text_back(page) -> None:
    map_text(page, HEAP)
    address = page.url
    assert "text=A+crafted" in address
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector("#map-result .answer h3")
    assert page.input_value("#map-text") == HEAP
    page.goto("about:blank")
    page.goto(address.split("#")[0])
    page.click("#map-result .earlier a:has-text('A crafted image')")
    page.wait_for_selector("#map-result .answer h3")


def test_links_lead_to_nvd_cve_and_mitre(page) -> None:
    page.fill("#map-text", json.dumps({"id": "CVE-2024-12345", "description": HEAP}))
    page.press("#map-text", "Control+Enter")
    page.wait_for_selector("#map-result .answer h3")
    links = page.locator("#map-result .links a").evaluate_all("all => all.map((a) => a.href)")
    assert links == [
        "https://nvd.nist.gov/vuln/detail/CVE-2024-12345",
        "https://www.cve.org/CVERecord?id=CVE-2024-12345",
        "https://cwe.mitre.org/data/definitions/787.html",
    ]


def test_an_id_is_looked_up_and_said_not_to_be_here(page) -> None:
    page.fill("#map-text", "CVE-2099-99999")
    page.press("#map-text", "Control+Enter")
    page.wait_for_selector("#map-note .notice.bad")
    assert "CVE-2099-99999" in page.inner_text("#map-note")
    assert page.locator("#map-result .answer h3").count() == 0


def test_a_neighbour_is_shown_and_the_answer_found_again(page) -> None:
    map_text(page, HEAP)
    page.click("#map-result ol.bars button:has-text('CWE-122')")
    page.wait_for_selector("#map-side h3:has-text('CWE-122')")
    assert "The buffer lies in the heap." in page.inner_text("#map-side")
    page.click("text=Back to CWE-787")
    page.wait_for_selector("#map-side h3:has-text('CWE-787')")
    assert page.evaluate("document.activeElement.tagName") == "H3"


def test_doubts_are_said_in_words(page) -> None:
    map_text(page, VAGUE)
    assert "Not sure. Best guess" in page.inner_text("#map-result .answer")
    doubts = page.inner_text(".unsure")
    assert "The model abstains" in doubts
    assert "A person has to read this one." in doubts or "What it is sure of" in doubts
    map_text(page, "overflow")
    assert "The text is very short" in page.inner_text(".unsure")


def test_both_conventions_are_compared(page) -> None:
    map_text(page, HEAP)
    rows = page.locator(".conventions tbody tr").all_inner_texts()
    assert len(rows) == 2
    assert rows[0].startswith("NVD")
    assert rows[1].startswith("The vendor (CNA)")
    page.check("input[value=cna]")
    page.wait_for_selector(".answer:has-text('The vendor (CNA)')")
    assert page.locator(".conventions tr.here").inner_text().startswith("The vendor")


def test_a_pasted_record_gives_its_description(page) -> None:
    record = {
        "dataType": "CVE_RECORD",
        "cveMetadata": {"cveId": "CVE-2024-11111"},
        "containers": {"cna": {"descriptions": [{"lang": "en", "value": HEAP}]}},
    }
    page.fill("#map-text", json.dumps(record))
    page.click("#map-form button[type=submit]")
    page.wait_for_selector("#map-result .answer")
    assert page.input_value("#map-text") == HEAP
    assert "CVE-2024-11111" in page.inner_text("#map-note")


def test_files_go_where_they_belong(page) -> None:
    def choose(name: str, content: str) -> None:
        page.set_input_files(
            "#map-file", {"name": name, "mimeType": "", "buffer": content.encode()}
        )

    nvd = {"cve": {"id": "CVE-2024-22222", "descriptions": [{"lang": "en", "value": HEAP}]}}
    choose("one.json", json.dumps({"totalResults": 1, "vulnerabilities": [nvd]}))
    page.wait_for_selector("#map-result .answer")
    assert page.input_value("#map-text") == HEAP
    choose("note.txt", VAGUE)
    page.wait_for_selector(".unsure-answer")
    assert page.input_value("#map-text") == VAGUE
    choose("many.csv", f"id,description\na,{VAGUE}\n")
    page.wait_for_selector("#view-batch:visible")
    assert "many.csv" in page.inner_text("#batch-chosen")


def test_what_a_stranger_wrote_stays_text(page) -> None:
    page.evaluate("window.hurt = 0")
    hostile = (
        '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'
        "\u202egnp.exe\u202c improper input validation allows an attack "
    )
    page.route(
        "**/api/map",
        lambda route: route.fulfill(
            json={
                "id": "text",
                "cwe": "CWE-20",
                "name": hostile,
                "confidence": 0.9,
                "candidates": [{"cwe": "CWE-20", "name": hostile, "probability": 0.9}],
                "abstained": False,
                "backoff": None,
                "model": hostile,
            }
        ),
    )
    map_text(page, hostile)
    assert "<img src=x onerror" in page.inner_text("#map-result .answer h3")
    assert "\u202e" not in page.inner_text("#map-result")
    assert "⟨U+202E⟩" in page.inner_text("#map-result .answer h3")
    assert "<img src=x onerror=alert(1)> stays text." in page.inner_text("#map-side")
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate("window.hurt") == 0


def test_a_huge_text_is_answered_and_its_limit_said(page) -> None:
    map_text(page, f"{HEAP} {'filler ' * 40_000}")
    assert "only its first 20,000 characters were read" in page.inner_text(".unsure")


def test_an_empty_text_is_asked_for(page) -> None:
    page.fill("#map-text", "  ")
    page.click("#map-form button[type=submit]")
    assert "Paste a description first" in page.inner_text("#map-note")
    assert page.evaluate("document.activeElement.id") == "map-text"


def test_the_theme_is_remembered(page) -> None:
    def back() -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.emulate_media(color_scheme="light")
    light = back()
    page.select_option("#theme", "dark")
    dark = back()
    assert dark != light
    page.reload()
    assert page.input_value("#theme") == "dark"
    assert back() == dark
    page.select_option("#theme", "auto")
    assert back() == light


def test_everything_can_be_reached_by_keys(page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "map-text"
    page.keyboard.type(HEAP)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#map-result .answer")
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.textContent.trim().slice(0, 12)"))
    assert {"Map", "It is right", "Correct it…"} <= seen


def test_an_id_is_mapped_by_its_whole_record_as_on_the_command_line(page) -> None:
    labels = {"nvd_cwe": [], "cna_cwe": ["CWE-787"], "cvss_score": None, "published": "2024-01-02"}
    record = {"id": "CVE-2024-12345", "description": HEAP, **labels}
    asked = []

    def answer(route) -> None:
        asked.append(json.loads(route.request.post_data))
        route.continue_(post_data=json.dumps(asked[-1] | {"text": HEAP}))

    page.route("**/api/advisories/*", lambda route: route.fulfill(json=record))
    page.route("**/api/map", answer)
    map_text(page, "cve-2024-12345")
    assert {body["text"] for body in asked} == {"CVE-2024-12345"}
    assert page.input_value("#map-text") == HEAP
    assert "text=CVE-2024-12345" in page.url


def test_a_pasted_record_is_read_whole(page) -> None:
    record = json.dumps({"id": "CVE-2024-12345", "description": HEAP, "cwe": "CWE-787"})
    sent = []
    page.route("**/api/map/file?*", lambda route: (sent.append(route.request), route.continue_()))
    map_text(page, record)
    assert sent
    assert {request.post_data for request in sent} == {record}
    assert page.input_value("#map-text") == HEAP
    assert "the record is read whole" in page.inner_text("#map-note")
    page.click("#map-result summary:has-text('Severity and techniques')")
    page.wait_for_selector("#map-result code:has-text('CVSS:3.1/AV:')")
