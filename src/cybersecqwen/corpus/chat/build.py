"""A recipe -> a folder of conversations, whole or not at all, the same bytes every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cybersecqwen.core.atomic_folder import atomic_folder
from cybersecqwen.core.engine import Engine
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import write_json, write_text
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.jsonl import write_rows
from cybersecqwen.core.rows import ChatRow, CorpusRow
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.corpus.catalogue_graph import CatalogueLibrary
from cybersecqwen.corpus.chat import report as reporting
from cybersecqwen.corpus.chat.draft import DraftExample
from cybersecqwen.corpus.chat.from_quiz import quiz_drafts
from cybersecqwen.corpus.chat.generate import ExampleGenerator, main_label
from cybersecqwen.corpus.chat.keyphrases import KeyphraseModel, telling_words, vocabulary
from cybersecqwen.corpus.chat.knowledge_statements import knowledge_drafts
from cybersecqwen.corpus.chat.mapping import MappingContext
from cybersecqwen.corpus.chat.paraphrase import phrase
from cybersecqwen.corpus.chat.recipe import ChatRecipe, Statements
from cybersecqwen.corpus.chat.report import PAGE, REPORT, ChatReport
from cybersecqwen.corpus.chat.sampling import fraction
from cybersecqwen.corpus.chat.validate import Verifier
from cybersecqwen.corpus.chat.weakness_graph import ConfusionNeighbours, WeaknessGraph
from cybersecqwen.corpus.cleaning.check import check_corpus
from cybersecqwen.corpus.cleaning.kept import CleanedRecords
from cybersecqwen.corpus.cleaning.pipeline import Observer, hash_inputs, prepare, with_files
from cybersecqwen.corpus.cleaning.split import CorpusParts
from cybersecqwen.corpus.journal import Journal
from cybersecqwen.corpus.manifest import MANIFEST, write_manifest
from cybersecqwen.corpus.records.build import REMOVED

_LEARNT_FROM = 60_000
_EXPLAINING = frozenset({"description", "term", "consequence", "mitigation", "prerequisite"})


@dataclass(frozen=True, slots=True)
class _Made:
    """The drafts of the two files, and what phrasing came to."""

    train: list[DraftExample]
    validation: list[DraftExample]
    phrasing: Counter[str]


def build_chat(
    recipe: ChatRecipe,
    data: Path,
    out: Path,
    observe: Observer = lambda stage: None,
    teacher: Backend | None = None,
    *,
    engine: Engine | None = None,
) -> ChatReport:
    """Build a corpus of conversations: clean records, questions, checks, proof.

    The folder appears at ``out`` at the very end; a build that is killed leaves at most a hidden
    folder beside it, which the next one removes, and cleaned records and a teacher's words so far,
    which it uses. Without a teacher the same recipe and inputs give the same bytes. Memory grows
    with the records: about 2 GiB for 250,000 of them.

    Args:
        recipe: What to build.
        data: Folder that the recipe's paths are relative to.
        out: Folder to make; an earlier corpus there is replaced.
        observe: Told of each stage.
        teacher: Puts answers into other words.
        engine: Where records are compared; None for this process.

    Raises:
        InputError: A file cannot be read, ``out`` holds something else, or nothing comes of it.
        ModelError: The teacher cannot answer at all.
    """
    recipe = with_files(recipe, data)
    benchmarks, near = [data / path for path in recipe.benchmarks], recipe.near_duplicate
    knowledge = (recipe.knowledge.cwe, *recipe.knowledge.stix)
    inputs = hash_inputs(data, (*(s.path for s in recipe.sources), *recipe.benchmarks, *knowledge))
    cleaned = CleanedRecords(out, recipe, inputs)
    with atomic_folder(out, MANIFEST) as part:
        journal = Journal(out.with_name(f".{out.name}.phrased.jsonl"))
        work, parts = cleaned.once(lambda: prepare(recipe, data, observe, engine=engine), observe)
        observe("reading the catalogues and learning which words point to which weakness")
        library = CatalogueLibrary.read(data / path for path in knowledge)
        verifier = Verifier(recipe.limits, shipped_taxonomy(), _rows_wanted(recipe))
        generator = ExampleGenerator(recipe, _context(recipe, library, parts), verifier, benchmarks)
        made = _make(recipe, parts, library, generator, observe)
        if not made.train:
            why = generator.tally.rejected
            raise InputError(f"recipe {recipe.name}: no row to train on comes of it ({why})")
        if teacher:
            observe(f"asking {teacher.name} to phrase {len(made.train):,} answers")
            made = _phrased(made, recipe, teacher, verifier, journal)
        observe("writing, and checking what was written")
        for name, drafts in (("train", made.train), ("validation", made.validation)):
            write_rows(part / f"{name}.jsonl", map(example, _mixed(drafts, recipe.seed)))
        write_rows(part / REMOVED, work.removed)
        after = check_corpus(part, benchmarks, near, engine, answered=True)
        report = reporting.describe(recipe, work, generator, made.train, made.validation, after)
        report = msgspec.structs.replace(report, phrasing=dict(made.phrasing))
        write_json(part / REPORT, report)
        write_text(part / PAGE, reporting.render_markdown(report))
        write_manifest(part, recipe, inputs, teacher=teacher.name if teacher else "")
    journal.remove()
    cleaned.remove()
    return report


def _rows_wanted(recipe: ChatRecipe) -> int:
    rows = recipe.mapping.rows + recipe.validation
    rows += recipe.quiz.rows if recipe.quiz else 0
    return rows + (recipe.statements.rows if recipe.statements else 0)


def _context(recipe: ChatRecipe, library: CatalogueLibrary, parts: CorpusParts) -> MappingContext:
    entries, held = library.entries, library.passages
    graph = WeaknessGraph(entries, held, shipped_taxonomy())
    explaining = (
        p.text for p in held if p.kind in _EXPLAINING and p.id.startswith(("CWE", "CAPEC"))
    )
    weaknesses = [e.id for e in graph.entries.values() if e.kind == "weakness"]
    telling = telling_words({cwe: graph.telling_text(cwe) for cwe in weaknesses})
    evidence = KeyphraseModel(vocabulary(explaining), telling)
    labelled = sorted(parts.train, key=lambda row: fraction(f"{recipe.seed} learn {row.id}"))
    evidence.learn([(row.text, main_label(row)) for row in labelled[:_LEARNT_FROM]])
    both = [
        (row.ids("nvd")[0], row.ids("cna")[0])
        for row in parts.train
        if row.ids("nvd") and row.ids("cna")
    ]
    counts = Counter(main_label(row) for row in parts.train)
    return MappingContext(graph, evidence, ConfusionNeighbours(both, counts, graph))


def _make(
    recipe: ChatRecipe,
    parts: CorpusParts,
    library: CatalogueLibrary,
    generator: ExampleGenerator,
    observe: Observer,
) -> _Made:
    observe("making validation questions")
    quiz_rows = recipe.quiz.rows if recipe.quiz else 0
    share = recipe.validation / max(recipe.mapping.rows + quiz_rows, 1)
    mapped = round(share * recipe.mapping.rows)
    validation = generator.map_records(_labelled(parts.validation), mapped)
    observe("making training questions")
    train = generator.map_records(_labelled(parts.train), recipe.mapping.rows)
    if recipe.quiz:
        observe("making quiz questions")
        found = quiz_drafts(recipe, recipe.quiz, library)
        validation += generator.accept(found["validation"], round(share * quiz_rows))
        train += generator.accept(found["train"], quiz_rows)
    if recipe.statements:
        observe("making statements of the catalogues")
        train += generator.accept(
            _statements(recipe, recipe.statements, library), recipe.statements.rows
        )
    return _Made(train, validation, Counter())


def _statements(
    recipe: ChatRecipe, wanted: Statements, library: CatalogueLibrary
) -> list[DraftExample]:
    """Return what the catalogues say in an order in which any first part is a sample of all."""
    return _mixed(
        list(knowledge_drafts(library.entries, views=wanted.views, seed=recipe.seed)), recipe.seed
    )


def _labelled(rows: Sequence[CorpusRow]) -> list[CorpusRow]:
    return [row for row in rows if main_label(row) and not row.near_train_duplicate]


def _phrased(
    made: _Made, recipe: ChatRecipe, teacher: Backend, verifier: Verifier, journal: Journal
) -> _Made:
    """Put the training answers into the teacher's words; validation stays as it is."""
    train, outcomes = phrase(made.train, teacher, recipe.teacher, recipe.seed, verifier, journal)
    return _Made(train, made.validation, outcomes)


def _mixed(drafts: Sequence[DraftExample], seed: int) -> list[DraftExample]:
    """Return the drafts in an order in which any first part is a sample of the whole."""
    return sorted(drafts, key=lambda draft: fraction(f"{seed} mix {draft.kind} {draft.prompt}"))


def example(draft: DraftExample) -> ChatRow:
    """Return a draft as training data; its source names the record, then the passages."""
    names = [draft.record, *(passage.id for passage in draft.passages)]
    source = " ".join(dict.fromkeys(name for name in names if name))
    return ChatRow(draft.prompt, draft.response, source, draft.kind)
