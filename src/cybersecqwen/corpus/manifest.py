"""``manifest.json`` in a built corpus's folder: what it was made of and what came out."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cybersecqwen import __version__
from cybersecqwen.core.config import Recipe
from cybersecqwen.core.files import sha256_file, write_json
from cybersecqwen.core.taxonomy import shipped_taxonomy

MANIFEST = "manifest.json"


class CorpusManifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a corpus was made of and what came out.

    Attributes:
        package: Version of cybersecqwen.
        taxonomy: Version of the CWE catalogue.
        recipe: The recipe, defaults filled in.
        inputs: SHA-256 of every file read, by its path in the data folder.
        outputs: SHA-256 of every other file of the corpus.
        teacher: Name of the model that phrased answers; empty without one.
    """

    package: str
    taxonomy: str
    recipe: Recipe
    inputs: dict[str, str]
    outputs: dict[str, str]
    teacher: str = ""


def write_manifest(
    folder: Path, recipe: Recipe, inputs: dict[str, str], *, teacher: str = ""
) -> None:
    """Write the manifest of a corpus whose other files are all there."""
    outputs = {file.name: sha256_file(file) for file in sorted(folder.iterdir())}
    taxonomy = shipped_taxonomy().version
    write_json(
        folder / MANIFEST, CorpusManifest(__version__, taxonomy, recipe, inputs, outputs, teacher)
    )
