"""Which attack pattern uses a weakness, which ATT&CK technique it is, and what hinders them."""

from __future__ import annotations

from random import Random

from cybersecqwen.core.records import Passage
from cybersecqwen.core.text.clean import words
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.core.text.terms import stem
from cybersecqwen.corpus.chat.draft import (
    Book,
    DraftExample,
    GenerationContext,
    LabelledRecord,
    ask,
    cite,
    describe,
    shuffled,
)
from cybersecqwen.corpus.chat.templates.impact_and_fix import advice_of, best_advice
from cybersecqwen.corpus.chat.weakness_graph import quoted

_PATTERN = (
    "Which attack pattern would be used against this, and how is it hindered?",
    "Describe the attack behind this record and one measure against it.",
    "How would an adversary go about this in general, and what stands in the way?",
    "Link this vulnerability to a CAPEC pattern and give a mitigation for it.",
)
_TECHNIQUE = (
    "Which ATT&CK technique does the attack pattern behind this correspond to, and what does "
    "ATT&CK suggest against it?",
    "Take me from this CVE to ATT&CK: weakness, attack pattern, technique, mitigation.",
    "Which ATT&CK mitigation is relevant if this is exploited?",
)
_FILLERS = frozenset(
    map(stem, ("a", "an", "in", "of", "on", "the", "through", "via", "using", "attack"))
)
_LONGEST_SUMMARY = 280


def pattern(case: LabelledRecord, context: GenerationContext, rng: Random) -> DraftExample | None:
    """Ask for the attack pattern that uses the weakness and what hinders it."""
    found = [
        (name, advice)
        for name in context.graph.linked(case.cwe, "attack pattern")
        if fits(name, case, context)
        and (advice := best_advice(context.graph.of_kind(name, "mitigation"), case, context, rng))
    ]
    if not found:
        return None
    name, advice = rng.choice(found)
    about = context.graph.first(name)
    if about is None:
        return None
    is_open = rng.random() < 0.6
    book: Book = "open" if is_open else "closed"
    shown = shuffled([about, advice], rng) if is_open else []
    summary = sentences(about.text)[0]
    if len(summary) > _LONGEST_SUMMARY:
        return None
    response = (
        f"{context.graph.named(case.cwe)} is exploited by {name} "
        f"({context.graph.entries[name].name}): {summary} {cite(about, book)} "
        f"To hinder it: {advice_of(advice.text)} {cite(advice, book)}"
    )
    if case.quotes:
        response += f" In this record it is {quoted(case.quotes[:1])} that opens the way."
    prompt = ask(rng.choice(_PATTERN), describe(case, weakness=True), shown)
    return DraftExample("pattern", prompt, response, case.record, (about, advice))


def technique(case: LabelledRecord, context: GenerationContext, rng: Random) -> DraftExample | None:
    """Ask for the way from the weakness over an attack pattern to ATT&CK's mitigations."""
    chains = [
        (capec, f"T{number.removeprefix('T')}", passage)
        for capec in context.graph.linked(case.cwe, "attack pattern")
        if fits(capec, case, context)
        for number in _techniques(capec, context)
        for passage in context.graph.of_kind(f"T{number.removeprefix('T')}", "mitigation")
        if len(passage.text) < 500 and _named_in(f"T{number.removeprefix('T')}", case, context)
    ]
    if not chains:
        return None
    capec, attack, advice = rng.choice(chains)
    about, links = context.graph.first(attack), _naming(capec, attack, context)
    if about is None or links is None:
        return None
    is_open = rng.random() < 0.6
    book: Book = "open" if is_open else "closed"
    name, _, text = advice.text.partition("): ")
    response = (
        f"{context.graph.named(case.cwe)} is exploited by {capec} "
        f"({context.graph.entries[capec].name}), which corresponds to {attack} "
        f"({context.graph.entries[attack].name}) {cite(links, book)}. Against that ATT&CK names "
        f"{name}): {advice_of(text)} {cite(advice, book)}"
    )
    shown = shuffled([links, advice], rng) if is_open else []
    prompt = ask(rng.choice(_TECHNIQUE), describe(case, weakness=True), shown)
    return DraftExample("technique", prompt, response, case.record, (about, links, advice))


def fits(capec: str, case: LabelledRecord, context: GenerationContext) -> bool:
    """Whether an attack pattern's name says nothing but what the record and its weakness say.

    CWE lists dozens of patterns for a general weakness; one through SOAP messages is no answer to
    a record that has none.
    """
    said = {stem(word) for word in words(f"{case.text} {context.graph.entries[case.cwe].name}")}
    name = {stem(word) for word in words(context.graph.entries[capec].name)} - _FILLERS
    return name <= said


def _named_in(attack: str, case: LabelledRecord, context: GenerationContext) -> bool:
    """Whether the record speaks of most of what a technique's name says."""
    name = {
        stem(word) for word in words(context.graph.entries[attack].name.split(": ")[-1])
    } - _FILLERS
    said = {stem(word) for word in words(case.text)}
    return len(name & said) >= 0.6 * len(name)


def _techniques(capec: str, context: GenerationContext) -> list[str]:
    entry = context.graph.entries[capec]
    found = [target for relation, target in entry.links if relation == "technique"]
    return [t for t in found if f"T{t.removeprefix('T')}" in context.graph.entries]


def _naming(page: str, other: str, context: GenerationContext) -> Passage | None:
    """Return the page's passage of relations that names another page."""
    found = context.graph.of_kind(page, "relation")
    return next((p for p in found if other.removeprefix("T") in p.text), None)
