"""What is wrong with a recipe: its file, the key, and what may stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core.config import load_recipe
from cybersecqwen.core.errors import InputError
from cybersecqwen.corpus.chat.recipe import load_corpus_recipe
from cybersecqwen.training.recipes.lora import LoraRecipe

SOUND = "name: x\nfit: {epochs: 1, batch: 2, learning_rate: 1e-4}\n"
CORPUS = Path(__file__).parents[2] / "recipes" / "corpus" / "cybersecqwen.yaml"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("method: all", "method: 'all' is none of full, lora"),
        ("method: full\nadapter: {rank: 4}", "adapter: belongs to `method: lora`; with .*"),
        ("adapter: {layers: -1}", "adapter.layers: expected a whole number >= 0"),
        ("adapter: {ranks: 4}", "adapter.ranks: no such key; there are rank, alpha, .*, layers"),
        ("adapter: none", "adapter: expected keys and values, got text"),
        ("repeat: {map: -1}", r"repeat\[...\]: expected a whole number >= 0"),
        ("repeat: [map]", "repeat: expected keys and values, got a list"),
        ("first: knowledge", "first: expected a list, got text"),
        ("first: [map]\npacking: blocks", "first: needs `packing: none`, not blocks"),
        ("replay: 1.5", "replay: expected a whole number, got a number"),
        ("replay_loss: kl\nreplay: 2", "replay_loss: 'kl' is none of distribution, words"),
        ("replay_loss: distribution", "replay_loss: distribution: needs `replay`, which is 0"),
        ("stratify_by_length: true\nfirst: [map]", "stratify_by_length: needs `packing: none` .*"),
        ("scale: 2", "scale: expected a number <= 1.0"),
        ("final_weight: 0", "final_weight: expected a number > 0.0"),
        ("text_answers: 1", "text_answers: no such key; there are name, fit, base, method, .*"),
    ],
)
def test_a_wrong_value_is_told_with_its_key_and_what_is_allowed(
    tmp_path: Path, lines: str, told: str
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(SOUND + lines + "\n")
    with pytest.raises(InputError, match=rf"wrong\.yaml: {told}$"):
        load_recipe(file, LoraRecipe)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "short.yaml"
    file.write_text("name: x\nfit: {epochs: 1, batch: 2}\n")
    with pytest.raises(InputError, match=r"short\.yaml: fit\.learning_rate: is missing$"):
        load_recipe(file, LoraRecipe)


def test_corpus_recipes_are_told_of_alike(tmp_path: Path) -> None:
    file = tmp_path / "corpus.yaml"
    text = CORPUS.read_text()
    file.write_text(text.replace("quiz: {", "quiz: {text_answers: 2, ", 1))
    with pytest.raises(InputError, match=r"quiz\.text_answers: expected a number <= 1\.0$"):
        load_corpus_recipe(file)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("answers: {id: 14,", "answers: {idd: 14,", "mapping.answers: 'idd' is none of id, .*"),
        ("kind: chat", "kind: chatt", "kind: 'chatt' is none of chat, quiz, records"),
        ("labellers: {nvd: 7, cna: 3}", "labellers: {}", "mapping: labellers: empty, but .*"),
        (
            "years: [2014, 2026]",
            "years: [2026, 2014]",
            "mapping.draw: years: 2026 comes after 2014",
        ),
    ],
)
def test_keys_of_tables_and_what_makes_no_sense_together(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    file = tmp_path / "corpus.yaml"
    text = CORPUS.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=rf"corpus\.yaml: {told}$"):
        load_corpus_recipe(file)
