"""Named ways to ask and to read, each with a hash that goes into the log.

``ref``, ``faith`` and ``paper-2025`` are the field's own, as far as their makers describe them;
``constrained`` is ours. What a maker leaves open is said where it is set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from cybersecqwen.core import answer_parsing, prompts
from cybersecqwen.core.answer_parsing import AnswerKind, AnswerParser
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.prompts import Template
from cybersecqwen.core.records import Labeller


@dataclass(frozen=True, slots=True)
class Protocol:
    """How questions are put and answers are read.

    Attributes:
        name: What a user types.
        readers: By kind of answer, how text is read; every kind has one.
        templates: By kind of answer, how a question is put; the benchmark's own prompt where a
            kind is missing.
        few_shot: By kind, the layout for base models, which see worked examples.
        shots: Worked examples shown to a base model, drawn from the benchmark itself and redrawn
            each trial.
        temperature: Sampling temperature.
        top_p: Nucleus mass, 0 to 1.
        max_tokens: New tokens at most.
        trials: Passes over the questions, with seeds one apart.
        drop_duplicates: Whether questions that repeat another are left out.
        constrained: Whether the answer is chosen among the permitted ones, so that there is
            nothing to read.
    """

    name: str
    readers: Mapping[AnswerKind, AnswerParser]
    templates: Mapping[AnswerKind, Template] = field(default_factory=dict)
    few_shot: Mapping[AnswerKind, Template] = field(default_factory=dict)
    shots: int = 0
    temperature: float = 0.3
    top_p: float = 1.0
    max_tokens: int = 512
    trials: int = 1
    drop_duplicates: bool = False
    constrained: bool = False

    def template(self, kind: AnswerKind) -> Template:
        """Return how a question of this kind is put."""
        return self.templates.get(kind, prompts.BENCHMARK)

    def sha256(self) -> str:
        """Return the hash of everything above: equal hashes mean equal protocols."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


_REF = Protocol(
    name="ref",
    readers={
        "cwe": answer_parsing.CWE_LAST,
        "choice": answer_parsing.CHOICE_REF,
        "cvss": answer_parsing.CVSS_LAST,
        "techniques": answer_parsing.TECHNIQUES_LAST_LINE,
        "actor": answer_parsing.ACTOR_LINE,
        "text": answer_parsing.TEXT_WHOLE,
    },
    trials=5,
)

_FAITH = Protocol(
    name="faith",
    readers={
        "cwe": answer_parsing.CWE_UNIQUE,
        "choice": answer_parsing.CHOICE_UNIQUE,
        "cvss": answer_parsing.CVSS_UNIQUE,
        "techniques": answer_parsing.TECHNIQUES_STRICT,
        "actor": answer_parsing.ACTOR_STRICT,
        "text": answer_parsing.TEXT_WHOLE,
    },
    templates={"cwe": prompts.CWE_JUSTIFIED, "choice": prompts.CHOICE_LETTER_LINE},
    max_tokens=5000,
    drop_duplicates=True,
)

_PAPER = Protocol(
    name="paper-2025",
    readers={**_REF.readers, "choice": answer_parsing.CHOICE_PAPER},
    few_shot={"cwe": prompts.CWE_FEW_SHOT, "choice": prompts.CHOICE_FEW_SHOT},
    shots=5,
    # The report states no limit for these tasks; VSP has 1,000 in the authors' later one.
    max_tokens=1000,
    trials=10,
)

_CONSTRAINED = Protocol(
    name="constrained",
    readers={
        "cwe": answer_parsing.CWE_EXACT,
        "choice": answer_parsing.CHOICE_EXACT,
        "cvss": answer_parsing.CVSS_UNIQUE,
        "techniques": answer_parsing.TECHNIQUES_STRICT,
        "actor": answer_parsing.ACTOR_EXACT,
        "text": answer_parsing.TEXT_WHOLE,
    },
    templates={"cwe": prompts.CWE_ID, "choice": prompts.CHOICE_LETTER},
    temperature=0.0,
    constrained=True,
)

PROTOCOLS = {p.name: p for p in (_REF, _FAITH, _PAPER, _CONSTRAINED)}


def find_protocol(name: str) -> Protocol:
    """Return a protocol by its name.

    Raises:
        InputError: There is none of that name.
    """
    if name not in PROTOCOLS:
        raise InputError(f"no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def for_base_model(protocol: Protocol) -> Protocol:
    """Return the protocol as it applies to a base model: worked examples, then the question.

    Raises:
        InputError: The protocol says nothing of base models.
    """
    if not protocol.shots:
        raise InputError(f"protocol {protocol.name} has no form for base models; use paper-2025")
    return replace(protocol, templates=protocol.few_shot)


def with_max_tokens(protocol: Protocol, max_tokens: int) -> Protocol:
    """Return the protocol with another limit, which its name then says: it is not the same one."""
    if max_tokens == protocol.max_tokens:
        return protocol
    return replace(protocol, name=f"{protocol.name}, {max_tokens} tokens", max_tokens=max_tokens)


def for_labeller(protocol: Protocol, labeller: Labeller) -> Protocol:
    """Return the constrained protocol as a language model is asked for a labeller's CWE ids.

    The question names the convention, as in ``map``; other protocols' questions are their makers'.
    """
    if not protocol.constrained or labeller == "nvd":
        return protocol
    templates = {**protocol.templates, "cwe": prompts.CWE_ID_BY[labeller]}
    return replace(protocol, name=f"{protocol.name}, {labeller} labels", templates=templates)
