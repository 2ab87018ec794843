"""Batch: a file streamed into a table, cancelled, resumed, downloaded."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from browsing import HEAP, VAGUE, watched_page
from cybersecqwen.apps.outputs.csv_table import write_csv
from cybersecqwen.apps.outputs.rows import MapRow
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
    with page.expect_download() as waiting:
        page.click(f"button:has-text('Download {kind}')")
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path.read_bytes()


def test_rows_problems_and_downloads(page, tmp_path: Path) -> None:
    content = lines(250)
    content.insert(3, "{broken")
    content[5] = json.dumps({"id": "=1+1 \u202e<img src=x onerror=alert(1)>", "text": HEAP})
    choose(page, "feed.jsonl", "\n".join(content))
    wait_for(page, "Done: 251 records answered")
    assert "1 problem." in page.inner_text("#batch-result .state")
    assert page.locator("progress").evaluate("bar => bar.value") == 1
    assert page.locator("#batch-result tbody tr").count() == 100  # the others are a page away
    first = page.locator("#batch-result tbody tr").all_inner_texts()
    assert first[0].startswith("CVE-2024-00000")
    assert "feed.jsonl:4" in first[3]
    assert "=1+1 ⟨U+202E⟩<img src=x onerror=alert(1)>" in first[5]
    page.click("text=Next")
    assert page.locator("#batch-result tbody tr >> nth=0").inner_text().startswith("CVE-2024-00099")
    page.select_option("#batch-result select", "problems")
    assert page.locator("#batch-result tbody tr").count() == 1
    page.select_option("#batch-result select", "all")
    page.fill("#batch-result input[type=search]", "00123")
    assert page.locator("#batch-result tbody tr").count() == 1
    rows = download(page, "JSONL", tmp_path)
    read = [msgspec.json.decode(line, type=MapRow) for line in rows.splitlines()]
    assert len(read) == 250
    assert download(page, "CSV", tmp_path) == b"".join(write_csv(read))
    assert (tmp_path / "feed-cwe.csv").exists()
    (problem,) = download(page, "problems", tmp_path).splitlines()
    assert msgspec.json.decode(problem)["where"] == "feed.jsonl:4"


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
    rows = download(page, "JSONL", tmp_path).splitlines()
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
            rows = download(page, "JSONL", tmp_path).splitlines()
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
