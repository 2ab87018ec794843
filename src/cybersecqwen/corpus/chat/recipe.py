"""The recipe of a corpus of conversations: every choice that makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cybersecqwen.core.config import Recipe, load_recipe, read_yaml
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Labeller
from cybersecqwen.corpus.quiz.recipe import QuizRecipe
from cybersecqwen.corpus.records.recipe import CorpusRecipe, NearDuplicate, RecordsRecipe, Share

Count = Annotated[int, Meta(ge=0)]
Weight = Annotated[float, Meta(gt=0)]

MappingAnswer = Literal["protocol", "justified", "id", "reason"]
"""How a description is mapped: in the published protocols' words, in ours with a reason, by the id
alone; or the reason alone, the id being given."""


class Knowledge(Recipe, frozen=True):
    """Where answers find what they cite.

    Attributes:
        cwe: MITRE's catalogue, JSON or XML, relative to the data folder.
        stix: ATT&CK and CAPEC bundles.
    """

    cwe: str
    stix: tuple[str, ...] = ()


class Draw(Recipe, frozen=True):
    """Which records are drawn.

    Attributes:
        years: First and last year of publication, or of the id where no date is known.
        half_life: Years after which a record counts half as much; 0: all count alike.
        balance: Exponent by which a weakness counts less the more records it has: 0 draws them as
            they come, 1 draws every weakness equally often.
    """

    years: tuple[int, int] = (1999, 2100)
    half_life: Annotated[float, Meta(ge=0)] = 0.0
    balance: Annotated[float, Meta(ge=0, le=1)] = 0.0

    def __post_init__(self) -> None:
        """Refuse years that end before they begin."""
        if self.years[0] > self.years[1]:
            raise ValueError(f"years: {self.years[0]} comes after {self.years[1]}")


class Mapping(Recipe, frozen=True):
    """Descriptions to be mapped to a weakness.

    Attributes:
        rows: Number of rows to train on.
        answers: How often each way to ask, in proportion.
        labellers: How often each labeller's convention, in proportion.
        id_first: Whether answers with a reason begin with the id, and end with it as well. A model
            that reads a reason it has just made up is led by it.
        draw: Which records are drawn, and how often.
    """

    rows: Count
    answers: dict[MappingAnswer, Weight]
    labellers: dict[Labeller, Weight]
    id_first: bool = False
    draw: Draw = Draw()

    def __post_init__(self) -> None:
        """Refuse rows that nothing says how to ask."""
        for key in ("answers", "labellers"):
            if self.rows and not getattr(self, key):
                raise ValueError(f"{key}: empty, but there are {self.rows} rows to make")


class Quiz(Recipe, frozen=True):
    """Multiple-choice questions about the catalogues.

    Attributes:
        rows: Number of rows to train on.
        open_book: Share that is asked with passages in front, one of which decides.
        text_answers: Share of the others that is answered in the right option's own words, not by
            its letter.
        per_page: Questions of one kind on one page, at most.
        per_kind: Questions of one kind, at most, before checks.
        validation_every: One page in so many is held out whole.
    """

    rows: Count
    open_book: Share = 0.5
    text_answers: Annotated[float, Meta(ge=0, le=1)] = 0.0
    per_page: Annotated[int, Meta(ge=1)] = 2
    per_kind: Annotated[int, Meta(ge=1)] = 400
    validation_every: Annotated[int, Meta(ge=2)] = 6


class Statements(Recipe, frozen=True):
    """What the catalogues say, to be learnt by heart.

    Attributes:
        rows: How many to train on; pages and kinds come as often as the catalogues have them.
        views: Wordings of one statement, at most.
    """

    rows: Count
    views: Annotated[int, Meta(ge=1)] = 2


class Limits(Recipe, frozen=True):
    """What a row may be.

    Attributes:
        description: Characters of a description, at most; longer ones are not drawn.
        prompt: Tokens of a prompt, at most, as ``token_estimate.estimate`` counts.
        response: Tokens of a response at most.
        stock: Share of all rows that may have one sentence of an answer in common, its quotations
            and numbers aside.
        alike: From where on two descriptions are too much alike to be both in the corpus.
    """

    description: Count = 1_500
    prompt: Count = 1_200
    response: Count = 320
    stock: Share = 0.01
    alike: NearDuplicate = NearDuplicate(ngram=8, containment=0.9, cosine=0.9)


class ParaphraseTeacher(Recipe, frozen=True):
    """How a language model is asked to put answers into other words.

    Attributes:
        temperature: Sampling temperature; 0 is greedy.
        max_tokens: Tokens of an answer at most.
    """

    temperature: Annotated[float, Meta(ge=0)] = 0.7
    max_tokens: Annotated[int, Meta(ge=1)] = 400


class ChatRecipe(RecordsRecipe, frozen=True, kw_only=True):
    """A corpus of conversations, from raw records and catalogues to training files.

    Attributes:
        kind: Tells it from other kinds of corpora.
        knowledge: What answers cite.
        mapping: Descriptions to be mapped.
        quiz: Questions about the catalogues.
        statements: What the catalogues say, closed-book.
        validation: Rows to validate on, from records held out, in the mixture's proportions.
        limits: What a row may be.
        teacher: For builds with a teacher.
        seed: Seed of every random draw.
    """

    kind: Literal["chat"]
    knowledge: Knowledge
    mapping: Mapping
    quiz: Quiz | None = None
    statements: Statements | None = None
    validation: Count = 0
    limits: Limits = Limits()
    teacher: ParaphraseTeacher = ParaphraseTeacher()
    seed: int = 42


_ANALYST_REMOVED = (
    "`analyst`: questions of analysts are no longer made, for models trained with them were no "
    "better beyond chance (docs/experiments/lora.md); take the key out"
)


class _RecipeKind(msgspec.Struct):
    kind: str = "records"
    analyst: object = None


def load_corpus_recipe(path: Path) -> CorpusRecipe | ChatRecipe | QuizRecipe:
    """Read a recipe of any kind of corpus; its ``kind`` tells which, ``records`` if it has none.

    Raises:
        InputError: The file cannot be read or has a wrong, unknown or removed key.
    """
    head = _head(path)
    if head.kind == "chat":
        if head.analyst is not None:
            raise InputError(f"{path}: {_ANALYST_REMOVED}")
        return load_recipe(path, ChatRecipe)
    if head.kind == "quiz":
        return load_recipe(path, QuizRecipe)
    if head.kind != "records":
        raise InputError(f"{path}: kind: {head.kind!r} is none of chat, quiz, records")
    return load_recipe(path, CorpusRecipe)


def _head(path: Path) -> _RecipeKind:
    """Return what the file says it is; whatever is wrong with it, its own type will say better."""
    try:
        return msgspec.convert(read_yaml(path), _RecipeKind)
    except (InputError, msgspec.ValidationError):
        return _RecipeKind()
