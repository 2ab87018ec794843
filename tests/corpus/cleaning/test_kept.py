from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core.code_state import CodeState
from cybersecqwen.corpus.chat.recipe import ChatRecipe, load_corpus_recipe
from cybersecqwen.corpus.cleaning import kept
from cybersecqwen.corpus.cleaning.kept import Cleaned, CleanedRecords
from cybersecqwen.corpus.cleaning.pipeline import prepare, with_files
from small_chat import write_small_chat


def test_cleaned_records_are_taken_again_for_the_same_inputs_and_code_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_WORTH_KEEPING", 0)
    state = CodeState("0123", dirty=False)
    monkeypatch.setattr(kept, "code_state", lambda: state)
    recipe = load_corpus_recipe(write_small_chat(tmp_path / "data"))
    assert isinstance(recipe, ChatRecipe)
    recipe = with_files(recipe, tmp_path / "data")
    out, told = tmp_path / "out", list[str]()
    cleaned = prepare(recipe, tmp_path / "data", told.append)
    assert cleaned[1].train

    def never() -> Cleaned:
        raise AssertionError("cleaned again")

    assert CleanedRecords(out, recipe, {"a": "1"}).once(lambda: cleaned, told.append) == cleaned
    again = CleanedRecords(out, recipe, {"a": "1"}).once(never, told.append)
    assert again == cleaned
    assert told[-1] == "going on with the records that an earlier build cleaned"
    with pytest.raises(AssertionError, match="again"):
        CleanedRecords(out, recipe, {"a": "2"}).once(never, told.append)
    state = CodeState("0123", dirty=True)
    with pytest.raises(AssertionError, match="again"):
        CleanedRecords(out, recipe, {"a": "1"}).once(never, told.append)
    assert [path.name for path in tmp_path.glob(".*")] == [".out.cleaned"]
    CleanedRecords(out, recipe, {"a": "1"}).remove()
    assert not list(tmp_path.glob(".*"))
