"""What a model's files are, before any of them is trusted: formats, digests, and code among them.

A folder states its files' digests in ``config.json`` (a specialist) or in ``SHA256SUMS``, as
``sha256sum`` writes and checks them. Whoever loads a model compares them first, so that no parser
sees a damaged file. Digests beside the files that they are of show damage, not
forgery: against that there are the whole's digest, from where the model comes from, and signatures.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import msgspec

from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.files import digest_of, sha256_file, write_text
from cybersecqwen.core.model_folder import ANALYST_TECHNIQUES_FILE, CONFIG_FILE

NO_CODE: Final = {"trust_remote_code": False}
"""For every ``from_pretrained``. Left out, transformers asks on standard input whether to run the
code that a folder brings, and takes a ``y`` that a pipe holds for a yes."""

SUMS_FILE: Final = "SHA256SUMS"

_CODE: Final = (
    *(".py", ".pyc", ".so", ".dll", ".dylib", ".sh"),
    *(".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"),  # pickles, mostly
)
_ADAPTER = "adapter_config.json"
_STATING: Final = (CONFIG_FILE, ANALYST_TECHNIQUES_FILE)
_GGUF_MAGIC = b"GGUF"
_SUM = re.compile(r"^([0-9a-f]{64}) [ *](.+)$")
_LONGEST_CONFIG_BYTES = 16 << 20


class ModelFiles(msgspec.Struct, frozen=True, kw_only=True):
    """A model's file or folder.

    Attributes:
        path: Where it is.
        kind: What it is, in words.
        bytes: Size of all its files together.
        digest: What stands for the whole, as ``serve --model-sha256`` wants it.
        sha256: Digest of each file, by its path in the folder.
        checked: Files whose digest the folder states; each is that.
        unstated: Files whose digest it does not state.
        code: Files that hold code, or could; none is ever run or loaded.
        asks_for_code: Whether its configuration wants code of its own to be run, which is not done.
        provenance: Where it comes from, as far as it says so.
    """

    path: str
    kind: str
    bytes: int
    digest: str
    sha256: dict[str, str]
    checked: tuple[str, ...]
    unstated: tuple[str, ...]
    code: tuple[str, ...]
    asks_for_code: bool
    provenance: dict[str, str]


def describe_model_files(path: Path) -> ModelFiles:
    """Look at a model's files without loading any of them.

    Raises:
        InputError: There is no such file or folder, or it cannot be read.
        ModelError: A file is not what the folder states.
    """
    try:
        names = [path.name] if path.is_file() else _names(path)
        folder = path.parent if path.is_file() else path
        sha256 = {name: sha256_file(folder / name) for name in names}
        size = sum((folder / name).stat().st_size for name in names)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    config = _json(folder / CONFIG_FILE) if path.is_dir() else {}
    stated = _stated(folder, names) if path.is_dir() else {}
    for name, digest in stated.items():
        if sha256.get(name) != digest:
            raise _other_file(folder / name, missing=name not in sha256)
    provenance = config.get("provenance")
    return ModelFiles(
        path=str(path),
        kind=_kind(path, names, config),
        bytes=size,
        digest=digest_of(path),
        sha256=sha256,
        checked=tuple(stated),
        unstated=tuple(n for n in names if n not in stated and Path(n).name != CONFIG_FILE),
        code=tuple(name for name in names if name.lower().endswith(_CODE)),
        asks_for_code=any("auto_map" in _json(folder / name) for name in _CONFIGS if name in names),
        provenance={str(k): str(v) for k, v in provenance.items()}
        if isinstance(provenance, dict)
        else {},
    )


_CONFIGS = (CONFIG_FILE, "tokenizer_config.json", _ADAPTER)


def check_stated_files(*models: str | Path | None) -> None:
    """Compare models with the digests that their folders state, before a byte of them is parsed.

    What states none (a hub id, a folder without ``SHA256SUMS``) is passed over.

    Args:
        models: Folders, or files in one; of a file its own digest alone is compared.

    Raises:
        ModelError: A file is missing, or is not the one that its folder states.
    """
    for path in (Path(model) for model in models if model is not None):
        folder = path.parent if path.is_file() else path
        for name, digest in _sums(folder).items():
            if path.is_file() and name != path.name:
                continue
            try:
                found = sha256_file(folder / name)
            except OSError:
                found = ""
            if found != digest:
                raise _other_file(folder / name, missing=not found)


def _other_file(file: Path, *, missing: bool) -> ModelError:
    what = "is missing or cannot be read" if missing else "is not the one that its folder states"
    return ModelError(f"{file}: {what}; copy the model again")


def write_sums(folder: Path) -> None:
    """Write the digests of a folder's files into it, for ``sha256sum --check SHA256SUMS``.

    Raises:
        OSError: It cannot be read or written.
    """
    lines = [f"{sha256_file(folder / name)}  {name}\n" for name in _names(folder)]
    write_text(folder / SUMS_FILE, "".join(lines))


def _names(folder: Path) -> list[str]:
    """Return the paths of a folder's files in it, hidden ones and the list of digests left out."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such file or folder")
    found = (file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    shown = [name for name in found if not any(part.startswith(".") for part in name.parts)]
    return sorted(name.as_posix() for name in shown if name != Path(SUMS_FILE))


def is_other_model(path: Path) -> bool:
    """Whether a path is a model's, and not a specialist that maps texts to weaknesses."""
    if path.is_file():
        return True
    config = _json(path / CONFIG_FILE)
    own = "labellers" in config and "kind" not in config
    return not own and (bool(config) or (path / _ADAPTER).is_file())


def _stated(folder: Path, names: list[str]) -> dict[str, str]:
    """Return the digests that a folder states, and the specialists in it, by file."""
    stated: dict[str, str] = {}
    for config in (Path(name) for name in names if Path(name).name in _STATING):
        listed = _json(folder / config).get("sha256")
        if isinstance(listed, dict):
            stated |= {(config.parent / str(k)).as_posix(): str(v) for k, v in listed.items()}
    return stated | _sums(folder)


def _sums(folder: Path) -> dict[str, str]:
    """Return the digests in a folder's ``SHA256SUMS``, by file; none where there is no such list.

    Raises:
        ModelError: The list cannot be read, or names what is not in the folder.
    """
    sums = folder / SUMS_FILE
    if not sums.is_file():
        return {}
    try:
        lines = sums.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{sums}: cannot be read: {error}") from error
    stated = {}
    for number, line in enumerate(lines, 1):
        match = _SUM.match(line)
        if match is None:
            raise ModelError(f"{sums}:{number}: not a line of sha256sum")
        if Path(match[2]).is_absolute() or ".." in Path(match[2]).parts:
            raise ModelError(f"{sums}:{number}: leads out of its folder")
        stated[match[2]] = match[1]
    return stated


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LONGEST_CONFIG_BYTES:
            return {}
        value = msgspec.json.decode(path.read_bytes())
    except (OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return {}
    return value if isinstance(value, dict) else {}


def _kind(path: Path, names: list[str], config: dict[str, Any]) -> str:
    if path.is_file():
        with path.open("rb") as stream:
            magic = stream.read(len(_GGUF_MAGIC))
        return "a language model in one file (GGUF)" if magic == _GGUF_MAGIC else "a file"
    if "model.onnx" in names and "sha256" in config:
        return f"a specialist ({config.get('kind', 'weaknesses')})"
    weights = [name for name in names if name.endswith(".safetensors")]
    if _ADAPTER in names:
        return "an adapter (LoRA)" if weights else "an adapter without weights that are read"
    if weights:
        return "a language model (safetensors)"
    return "a folder without weights that are read"
