"""Training jobs: a specialist, a fine-tuning, the option ranker, and the timing of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from cybersecqwen.apps.corpus import require_clean
from cybersecqwen.apps.general_card import add_general_check
from cybersecqwen.apps.progress import JobProgress, OnProgress, counted, ignore
from cybersecqwen.core.config import Recipe, load_recipe
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import sha256_file
from cybersecqwen.training.recipes.lora import LoraRecipe
from cybersecqwen.training.recipes.ranker import RankerRecipe
from cybersecqwen.training.recipes.severity import SeverityRecipe
from cybersecqwen.training.recipes.specialist import SpecialistRecipe
from cybersecqwen.training.recipes.technique import TechniqueRecipe

if TYPE_CHECKING:
    from cybersecqwen.core.rows import QuizRow
    from cybersecqwen.knowledge.option_features import OptionFeaturizer
    from cybersecqwen.training.lora.benchmark import MeasuredSteps, ShapeName
    from cybersecqwen.training.lora.memory_plan import MemoryStrategy, Profile
    from cybersecqwen.training.lora.results import LoraResults
    from cybersecqwen.training.lora.run import LoraJob
    from cybersecqwen.training.lora.step_reports import Progress
    from cybersecqwen.training.ranker.fit import RankerMetrics
    from cybersecqwen.training.ranker.run import RankerResults
    from cybersecqwen.training.specialist.package import Results

RecipeT = TypeVar("RecipeT", bound=Recipe)

SpecialistKind = Literal["specialist", "severity", "technique"]
"""An embedded specialist: of weaknesses, of CVSS metrics, of ATT&CK techniques."""

_SPECIALIST_RECIPES: dict[
    SpecialistKind, type[SpecialistRecipe | SeverityRecipe | TechniqueRecipe]
] = {"specialist": SpecialistRecipe, "severity": SeverityRecipe, "technique": TechniqueRecipe}


def train_specialist(
    recipe: Path | SpecialistRecipe | SeverityRecipe | TechniqueRecipe,
    corpus: Path,
    out: Path,
    *,
    kind: SpecialistKind = "specialist",
    resume: bool = False,
    on_progress: OnProgress = ignore,
) -> Results | dict[str, Any] | None:
    """Train an embedded specialist.

    Args:
        recipe: A recipe, or its YAML file.
        corpus: Folder of a built corpus, for ``severity`` one whose rows have vectors; for
            ``technique`` the folder that ``corpus techniques`` made.
        out: Folder for the model.
        kind: ``specialist`` for the CWE classifier, ``severity`` for the scorer of CVSS metrics,
            ``technique`` for the classifier of ATT&CK techniques.
        resume: Whether to go on with what a killed run left beside ``out``.
        on_progress: Told of each finished stage.

    Returns:
        What the model reaches on the validation rows: of the CWE classifier ``Results``, of the
        others a mapping as in their ``training.json``; None in all but the main process of a
        distributed launch.

    Raises:
        InputError: A file cannot be used, or ``out`` is taken.
        MissingExtraError: The ``train`` extra is not installed.
    """
    from cybersecqwen.training.specialist import run

    loaded = _loaded(recipe, _SPECIALIST_RECIPES[kind])

    def report(stage: str, minutes: float) -> None:
        on_progress(JobProgress(f"{stage}: {minutes:.1f} minutes"))

    if isinstance(loaded, SeverityRecipe):
        return run.train_severity(loaded, corpus, out, resume=resume, report=report)
    if isinstance(loaded, TechniqueRecipe):
        from cybersecqwen.specialists.technique import TechniqueClassifier

        return run.train_technique(
            loaded,
            corpus,
            out,
            resume=resume,
            report=report,
            open_reader=TechniqueClassifier.from_pretrained,
        )
    return run.train_specialist(loaded, corpus, out, resume=resume, report=report)


def _refuse_unusable(out: Path, corpus: Path) -> None:
    """Refuse what cannot be meant before a large package is imported."""
    if out.exists():
        raise InputError(f"{out}: is there already; give another folder, or remove it")
    if not corpus.exists():
        raise InputError(
            f"{corpus}: no such corpus; give a JSONL file of prompts and responses, or a "
            "folder that `cybersecqwen corpus build` made"
        )


def _plan_line(job: LoraJob) -> str:
    """Return what a training is about to do, and the memory that it takes."""
    strategy = job.plan.strategy
    learning = "all weights learn, " if job.recipe.adapter is None else ""
    return (
        f"{learning}{len(job.train.rows):,} rows ({job.train.too_long:,} examples too long), "
        f"{strategy.tokens_at_once:,} tokens at once, checkpointing "
        f"{'on' if strategy.checkpointing else 'off'}, about {job.plan.estimate / 2**30:.1f} GiB"
    )


def train_lora(
    recipe: Path | LoraRecipe,
    corpus: Path,
    out: Path,
    *,
    profile: Profile | None = None,
    against: Sequence[Path] = (),
    resume: bool = False,
    compiled: bool | None = None,
    deterministic: bool = False,
    general: bool = False,
    on_progress: OnProgress = ignore,
) -> LoraResults | None:
    """Fine-tune an instruction-tuned language model: an adapter for it, or all of its weights.

    Args:
        recipe: A recipe, or its YAML file.
        corpus: JSONL of prompts and responses, or a folder with ``train.jsonl`` of them.
        out: Folder for the adapter, or the model.
        profile: Memory to keep to; None for this machine's.
        against: Benchmark files that no row of the corpus may overlap.
        resume: Whether to go on with what a killed run left beside ``out``.
        compiled: Whether PyTorch compiles the layers; None for where it pays.
        deterministic: Whether a GPU computes the same numbers in every run.
        general: Whether the general check is put to the base and to what came of it, and its
            outcome written into the card.
        on_progress: Told of the plan, then of each optimizer step, then of the check's answers.

    Returns:
        What was reached; None in all but the main process of a distributed launch.

    Raises:
        InputError: A file cannot be used, the corpus overlaps a benchmark, or ``out`` is taken.
        MissingExtraError: The ``train`` extra is not installed.
    """
    _refuse_unusable(out, corpus)
    loaded = _loaded(recipe, LoraRecipe)
    require_clean(corpus, against)
    from cybersecqwen.training.lora import run

    job = run.prepare(loaded, corpus, profile)
    on_progress(JobProgress(_plan_line(job)))

    def report(done: Progress) -> None:
        stage = f"loss {done.loss:.4f}, {done.tokens_per_second:,.0f} tokens/s, step"
        on_progress(JobProgress(stage, done.step, done.steps))

    results = run.train_lora(
        job,
        out,
        {file.name: sha256_file(file) for file in against},
        resume=resume,
        compiled=compiled,
        deterministic=deterministic,
        report=report,
    )
    if general and results is not None:
        on_progress(JobProgress("general check of the base and of what came of it"))
        add_general_check(out, loaded.base, on_progress=on_progress)
    return results


def train_ranker(
    recipe: Path | RankerRecipe,
    quiz: Path,
    knowledge: Path,
    out: Path,
    *,
    outside: Path | None = None,
    on_progress: OnProgress = ignore,
) -> RankerResults:
    """Train the option ranker of open-book multiple choice.

    Args:
        recipe: A recipe, or its YAML file.
        quiz: Folder that ``corpus quiz`` made.
        knowledge: Folder of a knowledge base.
        out: File for the ranker (``.npz``); the probability that an option is true, whatever the
            others are, is written beside it (``.truth.json``).
        outside: YAML file of questions that the pages do not answer; where it is given, the
            decision whether they do is fitted too, and written beside the ranker
            (``.held.json``).
        on_progress: Told of each question whose inputs are computed.

    Raises:
        InputError: A file cannot be used.
        MissingExtraError: The ``train`` extra is not installed.
    """
    from cybersecqwen.knowledge.base import KnowledgeBase
    from cybersecqwen.knowledge.option_features import INPUTS
    from cybersecqwen.training.ranker import run

    loaded = _loaded(recipe, RankerRecipe)
    whole = run.read_quiz(quiz / "train.jsonl", loaded.seed)
    held = run.read_quiz(quiz / "validation.jsonl", loaded.seed, loaded.validation_questions)
    featurizer = KnowledgeBase(knowledge).featurizer
    words = [word for row in whole for word in row.question.split()]
    parts = {"train": whole[: loaded.questions or None], "validation": held}
    others = run.read_outside(outside) if outside else []
    inputs = {
        name: [
            _inputs(row, words, loaded, featurizer)
            for row in counted(rows, f"{name} questions", len(rows), on_progress)
        ]
        for name, rows in parts.items()
    }
    results = run.train_ranker(inputs["train"], inputs["validation"], INPUTS, loaded, out)
    truth = run.train_truth(
        whole, held, lambda q, c: featurizer.measure(q, c).inputs, INPUTS, loaded, out
    )
    results = msgspec.structs.replace(results, truth=truth)
    if not others:
        return results
    unanswered = [featurizer.measure(q.question, q.choices).inputs for q in others]
    score = run.train_held([q.inputs for q in inputs["train"]], unanswered, INPUTS, out)
    return msgspec.structs.replace(results, held=score)


def _inputs(
    row: QuizRow, words: Sequence[str], recipe: RankerRecipe, featurizer: OptionFeaturizer
) -> RankerMetrics:
    from cybersecqwen.training.ranker.fit import RankerMetrics
    from cybersecqwen.training.ranker.run import blur

    found = featurizer.measure(*blur(row, words, recipe)).inputs
    return RankerMetrics(found, row.answer, row.kind, row.wording, row.paraphrase_level)


def time_lora_steps(
    recipe: Path | LoraRecipe,
    shape: ShapeName,
    *,
    steps: int = 5,
    example_tokens: int = 230,
    profile: Profile | None = None,
    strategy: MemoryStrategy | None = None,
    fused_adapters: bool = True,
    compiled: bool = False,
) -> MeasuredSteps:
    """Time a LoRA recipe's optimizer steps with random weights.

    Args:
        recipe: A recipe, or its YAML file; its base is not read.
        shape: Shape of the base.
        steps: Steps to count, after two that are not.
        example_tokens: Mean length of an example, tokens.
        profile: Memory to keep to; None for this machine's.
        strategy: How to use the memory; None to let the planner choose.
        fused_adapters: Whether adapters compute as the trainer has them, rather than as PEFT does.
        compiled: Whether PyTorch compiles the layers.

    Raises:
        InputError: It does not fit, or a number makes no sense.
        MissingExtraError: The ``train`` extra is not installed.
    """
    from cybersecqwen.training.lora.benchmark import Load, benchmark

    return benchmark(
        _loaded(recipe, LoraRecipe),
        shape,
        steps,
        load=Load(example_tokens=example_tokens),
        profile=profile,
        strategy=strategy,
        fused_adapters=fused_adapters,
        compiled=compiled,
    )


def _loaded(recipe: Path | RecipeT, kind: type[RecipeT]) -> RecipeT:
    return load_recipe(recipe, kind) if isinstance(recipe, Path) else recipe
