"""Answers on CVSS vectors, values of its metrics, and what a score is called."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cybersecqwen.core.cvss_metrics import (
    METRIC_NAMES,
    METRIC_NAMES_V4,
    VALUE_NAMES,
    VALUE_NAMES_V4,
    rating,
)
from cybersecqwen.core.records import AnswerLine
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.knowledge.answers.draft import Draft
from cybersecqwen.knowledge.concepts import Concept, concepts

_VECTOR = re.compile(
    r"(?:CVSS:\d\.\d/)?\b[A-Z]{1,3}:[A-Z]{1,2}(?:/[A-Z]{1,3}:[A-Z]{1,2})+\b", re.IGNORECASE
)
_METRIC = re.compile(
    r"\b(AV|AC|AT|PR|UI|S|C|I|A|VC|VI|VA|SC|SI|SA):([A-Z])(?![\w/])|"
    r"\b(AV|AC|AT|PR|UI|VC|VI|VA|SC|SI|SA) ?[:= ] ?(none|low|high|network|adjacent|local|physical|"
    r"required|passive|active|present)\b",
    re.IGNORECASE,
)
_RATING = r"(?:none|low|medium|high|critical)"
_NUMBER = r"(10(?:\.0)?|\d\.\d)(?![\w.]*\d)"
_SCORE = re.compile(
    rf"^\W*(?:is|are|would) (?:an? )?(?:cvss )?(?:score of )?{_NUMBER} "
    rf"(?:(?:always|still|really|considered|counted as|called) )*(?:an? )?{_RATING}\b|"
    rf"\b(?:scor(?:e|es|ed|ing)|severity|rating|rated)\b(?: \w+){{0,3}} {_NUMBER}|"
    rf"(?<!cvss )(?<!cvss v)(?<!cvss:)(?<![\w.]){_NUMBER} (?:severity|score|rating)\b",
    re.IGNORECASE,
)
_ESTIMATE = re.compile(
    r"\bcvss(?: ?v?[\d.]+)? (?:base )?(?:vector|score|rating|severity)(?: string)? (?:for|of) ",
    re.IGNORECASE,
)
_RATED = re.compile(rf"\b{_RATING}\b", re.IGNORECASE)
_ASKS_RANGE = re.compile(
    r"\b(?:which|what|when|from)\b.*\b(?:scores?|range|rated|counts?|considered|is)\b.*"
    r"\b(?:low|medium|high|critical)\b|\b(?:low|medium|high|critical)\b.*\bscores?\b",
    re.IGNORECASE,
)
_CVSS = re.compile(r"\bcvss", re.IGNORECASE)
_PAGES = {
    "AV": "vector",
    "AC": "complexity",
    "AT": "requirements",
    "PR": "privileges-required",
    "UI": "user-interaction",
    "S": "scope",
    **dict.fromkeys("CIA", "impact"),
    **dict.fromkeys(("VC", "VI", "VA", "SC", "SI", "SA"), "systems"),
}
_ATTACK = frozenset(("AV", "AC", "AT"))


def about(text: str) -> Draft | None:
    """Return what a question on a vector, on a metric's value or on a score asks; None for others.

    Args:
        text: The question as it was typed.
    """
    if vector := _VECTOR.search(text):
        return _decoded(vector[0].upper())
    if metric := _METRIC.search(text):
        return _value(metric)
    if score := _SCORE.search(text):
        return _rated(float(next(filter(None, score.groups()))))
    if _CVSS.search(text) and _RATED.search(text) and _ASKS_RANGE.search(text):
        draft = Draft()
        draft.direct.append(_line(concepts()["cvss-severity"].text, concepts()["cvss-severity"]))
        return draft
    return (
        _without("`assess` estimates what a description scores.")
        if _ESTIMATE.search(text)
        else None
    )


def _without(why: str) -> Draft:
    """Say why nothing answers."""
    return Draft(direct=[AnswerLine(why, ())], found=False)


def _line(text: str, concept: Concept) -> AnswerLine:
    return AnswerLine(text, (concept.passage.id,))


def _page(metric: str) -> Concept:
    name = f"attack-{_PAGES[metric]}" if metric in _ATTACK else _PAGES[metric]
    return concepts()[f"cvss-{name}"]


def _decoded(vector: str) -> Draft:
    """Say what a vector scores and what each of its base metrics says."""
    version4 = vector.startswith("CVSS:4") or "/VC:" in vector
    names = METRIC_NAMES_V4 if version4 else METRIC_NAMES
    values = VALUE_NAMES_V4 if version4 else VALUE_NAMES
    given = dict(pair.split(":") for pair in vector.split("/") if not pair.startswith("CVSS:"))
    if lacking := [name for name in names if given.get(name, "") not in values[name]]:
        which = f"without a value of {', '.join(lacking)}"
        return _without(f"{vector} is no base vector of CVSS 3.1 or 4.0: {which}.")
    base = "/".join(f"{name}:{given[name]}" for name in names)
    base = f"CVSS:{'4.0' if version4 else '3.1'}/{base}"
    # Its package takes a while to import, and few questions need it.
    from cybersecqwen.core.cvss import score_of  # noqa: PLC0415

    score = score_of(base)
    said = f"{base} has a base score of {score:.1f}, {rating(score)}."
    if more := [name for name in given if name not in names]:
        said += f" {', '.join(more)} of the vector are not counted in it."
    draft = Draft()
    draft.direct.append(_line(said, concepts()["cvss-severity"]))
    lines = [
        _line(f"{name} ({metric}): {values[metric][given[metric]]}", _page(metric))
        for metric, name in names.items()
    ]
    draft.add("Metrics", lines)
    return draft


def _value(found: re.Match[str]) -> Draft | None:
    """Say what one value of a metric means."""
    metric, given = (found[1] or found[3]).upper(), (found[2] or found[4]).upper()
    draft = Draft()
    page = _page(metric)
    for names, values in ((METRIC_NAMES, VALUE_NAMES), (METRIC_NAMES_V4, VALUE_NAMES_V4)):
        for letter, word in values.get(metric, {}).items():
            if given in {letter, word.upper()}:
                said = f"{metric}:{letter} is {names[metric]}: {word}."
                meaning = next(_meanings(page, f"{word} ({letter}): "), "")
                draft.direct.append(_line(f"{said} {meaning}".strip(), page))
                draft.add(page.title, [_line(page.text, page)])
                draft.add("Values", [_line(each, page) for each in sentences(page.more)])
                return draft
    return None


def _meanings(page: Concept, beginning: str) -> Iterator[str]:
    for said in sentences(page.more):
        if said.startswith(beginning):
            meaning = said.removeprefix(beginning)
            yield meaning[:1].upper() + meaning[1:]


def _rated(score: float) -> Draft:
    """Say what a score is called."""
    severity = concepts()["cvss-severity"]
    draft = Draft()
    draft.direct.append(_line(f"A CVSS score of {score:.1f} is called {rating(score)}.", severity))
    draft.add("The scale", [_line(severity.text, severity)])
    return draft
