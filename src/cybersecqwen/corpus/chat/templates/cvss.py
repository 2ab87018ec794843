"""How severe, and by which CVSS metric."""

from __future__ import annotations

from random import Random

from cybersecqwen.core.cvss_metrics import METRIC_NAMES, VALUE_NAMES
from cybersecqwen.corpus.chat.draft import (
    DraftExample,
    GenerationContext,
    LabelledRecord,
    ask,
    describe,
)
from cybersecqwen.corpus.chat.severity import SCORERS, Severity
from cybersecqwen.corpus.chat.weakness_graph import quoted

_VECTOR = (
    "Score this vulnerability: give the CVSS v3.1 base vector, with a word on the metrics that the "
    "text decides. The vector alone on the last line.",
    "Derive the CVSS v3.1 base metrics from this description. Last line: the vector string only.",
    "Which CVSS v3.1 base vector fits this record? Name what in the text speaks for it, then write "
    "the vector on a line of its own.",
    "Rate this CVE with CVSS v3.1. Keep the reasons short; end with the vector.",
)
_RATING = (
    "How severe is this, and which CVSS metric carries the score?",
    "Read the CVSS vector out for me: how bad is it, and what would change that?",
    "Is this urgent? Base it on the CVSS vector and the text.",
    "Explain the severity of this record to somebody who does not read CVSS vectors.",
)
_METRIC = (
    'Which CVSS v3.1 base metrics does "{phrase}" decide, and with which values?',
    'The text says "{phrase}". How does that show in the CVSS v3.1 vector?',
    'Under which CVSS v3.1 metric does an analyst record "{phrase}"?',
)


def vector(case: LabelledRecord, context: GenerationContext, rng: Random) -> DraftExample | None:
    """Ask for the base vector of a description; the scorer is named, and its vector the answer."""
    severity = case.severity
    if severity is None:
        return None
    decided = told(case, severity)
    values = severity.values
    reasons = [
        f'{name}:{value} ({METRIC_NAMES[name]} {VALUE_NAMES[name][value]}) for "{said}"'
        for name, said in decided
        for value in [values[name]]
    ]
    rest = [f"{m}:{values[m]}" for m in METRIC_NAMES if m not in dict(decided)]
    if reasons:
        text = f"{'; '.join(reasons)}. The others: {', '.join(rest)}."
    else:
        access, impact = ", ".join(rest[:5]), ", ".join(rest[5:])
        text = f"{severity.reach().capitalize()}: {access}. Impact: {impact}."
    response = f"{text} That scores {severity.score}, {severity.rating}.\n\n{severity.vector}"
    prompt = ask(rng.choice(_VECTOR), describe(case))
    return DraftExample("vector", prompt, response, case.record, (), severity.vector, "cvss")


def severity_rating(
    case: LabelledRecord, context: GenerationContext, rng: Random
) -> DraftExample | None:
    """Ask how severe a given vector is and which metric matters most."""
    severity = case.severity
    if severity is None or severity.score == 0:
        return None
    scorer = SCORERS[severity.source]
    parts = [
        rng.choice(
            (
                f"{severity.rating}: {scorer} gives a base score of {severity.score}.",
                f"The base score is {severity.score}, which CVSS calls {severity.rating}.",
                f"{severity.rating}, with a base score of {severity.score}.",
            )
        ),
        f"The attack works {severity.reach()}.",
    ]
    effects = severity.effects()
    if effects:
        parts.append(f"Success lets an attacker {', '.join(effects)}.")
    parts += _movers(severity, rng)
    if case.facts.gains:
        parts.append(f"The text agrees on the impact: {quoted(case.facts.gains[:1])}.")
    prompt = ask(rng.choice(_RATING), describe(case, severity=True))
    return DraftExample("severity", prompt, " ".join(parts), case.record)


def _movers(severity: Severity, rng: Random) -> list[str]:
    """Say which metric's change would lower the score most, and which would raise it most."""
    parts = []
    for found, forms in (
        (
            severity.lowering(),
            (
                "{name} ({m}:{v}) carries the score: with {m}:{w} it would be {score}.",
                "What counts most is {m}:{v}; {m}:{w} would bring it down to {score}.",
            ),
        ),
        (
            severity.raising(),
            (
                "{m}:{v} keeps it down; with {m}:{w} it would be {score}.",
                "It would be {score} with {m}:{w} instead of {m}:{v}.",
            ),
        ),
    ):
        if found:
            name, changed = found
            parts.append(
                rng.choice(forms).format(
                    name=METRIC_NAMES[name],
                    m=name,
                    v=severity.values[name],
                    w=changed.values[name],
                    score=changed.score,
                )
            )
    return parts


def metric(case: LabelledRecord, context: GenerationContext, rng: Random) -> DraftExample | None:
    """Ask which metric a phrase of the text decides."""
    severity = case.severity
    decided = told(case, severity) if severity else []
    if severity is None or not decided:
        return None
    phrase = rng.choice(decided)[1]
    names = [name for name, said in decided if said == phrase]
    pairs = [f"{METRIC_NAMES[n]} ({n}:{severity.values[n]})" for n in names]
    parts = [
        rng.choice(
            (
                f"{' and '.join(pairs)}.",
                f"It decides {' and '.join(pairs)}.",
                f"That goes into {' and '.join(pairs)}.",
            )
        ),
        *(_MEANING[n][severity.values[n]] for n in names),
    ]
    for name in names:
        milder = severity.with_value(name, "N") if name in {"AV", "PR", "UI"} else severity
        if milder.score != severity.score:
            parts.append(
                f"With {name}:N the base score would be {milder.score} instead of {severity.score}."
            )
    response = " ".join(parts)
    prompt = ask(rng.choice(_METRIC).format(phrase=phrase), describe(case, severity=True))
    return DraftExample("metric", prompt, response, case.record)


_MEANING = {
    "AV": {
        "N": "The vulnerable component can be reached through the network stack.",
        "A": "The attacker has to be on the same physical or logical network.",
        "L": "The attack path is local: an account, a program, or a file that a user opens.",
        "P": "The attacker has to touch the device.",
    },
    "PR": {
        "N": "The attacker needs no account before the attack.",
        "L": "The attacker needs the rights of an ordinary user.",
        "H": "The attacker needs significant control, such as an administrator's rights.",
    },
    "UI": {
        "N": "No user other than the attacker has to take part.",
        "R": "A user other than the attacker has to do something first.",
    },
    "C": {"H": "Confidentiality is lost altogether.", "L": "Some information is disclosed."},
    "I": {"H": "Integrity is lost altogether.", "L": "Some data can be changed."},
    "A": {
        "H": "The component can be made unavailable.",
        "L": "Performance suffers or is interrupted.",
    },
}
# Which words of a description decide which value of a metric.
_WORDS = (
    ("AV", "N", ("remote",)),
    ("AV", "A", ("adjacent",)),
    ("AV", "L", ("local",)),
    ("AV", "P", ("physical",)),
    ("PR", "N", ("unauthenticated",)),
    (
        "PR",
        "L",
        (
            "authenticated",
            "low-privileged",
            "low privilege",
            "contributor",
            "subscriber",
            "author",
            "logged",
        ),
    ),
    ("PR", "H", ("admin", "high-privileged", "privileged", "shop manager", "editor")),
)


def told(case: LabelledRecord, severity: Severity) -> list[tuple[str, str]]:
    """Return metrics whose value a phrase of the text decides, each with the phrase."""
    values = severity.values
    found: dict[str, str] = {}
    for actor in case.facts.actors:
        low = actor.lower()
        for name, value, marks in _WORDS:
            said = any(mark in low for mark in marks) and not (
                value == "L" and name == "PR" and "unauthenticated" in low
            )
            if said and values[name] == value:
                found.setdefault(name, actor)
    if case.facts.user and values["UI"] == "R":
        found.setdefault("UI", case.facts.user[0])
    for gain in case.facts.gains:
        low = gain.lower()
        if "denial" in low or "crash" in low:
            found.setdefault("A", gain) if values["A"] != "N" else None
        elif ("information" in low or "read" in low or "data" in low) and values["C"] != "N":
            found.setdefault("C", gain)
        elif ("modify" in low or "overwrite" in low or "delete" in low) and values["I"] != "N":
            found.setdefault("I", gain)
    return [(name, found[name]) for name in METRIC_NAMES if name in found]
