"""What a job of ``reproduce`` is made from, and whether its folder was begun with the same."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cybersecqwen.apps.progress import JobProgress, OnProgress
from cybersecqwen.core.config import load_recipe
from cybersecqwen.core.errors import InputError, require_extra
from cybersecqwen.core.files import sha256_file, write_json
from cybersecqwen.corpus.chat.recipe import ChatRecipe, load_corpus_recipe
from cybersecqwen.corpus.cleaning.pipeline import with_files
from cybersecqwen.training.recipes.lora import LoraRecipe

if TYPE_CHECKING:
    from cybersecqwen.training.lora.memory_plan import Profile

_SETTINGS, _INPUTS = "settings.json", "inputs.json"
_TOLD = 3  # settings that differ, of which an error tells
_BUILDING_SECONDS = 2054 / 171_390
"""Of a processor core for a conversation, as the default recipe took."""

REPLAYED_PROMPTS = 1000
"""Neutral prompts that the base answers."""


class InputFile(msgspec.Struct, frozen=True):
    """A file as it was when it was last read.

    Attributes:
        size: Bytes.
        modified: Time of its last change, ns since 1970; where it and the size are the same, the
            file is taken to be.
        sha256: Of its bytes.
    """

    size: int
    modified: int
    sha256: str


@dataclass(frozen=True)
class ReproduceOptions:
    """What to make, and from what.

    Attributes:
        out: Folder for everything.
        data: Folder of raw data, which the corpus recipe's paths are relative to.
        recipe: Name of a corpus recipe and a LoRA recipe.
        recipes: Folder that holds ``corpus/NAME.yaml`` and ``lora/NAME.yaml``.
        base: Hub id or folder of the base; None for the recipe's.
        profile: Memory to keep to; None for this machine's.
        compiled: Whether PyTorch compiles the layers; None for where it pays.
        limit: Questions of each evaluation at most, where time does not suffice for all; None for
            all. Logs of another limit are written anew.
        dry_run: Whether to go through all stages with a few records and a tiny random model.
        corpus: Name of the corpus recipe, where it is another than ``recipe``.
    """

    out: Path
    data: Path
    recipe: str = "cybersecqwen"
    recipes: Path = Path("recipes")
    base: str | None = None
    profile: Profile | None = None
    compiled: bool | None = None
    limit: int | None = None
    dry_run: bool = False
    corpus: str | None = None


def read_recipes(options: ReproduceOptions) -> tuple[ChatRecipe, LoraRecipe]:
    """Return the recipes, with the base that was asked for.

    Raises:
        InputError: There is no such recipe, or it cannot be used.
    """
    names = {"corpus": options.corpus or options.recipe, "lora": options.recipe}
    files = [options.recipes / kind / f"{name}.yaml" for kind, name in names.items()]
    for file in files:
        if not file.is_file():
            known = sorted(path.stem for path in file.parent.glob("*.yaml"))
            there = f"there are {', '.join(known)}" if known else "nor any other there"
            raise InputError(
                f"{file}: no such recipe; {there}; --recipes names the folder, which is `recipes` "
                "in the repository"
            )
    corpus = load_corpus_recipe(files[0])
    if not isinstance(corpus, ChatRecipe):
        raise InputError(f"{files[0]}: no recipe of kind chat")
    lora = load_recipe(files[1], LoraRecipe)
    if options.base:
        lora = msgspec.structs.replace(lora, base=options.base)
    return corpus, lora


def claim(options: ReproduceOptions, corpus: ChatRecipe, lora: LoraRecipe) -> None:
    """Take the folder for a job, whose lock is held, and keep note of what it is made from.

    Raises:
        InputError: The folder holds what is not this job's, or what other settings or inputs made;
            a file or the base is not there; or memory or disk cannot suffice.
        MissingExtraError: An extra that some stage needs is not installed.
    """
    out = options.out
    if options.limit is not None and options.limit < 1:
        raise InputError(f"--limit must be at least 1, not {options.limit}")
    _require_own_folder(out)
    settings = {"dry_run": options.dry_run, "corpus recipe": corpus, "LoRA recipe": lora}
    kept = out / _SETTINGS
    if kept.is_file():
        _require_same(out, msgspec.json.decode(kept.read_bytes()), settings)
    _require_extras()
    if not (out / "corpus").is_dir():
        _require_files(options, corpus)
    based = not options.dry_run or options.base is not None
    if based:
        from cybersecqwen.training.lora.estimate import require_room

        require_room(lora, out, options.profile)
    files = dict(_files_below(options.data, _read_by(options, corpus)))
    if based:
        files |= dict(_model_files(lora.base))
    out.mkdir(exist_ok=True)
    write_json(kept, settings)
    _require_unchanged(out, files)


def tell_before(
    options: ReproduceOptions, corpus: ChatRecipe, lora: LoraRecipe, on_progress: OnProgress
) -> None:
    """Tell about what a job will take before its corpus is built, which takes long itself.

    Nothing is told where the corpus is there, or of a dry run, which takes a minute.
    """
    if options.dry_run or (options.out / "corpus").is_dir():
        return
    from cybersecqwen.training.lora.estimate import estimate_training, said_time

    parts = (corpus.mapping, corpus.quiz, corpus.statements)
    rows = sum(part.rows for part in parts if part) + lora.replay * REPLAYED_PROMPTS
    on_progress(JobProgress("timing some steps, to tell what to expect"))
    found = estimate_training(lora, rows, profile=options.profile, compiled=options.compiled)
    building = said_time(rows * _BUILDING_SECONDS)
    on_progress(
        JobProgress(f"estimate: corpus: up to {rows:,} conversations, about {building} of a core")
    )
    on_progress(JobProgress(f"estimate: {found.said}; told again once the corpus is there"))


def _read_by(options: ReproduceOptions, corpus: ChatRecipe) -> list[str]:
    """Return the paths in the data folder that a job reads."""
    knowledge, data = corpus.knowledge, options.data
    catalogues = [knowledge.cwe] if options.dry_run else [knowledge.cwe, *knowledge.stix]
    sources = with_files(corpus, data).sources if data.is_dir() else ()
    return [*(source.path for source in sources), *corpus.benchmarks, *catalogues]


def _require_files(options: ReproduceOptions, corpus: ChatRecipe) -> None:
    """See that the data folder has what the corpus is built from."""
    data = options.data
    if not data.is_dir():
        raise InputError(f"{data}: no such folder; --data names that of the raw data")
    missing = [path for path in _read_by(options, corpus) if not (data / path).exists()]
    if missing:
        raise InputError(
            f"{data}: lacks {', '.join(missing)}, which the corpus recipe names; --data names the "
            "folder that has them, and docs/lora.md says where they come from"
        )


def _require_same(out: Path, before: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Refuse settings that are not those a folder was begun with; say which.

    A key that an older version did not know counts as having its default, and one that is no more
    as changed, unless it was off.
    """
    changed: list[str] = []
    for name, now in settings.items():
        then = _without_gone(before.get(name), now)
        with suppress(msgspec.ValidationError):
            then = msgspec.convert(then, type(now))
        changed += _differing(name, _as_stored(then), _as_stored(now))
    if changed:
        more = f" and {len(changed) - _TOLD} more" if len(changed) > _TOLD else ""
        raise InputError(
            f"{out}: holds what other settings made ({'; '.join(changed[:_TOLD])}{more}); take "
            "another --out, or the settings that it was begun with"
        )


def _without_gone(then: Any, now: Any) -> Any:
    """Return a stored recipe without keys that there are no more and that were off or empty."""
    if not isinstance(then, dict) or not isinstance(now, msgspec.Struct):
        return then
    return {
        key: _without_gone(value, getattr(now, key, None))
        for key, value in then.items()
        if value or key in now.__struct_fields__
    }


def _differing(name: str, before: Any, now: Any) -> Iterator[str]:
    """Yield each value within two settings that differs, by the keys that lead to it.

    Of two recipes of unlike names that says all.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        same_name = before.get("name") == now.get("name")
        for key in sorted({*before, *now}) if same_name else ["name"]:
            yield from _differing(f"{name}: {key}", before.get(key), now.get(key))
    elif before != now:
        then, today = (textwrap.shorten(json.dumps(value), 60) for value in (before, now))
        yield f"{name}: {then} then, {today} now"


def _as_stored(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def _require_extras() -> None:
    """See that what any stage imports is installed, before the first one is begun."""
    require_extra("corpus", "scipy", "sklearn", "sparse_dot_topn")
    import cybersecqwen.training.export.gguf
    import cybersecqwen.training.lora  # noqa: F401


def _require_own_folder(out: Path) -> None:
    """Refuse a folder that holds something, but nothing of an earlier job."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is no folder")
    if out.is_dir() and not (out / _SETTINGS).is_file() and any(out.iterdir()):
        raise InputError(f"{out}: holds other things; give --out a new folder, or an empty one")


def _require_unchanged(out: Path, files: Mapping[str, Path]) -> None:
    """Refuse inputs that are not those the folder was begun with; keep note of new ones.

    One that is gone is passed over: the stage that needs it says so.
    """
    kept = out / _INPUTS
    before: dict[str, InputFile] = {}
    if kept.is_file():
        before = msgspec.json.decode(kept.read_bytes(), type=dict[str, InputFile])
    now = dict(before)
    for name, path in files.items():
        if not path.is_file():
            continue
        found = _state(path, before.get(name))
        if name in before and before[name].sha256 != found.sha256:
            raise InputError(
                f"{path}: is not the file that {out} was begun with; put that one back, or take "
                "another --out"
            )
        now[name] = found
    write_json(kept, now)


def _state(path: Path, before: InputFile | None) -> InputFile:
    found = path.stat()
    if before and (before.size, before.modified) == (found.st_size, found.st_mtime_ns):
        return before
    return InputFile(found.st_size, found.st_mtime_ns, sha256_file(path))


def _files_below(folder: Path, paths: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield the files that paths in a folder name, those of a folder in it each by itself."""
    for path in paths:
        place = folder / path
        found = sorted(place.rglob("*")) if place.is_dir() else [place]
        yield from ((file.relative_to(folder).as_posix(), file) for file in found)


def _model_files(base: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of a base's folder that make it what it is; none of a hub id."""
    folder = Path(base)
    for pattern in ("*.json", "*.jinja", "*.safetensors"):
        yield from ((f"base/{file.name}", file) for file in sorted(folder.glob(pattern)))


def require_sources(pairs: Iterable[tuple[Path, Path]]) -> None:
    """Refuse a result that is there without what it was made from.

    What is made again in the place of the lost one would not be what the later results came of.

    Args:
        pairs: A result and another that is made from it, each.

    Raises:
        InputError: The first is gone and the second is there.
    """
    for source, result in pairs:
        if result.exists() and not source.exists():
            raise InputError(
                f"{source}: is gone, but {result}, which was made from it, is there; put it back, "
                "or remove that as well"
            )
