"""The recipe of a technique specialist: every choice that makes the model, with its unit."""

from __future__ import annotations

from cybersecqwen.core.config import Recipe
from cybersecqwen.training.recipes.specialist import MINILM, Fit, Pretrain


class TechniqueTeacher(Recipe, frozen=True):
    """A larger model whose probabilities the technique specialist learns.

    Attributes:
        base: Hugging Face id, or a folder, of an encoder or of a causal language model.
        fit: Schedule.
        seed: The teacher's own seed.
    """

    base: str
    fit: Fit
    seed: int = 42


class TechniqueRecipe(Recipe, frozen=True):
    """A technique specialist from its base encoder to its shipped folder.

    Attributes:
        name: Name of the model.
        version: Version of the model.
        fit: Schedule.
        base: Hugging Face id, or a folder.
        layers: Encoder layers of the base to keep, counted from 0; all when left out.
        seed: Seed of everything random.
        min_piece_count: Rows that a word piece needs to stay in the vocabulary.
        averaged: Seeds of more fits from the same start, whose weights' mean with the first ships.
        soft: Share of the loss that the teachers' probabilities get.
        told: What it weighs in the loss which main techniques a report tells.
        paragraphs: Reports on a page's facts that are shown for each sentence.
        joined: Share of examples that are several sentences on one technique.
        condensed: Share of examples that tell of several techniques in one sentence.
        padded: Share of lessons with a sentence before or after that tells no technique.
        words: How much the likeness of words adds to a technique's logit for a sentence; see
            ``TechniqueConfig``. For scenarios it is fitted.
        rarity: How much the logarithm of a technique's sentences takes off; likewise.
        word_sentences: Sentences on a technique, at most, that its words are taken from.
        pretrain: Domain-adaptive pretraining of the base.
        teachers: Models to learn from; their probabilities are averaged.
    """

    name: str
    fit: Fit
    version: str = "1"
    base: str = MINILM
    layers: tuple[int, ...] | None = None
    seed: int = 42
    min_piece_count: int = 2
    averaged: tuple[int, ...] = ()
    soft: float = 0.6
    told: float = 0.5
    paragraphs: float = 0.15
    joined: float = 0.25
    condensed: float = 0.35
    padded: float = 0.08
    words: float = 8.0
    rarity: float = 0.2
    word_sentences: int = 30
    pretrain: Pretrain | None = None
    teachers: tuple[TechniqueTeacher, ...] = ()
