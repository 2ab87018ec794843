"""The recipe of a severity specialist: every choice that makes the model, with its unit."""

from __future__ import annotations

from cybersecqwen.core.config import Recipe
from cybersecqwen.training.recipes.specialist import MINILM, Fit, Pretrain, Views


class SeverityTeacher(Recipe, frozen=True):
    """A larger encoder whose probabilities the severity specialist learns.

    Attributes:
        base: Hugging Face id, or a folder.
        fit: Schedule.
        seed: The teacher's own seed.
        pretrain: Its own domain-adaptive pretraining.
    """

    base: str
    fit: Fit
    seed: int = 42
    pretrain: Pretrain | None = None


class SeverityRecipe(Recipe, frozen=True):
    """A severity specialist from its base encoder to its shipped folder.

    Attributes:
        name: Name of the model.
        version: Version of the model.
        fit: Schedule of the supervised stage.
        base: Hugging Face id, or a folder.
        layers: Encoder layers of the base to keep, counted from 0; all when left out.
        intermediate: Feed-forward neurons of each layer to keep; all when left out.
        seed: Seed of everything random.
        min_piece_count: Rows that a word piece needs to stay in the vocabulary.
        half_life_years: Age at which a vector counts half.
        floor: Least weight of an old vector.
        soft: Share of the loss that the teachers' probabilities get where a row has a vector.
        pretrain: Domain-adaptive pretraining of the base.
        views: Of the records, as the specialist is shown them.
        teachers: Models to learn from; their probabilities are averaged.
        together: How much the practice of giving values together counts beside the text, 0 to 1.
        words: How much the logarithm of what a linear model of words says counts beside the
            network's; 0 for none.
        word_terms: Words and pairs of words that it knows, at most.
    """

    name: str
    fit: Fit
    version: str = "1"
    base: str = MINILM
    layers: tuple[int, ...] | None = None
    intermediate: int | None = None
    seed: int = 42
    min_piece_count: int = 10
    half_life_years: float = 6.0
    floor: float = 0.3
    soft: float = 0.5
    pretrain: Pretrain | None = None
    views: Views = Views()
    teachers: tuple[SeverityTeacher, ...] = ()
    together: float = 0.23
    words: float = 0.15
    word_terms: int = 50000
