"""Every command line of README and docs is parsed; those that need nothing from outside are run."""

from __future__ import annotations

import io
import json
import re
import shlex
from pathlib import Path

import pytest

from cybersecqwen.apps.map_job import MapJob, run_map_job
from cybersecqwen.cli.main import VERBS, build_parser, main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

# Verbs that read what is in the package or in the files made below, and write where they stand.
_OFFLINE = {"map", "ask", "kb search", "kb info", "info", "doctor", "demo"}
# What those need that is not here: a model of one's own, a feed, a terminal.
_NEEDS = re.compile(
    r"hf:|gguf:|openai:|mock:|s3:|--engine ray|--model |--kb |--store|--option|\bCVE-|--digest"
    r"|--input (?!findings\.csv|feed\.json)|^map(?: -\S+)*$"
)


def commands() -> list[tuple[str, tuple[str, ...]]]:
    """Return the page and words of every call of ours in an indented or fenced block."""
    found = []
    for page in PAGES:
        fenced = False
        for line in re.sub(r"\\\n\s*", " ", page.read_text("utf-8")).splitlines():
            if line.lstrip().startswith("```"):
                fenced = not fenced
            elif (fenced or line.startswith("    ")) and "cybersecqwen " in line:
                name = page.relative_to(ROOT).as_posix()
                found += [(name, words) for words in calls_in(line)]
    return found


def calls_in(line: str) -> list[tuple[str, ...]]:
    """Return the words after each ``cybersecqwen`` of a shell's line."""
    # [--option VALUE] is how pages write what may be left out.
    line = re.sub(r"\[(-[^]]*)\]", r"\1", line).replace("\\", "/").replace("\u2026", "")
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;><()")
    lexer.commenters, lexer.whitespace_split = "#", True
    try:
        tokens = list(lexer)
    except ValueError:  # no shell's line: prose with an apostrophe, code
        return []
    found: list[tuple[str, ...]] = []
    call: list[str] | None = None
    for token in [*tokens, ";"]:
        if set(token) <= set("&|;><()"):
            if call and "..." not in call:  # abbreviated: no call to try
                found.append(tuple(call))
            call = None
        elif call is not None:
            call.append(token)
        elif token.rsplit("/", 1)[-1] == "cybersecqwen":
            call = []
    return [words for words in found if words[0] in VERBS]


COMMANDS = commands()


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) > 60
    assert {page for page, _ in COMMANDS} >= {"README.md", "docs/map.md", "docs/serve.md"}


def named(cases: list[tuple[str, tuple[str, ...]]]) -> list[str]:
    return [f"{page}: {' '.join(words)}" for page, words in cases]


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=named(COMMANDS))
def test_a_documented_command_is_understood(page: str, words: tuple[str, ...]) -> None:
    try:
        _, unknown = build_parser(words[0]).parse_known_args(words)
    except SystemExit as stop:
        if stop.code:
            pytest.fail(f"{page}: cybersecqwen {' '.join(words)}")
        return
    assert unknown == [], page


RUN = [
    (page, words)
    for page, words in COMMANDS
    if not _NEEDS.search(" ".join(words)) and {words[0], " ".join(words[:2])} & _OFFLINE
]


@pytest.mark.parametrize(("page", "words"), RUN, ids=named(RUN))
def test_a_documented_command_works(
    page: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CYBERSECQWEN_KB", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    record = {"id": "CVE-2099-1", "description": "SQL injection in the login form", "cwe": "CWE-79"}
    for name in ("records.jsonl", "feed.jsonl", "feed.json"):
        (tmp_path / name).write_text(json.dumps(record) + "\n")
    (tmp_path / "findings.csv").write_text(
        'id,description,Ticket,Finding\nCVE-2099-1,"SQL injection",T-1,"SQL injection"\n'
    )
    assert main(words) == 0, page


def test_some_are_run() -> None:
    assert len(RUN) >= 8


def test_the_front_page_names_every_verb() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert [verb for verb in VERBS if f"**`{verb}`**" not in text] == []


def test_the_front_pages_show_what_map_says() -> None:
    text = "The login form concatenates the user name into the SQL query."
    sink = io.BytesIO()
    run_map_job(MapJob(text=text, to="table", width=80), sink=sink)
    shown = "\n".join(f"    {line}" for line in sink.getvalue().decode().splitlines()[:2])
    for page in ("README.md", "docs/index.md"):
        assert shown in (ROOT / page).read_text("utf-8"), page
