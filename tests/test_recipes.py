"""Every recipe that ships parses, so that a renamed key breaks here and not on a user's run."""

from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core.config import load_recipe
from cybersecqwen.corpus.recipe import CorpusRecipe

RECIPES = Path(__file__).parents[1] / "recipes"
CORPUS = sorted((RECIPES / "corpus").rglob("*.yaml"))


def test_there_are_recipes() -> None:
    assert CORPUS


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_corpus_recipes_parse(path: Path) -> None:
    recipe = load_recipe(path, CorpusRecipe)
    assert recipe.benchmarks, "a corpus that ships is decontaminated"


@pytest.mark.data
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_corpus_recipes_name_files_that_exist(path: Path, data_dir: Path) -> None:
    recipe = load_recipe(path, CorpusRecipe)
    named = [*(source.path for source in recipe.sources), *recipe.benchmarks]
    assert [name for name in named if not (data_dir / name).exists()] == []
