"""What the REST routes take and give."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from cybersecqwen.apps.map_stream import MapOptions
from cybersecqwen.core.records import Labeller

_LONGEST_TEXT = 1_000_000
_LONGEST_REPORT = 100_000  # each of its sentences is read by itself
_EXAMPLE = "The login form concatenates the user name into the SQL query."
_ROW: dict[str, Any] = {
    "id": "text",
    "cwe": "CWE-89",
    "name": "Improper Neutralization of Special Elements used in an SQL Command ('SQL Injection')",
    "confidence": 0.98,
    "candidates": [{"cwe": "CWE-89", "name": "SQL Injection", "probability": 0.98}],
    "abstained": False,
    "backoff": None,
    "model": "cybersecqwen-specialist 1",
}

_TEXT = AliasChoices("text", "description")
_ITEM: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {
                "id": {"anyOf": [{"type": "string"}, {"type": "number"}]},
                "text": {"type": "string"},
                "description": {"type": "string"},
            },
        },
    ]
}

# What the routes and the tools for agents take alike.
Text = Annotated[str, Field(min_length=1, max_length=_LONGEST_TEXT)]
Report = Annotated[str, Field(min_length=1, max_length=_LONGEST_REPORT)]
Question = Annotated[str, Field(min_length=1, max_length=20_000)]
Choices = Annotated[
    list[Annotated[str, Field(max_length=2_000)]], Field(min_length=2, max_length=10)
]
CandidateCount = Annotated[int, Field(ge=1, le=1000, description="Candidates for each text.")]
PassageCount = Annotated[int, Field(ge=1, le=100)]


class Strict(BaseModel):
    """A request in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Item(Strict):
    """A text of a batch, and the id that its row shall have; ``description`` is ``text``, too."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str | None = Field("", max_length=1000)
    text: str = Field(max_length=_LONGEST_TEXT, validation_alias=_TEXT)


class TextsRequest(Strict):
    """One text, or a batch of them; an item that cannot be used costs no other its answer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": _EXAMPLE},
                {"items": [{"id": "a", "text": _EXAMPLE}, "Heap overflow in a parser."]},
            ]
        }
    )

    text: Text | None = Field(None, validation_alias=_TEXT)
    items: list[Any] | None = Field(None, json_schema_extra={"items": _ITEM})
    labeller: Labeller = Field("nvd", description="Whose practice to follow.")
    threshold: float | None = Field(
        None, ge=0, le=1, allow_inf_nan=False, description="Abstain under this confidence."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.text is None) == (self.items is None):
            raise ValueError("give either text or items")
        return self


class MapRequest(TextsRequest):
    """Texts to be mapped; an id alone is looked up in the local store."""

    top_k: CandidateCount = 5

    @property
    def options(self) -> MapOptions:
        """What is asked of the model."""
        return MapOptions(self.labeller, self.top_k, self.threshold)


class AssessRequest(TextsRequest):
    """Texts to be assessed; an id alone is looked up in the local store."""


class EarlierTurn(Strict):
    """A turn of the conversation before a question."""

    role: Literal["user", "assistant"]
    content: str = Field(max_length=20_000)


class AskRequest(Strict):
    """A question, or a multiple-choice question with its options."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"question": "How can CWE-79 be prevented?"}]}
    )

    question: Question
    history: list[EarlierTurn] = Field(default_factory=list, max_length=40)
    choices: Choices | None = None


class SearchRequest(Strict):
    """Words to look for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"query": "stored cross-site"}]})

    query: Question
    limit: PassageCount = 8


class Named(BaseModel):
    """A CWE id and its name."""

    id: str
    name: str


class CandidateOut(BaseModel):
    """A CWE id, its name and its probability."""

    cwe: str
    name: str
    probability: float


class MapRowOut(BaseModel):
    """What the specialist says of one text; as ``cybersecqwen map --json`` prints it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ROW]})

    id: str
    cwe: str
    name: str
    confidence: float
    candidates: list[CandidateOut]
    abstained: bool
    backoff: CandidateOut | None
    model: str


class Problem(BaseModel):
    """A record that could not be used."""

    where: str
    id: str
    reason: str
    kind: str


class TechniquesRequest(Strict):
    """A sentence, a scenario or a report."""

    text: Report = Field(
        validation_alias=_TEXT,
        examples=["The intruders dumped LSASS memory with procdump."],
    )


class TechniqueOut(BaseModel):
    """A technique, and the words of the text that tell of it."""

    id: str
    name: str
    probability: float
    parent: dict[str, str] | None = None
    sentence: str
    citation: str


class TechniquesOut(BaseModel):
    """The techniques of a text: likeliest ones on the whole, and all that it tells of."""

    id: str
    about: list[TechniqueOut]
    abstained: bool
    tells: list[TechniqueOut]
    model: str
    attack: str


class AssessmentOut(BaseModel):
    """What the embedded specialists say of a text; the fields of a row of ``map``, and these."""

    model_config = ConfigDict(extra="allow")

    id: str
    cwe: str
    name: str
    confidence: float
    band: str
    weaknesses: list[dict[str, Any]]
    cvss: dict[str, Any]
    cvss4: dict[str, Any] | None
    techniques: list[dict[str, Any]]
    mitigations: list[dict[str, Any]]
    chain: list[dict[str, Any]]
    record: dict[str, Any]


class AssessmentBatch(BaseModel):
    """The assessments of a batch, and what could not be used."""

    models: list[str]
    items: list[AssessmentOut]
    problems: list[Problem]
    notes: list[str] = []


class Batch(BaseModel):
    """The rows of a batch, and what could not be used."""

    model: str
    items: list[MapRowOut]
    problems: list[Problem]
    notes: list[str] = []


class PassageOut(BaseModel):
    """A passage of the knowledge base."""

    id: str
    title: str
    kind: str
    text: str


class Hit(PassageOut):
    """A passage found, and its score."""

    score: float


class Hits(BaseModel):
    """Passages found, best first."""

    passages: list[Hit]


class AnswerLineOut(BaseModel):
    """A line of an answer: composed words before it, its text, and the passages it stands on."""

    lead: str
    text: str
    citations: list[str]
    quoted: bool


class AnswerSectionOut(BaseModel):
    """Details under a heading; ``total`` says how many there are where not all are shown."""

    heading: str
    lines: list[AnswerLineOut]
    citations: list[str]
    total: int


class AnswerOut(BaseModel):
    """An answer and the passages it cites."""

    text: str
    direct: list[AnswerLineOut]
    sections: list[AnswerSectionOut]
    citations: list[str]
    passages: list[PassageOut]
    found: bool
    from_memory: bool
    corrections: list[str]
    nearest: list[Named]
    subjects: list[Named]
    intent: str
    unsupported: list[str]
    prediction: MapRowOut | None
    model: str
    warning: str = Field(description="What the knowledge base is too old for; empty for nothing.")


class ChoiceOut(BaseModel):
    """The option chosen, each option's probability and the passages that speak for them."""

    best: int
    letter: str
    probabilities: list[float]
    passage: PassageOut | None
    passages: list[PassageOut | None]
    held: float = Field(description="Probability that the knowledge base answers the question.")
    model: str
    warning: str = Field(description="As of an answer.")


class AttackPatternOut(Named):
    """An attack pattern of CAPEC and the ATT&CK techniques that it is linked to."""

    techniques: list[Named]


class CweOut(BaseModel):
    """An entry of the CWE catalogue and its place in the tree."""

    id: str
    name: str
    kind: str
    usage: str
    deprecated: bool
    parents: list[Named]
    children: list[Named]
    path: list[Named]
    passages: list[PassageOut]
    attack_patterns: list[AttackPatternOut] = Field(
        [], description="By the catalogues' own relations, not predicted."
    )


class ErrorDetail(BaseModel):
    """What is wrong."""

    message: str
    type: str
    param: str | None = None
    code: str


class ErrorOut(BaseModel):
    """A refusal."""

    error: ErrorDetail
