"""Corpora: build one from its recipe, read its report, prove it free of benchmark items."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from cybersecqwen.apps.progress import JobProgress, OnProgress, ignore
from cybersecqwen.core.engine import Engine
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.jsonl import read_rows
from cybersecqwen.core.rows import REPLAY_FILE
from cybersecqwen.corpus.catalogue_graph import CatalogueLibrary
from cybersecqwen.corpus.chat.build import build_chat
from cybersecqwen.corpus.chat.recipe import ChatRecipe, load_corpus_recipe
from cybersecqwen.corpus.chat.replay import write_replay
from cybersecqwen.corpus.chat.report import ChatReport
from cybersecqwen.corpus.cleaning.check import CheckReport, check_corpus
from cybersecqwen.corpus.quiz.build import build_quiz
from cybersecqwen.corpus.quiz.recipe import QuizRecipe
from cybersecqwen.corpus.quiz.report import QuizReport
from cybersecqwen.corpus.records.build import REMOVED, build_records
from cybersecqwen.corpus.records.recipe import CorpusRecipe, NearDuplicate
from cybersecqwen.corpus.records.report import CorpusReport
from cybersecqwen.corpus.records.rows import Removal
from cybersecqwen.corpus.techniques import build as technique_corpus
from cybersecqwen.llm import open_backend

DATA_VARIABLE = "CYBERSECQWEN_DATA"
"""Environment variable that names the folder of raw data."""

_PROBLEMS_KEPT = 20


@dataclass(frozen=True)
class CorpusBuild:
    """A finished corpus.

    Attributes:
        folder: Where it is; ``report.md`` and ``removed.jsonl`` in it say what was done.
        report: Its numbers; the type says which kind of corpus it is.
        unreadable: Records and catalogue entries that could not be used.
        problems: The first of them, each with its place and what is wrong.
    """

    folder: Path
    report: CorpusReport | ChatReport | QuizReport
    unreadable: int = 0
    problems: tuple[str, ...] = ()


def build_corpus(
    recipe: Path | CorpusRecipe | ChatRecipe | QuizRecipe,
    out: Path,
    *,
    data: Path | None = None,
    teacher: str | None = None,
    on_progress: OnProgress = ignore,
    engine: Engine | None = None,
) -> CorpusBuild:
    """Build a corpus of records, conversations or quiz questions.

    The folder appears at ``out`` when it is whole; the same recipe and inputs give the same bytes.

    Args:
        recipe: A recipe, or its YAML file.
        out: Folder to make; an earlier corpus there is replaced.
        data: Folder that the recipe's paths are relative to; None for ``CYBERSECQWEN_DATA``, else
            the recipe file's own folder.
        teacher: SPEC of a language model that puts a conversation corpus's answers into other
            words; each is checked, and kept as it was if that fails. For a quiz it writes more
            questions from passages; of records it tells descriptions in plain words.
        on_progress: Told of each stage.
        engine: Where texts are compared, which is the slow part; None for this process. The
            corpus is the same, byte for byte.

    Raises:
        InputError: The recipe or a file it names cannot be used, or ``out`` holds something else.
        MissingExtraError: An optional package is not installed.
        ModelError: The teacher cannot answer.
    """
    loaded = load_corpus_recipe(recipe) if isinstance(recipe, Path) else recipe
    folder = data or data_folder(recipe if isinstance(recipe, Path) else None)

    def observe(stage: str) -> None:
        on_progress(JobProgress(stage))

    if isinstance(loaded, QuizRecipe):
        return _build_quiz(loaded, folder, out, on_progress, teacher)
    report: CorpusReport | ChatReport
    backend = open_backend(teacher) if teacher else None
    if isinstance(loaded, ChatRecipe):
        report = build_chat(loaded, folder, out, observe, backend, engine=engine)
    else:
        report = build_records(loaded, folder, out, observe, engine=engine, teacher=backend)
    unreadable = report.removed.get("unreadable", 0)
    return CorpusBuild(out, report, unreadable, _unreadable(out) if unreadable else ())


def _build_quiz(
    recipe: QuizRecipe, data: Path, out: Path, on_progress: OnProgress, teacher: str | None
) -> CorpusBuild:
    on_progress(JobProgress("reading the catalogues"))
    library = CatalogueLibrary.read(data / source for source in recipe.sources)
    report = build_quiz(
        recipe,
        library,
        data,
        out,
        lambda stage: on_progress(JobProgress(stage)),
        open_backend(teacher) if teacher else None,
    )
    problems = [str(problem) for found in library.catalogues for problem in found.problems]
    return CorpusBuild(out, report, len(problems), tuple(problems[:_PROBLEMS_KEPT]))


def build_technique_corpus(data: Path, out: Path, teacher: str | None = None) -> dict[str, Any]:
    """Build the corpus of the technique specialist; see ``corpus.techniques.build``.

    Args:
        data: Holds ATT&CK's bundle, TRAM 2 and CTI-ATE, laid out as ``docs/training.md`` says.
        out: Folder to write into.
        teacher: SPEC of a language model that writes reports of held-out pages.

    Returns:
        How many sentences there are and how many were left out.

    Raises:
        InputError: A file cannot be read.
    """
    return technique_corpus.build_technique_corpus(
        data / "knowledge" / "enterprise-attack.stix.json.gz",
        data / "attack" / "tram2_single_label.json.gz",
        data / "cti-bench" / "cti-ate.tsv",
        out,
        open_backend(teacher) if teacher else None,
    )


def replay_base(
    corpus: Path, base: str, *, prompts: int = 1000, options: Mapping[str, Any] | None = None
) -> int:
    """Put a base's own answers to neutral prompts beside a corpus; return how many there are.

    Training repeats them as its recipe says (``replay``), so that the model stays near its base.

    Args:
        corpus: Folder of a finished corpus; gets the file ``replay.jsonl``.
        base: SPEC of the model that will be fine-tuned.
        prompts: How many prompts to put to it.
        options: Options of its backend, such as ``batch_size``.

    Raises:
        InputError: There is no such folder, or the base cannot be used.
        MissingExtraError: The base needs an optional package that is not installed.
        ModelError: The base cannot write.
    """
    if not (corpus / "train.jsonl").is_file():
        raise InputError(f"{corpus}: no folder of a corpus: it has no train.jsonl")
    backend = open_backend(base, **(options or {}))
    return write_replay(backend, corpus / REPLAY_FILE, prompts=prompts)


def check(
    corpus: Path,
    benchmarks: Sequence[Path],
    limits: NearDuplicate | None = None,
) -> CheckReport:
    """Compare a finished corpus, or one file of training rows, with benchmark files.

    Raises:
        InputError: A file cannot be used, or there is nothing to check.
    """
    return check_corpus(corpus, benchmarks, limits)


def require_clean(corpus: Path, benchmarks: Sequence[Path]) -> None:
    """Refuse training rows that overlap a benchmark.

    Raises:
        InputError: They do; the message says how many, and how to see which.
    """
    if not benchmarks:
        return
    found = check_corpus(corpus, benchmarks)
    if not found.clean:
        raise InputError(
            f"{corpus}: {found.overlapping_rows:,} rows overlap a benchmark; see `cybersecqwen "
            f"corpus check {corpus} --against ...`, and take them out"
        )


def data_folder(recipe: Path | None = None) -> Path:
    """Return the folder of raw data: ``CYBERSECQWEN_DATA``, else the recipe file's own folder."""
    named = os.environ.get(DATA_VARIABLE)
    if named:
        return Path(named)
    return recipe.parent if recipe else Path()


def _unreadable(folder: Path) -> tuple[str, ...]:
    rows = read_rows(folder / REMOVED, Removal, "no removal of a corpus build")
    removals = (removal for _, removal in rows if removal.stage == "unreadable")
    return tuple(
        f"{removal.reason} ({removal.id})" if removal.id else removal.reason
        for removal in islice(removals, _PROBLEMS_KEPT)
    )
