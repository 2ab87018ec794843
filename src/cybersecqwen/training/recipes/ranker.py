"""The recipe of the option ranker: every choice that makes it, with its unit."""

from __future__ import annotations

from cybersecqwen.core.config import Recipe


class RankerRecipe(Recipe, frozen=True):
    """An option ranker, from questions to its file.

    Attributes:
        name: Name of the ranker.
        hidden: Units of the hidden layer of each network.
        members: Networks that are fitted, from ``seed`` on, and averaged into one.
        epochs: Passes over the training questions.
        batch_size: Questions at once.
        learning_rate: Highest; it falls to 0 along a cosine.
        weight_decay: Per step, times the learning rate.
        dropout: Share of inputs hidden at random, 0 to 1, so that none is relied on alone.
        questions: Training questions at most, drawn evenly; 0 for all.
        validation_questions: The same for validation.
        blurred: Share of words lost, 0 to 1, at most, in training questions; see
            ``training.ranker.run.blur``.
        seed: Seed of everything random.
        held_out_wording: Family of wording left out of training and selection and reported apart.
    """

    name: str
    hidden: int = 32
    members: int = 1
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    dropout: float = 0.15
    questions: int = 0
    validation_questions: int = 0
    blurred: float = 0.8
    seed: int = 42
    held_out_wording: str = ""
