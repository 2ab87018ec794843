from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from cybersecqwen.evaluation.log import RunLog, Turn
from cybersecqwen.evaluation.report.write import write_report

MakeLog = Callable[..., RunLog]
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u2028 | `x` <!-- ]]>"


class Reader(HTMLParser):
    """Collects tags and what each script holds, as a browser's parser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)


def read(page: Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text("utf-8"))
    reader.close()
    return reader


@pytest.fixture
def logs(make_log: MakeLog) -> list[RunLog]:
    golds = ["CWE-79", "CWE-89"] * 10
    sure = [n / 20 for n in range(20)]
    one = make_log(["CWE-79"] * 20, golds, model=f"one {HOSTILE[:20]}".replace("/", "-"))
    two = make_log(["CWE-89"] * 19 + [None], golds, model="two", confidence=sure, open_book=True)
    rows = [
        msgspec.structs.replace(row, prompt=[Turn("user", HOSTILE)], output=HOSTILE, source=HOSTILE)
        for row in one.rows
    ]
    return [RunLog(one.path, one.header, rows), two]


def test_hostile_text_stays_text(logs: list[RunLog], tmp_path: Path) -> None:
    page, _ = write_report(logs, tmp_path / "out", HOSTILE)
    seen = read(page)
    names = [tag for tag, _ in seen.tags]
    assert "img" not in names
    assert names.count("script") == 2  # the data and the program
    data = json.loads(seen.scripts[0])
    assert data["items"][0]["prompt"] == HOSTILE
    assert data["items"][0]["answers"][0]["output"] == HOSTILE
    assert "<" not in seen.scripts[0]
    assert not any(name.startswith("on") for _, attributes in seen.tags for name in attributes)


def test_the_page_needs_nothing_from_outside_and_lets_one_script_run(
    logs: list[RunLog], tmp_path: Path
) -> None:
    page, _ = write_report(logs, tmp_path, "Title")
    seen = read(page)
    for tag, attributes in seen.tags:
        assert "src" not in attributes, tag
        assert (attributes.get("href") or "#").startswith("#"), tag
    policy = next(a["content"] for tag, a in seen.tags if "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    digest = base64.b64encode(hashlib.sha256(seen.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "url(" not in page.read_text("utf-8")
    assert 'name="viewport"' in page.read_text("utf-8")


def test_every_item_and_answer_is_in_the_explorer(logs: list[RunLog], tmp_path: Path) -> None:
    page, _ = write_report(logs, tmp_path, "Title")
    data = json.loads(read(page).scripts[0])
    assert len(data["items"]) == 20
    last = data["items"][-1]
    assert last["gold"] == "CWE-89"
    assert [answer["reading"] for answer in last["answers"]] == ["CWE-79", None]
    assert [answer["right"] for answer in last["answers"]] == [0.0, 0.0]
    assert last["answers"][1]["confidence"] == 0.95


def test_markdown_has_the_numbers_and_keeps_the_books_apart(
    logs: list[RunLog], tmp_path: Path
) -> None:
    _, file = write_report(logs, tmp_path, "Title")
    text = file.read_text("utf-8")
    assert "<script" not in text
    lines = [re.split(r" ?(?<!\\)\| ?", line) for line in text.splitlines()]
    head = next(cells for cells in lines if "System" in cells)
    closed, opened = head.index("Accuracy, closed book"), head.index("Accuracy, open book")
    (two,) = [cells for cells in lines if cells[1:2] == ["two"] and "ref" in cells]
    assert two[closed] == ""
    assert two[opened].startswith("0.4500")
    (constant,) = [cells for cells in lines if "always CWE-79" in cells]
    assert (constant[closed], constant[opened]) == ("0.5000", "")
    # The mistake both could make, and how often each made it.
    assert "| CWE-79 | CWE-89 | 0 | 10 |" in text
    assert "McNemar" in text
    assert "ECE" in text
    assert "unreadable" in text


def test_one_log_alone_and_several_tasks(make_log: MakeLog, tmp_path: Path) -> None:
    choice = make_log(["A", "B"], ["A", "A"], ["A", "A"], task="cti-mcq")
    techniques = make_log(["T1059"], ["T1059,T1105"], task="cti-ate")
    page, file = write_report([choice, techniques], tmp_path, "Title")
    text = file.read_text("utf-8")
    assert "0.3536" in text  # the spread of 0.5 and 1.0
    assert "Paired" not in text
    assert "macro F1" in text
    tags = read(page).tags
    assert [tag for tag, _ in tags].count("script") == 3
    # A list of contents leads to each task.
    targets = {attributes.get("id") for _, attributes in tags}
    links = [(attributes["href"] or "")[1:] for tag, attributes in tags if tag == "a"]
    assert len(links) == 2
    assert set(links) <= targets


def test_the_page_is_well_formed_and_draws_every_system(logs: list[RunLog], tmp_path: Path) -> None:
    page, _ = write_report(logs, tmp_path, "a < b & c")
    text = page.read_text("utf-8")
    for figure in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(figure)
    assert text.count("<figure>") == 2  # reliability, and risk by coverage
    assert text.count('<ul class="intervals">') == 2  # closed book and open book
    assert text.count("<tbody>") == text.count("</tbody>") > 3
    assert "<title>a &lt; b &amp; c</title>" in text


def test_a_curve_and_its_markers_have_one_colour(make_log: MakeLog, tmp_path: Path) -> None:
    sure = [0.2, 0.4, 0.6, 0.8] * 5
    logs = [
        make_log(["A"] * 20, ["A", "B"] * 10, model=name, confidence=sure, task="cti-mcq")
        for name in ("one", "two")
    ]
    text = write_report(logs, tmp_path, "Title")[0].read_text("utf-8")
    chart = re.search(r"<figure><figcaption>Reliability.*?</figure>", text, re.DOTALL)
    assert chart
    colours = re.findall(r'<circle class="(c\d)"', chart[0])
    assert colours == sorted(colours)
    assert set(colours) == {"c0", "c1"}


def test_a_system_that_always_says_one_letter_is_warned_of(
    make_log: MakeLog, tmp_path: Path
) -> None:
    log = make_log(["C"] * 39 + ["A"], ["A", "B", "C", "D"] * 10, model="stuck", task="cti-mcq")
    for path in write_report([log], tmp_path, "Title"):
        text = path.read_text(encoding="utf-8")
        assert "nearly all answers are one letter" in text
        assert "39 of 40" in text
        assert "97.5%" in text
