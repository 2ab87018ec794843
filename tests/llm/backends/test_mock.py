from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.llm import open_backend


def script(path: Path, *rules: dict[str, object]) -> Path:
    file = path / "script.jsonl"
    file.write_text("".join(json.dumps(rule) + "\n" for rule in rules), "utf-8")
    return file


def ask(*texts: str) -> list[list[Message]]:
    return [[Message("system", "be brief"), Message("user", text)] for text in texts]


def test_the_first_rule_that_applies_answers(tmp_path: Path) -> None:
    file = script(
        tmp_path,
        {"match": "SQL", "reply": "CWE-89"},
        {"regex": "cross.site|XSS", "reply": "CWE-79"},
        {"match": "broken", "error": "gave up"},
        {"reply": "I do not know this one"},
    )
    answers = list(
        open_backend(f"mock:{file}").generate(
            ask("SQL and XSS", "cross-site", "broken", "else"), Sampling(max_tokens=3)
        )
    )
    assert [a.text for a in answers] == ["CWE-89", "CWE-79", "", "I do not"]
    assert [a.finish for a in answers] == ["stop", "stop", "error", "length"]
    assert answers[2].error == "gave up"
    assert answers[3].new_tokens == 3


def test_scores_come_from_the_script(tmp_path: Path) -> None:
    file = script(tmp_path, {"match": "Q1", "scores": {"A": -0.1, "B": -2.0}}, {"reply": "A"})
    backend = open_backend(f"mock:{file}")
    assert backend.capabilities == {"generate", "score"}
    assert backend.score(ask("Q1")[0], ["B", "A"]) == (-2.0, -0.1)
    with pytest.raises(ModelError, match="'C'"):
        backend.score(ask("Q1")[0], ["A", "C"])


def test_a_script_without_scores_says_that_it_cannot_score(tmp_path: Path) -> None:
    backend = open_backend(f"mock:{script(tmp_path, {'reply': 'A'})}")
    assert backend.capabilities == {"generate"}
    with pytest.raises(ModelError, match="cannot score"):
        backend.score(ask("Q1")[0], ["A"])


def test_no_rule_is_an_error(tmp_path: Path) -> None:
    backend = open_backend(f"mock:{script(tmp_path, {'match': 'x', 'reply': 'A'})}")
    with pytest.raises(ModelError, match="no rule applies"):
        list(backend.generate(ask("other"), Sampling()))


def test_delay(tmp_path: Path) -> None:
    backend = open_backend(f"mock:{script(tmp_path, {'reply': 'A'})}", delay_s=0.02)
    start = time.monotonic()
    assert len(list(backend.generate(ask("a", "b", "c"), Sampling()))) == 3
    assert time.monotonic() - start >= 0.06


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"reply": 1}', "script.jsonl:2: .*Expected `str`"),
        ('{"replay": "A"}', "script.jsonl:2.*replay"),
        ('{"regex": "("}', "script.jsonl:2"),
        ("not json", "script.jsonl:2"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    file = tmp_path / "script.jsonl"
    file.write_text('{"reply": "A"}\n' + line + "\n", "utf-8")
    with pytest.raises(InputError, match=complaint):
        open_backend(f"mock:{file}")


@pytest.mark.parametrize("spec", ["gpt", "nope:x", "mock:", ":x", "embedded"])
def test_unknown_specs_are_refused(spec: str) -> None:
    with pytest.raises(InputError, match=r"is no model SPEC.*hf:.*gguf:.*openai:.*mock:"):
        open_backend(spec)


def test_unknown_options_and_missing_scripts_are_refused(tmp_path: Path) -> None:
    file = script(tmp_path, {"reply": "A"})
    with pytest.raises(InputError, match="speed"):
        open_backend(f"mock:{file}", speed=2)
    with pytest.raises(InputError, match="no-such"):
        open_backend(f"mock:{tmp_path / 'no-such'}")
