"""What a model folder is, in facts for a person or a program."""

from __future__ import annotations

import msgspec

from cybersecqwen.core.model_folder import CARD_FILE, CONFIG_FILE, GRAPH_FILE, TOKENIZER_FILE
from cybersecqwen.specialists.model import load_folder, resolve_folder


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A model folder that is whole.

    Attributes:
        name: The model's name.
        version: The model's version.
        path: The folder.
        format_version: Version of the folder's format.
        bytes: Size of all its files together.
        files: Size in bytes of each of its files.
        sha256: Digest of each file that the configuration names; checked.
        digest: Digest of the configuration, which stands for the whole model.
        labels: CWE ids it can answer with.
        labellers: Whose conventions it knows.
        max_tokens: Tokens of a text that it reads.
        temperature: Per labeller, what logits are divided by.
        threshold: Per labeller, the confidence under which it abstains.
        taxonomy_version: Version of the CWE catalogue that its labels come from.
        provenance: Where it comes from.
    """

    name: str
    version: str
    path: str
    format_version: int
    bytes: int
    files: dict[str, int]
    sha256: dict[str, str]
    digest: str
    labels: tuple[str, ...]
    labellers: tuple[str, ...]
    max_tokens: int
    temperature: dict[str, float]
    threshold: dict[str, float]
    taxonomy_version: str
    provenance: dict[str, str]


def model_facts(model: str | None = None) -> ModelFacts:
    """Check a model folder and describe it; ``model`` as for ``CweMapper.load``.

    Raises:
        InputError: There is no model folder.
        ModelError: The model is damaged or of a newer format.
    """
    folder = load_folder(resolve_folder(model))
    config = folder.config
    sizes = {
        name: (folder.path / name).stat().st_size
        for name in (GRAPH_FILE, TOKENIZER_FILE, CONFIG_FILE, CARD_FILE)
        if (folder.path / name).is_file()
    }
    return ModelFacts(
        name=config.name,
        version=config.version,
        path=str(folder.path),
        format_version=config.format_version,
        bytes=sum(sizes.values()),
        files=sizes,
        sha256=config.sha256,
        digest=folder.digest,
        labels=config.labels,
        labellers=config.labellers,
        max_tokens=config.max_tokens,
        temperature=config.temperature,
        threshold=config.threshold,
        taxonomy_version=config.taxonomy_version,
        provenance=config.provenance,
    )
