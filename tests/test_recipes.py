"""Every recipe that ships parses, so that a renamed key breaks here and not on a user's run."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from cybersecqwen import build_corpus
from cybersecqwen.core.config import Recipe, load_recipe
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.rows import read_corpus_rows
from cybersecqwen.corpus.chat.recipe import ChatRecipe, load_corpus_recipe
from cybersecqwen.corpus.quiz.recipe import QuizRecipe
from cybersecqwen.training.recipes.lora import Adapter, LoraRecipe, Schedule
from cybersecqwen.training.recipes.ranker import RankerRecipe
from cybersecqwen.training.recipes.severity import SeverityRecipe
from cybersecqwen.training.recipes.specialist import SpecialistRecipe
from cybersecqwen.training.recipes.technique import TechniqueRecipe

RECIPES = Path(__file__).parents[1] / "recipes"
SPECIALISTS: dict[str, type[Recipe]] = {"severity": SeverityRecipe, "technique": TechniqueRecipe}
"""Recipes of specialists that are no CWE classifiers, by name of the file."""

LOADERS: dict[str, Callable[[Path], Recipe]] = {
    "corpus": load_corpus_recipe,
    "lora": lambda path: load_recipe(path, LoraRecipe),
    "ranker": lambda path: load_recipe(path, RankerRecipe),
    "specialist": lambda path: load_recipe(path, SPECIALISTS.get(path.stem, SpecialistRecipe)),
}
"""How the recipes of each folder are read; a new folder needs a line here."""

FILES = sorted(path for path in RECIPES.rglob("*") if path.is_file())
CORPUS = [path for path in FILES if path.parent.name == "corpus"]


def test_each_folder_has_recipes() -> None:
    assert {path.parent.name for path in FILES} == set(LOADERS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_it_parses_and_names_no_unknown_key(path: Path) -> None:
    recipe = LOADERS[path.parent.name](path)
    assert recipe.name  # type: ignore[attr-defined]
    # Its defaults too are values that could be written down.
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(recipe)), type(recipe)) == recipe


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_a_corpus_that_ships_is_decontaminated(path: Path) -> None:
    assert load_corpus_recipe(path).benchmarks


def test_the_public_mixture_is_ours_but_for_its_files() -> None:
    ours, public = (
        load_recipe(RECIPES / "corpus" / f"{name}.yaml", ChatRecipe)
        for name in ("cybersecqwen", "cybersecqwen-public")
    )
    files = {name: getattr(ours, name) for name in ("name", "sources", "knowledge")}
    assert msgspec.structs.replace(public, **files) == ours


def test_the_reference_fine_tuning_is_the_published_one() -> None:
    recipe = load_recipe(RECIPES / "lora" / "reference.yaml", LoraRecipe)
    assert (recipe.adapter.rank, recipe.adapter.alpha, recipe.adapter.dropout) == (64, 64, 0.05)
    assert len(recipe.adapter.targets) == 7
    assert (recipe.fit.epochs, recipe.fit.batch, recipe.fit.learning_rate) == (10, 16, 5e-5)
    assert (recipe.fit.warmup, recipe.fit.weight_decay, recipe.seed) == (0.05, 0.01, 42)
    assert (recipe.max_tokens, recipe.loss) == (4096, "all")


def test_each_key_of_a_fine_tuning_is_documented() -> None:
    page = (RECIPES.parent / "docs" / "lora.md").read_text("utf-8")
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", page))))
    for part in (LoraRecipe, Adapter, Schedule):
        assert set(part.__struct_fields__) <= named
    assert "text_answers" in named


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
    # Catalogues of the public one are named as `data fetch` names them.
    if isinstance(recipe, ChatRecipe) and recipe.name != "cybersecqwen-public":
        named += [recipe.knowledge.cwe, *recipe.knowledge.stix]
    missing = [name for name in named if not (data_dir / name).exists() and "*" not in name]
    assert missing == []


def test_the_public_recipe_builds_from_what_data_fetch_writes(tmp_path: Path) -> None:
    fetched = tmp_path / "data"
    (fetched / "cti-bench").mkdir(parents=True)
    nvd = {
        "vulnerabilities": [
            {
                "cve": {
                    "id": f"CVE-2023-{number:04d}",
                    "published": "2023-05-06T07:15:09.000",
                    "descriptions": [{"lang": "en", "value": f"A {word} flaw in lantern {word}."}],
                    "weaknesses": [
                        {
                            "source": "nvd@nist.gov",
                            "type": "Primary",
                            "description": [{"lang": "en", "value": cwe}],
                        }
                    ],
                }
            }
            for number, (word, cwe) in enumerate([("script", "CWE-79"), ("query", "CWE-89")], 1)
        ]
    }
    with gzip.open(fetched / "nvdcve-2.0-2023.json.gz", "wt") as stream:
        json.dump(nvd, stream)
    cve = {
        "dataType": "CVE_RECORD",
        "dataVersion": "5.1",
        "cveMetadata": {"cveId": "CVE-2023-0003", "state": "PUBLISHED"},
        "containers": {
            "cna": {
                "descriptions": [{"lang": "en", "value": "Reads past the end of a buffer."}],
                "problemTypes": [{"descriptions": [{"lang": "en", "cweId": "CWE-125"}]}],
            }
        },
    }
    with zipfile.ZipFile(fetched / "2026-01-01_all_CVEs_at_midnight.zip", "w") as archive:
        archive.writestr("cves/2023/0xxx/CVE-2023-0003.json", json.dumps(cve))
    for name in ("rcm", "vsp", "mcq", "ate", "taa"):
        (fetched / "cti-bench" / f"cti-{name}.tsv").write_text(BENCHMARKS[name])
    built = build_corpus(RECIPES / "corpus" / "public.yaml", tmp_path / "out", data=fetched)
    ids = {row.id for _, row in read_corpus_rows(built.folder / "train.jsonl")}
    assert ids == {"CVE-2023-0001", "CVE-2023-0002", "CVE-2023-0003"}
    assert built.unreadable == 0
    (fetched / "nvdcve-2.0-2023.json.gz").unlink()
    with pytest.raises(InputError, match="run `cybersecqwen data fetch`"):
        build_corpus(RECIPES / "corpus" / "public.yaml", tmp_path / "other", data=fetched)


BENCHMARKS = {
    "rcm": "URL\tDescription\tPrompt\tGT\nu\tSomething else entirely here\tp\tCWE-20\n",
    "vsp": "URL\tDescription\tPrompt\tGT\nu\tAnother thing altogether\tp\t"
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\n",
    "mcq": "URL\tQuestion\tOption A\tOption B\tOption C\tOption D\tPrompt\tGT\n"
    "u\tWhich?\ta\tb\tc\td\tp\tB\n",
    "ate": "URL\tPlatform\tDescription\tPrompt\tGT\nu\tx\tA tool that hides\tp\tT1027\n",
    "taa": "URL\tText\tPrompt\nu\tA report of an attack\tp\n",
}
