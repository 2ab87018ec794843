from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.model_spec import ModelSpec


@pytest.mark.parametrize(
    ("text", "scheme", "target", "name"),
    [
        (None, "embedded", "", ""),
        ("embedded", "embedded", "", ""),
        ("embedded:folder/mine", "embedded", "folder/mine", "mine"),
        ("folder/mine", "embedded", "folder/mine", "mine"),
        (Path("folder/mine"), "embedded", "folder/mine", "mine"),
        ("C:\\models\\mine", "embedded", "C:\\models\\mine", None),
        ("hf:org/model", "hf", "org/model", "model"),
        ("gguf:models/q4.gguf", "gguf", "models/q4.gguf", "q4"),
        ("openai:http://127.0.0.1:1/v1#small", "openai", "http://127.0.0.1:1/v1#small", "small"),
        ("mock:a.jsonl", "mock", "a.jsonl", "a"),
        ("baseline:svm", "baseline", "svm", "svm"),
    ],
)
def test_what_a_spec_names(text: str | None, scheme: str, target: str, name: str | None) -> None:
    spec = ModelSpec.parse(text)
    assert (spec.scheme, spec.target) == (scheme, target)
    assert ModelSpec.parse(str(spec)) == spec
    assert spec.is_language_model == (scheme in {"hf", "gguf", "openai", "mock"})
    assert name is None or spec.public_name == name


@pytest.mark.parametrize("text", ["opnai:http://x#y", "hf:", ""])
def test_what_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="model SPEC; give embedded"):
        ModelSpec.parse(text)


def test_a_folder_may_have_a_colon_in_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("v1:small").mkdir()
    assert ModelSpec.parse("v1:small") == ModelSpec("embedded", "v1:small")
