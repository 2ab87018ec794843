"""The beginnings of files that a dry run goes through."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import msgspec

from cybersecqwen.apps.reproduce_sample import shortened, write_sample
from cybersecqwen.core.config import load_recipe
from cybersecqwen.core.records import Advisory
from cybersecqwen.corpus.chat.recipe import ChatRecipe
from cybersecqwen.corpus.cleaning.pipeline import with_files
from cybersecqwen.sources import read_advisories
from cybersecqwen.training.recipes.lora import LoraRecipe
from small_chat import records

RECIPES = Path(__file__).parents[2] / "recipes"


def test_feeds_and_archives_are_sampled_by_record(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "sample"
    data.mkdir()
    said = {
        "id": "CVE-2023-0001",
        "published": "2023-02-01T00:00:00",
        "vulnStatus": "Analyzed",
        "descriptions": [{"lang": "en", "value": "The login form is open to SQL injection."}],
        "weaknesses": [
            {"source": "nvd@nist.gov", "type": "Primary", "description": [{"value": "CWE-89"}]}
        ],
    }
    feed = {"format": "NVD_CVE", "version": "2.0", "vulnerabilities": [{"cve": said}]}
    with gzip.open(data / "nvdcve-2.0-2023.json.gz", "wt") as file:
        json.dump(feed, file)
    with zipfile.ZipFile(data / "1_all_CVEs_at_midnight.zip", "w") as archive:
        for record in records()[:3]:
            archive.writestr(f"cves/{record['cveMetadata']['cveId']}.json", json.dumps(record))
    (data / "cwec_latest.xml.zip").write_bytes(b"the catalogue")
    recipe = load_recipe(RECIPES / "corpus" / "cybersecqwen-public.yaml", ChatRecipe)
    recipe = msgspec.structs.replace(recipe, benchmarks=())
    write_sample(recipe, data, out)
    lora = load_recipe(RECIPES / "lora" / "cybersecqwen.yaml", LoraRecipe)
    nvd, cna = with_files(shortened(recipe, lora)[0], out).sources
    (read,) = read_advisories(out / nvd.path, nvd.format)
    assert isinstance(read, Advisory)
    assert (read.id, read.published, read.cwes("nvd")) == (
        "CVE-2023-0001",
        "2023-02-01",
        ("CWE-89",),
    )
    assert [r.cwes("cna") for r in read_advisories(out / cna.path, cna.format)] == [
        ("CWE-79",),
        ("CWE-89",),
        ("CWE-22",),
    ]
    assert (out / "cwec_latest.xml.zip").read_bytes() == b"the catalogue"
