"""Model folders by name: the shipped one, a folder, a Hugging Face id; and copies of them."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from cybersecqwen.core.atomic_folder import atomic_folder
from cybersecqwen.core.errors import ModelError, require_extra
from cybersecqwen.core.hub import require_reachable
from cybersecqwen.core.model_folder import (
    ANALYST_TECHNIQUES_FILE,
    CARD_FILE,
    CONFIG_FILE,
    GRAPH_FILE,
    RESULTS_FILE,
    TOKENIZER_FILE,
)
from cybersecqwen.core.model_spec import ModelSpec
from cybersecqwen.core.term_weights import WORDS_FILE
from cybersecqwen.specialists.model import resolve_folder
from cybersecqwen.specialists.vulnerability_technique import WEIGHTS_FILE

FILES = (CONFIG_FILE, GRAPH_FILE, TOKENIZER_FILE, CARD_FILE, RESULTS_FILE)
"""What a model folder may hold; nothing else is downloaded or copied."""

COMPANIONS = ("severity", "technique")
"""Folders of the specialists that a weakness specialist's folder may hold beside it."""

_COMPANION_FILES = (*FILES, ANALYST_TECHNIQUES_FILE, WEIGHTS_FILE, WORDS_FILE)

DOWNLOADED = (*FILES, *(f"{folder}/{name}" for folder in COMPANIONS for name in _COMPANION_FILES))
"""What of a model on the hub is downloaded."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def pretrained_folder(
    name_or_path: str | os.PathLike[str] | None = None, *, revision: str | None = None
) -> Path:
    """Return the folder of a model, downloading it where the name is a Hugging Face id.

    Args:
        name_or_path: None or ``embedded`` for the shipped model; a folder; or a Hugging Face id,
            ``ORG/NAME`` or ``hf:ORG/NAME``. An id is looked up on the hub only where no such
            folder exists; with ``HF_HUB_OFFLINE=1`` only what was downloaded before is found.
        revision: Commit, tag or branch on the hub; None for its main branch.

    Raises:
        InputError: The name is another kind of model's.
        MissingExtraError: The package that downloads is not installed.
        ModelError: The model cannot be downloaded.
    """
    name = None if name_or_path is None else os.fspath(name_or_path)
    if name is None or name == "embedded" or Path(name).is_dir():
        return resolve_folder(name)
    spec = ModelSpec.parse(name)
    if spec.scheme == "hf":
        return _download(spec.target, revision)
    if spec.scheme == "embedded" and spec.target == name and _HUB_ID.fullmatch(name):
        return _download(name, revision)
    return resolve_folder(name)


def copy_model(source: Path, folder: Path) -> None:
    """Copy a model folder's files to a new folder, which appears whole or not at all.

    The specialists of severity and technique beside it, if there are any, are copied too.

    Raises:
        InputError: ``folder`` holds something else.
        OSError: A file cannot be read or written.
    """
    with atomic_folder(folder, CONFIG_FILE) as part:
        for name in FILES:
            if (source / name).is_file():
                shutil.copyfile(source / name, part / name)
        for companion in COMPANIONS:
            for name in _COMPANION_FILES:
                if (source / companion / name).is_file():
                    (part / companion).mkdir(exist_ok=True)
                    shutil.copyfile(source / companion / name, part / companion / name)


def _download(repository: str, revision: str | None) -> Path:
    require_extra("llm", "huggingface_hub")
    # Heavy, and needed only for a name on the hub.
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415

    require_reachable(repository)
    try:
        found = snapshot_download(repository, revision=revision, allow_patterns=list(DOWNLOADED))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise ModelError(f"{repository}: cannot be downloaded from the hub: {first}") from error
    return Path(found)
