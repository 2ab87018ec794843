"""Models opened only when their files are what the operator says they are."""

from __future__ import annotations

import hmac
import logging
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.files import digest_of
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.model_folder import CONFIG_FILE
from cybersecqwen.core.model_spec import ModelSpec
from cybersecqwen.llm import open_backend
from cybersecqwen.serving.settings import ServeSettings, is_loopback
from cybersecqwen.specialists import CweMapper

log = logging.getLogger("cybersecqwen.serve")

_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")


def open_specialist(settings: ServeSettings) -> CweMapper:
    """Open the specialist.

    Raises:
        InputError: It lies outside the package and its checksum is missing or wrong.
        ModelError: It is damaged.
    """
    folder, wanted = settings.specialist, settings.specialist_sha256
    if folder == "embedded":
        return CweMapper.load(folder, threads=settings.threads)
    # Before a byte is parsed. The configuration names the other files by their digests, which
    # loading compares before it parses these.
    config = _existing(Path(folder), folder) / CONFIG_FILE
    _require(folder, digest_of(config), wanted, "specialist")
    mapper = CweMapper.load(folder, threads=settings.threads)
    _require(folder, mapper.digest, wanted, "specialist")  # the file may have changed since
    return mapper


def remote_host(spec: str) -> str | None:
    """Return the other machine that a language model's SPEC sends prompts to, if it does."""
    parsed = ModelSpec.parse(spec)
    host = urlsplit(parsed.target).hostname if parsed.scheme == "openai" else None
    return host if host and not is_loopback(host) else None


def open_language_model(settings: ServeSettings) -> Backend | None:
    """Open the language model, if there is to be one.

    Raises:
        InputError: The SPEC names none, or its checksum is missing or wrong.
        MissingExtraError: It needs an optional package.
        ModelError: It cannot be loaded.
    """
    spec = settings.model
    parsed = ModelSpec.parse(spec)
    target = parsed.target
    if parsed.is_shipped:
        return None
    if parsed.scheme == "gguf":
        _require(spec, digest_of(_existing(Path(target), spec)), settings.model_sha256, "model")
        return open_backend(spec, context=settings.context, parallel=settings.parallel)
    if parsed.scheme == "hf":
        folder = _existing(Path(target), spec)
        if folder.is_dir():
            _refuse_pickles(folder)
        _require(spec, digest_of(folder), settings.model_sha256, "model")
        return open_backend(spec, local=True)
    if remote_host(spec):
        log.warning("%s is another machine: prompts are sent there", target.partition("#")[0])
    return open_backend(spec)


def _existing(path: Path, spec: str) -> Path:
    if not path.exists():
        raise InputError(f"{spec}: no such file or folder; a service loads only what is on disk")
    return path


def _require(what: str, found: str, wanted: str, setting: str) -> None:
    if not wanted:
        raise InputError(
            f"{what} lies outside the package, so its checksum must be given: "
            f"--{setting}-sha256 {found}, if that is what its source states"
        )
    if not hmac.compare_digest(found, wanted):
        raise InputError(f"{what}: its checksum is {found}, not {wanted}; it is not what you named")


def _refuse_pickles(folder: Path) -> None:
    """Refuse a folder whose weights could run code, or lie outside of it.

    Raises:
        ModelError: It has no safetensors, or their index leads elsewhere.
    """
    if not any(folder.glob("*.safetensors")):
        pickles = sorted(file.name for file in folder.iterdir() if file.suffix in _PICKLES)
        found = f"only {', '.join(pickles)}, which can run code" if pickles else "none"
        raise ModelError(f"{folder}: weights must be safetensors; it has {found}")
    for index in folder.glob("*.safetensors.index.json"):
        try:
            names = set(msgspec.json.decode(index.read_bytes())["weight_map"].values())
        except (OSError, msgspec.DecodeError, KeyError, AttributeError, TypeError) as error:
            raise ModelError(f"{index}: no index of weights: {error}") from error
        outside = [name for name in names if Path(name).name != name]
        if outside:
            raise ModelError(f"{index}: leads out of its folder: {outside[0]!r}")
