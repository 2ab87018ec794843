"""Quiz questions as conversations: what open-book ones are shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from cybersecqwen.core.records import Passage
from cybersecqwen.corpus.catalogue_graph import CatalogueLibrary
from cybersecqwen.corpus.chat.from_quiz import quiz_drafts
from cybersecqwen.corpus.chat.recipe import ChatRecipe, Quiz, load_corpus_recipe
from small_chat import write_small_chat

OPEN = Quiz(rows=20, open_book=1.0, look_up=True)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[ChatRecipe, CatalogueLibrary]:
    folder = tmp_path_factory.mktemp("from-quiz")
    recipe = load_corpus_recipe(write_small_chat(folder))
    assert isinstance(recipe, ChatRecipe)
    files = (recipe.knowledge.cwe, *recipe.knowledge.stix)
    return recipe, CatalogueLibrary.read(Path(folder) / name for name in files)


def test_open_questions_show_what_is_looked_up_and_ask_for_no_reason(
    small: tuple[ChatRecipe, CatalogueLibrary],
) -> None:
    asked = []

    def look_up(question: str, options: Sequence[str]) -> tuple[Passage, ...]:
        asked.append((question, options))
        return (Passage("CWE-1#note", "A page", "note", f"Looked up for: {question}"),)

    found = [
        d for drafts in quiz_drafts(small[0], OPEN, small[1], look_up).values() for d in drafts
    ]
    assert len(found) == len(asked) > 3
    for draft in found:
        assert draft.kind == "quiz-open"
        assert "[CWE-1#note] A page: Looked up for: " in draft.prompt
        assert draft.response.removeprefix("Answer: ") == draft.gold


def test_without_a_look_up_the_deciding_passage_is_among_those_shown(
    small: tuple[ChatRecipe, CatalogueLibrary],
) -> None:
    plain = msgspec.structs.replace(OPEN, look_up=False)
    for drafts in quiz_drafts(small[0], plain, small[1]).values():
        for draft in drafts:
            assert f"[{draft.passages[0].id}]" in draft.prompt
