"""Batch: a file streamed into a table, cancelled, resumed, downloaded."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

import cybersecqwen
from browsing import HEAP, VAGUE, watched_page
from cybersecqwen.apps.outputs.registry import OutputContext, format_named
from cybersecqwen.apps.outputs.rows import RecordRow
from cybersecqwen.core.taxonomy import shipped_taxonomy
from running_server import RunningServer


def lines(number: int, *, slow: bool = False) -> list[str]:
    """Return records; ``slow`` ones are long and no two alike, which keeps the server busy."""
    texts = (HEAP, VAGUE, "SQL injection in the login form", "Cross-site scripting in a comment")
    return [
        json.dumps(
            {
                "id": f"CVE-2024-{n:05}",
                "description": f"{texts[n % 4]} (no. {n})" + (f" of {spelt(n)}" * 8) * slow,
            }
        )
        for n in range(number)
    ]


def spelt(number: int) -> str:
    """Return a number in letters: texts that differ in digits alone are answered as one."""
    return "".join("bdfgklmnpr"[int(digit)] + "aeiou"[int(digit) % 5] for digit in str(number))


def choose(page, name: str, content: str) -> None:
    page.evaluate("location.hash = '#batch'")
    file = {"name": name, "mimeType": "", "buffer": content.encode("utf-8")}
    page.set_input_files("#batch-file", file)
    page.click("#batch-start")


def wait_for(page, words: str, seconds: float = 60) -> None:
    page.wait_for_selector(f"#batch-result .state:has-text('{words}')", timeout=seconds * 1000)


def download(page, kind: str, folder: Path) -> bytes:
    page.select_option("#batch-result .panel select", label=kind)
    return saved(page, "Download", folder)


def saved(page, button: str, folder: Path) -> bytes:
    with page.expect_download() as waiting:
        page.locator("#batch-result button").get_by_text(button, exact=True).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path.read_bytes()


def rows_shown(page) -> list[str]:
    return page.locator("#batch-result table.rows tbody > tr").all_inner_texts()


def show(page, label: str, value: str) -> None:
    page.select_option(f"#batch-result .tools label:has-text('{label}') select", value)


def test_bands_notes_and_an_assessment_on_demand(page) -> None:
    rows = "".join(f"{line}\n" for line in lines(8))
    table = "Report of 2024\n\nCVE,Description\n" + "".join(
        f'CVE-2024-{n:05},"{text}"\n' for n, text in enumerate((HEAP, VAGUE))
    )
    choose(page, "rows.jsonl", rows)
    wait_for(page, "Done: 8 records answered: ")
    state = page.inner_text("#batch-result .state")
    counts = [int(word) for word in state.replace(";", "").split() if word.isdigit()]
    assert counts[0] == 8 == sum(counts[1:4])
    for word in ("sure", "likely", "unsure"):
        assert word in page.inner_text("#batch-result .figures")
    page.click("#batch-result .opener >> nth=0")
    page.click("#batch-result .detail summary:has-text('Severity and techniques')")
    page.wait_for_selector("#batch-result .detail code:has-text('CVSS:3.1/AV:')")
    choose(page, "table.csv", table + "CVE,Description\n")
    wait_for(page, "Done: 2 records answered")
    assert "0 problems" in page.inner_text("#batch-result .state")
    assert "the header once more" in page.inner_text("#batch-result ul.hint")


def test_rows_and_problems(page, tmp_path: Path) -> None:
    content = lines(250)
    content.insert(3, "{broken")
    content[5] = json.dumps({"id": "=1+1 \u202e<img src=x onerror=alert(1)>", "text": HEAP})
    choose(page, "feed.jsonl", "\n".join(content))
    wait_for(page, "Done: 251 records answered")
    assert "1 problem." in page.inner_text("#batch-result .state")
    first = rows_shown(page)
    assert len(first) == 100  # the others are a page away
    assert first[0].startswith("CVE-2024-00000")
    assert "feed.jsonl:4" in first[3]
    assert "=1+1 ⟨U+202E⟩<img src=x onerror=alert(1)>" in first[5]
    page.click("text=Next")
    assert rows_shown(page)[0].startswith("CVE-2024-00099")
    show(page, "Show", "problems")
    assert len(rows_shown(page)) == 1
    show(page, "Show", "all")
    page.fill("#batch-result input[type=search]", "00123")
    page.wait_for_selector("#batch-result nav:has-text('of 1 row')")
    (problem,) = saved(page, "Download problems", tmp_path).splitlines()
    assert msgspec.json.decode(problem)["where"] == "feed.jsonl:4"


def test_every_download_is_the_command_line_s(page, tmp_path: Path) -> None:
    choose(page, "feed.jsonl", "\n".join([*lines(30), "{broken"]))
    wait_for(page, "Done: 31 records answered")
    rows = download(page, "JSON lines", tmp_path)
    read = [msgspec.json.decode(line, type=RecordRow) for line in rows.splitlines()]
    assert [row.id for row in read] == [f"CVE-2024-{n:05}" for n in range(30)]
    assert all(row.description for row in read)
    context = OutputContext(
        taxonomy=shipped_taxonomy(), version=cybersecqwen.__version__, title="feed.jsonl"
    )
    for words, to, ending in (
        ("CSV", "csv", "csv"),
        ("Excel", "xlsx", "xlsx"),
        ("Report", "html", "html"),
        ("SARIF", "sarif", "sarif"),
        ("Markdown", "markdown", "md"),
        ("CVE containers", "cve5", "cve5.jsonl"),
    ):
        made = b"".join(format_named(to).open(context)(read))
        assert download(page, words, tmp_path) == made, to
        assert (tmp_path / f"feed-cwe.{ending}").exists()


def test_rows_open_sort_and_filter_by_a_click(page) -> None:
    records = [
        {"id": "CVE-2023-10001", "description": HEAP, "title": "Strip size"},
        {"id": "CVE-2024-10002", "description": "SQL injection in the login form"},
        {
            "id": "CVE-2024-10003",
            "description": "SQL injection in the search form",
            "host": "web-7",
        },
        {"id": "CVE-2024-10004", "description": VAGUE},
    ]
    choose(page, "a.jsonl", "\n".join(map(json.dumps, records)))
    wait_for(page, "Done: 4 records answered")
    assert page.inner_text(".figures .figure >> nth=0").startswith("4")
    page.click("text=CVE-2024-10003")
    opened = page.inner_text("#batch-result .detail")
    assert "SQL injection in the search form" in opened
    assert "web-7" in opened
    assert "The answer and its runners-up" in opened
    links = page.locator("#batch-result .detail a").evaluate_all("all => all.map((a) => a.href)")
    assert "https://nvd.nist.gov/vuln/detail/CVE-2024-10003" in links
    assert "https://www.cve.org/CVERecord?id=CVE-2024-10003" in links
    assert "https://cwe.mitre.org/data/definitions/89.html" in links
    page.click("#batch-result th button:has-text('Record')")
    assert rows_shown(page)[0].startswith("CVE-2024-10004")
    page.click("#batch-result .tally:has-text('CWE-89')")
    page.wait_for_selector(".chips:has-text('CWE-89')")
    assert [row[:14] for row in rows_shown(page) if row.startswith("CVE")] == [
        "CVE-2024-10003",
        "CVE-2024-10002",
    ]
    assert page.inner_text(".figures .figure >> nth=0").startswith("2")
    page.click("#batch-result .year:has-text('2024')")
    page.click("text=Show all again")
    assert len([row for row in rows_shown(page) if row.startswith("CVE")]) == 4


def test_an_address_restores_what_was_shown(page) -> None:
    choose(page, "a.jsonl", "\n".join(lines(40)))
    wait_for(page, "Done: 40 records answered")
    page.wait_for_function("location.hash.includes('run=')")
    page.click("#batch-result .tally:has-text('CWE-89')")
    show(page, "Order", "-confidence")
    address, before = page.url, rows_shown(page)
    assert "cwe=CWE-89" in address
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector("#batch-result .chips:has-text('CWE-89')")
    assert rows_shown(page) == before
    page.goto("about:blank")
    page.goto(address.replace("run=", "run=x"))
    page.wait_for_selector("#batch-note:has-text('not kept here')")
    page.click("#batch-earlier a:has-text('a.jsonl')")
    wait_for(page, "Done: 40 records answered")
    page.click("#batch-earlier button:has-text('Forget')")
    page.wait_for_selector("#batch-earlier li", state="detached")


def test_a_row_on_a_phone_is_low(chromium, server) -> None:
    for page in watched_page(chromium, server.url, viewport={"width": 390, "height": 844}):
        choose(page, "a.jsonl", "\n".join(lines(30)))
        wait_for(page, "Done: 30 records answered")
        heights = page.locator("#batch-result table.rows tbody > tr").evaluate_all(
            "rows => rows.map((row) => row.getBoundingClientRect().height)"
        )
        assert max(heights) < 140
        name = page.locator("#batch-result .weakness >> nth=0").bounding_box()
        assert name["width"] > 250


def test_cancelled_and_gone_on_with(page, tmp_path: Path) -> None:
    total = 3200
    choose(page, "long.jsonl", "\n".join(lines(total, slow=True)))
    page.wait_for_selector("#batch-result tbody tr", timeout=60_000)
    page.click("#batch-result button:has-text('Cancel')")
    page.wait_for_selector("#batch-result .notice:has-text('Cancelled.')")
    kept = page.inner_text("#batch-result .state")
    assert f"{total:,} records" not in kept.split(" of about ")[0]
    page.click("#batch-result button:has-text('Go on')")
    wait_for(page, f"Done: {total:,} records answered", 240)
    rows = download(page, "JSON lines", tmp_path).splitlines()
    names = [msgspec.json.decode(row)["id"] for row in rows]
    assert names == [f"CVE-2024-{n:05}" for n in range(total)]


def test_a_server_killed_in_the_middle_costs_no_row(chromium, kb: Path, tmp_path: Path) -> None:
    total = 3200
    server = RunningServer("--kb", str(kb), "--threads", "1")
    try:
        for page in watched_page(chromium, server.base):
            choose(page, "long.jsonl", "\n".join(lines(total, slow=True)))
            page.wait_for_selector("#batch-result tbody tr", timeout=60_000)
            server.kill()
            page.wait_for_selector("#batch-result .notice:has-text('The connection was lost.')")
            server = RunningServer("--kb", str(kb), port=server.port)
            wait_for(page, f"Done: {total:,} records answered", 120)
            rows = download(page, "JSON lines", tmp_path).splitlines()
            names = [msgspec.json.decode(row)["id"] for row in rows]
            assert names == [f"CVE-2024-{n:05}" for n in range(total)]
    finally:
        server.stop()


def test_a_long_stream_leaves_the_page_alive(page) -> None:
    """The rows come at once, far faster than a model could write them."""
    total = 40_000
    page.evaluate(
        """(total) => {
            const candidates = [1, 2, 3, 4, 5].map((n) =>
                ({ cwe: `CWE-${n}`, name: "Some weakness with a name", probability: 0.2 }));
            const row = (id) => JSON.stringify({ id, cwe: "CWE-79", name: "Cross-site Scripting",
                confidence: 0.9, candidates, abstained: false, backoff: null, model: "scripted" });
            const given = window.fetch;
            let made = 0;
            const body = () => new ReadableStream({
                pull(control) {
                    let piece = "";
                    for (let n = 0; n < 100 && made < total; n += 1, made += 1) {
                        piece += row(`row-${made}`) + "\\n";
                    }
                    if (piece) control.enqueue(new TextEncoder().encode(piece));
                    else control.close();
                },
            });
            window.fetch = (path, options) =>
                String(path).includes("map/file") ? new Response(body()) : given(path, options);
            window.ticks = 0;
            setInterval(() => { window.ticks += 1; }, 20);
        }""",
        total,
    )
    choose(page, "huge.jsonl", "x\n")
    wait_for(page, f"Done: {total:,} records answered")
    assert page.locator("#batch-result tbody tr").count() == 100
    assert page.evaluate("window.ticks") > 10  # a page that freezes until the end has one or two


def test_a_busy_server_is_waited_for(page) -> None:
    refused = []

    def answer(route) -> None:
        if refused:
            route.continue_()
            return
        refused.append(True)
        route.fulfill(status=429, json={"error": {}}, headers={"Retry-After": "1"})

    page.route("**/api/map/file*", answer)
    choose(page, "short.jsonl", "\n".join(lines(2)))
    page.wait_for_selector("#batch-result .notice:has-text('The server is busy.')")
    wait_for(page, "Done: 2 records answered")


def test_a_file_that_cannot_be_used_is_refused(page) -> None:
    page.click("nav a[href='#batch']")
    page.select_option("#batch-format", "nvd")
    choose(page, "bad.csv", "a,b\n1,2\n")
    page.wait_for_selector("#batch-result .notice.bad")
    assert "The server cannot use this file" in page.inner_text("#batch-result")
    page.route(
        "**/api/map/file*",
        lambda route: route.fulfill(status=413, json={"error": {"message": "larger than 1 byte"}}),
    )
    choose(page, "big.csv", "description\nx\n")
    page.wait_for_selector("#batch-result .notice.bad:has-text('too large')")
    assert "cybersecqwen map --input FILE" in page.inner_text("#batch-result")
