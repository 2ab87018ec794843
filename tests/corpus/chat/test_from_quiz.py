from __future__ import annotations

import re

import pytest

from cybersecqwen.core.records import Catalogue, Entry, Section
from cybersecqwen.corpus.catalogue_graph import CatalogueLibrary
from cybersecqwen.corpus.chat.draft import DraftExample
from cybersecqwen.corpus.chat.from_quiz import quiz_drafts
from cybersecqwen.corpus.chat.recipe import ChatRecipe, Quiz, load_corpus_recipe
from small_chat import write_small_chat

SIDES = ("northern", "southern", "eastern", "western", "upper", "lower", "inner", "outer")
THINGS = tuple(
    f"{side} {thing}" for thing in ("lantern", "harbour", "orchard", "granary") for side in SIDES
)
MEASURES = tuple(
    f"{side.title()} {name}" for name in ("Locks", "Fences", "Ledgers", "Seals") for side in SIDES
)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> list[DraftExample]:
    """Questions on 32 techniques and what mitigates each, all with passages in front."""
    entries = [
        Entry(
            f"T91{n:02}",
            f"{thing.title()} Robbing",
            "technique",
            sections=(
                Section(
                    "description",
                    f"Thieves climb into the {thing} at midnight by breaking its eastern gate {n}. "
                    + f"Long tales are told of the {thing} and of those who guard it. " * 12
                    + f"Carts loaded from the {thing} leave before sunrise every morning.",
                ),
                Section(
                    "mitigation",
                    f"{MEASURES[n]} (M91{n:02}): Put {MEASURES[n].lower()} around each {thing} and "
                    f"count them before winter number {n}.",
                    f"M91{n:02}",
                ),
            ),
        )
        for n, thing in enumerate(THINGS)
    ] + [
        Entry(
            f"M91{n:02}",
            name,
            "mitigation",
            sections=(Section("description", f"{name} keep strangers away from storehouses."),),
            links=(("mitigates", f"T91{n:02}"),),
        )
        for n, name in enumerate(MEASURES)
    ]
    library = CatalogueLibrary.of([Catalogue("town", "7", "2026-01-01", "", tuple(entries))])
    recipe = load_corpus_recipe(write_small_chat(tmp_path_factory.mktemp("chat") / "data"))
    assert isinstance(recipe, ChatRecipe)
    return quiz_drafts(recipe, Quiz(rows=0, open_book=1.0), library)["train"]


def shown(draft: DraftExample) -> dict[str, str]:
    """Return the text of each passage before a question, by its citation id."""
    return dict(re.findall(r"^\[(\S+)\] [^:\n]+: (.+)$", draft.prompt, re.MULTILINE))


def test_what_decides_stands_among_several_cut_passages(asked: list[DraftExample]) -> None:
    assert len(asked) > 20
    passages = [shown(draft) for draft in asked]
    for draft, found in zip(asked, passages, strict=True):
        assert draft.kind == "quiz-open"
        assert draft.passages[0].id in found
    assert {len(found) for found in passages} == {4, 6, 8}
    texts = [text for found in passages for text in found.values()]
    assert max(len(text.split()) for text in texts) <= 100
    assert any(" ... " in text for text in texts), "long passages are cut"
    places = {list(found).index(d.passages[0].id) for d, found in zip(asked, passages, strict=True)}
    assert len(places) > 3, "what decides has no place of its own"


def test_what_speaks_for_wrong_options_is_shown(asked: list[DraftExample]) -> None:
    shares = []
    for draft in asked:
        passages, question = draft.prompt.rsplit("\n\n[", 1)
        options = [m for m in MEASURES if m in question and m not in draft.passages[0].text]
        shares += [option in passages for option in options]
    assert len(shares) > 50
    assert sum(shares) / len(shares) > 0.5
