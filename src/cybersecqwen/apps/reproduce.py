"""One job from raw data to a measured model: corpus, check, training, exports, scores, card.

Every stage leaves its result in one folder. A stage whose result is there is not done again, so a
job that was killed goes on where it stopped.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cybersecqwen.apps import reproduce_card, reproduce_sample
from cybersecqwen.apps.corpus import build_corpus, replay_base, require_clean
from cybersecqwen.apps.evaluation import measure_model_divergence, run_evaluation, write_report
from cybersecqwen.apps.export import GgufType, export_adapter, export_gguf, export_merged
from cybersecqwen.apps.general_card import ANSWERED_TOGETHER
from cybersecqwen.apps.progress import JobProgress, OnProgress, ignore
from cybersecqwen.apps.reproduce_evaluation import (
    discard_older,
    questions_of,
    runs_of,
    state_of,
)
from cybersecqwen.apps.reproduce_inputs import (
    REPLAYED_PROMPTS,
    ReproduceOptions,
    claim,
    read_recipes,
    require_sources,
    tell_before,
)
from cybersecqwen.apps.training import train_lora
from cybersecqwen.core.atomic_folder import atomic_folder
from cybersecqwen.core.errors import CyberSecQwenError
from cybersecqwen.core.files import sha256_file, write_json, write_text
from cybersecqwen.core.locks import exclusive
from cybersecqwen.core.model_files import write_sums
from cybersecqwen.core.rows import REPLAY_FILE
from cybersecqwen.core.work_folder import clear_left
from cybersecqwen.corpus.chat.recipe import ChatRecipe
from cybersecqwen.evaluation.divergence import Divergence
from cybersecqwen.evaluation.general_check import TASK_NAME
from cybersecqwen.evaluation.plan import RunOptions
from cybersecqwen.evaluation.protocols import find_protocol
from cybersecqwen.training.recipes.lora import LoraRecipe

ValueT = TypeVar("ValueT")

_CHECKED, _ESTIMATE, _DIVERGENCE = "check.json", "estimate.json", "divergence.json"
_CARD, _TIMES = "README.md", "times.json"
_NOTED_EVERY = 30.0  # seconds of a stage that a kill can lose


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
    def gguf(self) -> Path:
        return self.at(f"model-{'q8_0' if self.options.dry_run else 'q4_k_m'}.gguf")

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
    corpus, lora = read_recipes(options)
    with exclusive(options.out):
        claim(options, corpus, lora)
        tell_before(options, corpus, lora, on_progress)
        return _reproduce(_planned(options, corpus, lora, on_progress), on_progress)


def _reproduce(plan: _Plan, on_progress: OnProgress) -> Path:
    options = plan.options
    _require_sources(plan)
    _stage(plan, plan.at("corpus"), "corpus", on_progress, lambda: _corpus(plan, on_progress))
    _stage(plan, plan.at(_CHECKED), "check", on_progress, lambda: _check(plan))
    plan = _with_base(plan)
    if plan.lora.replay:
        replay = plan.at("corpus") / REPLAY_FILE
        _stage(plan, replay, "replay", on_progress, lambda: _replay(plan))
    _tell_estimate(plan, on_progress)
    merged, base = _tuned(plan, on_progress), plan.lora.base
    logs = list(_evaluate(plan, {"base": base, "tuned": str(merged)}, on_progress))
    _stage(
        plan, plan.at(_DIVERGENCE), "divergence", on_progress, lambda: _diverge(plan, str(merged))
    )
    report = plan.at("report")
    discard_older(report, logs)
    _stage(plan, report, "report", on_progress, lambda: write_report(logs, report, plan.lora.name))
    # Last, since what cannot be quantised (a base cut down, a training gone astray) is refused.
    gguf = plan.gguf
    kind: GgufType = "q8_0" if options.dry_run else "q4_k_m"
    _stage(plan, gguf, "gguf", on_progress, lambda: export_gguf(merged, gguf, quantisation=kind))
    card = reproduce_card.write_card(
        reproduce_card.Made(
            recipe=plan.lora,
            corpus=plan.at("corpus"),
            trained=plan.trained,
            model=merged,
            gguf=gguf,
            logs=logs,
            divergence=_read(plan.at(_DIVERGENCE), Divergence),
            benchmarks=_read(plan.at(_CHECKED), dict[str, str]),
            estimate=_read(plan.at(_ESTIMATE), dict[str, Any])["said"],
            times=_times(plan),
            limit=options.limit,
            dry_run=options.dry_run,
        )
    )
    write_text(merged / _CARD, card)  # that folder goes to others by itself
    write_sums(merged)
    write_text(plan.at(_CARD), card)
    return plan.at(_CARD)


def _tuned(plan: _Plan, on_progress: OnProgress) -> Path:
    """Train, average with the base and merge, as far as the recipe asks; return the model."""
    trained, merged, scale = plan.trained, plan.at("merged"), plan.lora.scale

    def made(result: Path, name: str, make: Callable[[], object]) -> None:
        _stage(plan, result, name, on_progress, make)

    made(trained, "train", lambda: _train(plan, on_progress))
    clear_left(trained)
    if plan.lora.method == "full":
        if scale == 1:
            return trained
        made(merged, "average", lambda: export_merged(trained, merged, scale=scale))
        return merged
    adapter = trained
    if scale != 1:
        adapter = plan.at("scaled")
        made(adapter, "scale", lambda: export_adapter(trained, adapter, scale=scale))
    made(merged, "merge", lambda: export_merged(adapter, merged))
    return merged


def _require_sources(plan: _Plan) -> None:
    """Refuse a result whose source is gone: made anew, that would be another one."""
    trained, log = plan.trained.name, f"logs/tuned-{TASK_NAME}-ref.jsonl"
    steps = ["corpus", trained]
    if plan.lora.scale != 1:
        steps += ["scaled"] if plan.lora.method == "lora" else []
    if plan.lora.method == "lora" or plan.lora.scale != 1:
        steps += ["merged"]
    pairs = [*pairwise(steps), *((steps[-1], name) for name in (plan.gguf.name, _DIVERGENCE, log))]
    require_sources((plan.at(source), plan.at(result)) for source, result in pairs)


def _stage(
    plan: _Plan, result: Path, name: str, on_progress: OnProgress, make: Callable[[], object]
) -> None:
    """Make a result that is not there yet, and keep note of the seconds that it took."""
    if result.exists():
        on_progress(JobProgress(f"{name}: {result} is there"))
        return
    on_progress(JobProgress(name))
    with _timed(plan, name):
        make()


@contextmanager
def _timed(plan: _Plan, name: str) -> Iterator[None]:
    """Add the seconds that the block takes to those that are kept of a stage, ended or stopped.

    They are noted as the block goes on too: a process that is killed cannot do so any more.
    """
    before, start = _times(plan), time.monotonic()
    ended = threading.Event()

    def note() -> None:
        seconds = before.get(name, 0.0) + time.monotonic() - start
        write_json(plan.at(_TIMES), before | {name: round(seconds, 1)})

    def keep_noting() -> None:
        while not ended.wait(_NOTED_EVERY):
            with suppress(OSError, CyberSecQwenError):  # a full disk, of which the stage will tell
                note()

    keeper = threading.Thread(target=keep_noting, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()
        note()


def _times(plan: _Plan) -> dict[str, float]:
    kept = plan.at(_TIMES)
    return _read(kept, dict[str, float]) if kept.is_file() else {}


def _read(path: Path, kind: type[ValueT]) -> ValueT:
    return msgspec.json.decode(path.read_bytes(), type=kind)


def _planned(
    options: ReproduceOptions, corpus: ChatRecipe, lora: LoraRecipe, on_progress: OnProgress
) -> _Plan:
    """Return the plan; in a dry run the recipes shortened, for a sample of the data."""
    if not options.dry_run:
        return _Plan(corpus, lora, options, options.data)
    data = options.out / "sample"
    plan = _Plan(*reproduce_sample.shortened(corpus, lora), options, data)
    write = reproduce_sample.write_sample
    _stage(plan, data, "sample", on_progress, lambda: write(corpus, options.data, data))
    return plan


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
    if not folder.exists():
        with atomic_folder(folder) as part:
            write_tiny_base(part, reproduce_sample.texts_of(plan.at("corpus")))
    lora = msgspec.structs.replace(plan.lora, base=str(folder))
    return _Plan(plan.corpus, lora, plan.options, plan.data)


def _replay(plan: _Plan) -> None:
    """Let the base answer neutral prompts, in a dry run a few."""
    replay_base(
        plan.at("corpus"),
        f"hf:{plan.lora.base}",
        prompts=_prompts(plan),
        options={"batch_size": ANSWERED_TOGETHER},
    )


def _prompts(plan: _Plan) -> int:
    return 8 if plan.options.dry_run else REPLAYED_PROMPTS


def _tell_estimate(plan: _Plan, on_progress: OnProgress) -> None:
    """Tell what is still to come, by steps timed on this machine, which are timed once."""
    options, kept = plan.options, plan.at(_ESTIMATE)
    asked = {"profile": options.profile, "compiled": options.compiled}
    if not kept.is_file() or _read(kept, dict[str, Any])["asked"] != asked:
        on_progress(JobProgress("estimate"))
        from cybersecqwen.training.lora.estimate import estimate_training

        with _timed(plan, "estimate"):
            found = estimate_training(
                plan.lora,
                plan.at("corpus"),
                profile=options.profile,
                compiled=options.compiled,
                steps=2 if options.dry_run else 5,
            )
        told = {"asked": asked, **msgspec.to_builtins(found), "said": found.said}
        write_json(kept, told)
    on_progress(JobProgress(f"estimate: {_read(kept, dict[str, Any])['said']}"))
    on_progress(JobProgress(f"estimate: {_to_write(plan)}"))


def _to_write(plan: _Plan) -> str:
    """Say how many answers the evaluation writes, and how long that is at the replay's pace."""
    from cybersecqwen.training.lora.estimate import said_time

    answers = 0
    for asked in _runs(plan):
        if asked.protocol == "constrained":
            continue
        trials = asked.trials or find_protocol(asked.protocol or "ref").trials
        answers += len(questions_of(asked)) * trials
    said = f"evaluation: {2 * answers:,} answers to write, of the base and of the model"
    seconds = _times(plan).get("replay")
    if not seconds:
        return f"{said}; their time is not known before"
    pace = _prompts(plan) / seconds
    return (
        f"{said}; at the {pace:.1f} a second of the base's answers to neutral prompts "
        f"{said_time(2 * answers / pace)}"
    )


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


def _runs(plan: _Plan) -> list[RunOptions]:
    return runs_of(plan.benchmarks, plan.options.limit, dry_run=plan.options.dry_run)


def _evaluate(plan: _Plan, models: dict[str, str], on_progress: OnProgress) -> Iterator[Path]:
    """Run what is asked of each model; yield the logs. One that is whole is not asked again."""
    for which, model in models.items():
        for asked in _runs(plan):
            log = plan.at("logs") / f"{which}-{asked.task}-{asked.protocol}.jsonl"
            log.parent.mkdir(exist_ok=True)
            name = f"{asked.task} by {asked.protocol}, {which}"
            state = state_of(log, asked)
            if state == "whole":
                on_progress(JobProgress(f"{name}: {log} is there"))
            else:
                on_progress(JobProgress(name))
                if state == "other":
                    log.unlink()
                    # Measured on the general check's prompts, and so many of them.
                    if asked.task == TASK_NAME:
                        plan.at(_DIVERGENCE).unlink(missing_ok=True)
                given = dataclasses.replace(asked, model=f"hf:{model}")
                with _timed(plan, name):
                    run_evaluation(given, log, on_progress=on_progress)
            yield log


def _diverge(plan: _Plan, model: str) -> None:
    limit = 4 if plan.options.dry_run else plan.options.limit
    found = measure_model_divergence(f"hf:{plan.lora.base}", f"hf:{model}", limit=limit)
    write_json(plan.at(_DIVERGENCE), found)
