"""Description to weakness: the id alone, or with a reason that says something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from cybersecqwen.core.prompts import CWE_ID_BY, CWE_JUSTIFIED, cwe_reason_prompt
from cybersecqwen.core.records import Labeller, Passage
from cybersecqwen.core.taxonomy import Taxonomy
from cybersecqwen.core.text.clean import capital, words
from cybersecqwen.corpus.chat.draft import DraftExample
from cybersecqwen.corpus.chat.keyphrases import Finding, KeyphraseModel
from cybersecqwen.corpus.chat.weakness_graph import ConfusionNeighbours, WeaknessGraph

_LABELLER_NAMES: dict[Labeller, str] = {"nvd": "NVD", "cna": "the CNA"}
_ID_ALONE: dict[Labeller, tuple[str, ...]] = {
    "nvd": (
        "Which CWE would NVD assign to this vulnerability? Reply with the CWE ID alone.",
        "Give the CWE ID that NVD's analysts would choose, and nothing else.",
        "Name the weakness behind this CVE as NVD labels it: the CWE ID only.",
        "NVD mapping, please. One CWE ID, no explanation.",
        "Labelling convention: NVD. Answer with one CWE ID.",
    ),
    "cna": (
        "Which CWE would the vendor (CNA) put into its own record? Reply with the CWE ID alone.",
        "Give the CWE ID that the CNA would choose for this CVE, and nothing else.",
        "Name the weakness behind this CVE as the vendor's own advisory would: the CWE ID only.",
        "CNA mapping, please. One CWE ID, no explanation.",
        "Labelling convention: CNA. Answer with one CWE ID.",
    ),
}
_JUSTIFIED: dict[Labeller, tuple[str, ...]] = {
    "nvd": (
        "Which CWE would NVD assign here? Give the reason in a sentence or two, then the CWE ID "
        "alone on the last line.",
        "Map this CVE to the weakness that NVD would name. Say briefly what in the text decides "
        "it. Last line: the CWE ID and nothing else.",
        "Read the description and find its root weakness by NVD's convention. A short reason "
        "first; the last line holds only the CWE ID.",
        "I am triaging this record and need NVD's CWE for it. Explain in short and end with a "
        "line that is just the ID.",
        "What is the CWE, as NVD's analysts would see it? Justify it from the text, then write "
        "the ID on a line of its own.",
    ),
    "cna": (
        "Which CWE would the vendor (CNA) assign here? Give the reason in a sentence or two, then "
        "the CWE ID alone on the last line.",
        "Map this CVE to the weakness that its CNA would name. Say briefly what in the text "
        "decides it. Last line: the CWE ID and nothing else.",
        "Read the description and find its root weakness by the CNA's convention. A short reason "
        "first; the last line holds only the CWE ID.",
        "We are the vendor and fill in our own CVE record. Which CWE belongs there? Explain in "
        "short and end with a line that is just the ID.",
        "What is the CWE, as the CNA that published this would see it? Justify it from the text, "
        "then write the ID on a line of its own.",
    ),
}
_KIN_EXACT = (
    "{other} is its parent and says less.",
    "Its parent, {other}, would be less exact.",
    "{other} also covers it, but more broadly.",
)
_KIN_NARROW = (
    "Nothing in the text goes as far as {other}, which is narrower.",
    "{other} would be narrower than what the text supports.",
    "The text gives no ground for the narrower {other}.",
)
_UNLISTED = (
    "{other} would be narrower, but NVD's simplified list of weaknesses does not hold it.",
    "NVD works with a shorter list, which leaves out the narrower {other}.",
)
_COMMON = frozenset(
    ("a", "an", "and", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with")
)
_NAMING = frozenset(("improper", "incorrect", "use"))
"""Words that names of weaknesses begin with, which tell none from another."""

_OTHER = (
    "In {other}, by contrast, {brief}.",
    "{other} is close, but there {brief}.",
    "Not {other}, where {brief}.",
    "With {other}, {brief}; the text does not describe that.",
)


@dataclass(frozen=True, slots=True)
class MappingContext:
    """What the reasons of all records are made from.

    Attributes:
        graph: Knowledge entries.
        evidence: Phrases that point to weaknesses.
        neighbours: Weaknesses that are taken for each other.
    """

    graph: WeaknessGraph
    evidence: KeyphraseModel
    neighbours: ConfusionNeighbours


@dataclass(frozen=True, slots=True)
class LabelledRecord:
    """A record and what is known of it.

    Attributes:
        record: CVE id.
        text: Description, cleaned.
        cwe: Main label.
        labeller: Who gave it.
        impacts: What the text says that an attacker gets, quoted.
        findings: Which of its words point to the label.
    """

    record: str
    text: str
    cwe: str
    labeller: Labeller
    impacts: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def quotes(self) -> tuple[str, ...]:
        """The words that point to the label."""
        return tuple(finding.quote for finding in self.findings)


def map_protocol(case: LabelledRecord, context: MappingContext, rng: Random) -> DraftExample:
    """Ask as the published protocols do (``core.prompts``); a reason, then the id."""
    prompt = CWE_JUSTIFIED.question.format(text=case.text)
    return _justified("map", prompt, case, context, rng)


def map_justified(case: LabelledRecord, context: MappingContext, rng: Random) -> DraftExample:
    """Ask for a labeller's weakness in words of our own; a reason, then the id."""
    prompt = _asked(rng.choice(_JUSTIFIED[case.labeller]), case)
    return _justified(f"map-{case.labeller}", prompt, case, context, rng)


def map_id(case: LabelledRecord, context: MappingContext, rng: Random) -> DraftExample:
    """Ask for the id alone."""
    if rng.random() < 0.3:
        prompt = CWE_ID_BY[case.labeller].question.format(text=case.text)
    else:
        prompt = _asked(rng.choice(_ID_ALONE[case.labeller]), case)
    kind = f"map-id-{case.labeller}"
    return DraftExample(
        kind, prompt, case.cwe, case.record, _pages(context, case.cwe), case.cwe, "cwe"
    )


def map_reason(case: LabelledRecord, context: MappingContext, rng: Random) -> DraftExample:
    """Ask what in the text points to a weakness that is given; the reason alone."""
    prompt = cwe_reason_prompt(case.text, case.cwe)
    justified = _justified("map-reason", prompt, case, context, rng)
    reason = justified.response.rpartition("\n\n")[0]
    return replace(justified, response=reason, gold="", reads=None)


def id_first(draft: DraftExample) -> DraftExample:
    """Return a justified answer with its id in front as well."""
    return replace(draft, response=f"{draft.gold}\n\n{draft.response}")


def _asked(question: str, case: LabelledRecord) -> str:
    return f"{question}\n\nCVE Description: {case.text}"


def _nearest(case: LabelledRecord, context: MappingContext, rng: Random) -> tuple[str, str] | None:
    """Return a weakness that is easily taken for the label, and its relation, or None.

    It is one of the three nearest of those that the text does not speak of. Where it does speak
    of a child that view CWE-1003 lacks and the label is NVD's, the relation is ``unlisted``: NVD
    maps by that view (https://nvd.nist.gov/vuln/categories).
    """
    mine = context.evidence.points_to(case.text, case.cwe)
    found = []
    for name, relation in context.neighbours.near(case.cwe)[:8]:
        if context.graph.first(name) is None:
            continue
        spoken = _speaks_of(case, name, context)
        if relation == "child" and spoken:
            if case.labeller == "nvd" and _only_label_listed(case.cwe, name, context):
                found.append((name, "unlisted"))
        elif relation == "parent" or (
            not spoken and context.evidence.points_to(case.text, name) < 0.6 * mine
        ):
            found.append((name, relation))
    # Weaknesses so general that MITRE discourages them are hardly anybody's nearest neighbour.
    taxonomy = context.graph.taxonomy
    exact = [f for f in found if f[1] != "other" or _usage(f[0], taxonomy) != "discouraged"]
    return rng.choice((exact or found)[:3]) if found else None


def _usage(cwe: str, taxonomy: Taxonomy) -> str:
    entry = taxonomy.get(cwe)
    return entry.usage if entry else ""


def _speaks_of(case: LabelledRecord, name: str, context: MappingContext) -> bool:
    """Whether the text has words that tell a weakness from the label, or evidence for it."""
    if context.evidence.points_to(case.text, name) > 0:
        return True
    own = set(words(context.graph.taxonomy.name(case.cwe)))
    telling = set(words(context.graph.taxonomy.name(name))) - own - _COMMON - _NAMING
    return bool(telling & set(words(case.text)))


def _only_label_listed(cwe: str, other: str, context: MappingContext) -> bool:
    mine, theirs = context.graph.taxonomy.get(cwe), context.graph.taxonomy.get(other)
    return bool(mine and mine.in_1003 and theirs and not theirs.in_1003)


def _justified(
    kind: str, prompt: str, case: LabelledRecord, context: MappingContext, rng: Random
) -> DraftExample:
    parts = [_because(case, context, rng)]
    used = [case.cwe]
    other = _nearest(case, context, rng) if case.findings and rng.random() < 0.45 else None
    if other:
        # By name alone: some readers take no answer that names two ids.
        parts.append(_contrast(other, context, rng))
        used.append(other[0])
    response = f"{' '.join(parts)}\n\n{case.cwe}"
    return DraftExample(
        kind, prompt, response, case.record, _pages(context, *used), case.cwe, "cwe"
    )


def _pages(context: MappingContext, *pages: str) -> tuple[Passage, ...]:
    return tuple(p for page in pages if (p := context.graph.first(page)))


def _because(case: LabelledRecord, context: MappingContext, rng: Random) -> str:
    name = context.graph.short_name(case.cwe)
    brief = context.graph.brief(case.cwe, rng)
    if not case.findings:
        return _without_words(case, name, brief, rng)
    said = _quoted(case.quotes)
    many = len(case.quotes) > 1
    return rng.choice(
        (
            f"The text says {said}: {brief}. That is {name}.",
            f"{said} {'point' if many else 'points'} to {name}: {brief}.",
            f"{capital(brief)}, as {said} {'show' if many else 'shows'}; that is {name}.",
            f"{said}: {brief}, which is {name}.",
            f"What decides is {said}. In {name}, {brief}.",
            f"The record speaks of {said}, so {brief}: {name}.",
            f"{name}, going by {said}: {brief}.",
            f"{said} {'are' if many else 'is'} what {name} is about.",
            f"The flaw is {name}; the words for it are {said}.",
        )
    )


def _without_words(case: LabelledRecord, name: str, brief: str, rng: Random) -> str:
    who = capital(_LABELLER_NAMES[case.labeller])
    if case.impacts:
        said = _quoted(case.impacts[:1])
        return rng.choice(
            (
                f"The text gives the effect, {said}, rather than the flaw. {who} files it as "
                f"{name}: {brief}.",
                f"No phrase names the flaw outright. {who} takes {said} to follow from {name}: "
                f"{brief}.",
                f"Going by the effect, {said}, this is filed as {name}: {brief}.",
            )
        )
    return rng.choice(
        (
            f"No phrase names the flaw outright; {who} files what is described as {name}: {brief}.",
            f"The flaw has to be inferred. {who}'s label is {name}: {brief}.",
            f"What is described comes closest to {name}: {brief}.",
        )
    )


def _contrast(other: tuple[str, str], context: MappingContext, rng: Random) -> str:
    which, relation = other
    name, brief = context.graph.short_name(which), context.graph.brief(which, rng)
    special = {"parent": _KIN_EXACT, "child": _KIN_NARROW, "unlisted": _UNLISTED}
    return rng.choice(special.get(relation, _OTHER)).format(other=name, brief=brief)


def _quoted(pieces: Sequence[str]) -> str:
    """Return pieces in quotation marks, joined as prose."""
    marked = [f'"{piece}"' for piece in pieces]
    return " and ".join(([", ".join(marked[:-1])] if len(marked) > 1 else []) + marked[-1:])
