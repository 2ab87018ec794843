"""Rows of a technique corpus: ``corpus techniques`` writes them, a training reads them."""

from __future__ import annotations

import msgspec


class TechniqueRow(msgspec.Struct, frozen=True):
    """A sentence and its technique.

    Attributes:
        text: The sentence; whoever acts in a procedure is ``{actor}``.
        technique: Id, such as ``T1059.001``.
        kind: ``procedure``, ``description``, ``name`` or ``report``; ``scenario`` where a language
            model wrote it, ``wording`` where it says in other words what a sentence says.
        group: Page or report that it stands in.
    """

    text: str
    technique: str
    kind: str
    group: str


class TechniqueEntry(msgspec.Struct, frozen=True):
    """A technique that can be answered with.

    Attributes:
        id: Such as ``T1059.001``.
        name: As ATT&CK's page is headed.
        text: Its description.
    """

    id: str
    name: str
    text: str


class ReportRow(msgspec.Struct, frozen=True):
    """A report made of a page's sentences.

    Attributes:
        text: Some sentences.
        techniques: Those it tells of.
        group: The page.
        unsure: Those it was to tell of and hardly has a word of.
    """

    text: str
    techniques: tuple[str, ...]
    group: str
    unsure: tuple[str, ...] = ()


class OpeningRow(msgspec.Struct, frozen=True):
    """How the page of a group, a campaign or a piece of software begins: telling no technique.

    Attributes:
        text: Its first sentences.
        name: As it is headed.
        group: The page.
    """

    text: str
    name: str
    group: str
