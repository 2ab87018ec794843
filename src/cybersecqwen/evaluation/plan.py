"""Puts a run together from what a user typed: questions, protocol, system, baselines."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.interfaces import Backend, CweClassifier
from cybersecqwen.core.model_spec import ModelSpec
from cybersecqwen.core.records import Labeller, Question
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.evaluation import answer_bank
from cybersecqwen.evaluation.actors import ActorTable, load_actors
from cybersecqwen.evaluation.protocols import (
    Protocol,
    find_protocol,
    for_base_model,
    for_labeller,
    with_max_tokens,
)
from cybersecqwen.evaluation.runner import RunPlan, ask, found_by, select_questions
from cybersecqwen.evaluation.scoring import is_correct
from cybersecqwen.evaluation.statistics import Interval, share_interval, shared_pages
from cybersecqwen.evaluation.systems import baselines
from cybersecqwen.evaluation.systems.answering import AnsweringSystem
from cybersecqwen.evaluation.systems.base import System, require_kind
from cybersecqwen.evaluation.systems.language_model import RerankingSystem, for_backend
from cybersecqwen.evaluation.systems.multiple_choice import (
    KnowledgeBaseSystem,
    MultipleChoiceSystem,
)
from cybersecqwen.evaluation.systems.severity_technique import SeveritySystem, TechniqueSystem
from cybersecqwen.evaluation.systems.specialist import SpecialistSystem
from cybersecqwen.evaluation.tasks import LoadOptions, Task, find_task
from cybersecqwen.llm.rerank import SHORTLIST_WEIGHT, LlmReranker
from cybersecqwen.specialists.severity import SeverityScorer
from cybersecqwen.specialists.technique import TechniqueClassifier

if TYPE_CHECKING:
    from cybersecqwen.knowledge.base import KnowledgeBase


@dataclass(frozen=True)
class RunOptions:
    """What a user may choose of a run.

    Attributes:
        task: Task name.
        data: Question file; None for the one that the package ships for a task of our own.
        model: SPEC of the system: ``embedded``, ``embedded:DIR``, ``hf:``, ``gguf:``, ``openai:``,
            ``mock:``, ``baseline:majority``, ``baseline:svm`` or ``baseline:retrieval``.
        protocol: Protocol name; None for ``ref`` where a model writes, else ``constrained``.
        knowledge: Folder of a knowledge base: for the retrieval baseline, for the option ranker,
            and for a language model to answer open-book.
        train: Rows for the SVM baseline.
        trials: Passes over the questions; None for the protocol's own.
        limit: Questions at most.
        max_tokens: New tokens at most, where that is to differ from the protocol's.
        seed: Of the first trial; each later trial adds one.
        labeller: Whose labels a specialist follows and a hold-out expects.
        base_model: Whether to ask as the protocol asks base models.
        gold: File with the expected answers, where the question file has none.
        since: Earliest publication date of a hold-out's rows.
        without_near_duplicates: Whether to leave out a hold-out's rows that are near-duplicates of
            training rows.
        shortlist: How many of the embedded specialist's likeliest ids a language model chooses
            from under protocol constrained; None for all.
        shortlist_weight: Exponent of the specialist's probabilities, by which the language model's
            are multiplied; None for what ``map`` takes.
        backend: Further options of a language model's backend.
        choice: Fields of ``MultipleChoiceConfig`` for a language model that chooses among options
            under protocol constrained; None for one order of the options closed-book, and for the
            defaults open-book.
    """

    task: str
    data: Path | None = None
    model: str = "embedded"
    protocol: str | None = None
    knowledge: Path | None = None
    train: Path | None = None
    trials: int | None = None
    limit: int | None = None
    max_tokens: int | None = None
    seed: int = 42
    labeller: Labeller = "nvd"
    base_model: bool = False
    gold: Path | None = None
    since: str = ""
    without_near_duplicates: bool = False
    shortlist: int | None = None
    shortlist_weight: float | None = None
    backend: dict[str, Any] = field(default_factory=dict)
    choice: dict[str, Any] | None = None


class BaselineResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cheap system's score on the same questions, or what it needs to have one.

    Attributes:
        name: ``majority``, ``svm`` or ``retrieval``.
        system: What it is, in words.
        accuracy: Share right, 0 to 1.
        ci95: Its interval (``share_interval``).
        open_book: Whether it looks things up.
        needs: What to give so that it can be computed.
    """

    name: str
    system: str = ""
    accuracy: float | None = None
    ci95: Interval | None = None
    open_book: bool = False
    needs: str = ""


def prepare(options: RunOptions) -> RunPlan:
    """Read the questions and open the system.

    Raises:
        InputError: The task, the protocol, the model or a file cannot be used.
        ModelError: The model cannot be loaded, or cannot do what the protocol asks.
        MissingExtraError: The model needs an optional package that is not installed.
    """
    task = find_task(options.task)
    spec = ModelSpec.parse(options.model)
    _check_counts(options)
    protocol = _protocol(options, spec)
    wanted = LoadOptions(
        options.gold, options.labeller, options.since, options.without_near_duplicates
    )
    data = options.data or task.shipped
    if data is None:
        raise InputError(f"{task.name} needs its questions: --data FILE")
    questions = select_questions(task.load(data, wanted), task, protocol, options.limit)
    system = _open(options, spec, task, protocol, questions)
    knowledge = _knowledge(options.knowledge) if options.knowledge and system.open_book else None
    trials = (options.trials or protocol.trials) if system.sampled else 1
    return RunPlan(
        task=task,
        questions=questions,
        protocol=protocol,
        system=system,
        model=options.model,
        data=data,
        seeds=range(options.seed, options.seed + trials),
        base_model=options.base_model,
        knowledge_sha256=_made_from(knowledge) if knowledge is not None else "",
        # An endpoint has its own processes, and its rate limit is kept by one that asks.
        open_system=None
        if spec.scheme == "openai"
        else partial(_open, options, spec, task, protocol, questions),
    )


def _check_counts(options: RunOptions) -> None:
    counts = {
        "--trials": options.trials,
        "--limit": options.limit,
        "--max-tokens": options.max_tokens,
        "--shortlist": options.shortlist,
    }
    for name, value in counts.items():
        if value is not None and value < 1:
            raise InputError(f"{name} must be at least 1, not {value}")
    if options.shortlist is None and options.shortlist_weight is not None:
        raise InputError("--shortlist-weight goes with --shortlist")


def _protocol(options: RunOptions, spec: ModelSpec) -> Protocol:
    writes = spec.is_language_model
    protocol = find_protocol(options.protocol or ("ref" if writes else "constrained"))
    if options.base_model:
        protocol = for_base_model(protocol)
    if options.max_tokens is not None:
        protocol = with_max_tokens(protocol, options.max_tokens)
    return for_labeller(protocol, options.labeller) if writes else protocol


def _open(
    options: RunOptions,
    spec: ModelSpec,
    task: Task,
    protocol: Protocol,
    questions: Sequence[Question],
) -> System:
    chooses = spec.is_language_model and protocol.constrained and task.kind == "choice"
    if options.choice is not None and not chooses:
        raise InputError(
            "--reading is for language models that choose among options: --protocol constrained"
        )
    if options.shortlist is not None and not (
        spec.is_language_model and protocol.constrained and task.kind == "cwe"
    ):
        raise InputError("a shortlist goes with protocol constrained and CWE ids alone")
    if spec.scheme == "baseline":
        system, needs = _baseline(spec.target, options, task, questions)
        if system is None:
            raise InputError(f"{spec} needs {needs}")
        return system
    if spec.scheme == "embedded":
        return _embedded(options, spec, task)
    knowledge = _knowledge(options.knowledge) if options.knowledge is not None else None
    if chooses and (knowledge is not None or options.choice is not None):
        return _choosing(options, spec, knowledge)
    if options.shortlist is not None:
        return _reranking(options, spec, options.shortlist)
    retrieve = found_by(knowledge) if knowledge is not None else None
    backend = _backend(options, spec)
    return for_backend(backend, task.kind, protocol.constrained, shipped_taxonomy(), retrieve)


def _embedded(options: RunOptions, spec: ModelSpec, task: Task) -> System:
    if task.kind == "choice" and spec.is_shipped:
        if options.knowledge is None:
            raise InputError("embedded answers multiple choice from a knowledge base: --kb DIR")
        name = f"option ranker over {options.knowledge.name}"
        return KnowledgeBaseSystem(_knowledge(options.knowledge).choose, name)
    if task.name == answer_bank.TASK_NAME:
        return _answering(options, spec)
    if spec.is_shipped and task.kind == "cvss":
        return SeveritySystem(SeverityScorer.from_pretrained(), options.labeller)
    if spec.is_shipped and task.kind == "techniques":
        one = task.name.startswith("athena")
        return TechniqueSystem(TechniqueClassifier.from_pretrained(), one=one)
    require_kind(str(spec), task.kind, "cwe")
    return SpecialistSystem(_specialist(spec), options.labeller)


def _answering(options: RunOptions, spec: ModelSpec) -> System:
    from cybersecqwen.llm.answering import Answerer  # noqa: PLC0415

    if options.knowledge is None:
        raise InputError("embedded answers questions from a knowledge base: --kb DIR")
    answerer = Answerer(
        _knowledge(options.knowledge),
        specialist=_specialist(spec),
        techniques=TechniqueClassifier.from_pretrained().predict,
    )
    return AnsweringSystem(answerer, f"ask over {options.knowledge.name}")


def _choosing(options: RunOptions, spec: ModelSpec, knowledge: KnowledgeBase | None) -> System:
    from cybersecqwen.llm.multiple_choice import (  # noqa: PLC0415
        MultipleChoice,
        multiple_choice_config,
    )

    config = multiple_choice_config(options.choice or {})
    return MultipleChoiceSystem(MultipleChoice(_backend(options, spec), config, knowledge))


def _reranking(options: RunOptions, spec: ModelSpec, shortlist: int) -> System:
    if options.knowledge is not None:
        raise InputError("a shortlist is re-ranked closed-book, as in map: leave --kb out")
    backend = _backend(options, spec)
    weight = options.shortlist_weight
    reranker = LlmReranker(
        backend,
        _specialist(ModelSpec("embedded")),
        shortlist=shortlist,
        weight=SHORTLIST_WEIGHT if weight is None else weight,
    )
    return RerankingSystem(reranker, options.labeller, backend.name)


def run_baselines(plan: RunPlan, options: RunOptions) -> list[BaselineResult]:
    """Score the cheap systems that can answer this task's questions on the same questions.

    Raises:
        InputError: A file that a baseline was given cannot be used.
    """
    names = ["majority"]
    if plan.task.kind == "cwe":
        names.append("svm")
    if plan.task.kind == "choice":
        names.append("retrieval")
    actors = load_actors()
    return [_baseline_result(name, plan, options, actors) for name in names]


def _baseline_result(
    name: str, plan: RunPlan, options: RunOptions, actors: ActorTable
) -> BaselineResult:
    system, needs = _baseline(name, options, plan.task, plan.questions)
    if system is None:
        return BaselineResult(name, needs=needs)
    asked = ask(plan, system, plan.seeds[0])
    right = np.array(
        [
            is_correct(plan.task.kind, response.text, item.question.gold, actors)
            for item, response in zip(asked, system.answer(asked, Sampling()), strict=True)
        ],
        dtype=np.float64,
    )
    return BaselineResult(
        name,
        system.identity["name"],
        float(right.mean()),
        share_interval(right, shared_pages([question.source for question in plan.questions])),
        open_book=system.open_book,
    )


def _baseline(
    name: str, options: RunOptions, task: Task, questions: Sequence[Question]
) -> tuple[System | None, str]:
    """Return a baseline, or None and what it needs."""
    if name == "majority":
        return baselines.MajoritySystem(questions), ""
    if name == "svm":
        require_kind("baseline:svm", task.kind, "cwe")
        if options.train is None:
            return None, "training rows: --train FILE"
        rows = baselines.read_training_rows(options.train, options.labeller)
        return baselines.SvmSystem(rows), ""
    if name == "retrieval":
        require_kind("baseline:retrieval", task.kind, "choice")
        if options.knowledge is None:
            return None, "a knowledge base: --kb DIR"
        return _retrieval(options.knowledge), ""
    raise InputError(f"no baseline {name!r}; there are majority, svm, retrieval")


# The rooms of models are imported only when one of their models is asked for: each brings its own
# weight, and scoring a log needs none of them.


def _specialist(spec: ModelSpec) -> CweClassifier:
    from cybersecqwen.specialists import CweMapper  # noqa: PLC0415

    return CweMapper.load(spec.target or None)


def _backend(options: RunOptions, spec: ModelSpec) -> Backend:
    from cybersecqwen.llm import open_backend  # noqa: PLC0415

    # A base model continues a text; laid out as a conversation, few-shot examples mean little.
    raw = options.base_model and spec.scheme in {"hf", "gguf"}
    return open_backend(str(spec), **({"raw": True} if raw else {}) | options.backend)


def _knowledge(folder: Path) -> KnowledgeBase:
    from cybersecqwen.knowledge.base import KnowledgeBase  # noqa: PLC0415

    return KnowledgeBase(folder)


def _made_from(knowledge: KnowledgeBase) -> str:
    return hashlib.sha256(msgspec.json.encode(knowledge.manifest)).hexdigest()


def _retrieval(folder: Path) -> System:
    from cybersecqwen.knowledge.multiple_choice import answer_by_retrieval  # noqa: PLC0415

    knowledge = _knowledge(folder)
    return KnowledgeBaseSystem(
        lambda question, choices: answer_by_retrieval(knowledge, question, choices),
        f"lexical retrieval over {folder.name}",
    )
