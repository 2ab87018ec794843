"""Answers from the relations between entries: who uses what, what belongs where."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from cybersecqwen.core.records import AnswerLine, Passage
from cybersecqwen.core.text.clean import capital, words
from cybersecqwen.core.text.terms import terms
from cybersecqwen.knowledge.answers.draft import (
    HEADINGS,
    Draft,
    counted,
    facts,
    head,
    label,
    labels,
    listing,
    short_label,
    stating,
)
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.search import PassageIndex

_USER_KINDS = ("group", "campaign", "software")
_USED_KINDS = ("technique", "software")
PLATFORMS = frozenset(
    ["linux", "windows", "macos", "android", "ios", "containers", "saas", "iaas", "esxi"]
)
"""Words for platforms that questions and pages share."""

_YES_OR_NO = re.compile(r"^\W*(?:and )?(?:is|are|does|do)\b", re.IGNORECASE)
_DOMAINS = {"enterprise": "Enterprise", "mobile": "Mobile", "ics": "ICS"}
_MATRICES = frozenset(terms("enterprise mobile ics industrial matrix matrices total"))


def users(index: PassageIndex, query: Query, subjects: Sequence[str]) -> Draft | None:
    """Say who uses techniques or software: groups first, then campaigns and software."""
    common = _common([index.linking(page, "uses") for page in subjects])
    left_out = [page for page in query.excluded if index.kind(page) not in _USER_KINDS[:2]]
    for page in query.excluded:
        out = {page, *(index.linking(page, "uses") if page in left_out else ())}
        common = [user for user in common if user not in out]
    kinds = [kind for kind in _USER_KINDS if kind in query.wanted] or list(_USER_KINDS)
    if "group" in kinds and "who" in query.skeleton.lower():
        kinds = list(_USER_KINDS)
    if not any(index.kind(user) in kinds for user in common):
        kinds += [kind for kind in _USER_KINDS if kind not in kinds]
    found = {kind: [u for u in common if index.kind(u) == kind] for kind in kinds}
    if not any(index.linking(page, "uses") for page in subjects):
        return None
    draft = Draft(subjects=list(subjects))
    names = " and ".join(label(index, page) for page in subjects)
    but = f" but not {' or '.join(labels(index, query.excluded))}" if query.excluded else ""
    first = kinds[0]
    draft.say(
        f"{capital(counted(len(found[first]), first))} in the knowledge base "
        f"{'uses' if len(found[first]) == 1 and len(subjects) == 1 else 'use'} {names}{but}.",
        *_stated(index, subjects, found[first]),
    )
    for page in left_out:
        draft.direct.append(_mention(index, page))
    for kind, pages in found.items():
        draft.add_list(
            capital(HEADINGS.get(kind, f"{kind}s")),
            labels(index, pages),
            _stated(index, subjects, pages),
        )
    return draft


def _mention(index: PassageIndex, page: str) -> AnswerLine:
    return AnswerLine(f"Left out: users of {label(index, page)}.", (head(index, page).id,))


def uses(index: PassageIndex, query: Query, subjects: Sequence[str]) -> Draft | None:
    """Say what groups, campaigns and software use: techniques, of a tactic where one is named."""
    actors = [p for p in subjects if index.kind(p) in {"group", "campaign", "software"}]
    tactics = [p for p in subjects if index.kind(p) == "tactic"]
    if not actors:
        return None
    everything = _common([index.linked(page, "uses") for page in actors])
    if not everything:
        return None
    kinds = [kind for kind in _USED_KINDS if kind in query.wanted]
    if tactics:
        kinds = ["technique"]
    elif not kinds or (
        "technique" in kinds and re.search(r"\bwhat does @\w+ use\b", query.skeleton)
    ):
        kinds = list(_USED_KINDS)
    found = {kind: [u for u in everything if index.kind(u) == kind] for kind in kinds}
    draft = Draft(subjects=actors)
    names = " and ".join(labels(index, actors))
    verb = "uses" if len(actors) == 1 else "use"
    if tactics:
        wanted = set(tactics)
        found["technique"] = [
            t for t in found["technique"] if wanted & set(index.linked(t, "tactic"))
        ]
        purpose = " and ".join(labels(index, tactics))
        draft.say(
            f"{names} {verb} {counted(len(found['technique']), 'technique')} for {purpose}"
            f"{_some(index, found['technique'])}.",
            *(
                _stated(index, actors, found["technique"])
                or [head(index, actor) for actor in actors]
            ),
        )
        draft.add_list(
            "Techniques",
            labels(index, found["technique"]),
            _stated(index, actors, found["technique"]),
        )
        draft.subjects += tactics
        return draft
    counts = " and ".join(counted(len(pages), kind) for kind, pages in found.items())
    draft.say(
        f"{names} {verb} {counts}.",
        *[p for k in kinds for p in _stated(index, actors, found[k])][:2],
    )
    for kind, pages in found.items():
        draft.add_list(
            capital(HEADINGS.get(kind, f"{kind}s")),
            labels(index, pages),
            _stated(index, actors, pages),
        )
    return draft


def _some(index: PassageIndex, pages: Sequence[str]) -> str:
    return f": {listing(labels(index, pages), 5)}" if pages else ""


def techniques(index: PassageIndex, query: Query, tactic: str) -> Draft:
    """List the techniques of a tactic, sub-techniques apart."""
    platforms = PLATFORMS & set(words(query.corrected))
    without = bool(platforms) and query.negated
    pages = [
        page
        for page in index.linking(tactic, "tactic")
        if not platforms or bool(platforms & set(words(_platforms(index, page)))) is not without
    ]
    subs = [page for page in pages if index.linked(page, "sub-technique of")]
    mains = [page for page in pages if page not in set(subs)]
    draft = Draft(subjects=[tactic])
    on = f" {'not ' if without else ''}on {' or '.join(sorted(platforms))}" if platforms else ""
    draft.say(
        f"{label(index, tactic)} has {len(pages)} techniques{on}: {len(mains)} of their own and "
        f"{len(subs)} sub-techniques.",
        *stating(index, tactic, mains)[:2],
    )
    draft.add_list("Techniques", labels(index, sorted(mains)), stating(index, tactic, mains))
    draft.add_list("Sub-techniques", labels(index, sorted(subs)), stating(index, tactic, subs))
    return draft


def _platforms(index: PassageIndex, page: str) -> str:
    return " ".join(line.text for line in facts(index, page, "Platforms"))


def tactics_of(index: PassageIndex, query: Query, subjects: Sequence[str]) -> Draft | None:
    """Say which tactics techniques, or the techniques of software, serve."""
    draft = Draft(subjects=list(subjects))
    for page in subjects:
        found = index.linked(page, "tactic")
        if not found:
            counts = Counter(
                t for used in index.linked(page, "uses") for t in index.linked(used, "tactic")
            )
            if counts:
                draft.say(
                    f"{label(index, page)} uses techniques of these tactics.", head(index, page)
                )
                items = [
                    f"{label(index, t)}: {counted(n, 'technique')}" for t, n in counts.most_common()
                ]
                draft.add_list(
                    "Tactics", items, stating(index, page, index.linked(page, "uses"))[:2]
                )
            continue
        draft.say(
            f"{label(index, page)} belongs to {' and '.join(labels(index, found))}.",
            *stating(index, page, found),
        )
        if query.negated:
            domain = index.source(found[0])
            others = [
                t
                for t in index.pages_of_kind("tactic")
                if t not in found and index.source(t) == domain
            ]
            draft.add_list(
                "Tactics it does not belong to",
                labels(index, others),
                [head(index, o) for o in others],
            )
    return draft if draft.direct else None


def all_tactics(index: PassageIndex, query: Query) -> Draft | None:
    """List the tactics of ATT&CK's matrices, of the one named if one is."""
    if set(query.rest) - _MATRICES:
        return None
    text = words(query.corrected)
    draft = Draft()
    for source in index.manifest.sources:
        domain = source.name.removesuffix("-attack")
        named = [d for d in ("enterprise", "mobile", "ics") if d in text]
        if named and domain not in named:
            continue
        pages = [t for t in index.pages_of_kind("tactic") if index.source(t) == source.name]
        if pages:
            draft.say(
                f"ATT&CK for {_DOMAINS.get(domain, domain)} has {len(pages)} tactics.",
                head(index, pages[0]),
            )
            draft.add_list(
                f"Tactics, {domain}", labels(index, pages), [head(index, p) for p in pages]
            )
    return draft if draft.direct else None


def members(index: PassageIndex, query: Query, page: str) -> Draft | None:
    """List the members of a view or a category, all of them."""
    found = index.linked(page, "member") or index.linking(page, "child of")
    if not found:
        return None
    draft = Draft(subjects=[page])
    draft.say(
        f"{label(index, page)} has {counted(len(found), 'member')}.",
        *stating(index, page, found)[:1],
    )
    draft.add_list("Members", [short_label(index, p) for p in found], stating(index, page, found))
    if len(found) > len(draft.sections[-1].lines):
        draft.say(f"The first {len(draft.sections[-1].lines)} of {len(found)} are shown.")
    return draft


def membership(index: PassageIndex, query: Query, subjects: Sequence[str]) -> Draft | None:
    """Say which views and categories hold a weakness, or whether those named do."""
    weaknesses = [p for p in subjects if index.kind(p) == "weakness"]
    lists = [p for p in subjects if index.kind(p) in {"view", "category"}]
    draft = Draft(subjects=weaknesses + lists)
    for page in weaknesses:
        holding = index.linking(page, "member")
        name = short_label(index, page)
        if not lists:
            count = len(holding)
            draft.say(
                f"{count or 'None'} of the catalogue's views and categories "
                f"{'holds' if count == 1 else 'hold'} {name}.",
                *(stating(index, page, holding)[:1] or [head(index, page)]),
            )
            draft.add_list(
                "Views and categories", labels(index, holding), stating(index, page, holding)
            )
        for group in lists:
            listed = index.linked(group, "member")
            within = [page for page in listed if page in holding]
            inside = group in holding or bool(within)
            size = len(listed)
            yes = ("Yes: " if inside else "No: ") if _YES_OR_NO.search(query.skeleton) else ""
            draft.say(
                f"{yes}{name} is {'' if inside else 'not '}among the "
                f"{counted(size, 'member')} of {label(index, group)}.",
                *(
                    stating(index, page, [group, *within])
                    if inside
                    else [head(index, group), head(index, page)]
                ),
            )
            if within:
                draft.direct.append(
                    AnswerLine(
                        f"It is in {' and '.join(labels(index, within))}.",
                        tuple(p.id for p in stating(index, group, within)),
                    )
                )
    return draft if draft.direct else None


def attribution(index: PassageIndex, query: Query, subjects: Sequence[str]) -> Draft | None:
    """Say to whom campaigns are attributed, or which campaigns to a group."""
    draft = Draft(subjects=list(subjects))
    if all(index.kind(page) == "software" for page in subjects):
        return users(index, query, subjects)
    for page in subjects:
        groups = index.linked(page, "attributed to")
        campaigns = index.linking(page, "attributed to")
        if groups:
            draft.say(
                f"{label(index, page)} is attributed to {' and '.join(labels(index, groups))}.",
                *stating(index, page, groups),
            )
            draft.subjects += groups
        elif campaigns:
            draft.say(
                f"{counted(len(campaigns), 'campaign')} "
                f"{'is' if len(campaigns) == 1 else 'are'} attributed to {label(index, page)}.",
                *stating(index, page, campaigns),
            )
            draft.add_list("Campaigns", labels(index, campaigns), stating(index, page, campaigns))
    return draft if draft.direct else None


def sequence(index: PassageIndex, query: Query, page: str) -> Draft | None:
    """Say what an entry can precede and what it can follow."""
    after, before = index.linked(page, "can precede"), index.linking(page, "can precede")
    if not after and not before:
        return None
    draft = Draft(subjects=[page])
    if before:
        draft.say(
            f"{short_label(index, page)} can follow {listing(labels(index, before), 6)}.",
            *stating(index, page, before),
        )
    if after:
        draft.say(
            f"{short_label(index, page)} can precede {listing(labels(index, after), 6)}.",
            *stating(index, page, after),
        )
    return draft


def targets(index: PassageIndex, query: Query, page: str) -> Draft | None:
    """Say which assets a technique targets."""
    found = index.linked(page, "targets") or index.linking(page, "targets")
    if not found:
        return None
    draft = Draft(subjects=[page])
    draft.say(
        f"{label(index, page)} has {counted(len(found), 'target')}.",
        *stating(index, page, found)[:1],
    )
    draft.add_list("Targets", labels(index, found), stating(index, page, found))
    return draft


def actor_summary(draft: Draft, index: PassageIndex, page: str) -> None:
    """Add what a group, a campaign or software uses, and who uses it, in numbers."""
    used = index.linked(page, "uses")
    for heading, pages in (
        ("Techniques", [u for u in used if index.kind(u) == "technique"]),
        ("Software", [u for u in used if index.kind(u) == "software"]),
        ("Used by groups", [u for u in index.linking(page, "uses") if index.kind(u) == "group"]),
        ("Attributed to", index.linked(page, "attributed to")),
        ("Campaigns", index.linking(page, "attributed to")),
    ):
        shown = pages[:8]
        draft.add_list(heading, labels(index, shown), stating(index, page, shown), len(pages))


def _common(lists: Sequence[Sequence[str]]) -> list[str]:
    """Return what all lists hold, in the order of the first."""
    first, *others = lists
    kept = set(first).intersection(*others)
    return [item for item in first if item in kept]


def _stated(index: PassageIndex, pages: Iterable[str], ids: Iterable[str]) -> list[Passage]:
    wanted = list(ids)
    return [passage for page in pages for passage in stating(index, page, wanted)]
