"""Load a model folder, and refuse one that is not whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cybersecqwen.core.atomic_folder import recover
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.lenient_json import DECODE_ERRORS
from cybersecqwen.core.model_folder import (
    CONFIG_FILE,
    FORMAT_VERSION,
    GRAPH_FILE,
    TOKENIZER_FILE,
    SpecialistConfig,
)
from cybersecqwen.core.model_spec import ModelSpec


class _Version(msgspec.Struct):
    """The one field that every version of the format has."""

    format_version: int


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder whose files are whole.

    Attributes:
        path: Where it is.
        config: Its configuration.
        graph: The ONNX file.
        tokenizer: The tokenizer's file.
        digest: SHA-256 of ``config.json``, which names the other files by their digests, and so
            stands for the whole model.
    """

    path: Path
    config: SpecialistConfig
    graph: bytes
    tokenizer: bytes
    digest: str


def shipped_folder() -> Path:
    """Return where the model that ships with the package lies, if it does."""
    return Path(__file__).parent / "weights"


def resolve_folder(model: str | Path | None) -> Path:
    """Return the folder that a model SPEC names.

    Args:
        model: None or ``embedded`` for the shipped model, else a model folder's path.

    Raises:
        InputError: It names another kind of model.
    """
    spec = ModelSpec.parse(model)
    if spec.scheme != "embedded":
        raise InputError(
            f"{model}: no embedded specialist; give 'embedded' or the path of a model folder"
        )
    return Path(spec.target) if spec.target else shipped_folder()


def read_config(path: Path) -> tuple[SpecialistConfig, str]:
    """Read and check a folder's ``config.json``; return it with its SHA-256.

    Raises:
        InputError: There is no such folder, or it is no model folder.
        ModelError: The configuration is damaged, contradicts itself or is of a newer format.
    """
    recover(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such model folder")
    file = path / CONFIG_FILE
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: no model folder, it has no readable {CONFIG_FILE}") from error
    try:
        found = msgspec.json.decode(content, type=_Version).format_version
        if found > FORMAT_VERSION:
            raise ModelError(
                f"{file}: format version {found} is newer than the {FORMAT_VERSION} that this "
                "installation reads: install a newer cybersecqwen"
            )
        config = msgspec.json.decode(content, type=SpecialistConfig)
    except DECODE_ERRORS as error:
        raise ModelError(f"{file}: not a specialist's configuration: {error}") from error
    if problem := _contradiction(config):
        raise ModelError(f"{file}: {problem}")
    return config, hashlib.sha256(content).hexdigest()


def _contradiction(config: SpecialistConfig) -> str:
    """Say what in a configuration cannot be, or return an empty string."""
    known = set(config.labellers)
    checks = {
        f"format version {config.format_version} does not exist": config.format_version < 1,
        "no labels": not config.labels,
        "a label appears twice": len(set(config.labels)) != len(config.labels),
        "no labellers": not config.labellers,
        "a labeller appears twice": len(known) != len(config.labellers),
        "max_tokens is under 3": config.max_tokens < 3,
        "temperature and threshold must name exactly the labellers": not (
            config.temperature.keys() == config.threshold.keys() == known
        ),
        "a temperature is not above 0": any(not t > 0 for t in config.temperature.values()),
        "a threshold is outside 0 to 1": any(not 0 <= t <= 1 for t in config.threshold.values()),
    }
    return next((problem for problem, holds in checks.items() if holds), "")


def load_folder(path: Path) -> ModelFolder:
    """Read a model folder whole, checking each file against its digest.

    Raises:
        InputError: There is no such folder, or it is no model folder.
        ModelError: A file is missing or damaged, or the format is newer than this installation.
    """
    config, digest = read_config(path)
    content = {}
    for name in (GRAPH_FILE, TOKENIZER_FILE):
        try:
            content[name] = (path / name).read_bytes()
        except OSError as error:
            raise ModelError(f"{path / name}: cannot be read: {error.strerror}") from error
        if hashlib.sha256(content[name]).hexdigest() != config.sha256.get(name):
            raise ModelError(
                f"{path / name}: damaged, its SHA-256 is not the one in {CONFIG_FILE}; "
                "reinstall or copy the model again"
            )
    return ModelFolder(path, config, content[GRAPH_FILE], content[TOKENIZER_FILE], digest)
