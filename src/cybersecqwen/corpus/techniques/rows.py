"""Rows of a technique corpus."""

from __future__ import annotations

import msgspec


class TechniqueRow(msgspec.Struct, frozen=True):
    """A sentence and its technique.

    Attributes:
        text: The sentence; whoever acts in a procedure is ``{actor}``.
        technique: Id, such as ``T1059.001``.
        kind: ``procedure``, ``description``, ``name`` or ``report``; ``scenario`` where a language
            model wrote it.
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
    """A report made of a held-out page's sentences.

    Attributes:
        text: Some sentences.
        techniques: Those it was to tell of.
        group: The page.
    """

    text: str
    techniques: tuple[str, ...]
    group: str
