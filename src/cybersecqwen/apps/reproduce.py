"""One job from raw data to a measured model: corpus, check, training, exports, scores, card.

Every stage leaves its result in one folder. A stage whose result is there is not done again, so a
job that was killed goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from cybersecqwen.apps import reproduce_card, reproduce_sample
from cybersecqwen.apps.corpus import build_corpus, replay_base, require_clean
from cybersecqwen.apps.evaluation import measure_model_divergence, run_evaluation, write_report
from cybersecqwen.apps.export import GgufType, export_adapter, export_gguf, export_merged
from cybersecqwen.apps.progress import JobProgress, OnProgress, ignore
from cybersecqwen.apps.training import train_lora
from cybersecqwen.core.config import load_recipe
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import sha256_file, write_json, write_text
from cybersecqwen.core.locks import exclusive
from cybersecqwen.core.rows import REPLAY_FILE
from cybersecqwen.corpus.chat.recipe import ChatRecipe, load_corpus_recipe
from cybersecqwen.corpus.cleaning.pipeline import with_files
from cybersecqwen.evaluation.divergence import Divergence
from cybersecqwen.evaluation.plan import RunOptions
from cybersecqwen.training.recipes.lora import LoraRecipe

if TYPE_CHECKING:
    from cybersecqwen.training.lora.estimate import TrainingEstimate
    from cybersecqwen.training.lora.memory_plan import Profile

ValueT = TypeVar("ValueT")

PROTOCOLS = ("ref", "constrained")
"""Protocols that the benchmarks are run under."""

_CHECKED, _ESTIMATE, _DIVERGENCE = "check.json", "estimate.json", "divergence.json"
_SETTINGS, _CARD = "settings.json", "README.md"

_REPLAY_TOGETHER = 32
"""Neutral prompts that the base answers at once."""


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
        dry_run: Whether to go through all stages with a few records and a tiny random model.
    """

    out: Path
    data: Path
    recipe: str = "cybersecqwen"
    recipes: Path = Path("recipes")
    base: str | None = None
    profile: Profile | None = None
    compiled: bool | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class _Plan:
    """The recipes of a job, and where its stages leave what they make."""

    corpus: ChatRecipe
    lora: LoraRecipe
    options: ReproduceOptions
    data: Path

    def at(self, name: str) -> Path:
        return self.options.out / name

    @property
    def trained(self) -> Path:
        return self.at("trained" if self.lora.method == "full" else "adapter")

    @property
    def benchmarks(self) -> list[Path]:
        return [self.data / path for path in self.corpus.benchmarks]


def reproduce(options: ReproduceOptions, *, on_progress: OnProgress = ignore) -> Path:
    """Do every stage whose result is not there yet; return the path of the model card.

    Args:
        options: What to make.
        on_progress: Told of each stage and of what it tells.

    Raises:
        LockedError: Another job is at work in the folder.
        InputError: A recipe or file cannot be used, memory or disk do not suffice, the folder holds
            what other settings made, or the corpus overlaps a benchmark.
        MissingExtraError: The ``train`` or ``llm`` extra is not installed.
        ModelError: An export answers unlike its source.
    """
    corpus, lora = _recipes(options)
    with exclusive(options.out):
        _claim(options, corpus, lora)
        return _reproduce(_planned(options, corpus, lora, on_progress), on_progress)


def _reproduce(plan: _Plan, on_progress: OnProgress) -> Path:
    options = plan.options
    _stage(plan.at("corpus"), "corpus", on_progress, lambda: _corpus(plan, on_progress))
    _stage(plan.at(_CHECKED), "check", on_progress, lambda: _check(plan))
    plan = _with_base(plan)
    if plan.lora.replay:
        replay = plan.at("corpus") / REPLAY_FILE
        _stage(replay, "replay", on_progress, lambda: _replay(plan))
    _stage(plan.at(_ESTIMATE), "estimate", on_progress, lambda: _estimate(plan))
    found = _read(plan.at(_ESTIMATE), dict[str, Any])
    on_progress(JobProgress(f"estimate: {found['said']}"))
    merged, base = _tuned(plan, on_progress), plan.lora.base
    kind: GgufType = "q8_0" if options.dry_run else "q4_k_m"
    gguf = plan.at(f"model-{kind}.gguf")
    _stage(gguf, "gguf", on_progress, lambda: export_gguf(merged, gguf, quantisation=kind))
    logs = list(_evaluate(plan, {"base": base, "tuned": str(merged)}, on_progress))
    _stage(
        plan.at(_DIVERGENCE),
        "divergence",
        on_progress,
        lambda: write_json(
            plan.at(_DIVERGENCE),
            measure_model_divergence(
                f"hf:{base}", f"hf:{merged}", limit=4 if options.dry_run else None
            ),
        ),
    )
    _stage(
        plan.at("report"),
        "report",
        on_progress,
        lambda: write_report(logs, plan.at("report"), plan.lora.name),
    )
    card = reproduce_card.write_card(
        plan.lora,
        plan.trained.name,
        logs,
        _read(plan.at(_DIVERGENCE), Divergence),
        _read(plan.at(_CHECKED), dict[str, str]),
        dry_run=options.dry_run,
    )
    write_text(plan.at(_CARD), card)
    return plan.at(_CARD)


def _tuned(plan: _Plan, on_progress: OnProgress) -> Path:
    """Train, average with the base and merge, as far as the recipe asks; return the model."""
    trained, merged, scale = plan.trained, plan.at("merged"), plan.lora.scale
    _stage(trained, "train", on_progress, lambda: _train(plan, on_progress))
    if plan.lora.method == "full":
        if scale == 1:
            return trained
        _stage(merged, "average", on_progress, lambda: export_merged(trained, merged, scale=scale))
        return merged
    adapter = trained
    if scale != 1:
        adapter = plan.at("scaled")
        _stage(adapter, "scale", on_progress, lambda: export_adapter(trained, adapter, scale=scale))
    _stage(merged, "merge", on_progress, lambda: export_merged(adapter, merged))
    return merged


def _stage(result: Path, name: str, on_progress: OnProgress, make: Callable[[], object]) -> None:
    """Make a result that is not there yet."""
    if result.exists():
        on_progress(JobProgress(f"{name}: {result} is there"))
        return
    on_progress(JobProgress(name))
    make()


def _read(path: Path, kind: type[ValueT]) -> ValueT:
    return msgspec.json.decode(path.read_bytes(), type=kind)


def _recipes(options: ReproduceOptions) -> tuple[ChatRecipe, LoraRecipe]:
    """Return the recipes, with the base that was asked for."""
    files = [options.recipes / kind / f"{options.recipe}.yaml" for kind in ("corpus", "lora")]
    for file in files:
        if not file.is_file():
            raise InputError(f"{file}: no such recipe; --recipes names the folder that holds it")
    corpus = load_corpus_recipe(files[0])
    if not isinstance(corpus, ChatRecipe):
        raise InputError(f"{files[0]}: no recipe of kind chat")
    lora = load_recipe(files[1], LoraRecipe)
    if options.base:
        lora = msgspec.structs.replace(lora, base=options.base)
    return corpus, lora


def _claim(options: ReproduceOptions, corpus: ChatRecipe, lora: LoraRecipe) -> None:
    """Refuse a folder of other settings, and what cannot come to an end on this machine."""
    if options.out.exists() and not options.out.is_dir():
        raise InputError(f"{options.out}: is no folder")
    settings = {
        "dry_run": options.dry_run,
        "corpus recipe": msgspec.to_builtins(corpus),
        "LoRA recipe": msgspec.to_builtins(lora),
    }
    kept = options.out / _SETTINGS
    if kept.is_file():
        before, now = _read(kept, dict[str, Any]), _as_stored(settings)
        changed = [name for name in now if before.get(name) != now[name]]
        if changed:
            raise InputError(
                f"{options.out}: holds what other settings made ({', '.join(changed)}); take "
                "another --out, or the settings that it was begun with"
            )
    if not (options.out / "corpus").is_dir():
        _require_files(options, corpus)
    if not options.dry_run or options.base:
        from cybersecqwen.training.lora.estimate import require_room

        require_room(lora, options.out, options.profile)
    options.out.mkdir(exist_ok=True)
    write_json(kept, settings)


def _require_files(options: ReproduceOptions, corpus: ChatRecipe) -> None:
    """See that the data folder has what the corpus is built from."""
    data, knowledge = options.data, corpus.knowledge
    if not data.is_dir():
        raise InputError(f"{data}: no such folder; --data names that of the raw data")
    catalogues = [knowledge.cwe] if options.dry_run else [knowledge.cwe, *knowledge.stix]
    sources = [source.path for source in with_files(corpus, data).sources]
    wanted = [*sources, *corpus.benchmarks, *catalogues]
    missing = [path for path in wanted if not (data / path).exists()]
    if missing:
        raise InputError(
            f"{data}: lacks {', '.join(missing)}, which the corpus recipe names; `cybersecqwen "
            "data fetch` gets what is public"
        )


def _as_stored(settings: dict[str, Any]) -> dict[str, Any]:
    stored: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(settings))
    return stored


def _planned(
    options: ReproduceOptions, corpus: ChatRecipe, lora: LoraRecipe, on_progress: OnProgress
) -> _Plan:
    """Return the plan; in a dry run the recipes shortened, for a sample of the data."""
    data = options.data
    if options.dry_run:
        data = options.out / "sample"
        corpus, lora = reproduce_sample.shortened(corpus, lora)
        _stage(
            data,
            "sample",
            on_progress,
            lambda: reproduce_sample.write_sample(corpus, options.data, data),
        )
    return _Plan(corpus, lora, options, data)


def _corpus(plan: _Plan, on_progress: OnProgress) -> None:
    build_corpus(plan.corpus, plan.at("corpus"), data=plan.data, on_progress=on_progress)


def _check(plan: _Plan) -> None:
    require_clean(plan.at("corpus"), plan.benchmarks)
    write_json(plan.at(_CHECKED), {file.name: sha256_file(file) for file in plan.benchmarks})


def _with_base(plan: _Plan) -> _Plan:
    """Return the plan with its base, in a dry run a tiny one, which is made."""
    if not plan.options.dry_run or plan.options.base:
        return plan
    from cybersecqwen.training.lora.tiny_base import write_tiny_base

    folder = plan.at("tiny-base")
    if not (folder / "config.json").is_file():
        write_tiny_base(folder, reproduce_sample.texts_of(plan.at("corpus")))
    lora = msgspec.structs.replace(plan.lora, base=str(folder))
    return _Plan(plan.corpus, lora, plan.options, plan.data)


def _replay(plan: _Plan) -> None:
    """Let the base answer neutral prompts, in a dry run a few."""
    replay_base(
        plan.at("corpus"),
        f"hf:{plan.lora.base}",
        prompts=8 if plan.options.dry_run else 1000,
        options={"batch_size": _REPLAY_TOGETHER},
    )


def _estimate(plan: _Plan) -> None:
    from cybersecqwen.training.lora.estimate import estimate_training

    found: TrainingEstimate = estimate_training(
        plan.lora,
        plan.at("corpus"),
        profile=plan.options.profile,
        compiled=plan.options.compiled,
        steps=2 if plan.options.dry_run else 5,
    )
    write_json(plan.at(_ESTIMATE), {**msgspec.to_builtins(found), "said": found.said})


def _train(plan: _Plan, on_progress: OnProgress) -> None:
    train_lora(
        plan.lora,
        plan.at("corpus"),
        plan.trained,
        profile=plan.options.profile,
        against=plan.benchmarks,
        resume=plan.at(f"{plan.trained.name}.work").exists(),
        compiled=plan.options.compiled,
        on_progress=on_progress,
    )


def _evaluate(plan: _Plan, models: dict[str, str], on_progress: OnProgress) -> Iterator[Path]:
    """Run the general check and the benchmarks that the recipe names; yield the logs."""
    short: dict[str, Any] = {"limit": 2, "trials": 1} if plan.options.dry_run else {}
    files = {file.stem: file for file in plan.benchmarks}
    asked = [(name, files[name]) for name in ("cti-rcm", "cti-mcq") if name in files]
    for which, model in models.items():
        runs: list[tuple[str, Path | None, str]] = [("general", None, "ref")]
        runs += [(name, file, protocol) for name, file in asked for protocol in PROTOCOLS]
        for task, data, protocol in runs:
            log = plan.at("logs") / f"{which}-{task}-{protocol}.jsonl"
            log.parent.mkdir(exist_ok=True)
            on_progress(JobProgress(f"{task} by {protocol}, {which}"))
            writes = protocol != "constrained"
            limits = short | ({"max_tokens": 8} if short and writes else {})
            if task == "general" and not short:
                limits = {"trials": 1}
            run_evaluation(
                RunOptions(task, data, f"hf:{model}", protocol, **limits),
                log,
                on_progress=on_progress,
            )
            yield log
