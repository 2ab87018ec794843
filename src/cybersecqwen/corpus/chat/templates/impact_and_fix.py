"""What an attacker gains, what to check first, what to do about it, how two weaknesses differ."""

from __future__ import annotations

import re
from random import Random

from cybersecqwen.core.records import Passage
from cybersecqwen.core.text.clean import capital, words
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
from cybersecqwen.corpus.chat.severity import SCORERS
from cybersecqwen.corpus.chat.templates.cwe import nearest
from cybersecqwen.corpus.chat.weakness_graph import quoted

_GAIN = (
    "What does an attacker gain from this vulnerability?",
    "If somebody exploits this, what can they do afterwards?",
    "Summarise the impact of this vulnerability for an incident ticket.",
    "What is at stake here: data, integrity, availability? Stay with what the record says.",
    "A manager asks what the worst outcome is. What does the record support?",
)
_CHECK = (
    "What should I check first to see whether we are affected?",
    "This came in with the morning feed. What do I look at first?",
    "Give me a short triage checklist for this record.",
    "Which questions decide whether this vulnerability concerns us?",
    "How do I find out quickly whether our systems are exposed to this?",
)
_FIX = (
    "Which mitigation applies to this vulnerability?",
    "How is this kind of flaw prevented? Cite where the advice comes from.",
    "What should the developers change so that this does not happen again?",
    "We cannot leave this open. What do we do about it?",
    "Recommend a countermeasure for this weakness and say why it fits.",
)
_DIFFERENCE = (
    "What tells {one} from {two}, and which of them is this?",
    "{one} or {two}? Say how they differ and decide.",
    "Two analysts disagree: {one} against {two}. Who is right, and why?",
    "Is this {one} or {two}? Explain the difference first.",
)
# Advice for one technology only is of use where the record names it.
_TECHNOLOGY = re.compile(
    r"\b(?:PHP|Struts|J2EE|Java|ASP\.NET|\.NET|Perl|Python|Ruby|Windows|Linux|Unix|FreeBSD|C\+\+|"
    r"XML|ESAPI|AppArmor|SELinux|chroot|register_globals|Verilog|RTL|SoC|iOS|Android|SQL|ORM)\b"
)
_VERB = re.compile(
    r"(?:execute|run|inject|cause|obtain|read|access|disclose|view|steal|retrieve|leak|gain|acquire|"
    r"escalate|elevate|bypass|delete|overwrite|modify|write|create|upload|hijack|take over|conduct|"
    r"perform|trigger|redirect)\b",
    re.IGNORECASE,
)
# Words of a description's outcome, and how CWE's consequences name the same.
_EFFECTS = (
    (r"execut|run|inject", "Execute Unauthorized Code"),
    (r"obtain|read|access|disclos|view|steal|leak|information", "Read "),
    (r"denial|crash|panic|out-of-memory", "DoS: "),
    (r"privilege|root|admin|control|take ?over|hijack", "Gain Privileges"),
    (r"bypass", "Bypass Protection Mechanism"),
    (r"modif|writ|delet|overwrit|upload|creat", "Modify "),
)
_ADVICE_LENGTH = 280


def gains(case: LabelledRecord, context: GenerationContext, rng: Random) -> DraftExample | None:
    """Ask what an attacker gets: from the text, the vector, and the weakness in general."""
    if not case.facts.gains:
        return None
    who = case.facts.actors[:1]
    subject = f'The attacker ("{who[0]}")' if who else "An attacker"
    said = quoted(case.facts.gains[:2])
    forms = [
        f"By the text: {said}." + (f" The attacker is given as {quoted(who)}." if who else ""),
        f"The record names the outcome: {said}."
        + (f" It is open to {quoted(who)}." if who else ""),
        f"In the record's own words, {said}.",
    ]
    if _VERB.match(case.facts.gains[0]) and _VERB.match(case.facts.gains[:2][-1]):
        forms += [f"{subject} can, in the record's words, {said}."] * 2
    parts = [rng.choice(forms)]
    if case.severity:
        parts.append(_vector_effect(case, rng))
    book, used, shown = _general(case, context, rng)
    if used:
        heading = used.text.split(". ")[0].rstrip(".")
        parts.append(
            rng.choice(
                (
                    f"{context.graph.named(case.cwe)} in general: {heading} {cite(used, book)}.",
                    f"CWE lists for {context.graph.named(case.cwe)}: {heading} {cite(used, book)}.",
                )
            )
        )
    elif not case.severity:
        return None
    prompt = ask(rng.choice(_GAIN), describe(case, severity=True, weakness=True), shown)
    passages = (used,) if used else ()
    return DraftExample("gain", prompt, " ".join(parts), case.record, passages)


def _vector_effect(case: LabelledRecord, rng: Random) -> str:
    severity = case.severity
    if severity is None:
        return ""
    scorer = SCORERS[severity.source]
    effects, untouched = severity.effects(), severity.untouched()
    can = (
        ", ".join(effects[:-1]) + (" and " if len(effects) > 1 else "") + effects[-1]
        if effects
        else ""
    )
    text = (
        rng.choice(
            (
                f"{capital(scorer)}'s vector has it that they can {can}",
                f"As {scorer} scores it, they can {can}",
            )
        )
        if can
        else f"{capital(scorer)}'s vector sees no loss of any of the three"
    )
    if untouched and can:
        text += f"; {' and '.join(untouched)} {'are' if len(untouched) > 1 else 'is'} not affected"
    return f"{text}. The attack works {severity.reach()}."


def _general(
    case: LabelledRecord, context: GenerationContext, rng: Random
) -> tuple[Book, Passage | None, list[Passage]]:
    """Choose the entry's consequence that fits the vector, and what to show with it."""
    said = " ".join(case.facts.gains[:2]).lower()
    marks = [mark for pattern, mark in _EFFECTS if re.search(pattern, said)]
    found = [
        passage
        for passage in context.graph.of_kind(case.cwe, "consequence")
        if any(mark in passage.text.split(". ")[0] for mark in marks)
    ]
    if not found:
        return "closed", None, []
    return _opened(found[0], "consequence", case, context, rng)


def _opened(
    used: Passage, kind: str, case: LabelledRecord, context: GenerationContext, rng: Random
) -> tuple[Book, Passage, list[Passage]]:
    """Decide whether the book is open, and add passages that do not help."""
    if rng.random() < 0.4:
        return "closed", used, []
    others = [
        passage
        for name, _ in context.neighbours.near(case.cwe)[:4]
        for passage in context.graph.of_kind(name, kind)[:1]
        if passage.text != used.text
    ]
    rng.shuffle(others)
    return "open", used, shuffled([used, *others[:2]], rng)


def checks(case: LabelledRecord, context: GenerationContext, rng: Random) -> DraftExample | None:
    """Ask what to look at first: versions, reach, place, and how to confirm the flaw."""
    steps = _first_steps(case, rng)
    if len(steps) < 2:
        return None
    found = [
        p
        for p in context.graph.of_kind(case.cwe, "detection")
        if "SOAR" not in p.text and "SAST" not in p.text
    ]
    shown: list[Passage] = []
    passages: tuple[Passage, ...] = ()
    if found:
        book, used, shown = _opened(rng.choice(found[:2]), "detection", case, context, rng)
        advice = advice_of(used.text)
        if advice:
            steps.append(f"If the code is yours: {advice} {cite(used, book)}")
            passages = (used,)
        else:
            shown = []
    lines = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
    prompt = ask(rng.choice(_CHECK), describe(case, severity=True, weakness=True), shown)
    return DraftExample("check", prompt, lines, case.record, passages)


def _first_steps(case: LabelledRecord, rng: Random) -> list[str]:
    """Say what to compare with the installation: versions, place, reach."""
    facts = case.facts
    steps: list[str] = []
    if facts.affected:
        said = quoted(facts.affected[:2])
        steps.append(
            rng.choice(
                (
                    f"Version: is the installed one covered by {said}?",
                    f"Inventory: find installations that match {said}.",
                    f"Compare what runs with the affected range, {said}.",
                )
            )
        )
    if facts.places:
        said = quoted(facts.places[:2])
        steps.append(
            rng.choice(
                (
                    f"Place: is {said} present, enabled and reachable with us?",
                    f"The record locates it in {said}: see whether anybody can reach that.",
                )
            )
        )
    if case.severity:
        values = case.severity.values
        step = f"Reach: by the vector the attack works {case.severity.reach()}."
        if values["UI"] == "R":
            step += " Start with the people who would open such a page, file or message."
        elif values["AV"] == "N" and values["PR"] == "N":
            step += " Anything of it that faces the internet comes first."
        elif values["AV"] in "LP":
            step += " See who can log in or run programs on those machines."
        steps.append(step)
    elif facts.actors:
        steps.append(f"Reach: the attacker is {quoted(facts.actors[:1])}; who with us fits that?")
    return steps


def fix(case: LabelledRecord, context: GenerationContext, rng: Random) -> DraftExample | None:
    """Ask which mitigation of the weakness applies, with the passage cited."""
    used = best_advice(context.graph.of_kind(case.cwe, "mitigation"), case, context, rng)
    if used is None:
        return None
    book, used, shown = _opened(used, "mitigation", case, context, rng)
    given = rng.random() < 0.5
    parts = []
    if not given:
        parts.append(f"The weakness is {context.graph.named(case.cwe)}.")
    if case.facts.fixed:
        said = quoted(case.facts.affected[:1]) if case.facts.affected else ""
        version = case.facts.fixed[0]
        if said and version in said:
            parts.append(f"Update first: the record counts {said} as affected.")
    parts.append(
        rng.choice(
            (
                f"For the cause, CWE advises: {advice_of(used.text)} {cite(used, book)}",
                f"{advice_of(used.text)} {cite(used, book)}",
                f"Against {context.graph.short_name(case.cwe)}: {advice_of(used.text)} "
                f"{cite(used, book)}",
            )
        )
    )
    if case.findings:
        parts.append(
            rng.choice(
                (
                    f"It fits because the flaw lies in {quoted(case.quotes[:1])}.",
                    f"That goes to what the record describes as {quoted(case.quotes[:1])}.",
                )
            )
        )
    prompt = ask(rng.choice(_FIX), describe(case, weakness=given), shown)
    gold = "" if given else case.cwe
    return DraftExample(
        "fix", prompt, " ".join(parts), case.record, (used,), gold, "cwe" if gold else None
    )


def difference(
    case: LabelledRecord, context: GenerationContext, rng: Random
) -> DraftExample | None:
    """Ask how the label differs from a neighbour and which of the two the record is."""
    other = nearest(case, context, rng)
    mine = context.graph.first(case.cwe)
    theirs = context.graph.first(other[0]) if other else None
    if other is None or mine is None or theirs is None or not case.findings:
        return None
    is_open = rng.random() < 0.5
    book: Book = "open" if is_open else "closed"
    named = [context.graph.named(case.cwe), context.graph.named(other[0])]
    clauses = [
        f"In {named[0]}, {context.graph.brief(case.cwe, rng)} {cite(mine, book)}.",
        f"In {named[1]}, {context.graph.brief(other[0], rng)} {cite(theirs, book)}.",
    ]
    relation = {
        "parent": f"{other[0]} is the parent of {case.cwe}, so the narrower one is better.",
        "child": f"{other[0]} is a child of {case.cwe} and asks for more than the text says.",
        "unlisted": f"{other[0]} is a child of {case.cwe} that NVD's simplified list leaves out.",
    }.get(other[1], "")
    verdict = rng.choice(
        (
            f"The record says {quoted(case.quotes)}: {case.cwe}.",
            f"Here it is {case.cwe}, going by {quoted(case.quotes)}.",
            f"With {quoted(case.quotes)} in the text, this is {case.cwe}.",
        )
    )
    if rng.random() < 0.5:
        clauses.reverse()
    response = " ".join([*clauses, *([relation] if relation else []), verdict])
    shown = shuffled([mine, theirs], rng) if is_open else []
    order = rng.sample([case.cwe, other[0]], 2)
    question = rng.choice(_DIFFERENCE).format(one=order[0], two=order[1])
    return DraftExample(
        "difference", ask(question, describe(case), shown), response, case.record, (mine, theirs)
    )


def best_advice(
    found: list[Passage], case: LabelledRecord, context: GenerationContext, rng: Random
) -> Passage | None:
    """Choose among the passages that can stand alone one that is near the weakness and record."""
    text = {stem(word) for word in words(case.text)}
    usable = []
    for passage in found:
        advice = advice_of(passage.text)
        named = {name.lower() for name in _TECHNOLOGY.findall(advice)}
        if advice and all(name in case.text.lower() for name in named):
            said = {stem(word) for word in words(advice)}
            own = context.graph.telling(case.cwe)
            near = 2 * len(said & own) + len(said & text) - 4 * ("firewall" in advice)
            usable.append((near / len(said) ** 0.5, passage))
    usable.sort(key=lambda entry: (-entry[0], entry[1].id))
    return rng.choice(usable[:3])[1] if usable else None


def advice_of(text: str) -> str:
    """Return a passage's first sentence or two without the phase in front, or an empty string."""
    head, colon, rest = text.partition(": ")
    body = rest if colon and len(head) < 90 and "." not in head else text
    said = ""
    for sentence in sentences(body.split(" - ")[0]):
        if len(said) + len(sentence) > _ADVICE_LENGTH:
            break
        said = f"{said} {sentence}".strip()
    whole = (
        said.endswith((".", "!"))
        and "[REF" not in said
        and said.count('"') % 2 == 0
        and said.count("(") == said.count(")")
        and len(said) > 30
    )
    return (
        said
        if whole and not said.lower().startswith(("note ", "this ", "these ", "for example"))
        else ""
    )
