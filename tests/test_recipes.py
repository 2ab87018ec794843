"""Every recipe that ships parses, so that a renamed key breaks here and not on a user's run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cybersecqwen.core.config import Recipe, load_recipe
from cybersecqwen.corpus.chat.recipe import ChatRecipe, load_corpus_recipe
from cybersecqwen.corpus.quiz.recipe import QuizRecipe
from cybersecqwen.training.recipes.lora import LoraRecipe
from cybersecqwen.training.recipes.ranker import RankerRecipe
from cybersecqwen.training.recipes.specialist import SpecialistRecipe

RECIPES = Path(__file__).parents[1] / "recipes"
LOADERS: dict[str, Callable[[Path], Recipe]] = {
    "corpus": load_corpus_recipe,
    "lora": lambda path: load_recipe(path, LoraRecipe),
    "ranker": lambda path: load_recipe(path, RankerRecipe),
    "specialist": lambda path: load_recipe(path, SpecialistRecipe),
}
"""How the recipes of each folder are read; a new folder needs a line here."""

FILES = sorted(path for path in RECIPES.rglob("*") if path.is_file())
CORPUS = [path for path in FILES if path.parent.name == "corpus"]


def test_each_folder_has_recipes() -> None:
    assert {path.parent.name for path in FILES} == set(LOADERS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_it_parses_and_names_no_unknown_key(path: Path) -> None:
    assert LOADERS[path.parent.name](path).name  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_a_corpus_that_ships_is_decontaminated(path: Path) -> None:
    assert load_corpus_recipe(path).benchmarks


def test_the_reference_fine_tuning_is_the_published_one() -> None:
    recipe = load_recipe(RECIPES / "lora" / "reference.yaml", LoraRecipe)
    assert (recipe.adapter.rank, recipe.adapter.alpha, recipe.adapter.dropout) == (64, 64, 0.05)
    assert len(recipe.adapter.targets) == 7
    assert (recipe.fit.epochs, recipe.fit.batch, recipe.fit.learning_rate) == (10, 16, 5e-5)
    assert (recipe.fit.warmup, recipe.fit.weight_decay, recipe.seed) == (0.05, 0.01, 42)
    assert (recipe.max_tokens, recipe.loss) == (4096, "all")


def test_recipes_of_training_need_no_heavy_package() -> None:
    code = (
        "import sys\n"
        "from cybersecqwen.training.recipes import lora, ranker, specialist\n"
        "from cybersecqwen.corpus.chat import recipe\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'scipy', 'trl'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


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
