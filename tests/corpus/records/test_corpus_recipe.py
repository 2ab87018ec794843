from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from cybersecqwen.core.config import load_recipe
from cybersecqwen.core.errors import InputError
from cybersecqwen.corpus.records.recipe import CorpusRecipe


def _load(tmp_path: Path, text: str) -> CorpusRecipe:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return load_recipe(path, CorpusRecipe)


def test_defaults_are_those_documented(tmp_path: Path) -> None:
    recipe = _load(tmp_path, "name: x\nsources: [{path: a.jsonl}]\n")
    assert recipe.split.validation_since == datetime.date(2024, 1, 1)
    assert (recipe.split.validation_every, recipe.split.guard) == (5, "validation")
    near = recipe.near_duplicate
    assert (near.ngram, near.containment, near.cosine) == (8, 0.5, 0.8)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name: x\nsources: [{path: a}]\nbenchmark: [b]\n", "benchmark"),
        ("name: x\nsources: [{path: a, label: nvd}]\n", "label"),
        ("name: x\nsources: [{path: a, labels_from: me}]\n", "labels_from"),
        ("name: x\nsources: []\n", "sources"),
        ("name: x\nsources: [{path: a}]\nnear_duplicate: {cosine: 1.5}\n", "cosine"),
        ("name: x\nsources: [{path: a}]\nsplit: {guard: both}\n", "guard"),
        ("name: x\nsources: [{path: a}]\nsplit: {validation_every: 1}\n", "validation_every"),
    ],
)
def test_a_wrong_or_unknown_key_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(InputError, match=named):
        _load(tmp_path, text)
