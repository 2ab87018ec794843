"""Answers on how to mitigate and how to detect: from either side, never from procedures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cybersecqwen.core.records import AnswerLine, Passage
from cybersecqwen.knowledge.answers.draft import (
    Draft,
    best_first,
    counted,
    first_of,
    head,
    label,
    labels,
    listing,
    quoted,
    stating,
)
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.search import PassageIndex

_SHOWN = 8
_ACTORS = frozenset({"group", "campaign", "software", "tactic"})
# Two measures that the field takes together where one technique stands for a whole attack.
_RELATED = {"T1486": ("T1490",)}


def mitigate(index: PassageIndex, query: Query, page: str) -> Draft:
    """Say how an entry is mitigated."""
    if index.kind(page) in _ACTORS:
        return _against_actor(index, page)
    draft = Draft(subjects=[page])
    passages = best_first(index, page, index.passages_of(page, "mitigation"), query.rest)
    passages = _without_excluded(passages, query)
    if passages:
        _say_mitigations(draft, index, page, passages)
        for other in _RELATED.get(page, ()):
            more = index.passages_of(other, "mitigation")
            draft.add(f"Against {label(index, other)}", [quoted(p) for p in more[:3]], len(more))
        return draft
    draft.say(f"{label(index, page)} lists no mitigation.", head(index, page))
    for other in index.linked(page, "sub-technique of", "child of"):
        more = index.passages_of(other, "mitigation")
        if more:
            draft.add(
                f"Mitigations of its parent {label(index, other)}",
                [quoted(p) for p in more[:_SHOWN]],
                len(more),
            )
    if not draft.sections:
        draft.quote(head(index, page))
    return draft


def _say_mitigations(
    draft: Draft, index: PassageIndex, page: str, passages: Sequence[Passage]
) -> None:
    named = [
        m for m in index.linking(page, "mitigates") if any(f"({m}): " in p.text for p in passages)
    ]
    if named:
        draft.say(
            f"{label(index, page)} has {counted(len(named), 'mitigation')}: "
            f"{listing(labels(index, named), 20)}.",
            *stating(index, page, named)[:3],
        )
        draft.add("What they do", [quoted(p) for p in passages[:_SHOWN]], len(passages))
        return
    count = counted(len(passages), "mitigation")
    lead = f"{label(index, page)} has {count} on its page{first_of(len(passages))}:"
    draft.quote(passages[0], 3, lead=lead)
    draft.add("Mitigations", [quoted(p, 3) for p in passages[1:_SHOWN]], len(passages) - 1)


def _without_excluded(passages: Sequence[Passage], query: Query) -> list[Passage]:
    return [p for p in passages if not any(f"({page}): " in p.text for page in query.excluded)]


def _against_actor(index: PassageIndex, page: str) -> Draft:
    """Say which mitigations cover most of the techniques that an actor uses or a tactic has."""
    draft = Draft(subjects=[page])
    techniques = _techniques(index, page)
    counts = Counter(m for technique in techniques for m in index.linking(technique, "mitigates"))
    known = {m: n for m, n in counts.items() if not m.startswith("M0")} or dict(counts)
    ranked = sorted(known, key=lambda m: (-known[m], m))
    if not ranked:
        draft.say(f"{label(index, page)} lists no mitigation.", head(index, page))
        return draft
    what = "techniques of" if index.kind(page) == "tactic" else "techniques used by"
    draft.say(
        f"These mitigations cover most of the {len(techniques)} {what} {label(index, page)}: "
        f"{listing(labels(index, ranked), 4)}.",
        head(index, page),
    )
    draft.add_list(
        "Mitigations, by techniques covered",
        [f"{label(index, m)}: {known[m]}" for m in ranked],
        [head(index, m) for m in ranked[:4]],
    )
    draft.add_list("Techniques", labels(index, techniques), stating(index, page, techniques)[:4])
    return draft


def _techniques(index: PassageIndex, page: str) -> list[str]:
    if index.kind(page) == "tactic":
        return index.linking(page, "tactic")
    return [used for used in index.linked(page, "uses") if index.kind(used) == "technique"]


def mitigated(index: PassageIndex, query: Query, page: str) -> Draft | None:
    """Say which techniques a mitigation addresses."""
    tactics = set(query.of_kind("tactic"))
    found = [
        technique
        for technique in index.linked(page, "mitigates")
        if not tactics or tactics & set(index.linked(technique, "tactic"))
    ]
    if not found:
        return None
    draft = Draft(subjects=[page])
    draft.say(
        f"{label(index, page)} mitigates {counted(len(found), 'technique')}.",
        *stating(index, page, found)[:2],
    )
    draft.quote(head(index, page), 1)
    draft.add_list("Techniques", labels(index, found), stating(index, page, found))
    return draft


def detect(index: PassageIndex, query: Query, page: str) -> Draft | None:
    """Say how an entry is detected."""
    passages = best_first(index, page, index.passages_of(page, "detection"), query.rest)
    draft = Draft(subjects=[page])
    if passages:
        count = counted(len(passages), "detection")
        lead = f"{label(index, page)} has {count} on its page{first_of(len(passages))}:"
        draft.quote(passages[0], 3, lead=lead)
        draft.add("Detections", [quoted(p, 3) for p in passages[1:_SHOWN]], len(passages) - 1)
        components = _components(passages)
        draft.add_list("Data components", components, passages)
        return draft
    if index.kind(page) in _ACTORS:
        return _detect_actor(index, page)
    if index.kind(page) == "attack pattern":
        return _signs_of_pattern(index, page)
    return None


def _components(passages: Sequence[Passage]) -> list[str]:
    names = [
        name
        for passage in passages
        if "Data components: " in passage.text
        for name in passage.text.rpartition("Data components: ")[2].rstrip(".").split(", ")
    ]
    return list(dict.fromkeys(names))


def _detect_actor(index: PassageIndex, page: str) -> Draft | None:
    techniques = [t for t in _techniques(index, page) if len(index.passages_of(t, "detection"))]
    if not techniques:
        return None
    draft = Draft(subjects=[page])
    draft.say(
        f"No detection is written for {label(index, page)} itself; {len(techniques)} of its "
        "techniques have some.",
        head(index, page),
    )
    lines = [quoted(index.passages_of(t, "detection")[0]) for t in techniques[:_SHOWN]]
    draft.add("Detections, one for each technique", lines, len(techniques))
    draft.add_list("Techniques", labels(index, techniques), stating(index, page, techniques)[:4])
    return draft


def _signs_of_pattern(index: PassageIndex, page: str) -> Draft | None:
    """Detect an attack pattern by its techniques or by the weaknesses that it needs."""
    draft = Draft(subjects=[page])
    lines: list[AnswerLine] = []
    for other in index.linked(page, "technique", "weakness"):
        lines += [quoted(p) for p in index.passages_of(other, "detection")[:2]]
    if not lines:
        return None
    draft.say(
        f"CAPEC gives no detection for {label(index, page)}; the techniques and weaknesses that "
        "it leads to do:",
        head(index, page),
    )
    draft.add("Detections", lines[:_SHOWN], len(lines))
    return draft
