"""Entries of CWE, CAPEC and ATT&CK cut into passages that can be found and cited.

A passage's id is its page's id, a mark, and what it is: ``T1110.003#mitigation-M1036``,
``CWE-79#mitigation-2``, ``G0016#relation``. A page's first passage has the page's id alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from cybersecqwen.core.records import Catalogue, Entry, Passage, Section
from cybersecqwen.core.text.clean import clean

MOST_CHARACTERS = 1_200
"""A passage's length: some 200 words, so that eight of them fit a small model's context."""

# How a relation reads from the page that it leads to.
_INVERSE = {
    "child of": "Parent of",
    "sub-technique of": "Sub-techniques",
    "uses": "Used by",
    "mitigates": "Mitigated by",
    "attributed to": "Campaigns",
    "targets": "Targeted by",
    "tactic": "Techniques",
    "data source": "Data components",
    "member": "Member of",
    "can precede": "Can follow",
    "peer of": "Peer of",
    "can also be": "Can also be",
    "requires": "Required by",
    "starts with": "Starts",
    "technique": "Attack patterns",
    "weakness": "Attack patterns",
    "attack pattern": "Weaknesses",
}
_FORWARD = {
    "child of": "Child of",
    "sub-technique of": "Sub-technique of",
    "uses": "Uses",
    "mitigates": "Mitigates",
    "attributed to": "Attributed to",
    "targets": "Targets",
    "tactic": "Tactics",
    "data source": "Data source",
    "member": "Members",
    "can precede": "Can precede",
    "peer of": "Peer of",
    "can also be": "Can also be",
    "requires": "Requires",
    "starts with": "Starts with",
    "technique": "ATT&CK techniques",
    "weakness": "Weaknesses",
    "attack pattern": "Attack patterns",
}


def page_of(citation: str) -> str:
    """Return the id of the page that a citation id belongs to."""
    return citation.partition("#")[0]


def merge_entries(catalogues: Iterable[Catalogue]) -> dict[str, Entry]:
    """Return the entries of all catalogues by id.

    ATT&CK repeats groups and mitigations in each domain; their texts and links are joined. An
    entry that one catalogue withdrew and another still holds is held.
    """
    merged: dict[str, Entry] = {}
    for catalogue in catalogues:
        for entry in catalogue.entries:
            known = merged.get(entry.id)
            if known is None or (known.withdrawn and not entry.withdrawn):
                merged[entry.id] = entry
            elif known.withdrawn or not entry.withdrawn:
                merged[entry.id] = replace(
                    known,
                    aliases=tuple(dict.fromkeys([*known.aliases, *entry.aliases])),
                    sections=tuple(dict.fromkeys([*known.sections, *entry.sections])),
                    links=tuple(dict.fromkeys([*known.links, *entry.links])),
                    replaced_by=tuple(dict.fromkeys([*known.replaced_by, *entry.replaced_by])),
                )
    return merged


def passages_of(entries: Mapping[str, Entry]) -> Iterator[Passage]:
    """Yield the passages of all entries, page by page.

    A withdrawn entry gives one passage that says so and names its replacements.
    """
    incoming: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries.values():
        if not entry.withdrawn:
            for relation, target in entry.links:
                incoming[target][relation].append(entry.id)
    for entry in entries.values():
        if entry.withdrawn:
            yield _notice(entry, entries)
        else:
            yield from _page(entry, entries, incoming.get(entry.id, {}))


def _notice(entry: Entry, entries: Mapping[str, Entry]) -> Passage:
    instead = ", ".join(_named(name, entries) for name in entry.replaced_by)
    use = f" Use {instead} instead." if instead else ""
    text = f"{entry.id} {entry.name} has been withdrawn (deprecated or revoked).{use}"
    return Passage(entry.id, entry.name, "withdrawn", text)


def _page(
    entry: Entry, entries: Mapping[str, Entry], incoming: Mapping[str, Sequence[str]]
) -> Iterator[Passage]:
    sections = [*entry.sections]
    if entry.aliases:
        text = f"{entry.name} ({entry.id}) is also known as: {'; '.join(entry.aliases)}."
        sections.append(Section("alias", text))
    sections.append(Section("relation", _relations(entry, entries, incoming)))
    numbers: Counter[str] = Counter()
    first = True
    for section in sections:
        for text in _pieces(section.text):
            stem = f"{section.kind}-{section.about}" if section.about else section.kind
            numbers[stem] += 1
            number = numbers[stem]
            mark = stem if section.about and number == 1 else f"{stem}-{number}"
            yield Passage(
                entry.id if first else f"{entry.id}#{mark}", entry.name, section.kind, text
            )
            first = False


def _relations(
    entry: Entry, entries: Mapping[str, Entry], incoming: Mapping[str, Sequence[str]]
) -> str:
    """Return a paragraph for each relation, both ways, with names and ids."""
    related: dict[str, list[str]] = defaultdict(list)
    for relation, target in entry.links:
        related[_FORWARD[relation]].append(target)
    for relation, others in incoming.items():
        related[_INVERSE[relation]] += others
    return "\n\n".join(
        paragraph
        for heading, names in related.items()
        for paragraph in _listed(heading, [_named(name, entries) for name in dict.fromkeys(names)])
    )


def _listed(heading: str, names: Sequence[str]) -> Iterator[str]:
    """Yield ``Heading: one; two.``, again with the heading where the list would be cut."""
    held: list[str] = []
    length = len(heading)
    for name in names:
        if held and length + len(name) + 4 > MOST_CHARACTERS:
            yield f"{heading}: {'; '.join(held)}."
            held, length = [], len(heading)
        held.append(name)
        length += len(name) + 2
    yield f"{heading}: {'; '.join(held)}."


def _named(name: str, entries: Mapping[str, Entry]) -> str:
    entry = entries.get(name)
    return f"{entry.name} ({name})" if entry else name


def _pieces(text: str) -> Iterator[str]:
    """Yield cleaned pieces of at most ``MOST_CHARACTERS``, cut at paragraphs, then sentences."""
    held = ""
    for paragraph in text.split("\n\n"):
        for part in _bounded(clean(paragraph)):
            if held and len(held) + len(part) >= MOST_CHARACTERS:
                yield held
                held = ""
            held = f"{held} {part}" if held else part
    if held:
        yield held


def _bounded(text: str) -> Iterator[str]:
    while len(text) > MOST_CHARACTERS:
        cut = max(text.rfind(mark, 0, MOST_CHARACTERS) + len(mark) for mark in (". ", "; "))
        if cut < MOST_CHARACTERS // 4:
            cut = text.rfind(" ", 1, MOST_CHARACTERS) + 1 or MOST_CHARACTERS
        yield text[:cut].strip()
        text = text[cut:].strip()
    if text:
        yield text
