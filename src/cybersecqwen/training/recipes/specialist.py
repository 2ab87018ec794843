"""The recipe of a specialist: every choice that makes the model, with its unit."""

from __future__ import annotations

from cybersecqwen.core.config import Recipe

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


class Fit(Recipe, frozen=True):
    """How long and how fast to learn.

    Attributes:
        epochs: Passes over the rows.
        batch_size: Rows per optimizer step, over all devices.
        learning_rate: Peak, reached after the warm-up, then decayed along a cosine to zero.
        warmup: Share of the steps, 0 to 1.
        weight_decay: Decoupled (AdamW).
        max_tokens: A text's tokens beyond this are dropped.
        average: What remains at each step of a running mean of the weights, which are taken in
            the end, 0 to 1; 0 takes the last weights themselves.
    """

    epochs: float
    batch_size: int
    learning_rate: float
    warmup: float = 0.06
    weight_decay: float = 0.01
    max_tokens: int = 128
    average: float = 0.0


class Supervision(Recipe, frozen=True):
    """What counts as right, and how much.

    Attributes:
        label_smoothing: Probability mass spread over all ids, 0 to 1.
        half_life_years: Age at which a label counts half, against the newest row. Conventions
            drift; old texts still teach the language.
        floor: Least weight of an old label, 0 to 1.
        soft: Share of the loss that the teachers' probabilities get where a row also has a label,
            0 to 1; rows without a label learn from the teachers alone.
    """

    label_smoothing: float = 0.0
    half_life_years: float = 4.0
    floor: float = 0.1
    soft: float = 0.0


class Pretrain(Recipe, frozen=True):
    """Masked-language modelling on every description before any label is seen.

    Domain-adaptive pretraining after Gururangan et al., 2020.

    Attributes:
        fit: Schedule.
        mask: Share of tokens hidden, 0 to 1.
    """

    fit: Fit
    mask: float = 0.2


class Views(Recipe, frozen=True):
    """How often which view of a record is shown; what is left over is the description alone.

    Attributes:
        whole: Share of views with every part.
        some: Share of views with each part at even odds.
        hint: Share of the views with parts in which the CNA's own answer stays.
        year: Share of views that are as of the record's own year.
        assumed: Share of views that are as of the recipe's assumed year, whatever the record's.
            Labels of long before do not count there.
        padded: Share of views with neutral sentences around the description.
        empty: Share of views with neutral sentences in the description's place.
        most_sentences: Neutral sentences in one view at most.
    """

    whole: float = 0.3
    some: float = 0.3
    hint: float = 0.6
    year: float = 0.0
    assumed: float = 0.0
    padded: float = 0.12
    empty: float = 0.02
    most_sentences: int = 8


class SpecialistTeacher(Recipe, frozen=True):
    """A larger model whose probabilities the specialist learns (Hinton et al., 2015).

    Attributes:
        base: Hugging Face id, or a folder, of an encoder or, for weaknesses, of a causal language
            model, which is read at each text's last token.
        fit: Schedule.
        seed: Its own, so that several teachers differ.
        supervision: Its labels' weights.
        pretrain: Its own domain-adaptive pretraining.
        views: Of the records, as it is shown them.
        weight: How much its answers count among the teachers', above 0.
    """

    base: str
    fit: Fit
    seed: int = 42
    supervision: Supervision = Supervision()
    pretrain: Pretrain | None = None
    views: Views = Views(padded=0, empty=0)
    weight: float = 1.0

    @property
    def dated(self) -> bool:
        """Whether it tells years apart; its soft labels are then as of the assumed year."""
        return self.views.year > 0


class Years(Recipe, frozen=True):
    """The years whose practice is told apart.

    Labellers' conventions drift (CWE-119 gave way to CWE-787 and CWE-122), and a description's
    wording alone dates it badly.

    Attributes:
        first: Earlier ones are read as this one.
        last: Later ones are read as this one.
        assumed: Read as of this one is what nobody dates.
        recent: Labels of so many years before the assumed one, and since, are as of it.
        names: Where an old row uses a name of the catalogue that settles recent rows, the share of
            what it teaches as of the assumed year that these decide, 0 to 1.
    """

    first: int
    last: int
    assumed: int
    recent: int = 2
    names: float = 0.0

    def nearest(self, year: int | None) -> int:
        """Return the year as of which a row of a year is read; the assumed one for None."""
        return self.assumed if year is None else min(max(year, self.first), self.last)


class Calibration(Recipe, frozen=True):
    """When the specialist may answer.

    Attributes:
        target_accuracy: The threshold is the lowest confidence above which validation accuracy
            reaches this, 0 to 1.
    """

    target_accuracy: float = 0.95


class HeadRefit(Recipe, frozen=True):
    """A last fit of some labellers' heads, with the encoder as it ships.

    Attributes:
        labellers: Whose heads.
        rows: The newest labelled rows that it reads, at most.
        epochs: How often it reads them.
        keep: Share of the loss that what the head said before gets, 0 to 1.
        stay: Weight of the squared distance from the head's weights before.
        taught: Share of the loss that what the teachers say of the rows gets, 0 to 1.
    """

    labellers: tuple[str, ...]
    rows: int = 36_000
    epochs: int = 6
    keep: float = 0.4
    stay: float = 3e-4
    taught: float = 0.0


class SpecialistRecipe(Recipe, frozen=True):
    """A specialist from its base encoder to its shipped folder.

    Attributes:
        name: Name of the model, as its answers quote it.
        version: Version of the model, as its answers quote it.
        base: Hugging Face id, or a folder.
        layers: Encoder layers of the base to keep, counted from 0; all when left out.
        reading: How many of them, from the end, run for the first token alone.
        views: Of the records, as the specialist is shown them.
        intermediate: Neurons of each layer's feed-forward part to keep; all when left out.
        fit: Schedule of the supervised stage.
        seed: Seed of everything random.
        labellers: Whose labels are learnt, each with its own head.
        min_count: Rows that an id needs, over all labellers, to be learnt.
        min_piece_count: Rows of the corpus that a word piece needs to stay in the vocabulary; 0
            keeps the whole vocabulary.
        supervision: Labels' weights.
        pretrain: Domain-adaptive pretraining of the base.
        teachers: Models to learn from; their probabilities are averaged.
        refit: A last fit of some labellers' heads; none when left out.
        calibration: Accuracy that answers must reach.
        years: Years that it tells apart, if any.
    """

    name: str
    fit: Fit
    version: str = "1"
    base: str = MINILM
    layers: tuple[int, ...] | None = None
    reading: int = 1
    views: Views = Views()
    intermediate: int | None = None
    seed: int = 42
    labellers: tuple[str, ...] = ("nvd", "cna", "adp")
    min_count: int = 5
    min_piece_count: int = 3
    supervision: Supervision = Supervision()
    pretrain: Pretrain | None = None
    teachers: tuple[SpecialistTeacher, ...] = ()
    refit: HeadRefit | None = None
    calibration: Calibration = Calibration()
    years: Years | None = None
