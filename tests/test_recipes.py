"""Every recipe that ships parses, so that a renamed key breaks here and not on a user's run."""

from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core.config import load_recipe
from cybersecqwen.core.errors import MissingExtraError
from cybersecqwen.corpus.chat.recipe import ChatRecipe, load_corpus_recipe
from cybersecqwen.corpus.quiz.recipe import QuizRecipe

RECIPES = Path(__file__).parents[1] / "recipes"
LORA = sorted((RECIPES / "lora").rglob("*.yaml"))
CORPUS = sorted((RECIPES / "corpus").rglob("*.yaml"))
READERS = sorted((RECIPES / "reader").rglob("*.yaml"))


def test_there_are_recipes() -> None:
    assert CORPUS
    assert LORA
    assert READERS


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_corpus_recipes_parse(path: Path) -> None:
    recipe = load_corpus_recipe(path)
    assert recipe.benchmarks, "a corpus that ships is decontaminated"


@pytest.mark.torch
@pytest.mark.parametrize("path", LORA, ids=lambda path: path.name)
def test_lora_recipes_parse(path: Path) -> None:
    for module in ("torch", "peft", "trl"):
        pytest.importorskip(module)
    from cybersecqwen.training.lora.recipe import LoraRecipe

    recipe = load_recipe(path, LoraRecipe)
    if path.stem == "reference":
        assert (recipe.adapter.rank, recipe.adapter.alpha, recipe.adapter.dropout) == (64, 64, 0.05)
        assert len(recipe.adapter.targets) == 7
        assert (recipe.fit.epochs, recipe.fit.batch, recipe.fit.learning_rate) == (10, 16, 5e-5)
        assert (recipe.fit.warmup, recipe.fit.weight_decay, recipe.seed) == (0.05, 0.01, 42)
        assert (recipe.max_tokens, recipe.loss) == (4096, "all")


@pytest.mark.parametrize("path", READERS, ids=lambda path: path.name)
def test_reader_recipes_parse(path: Path) -> None:
    reader = pytest.importorskip("cybersecqwen.training.ranker.fit", exc_type=MissingExtraError)
    assert load_recipe(path, reader.RankerRecipe).name


@pytest.mark.data
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_corpus_recipes_name_files_that_exist(path: Path, data_dir: Path) -> None:
    recipe = load_corpus_recipe(path)
    named = list(recipe.benchmarks)
    if isinstance(recipe, QuizRecipe):
        named += recipe.sources
    else:
        named += [source.path for source in recipe.sources]
    if isinstance(recipe, ChatRecipe):
        named += [recipe.knowledge.cwe, *recipe.knowledge.stix]
    assert [name for name in named if not (data_dir / name).exists()] == []
