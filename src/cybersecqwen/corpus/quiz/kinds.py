"""The kinds of question: what is asked of which pages, and where the answer stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkKind:
    """A question about a link: the options are names of pages.

    Attributes:
        name: Name of the kind.
        page: Kind of the page asked about.
        relation: The link.
        target: Kind of the page that it leads to.
        back: Whether the link leads from the target to the page.
        section: Kind of the passages that describe it, besides the page's list of relations.
    """

    name: str
    page: str
    relation: str
    target: str
    back: bool = False
    section: str = "relation"


@dataclass(frozen=True, slots=True)
class TextKind:
    """A question about a sentence of a kind of section on a kind of page."""

    name: str
    page: str
    section: str


@dataclass(frozen=True, slots=True)
class ValueKind:
    """A question about a value that pages list.

    Attributes:
        name: Name of the kind.
        page: Kind of the page.
        field: Which list.
    """

    name: str
    page: str
    field: str


LINKS = (
    LinkKind("technique-mitigation", "technique", "mitigates", "mitigation", True, "mitigation"),
    LinkKind("technique-tactic", "technique", "tactic", "tactic"),
    LinkKind("technique-software", "technique", "uses", "software", True, "procedure"),
    LinkKind("technique-group", "technique", "uses", "group", True, "procedure"),
    LinkKind("technique-campaign", "technique", "uses", "campaign", True, "procedure"),
    LinkKind("technique-asset", "technique", "targets", "asset"),
    LinkKind("technique-parent", "technique", "sub-technique of", "technique"),
    LinkKind("technique-child", "technique", "sub-technique of", "technique", True),
    LinkKind("technique-pattern", "technique", "technique", "attack pattern", True),
    LinkKind("tactic-technique", "tactic", "tactic", "technique", True),
    LinkKind("mitigation-technique", "mitigation", "mitigates", "technique"),
    LinkKind("software-technique", "software", "uses", "technique"),
    LinkKind("software-group", "software", "uses", "group", True, "procedure"),
    LinkKind("group-technique", "group", "uses", "technique"),
    LinkKind("group-software", "group", "uses", "software"),
    LinkKind("campaign-group", "campaign", "attributed to", "group"),
    LinkKind("campaign-software", "campaign", "uses", "software"),
    LinkKind("campaign-technique", "campaign", "uses", "technique"),
    LinkKind("weakness-parent", "weakness", "child of", "weakness"),
    LinkKind("weakness-child", "weakness", "child of", "weakness", True),
    LinkKind("weakness-next", "weakness", "can precede", "weakness"),
    LinkKind("weakness-pattern", "weakness", "attack pattern", "attack pattern"),
    LinkKind("category-weakness", "category", "member", "weakness"),
    LinkKind("pattern-weakness", "attack pattern", "weakness", "weakness"),
    LinkKind("pattern-technique", "attack pattern", "technique", "technique"),
    LinkKind("pattern-parent", "attack pattern", "child of", "attack pattern"),
    LinkKind("pattern-child", "attack pattern", "child of", "attack pattern", True),
    LinkKind("pattern-next", "attack pattern", "can precede", "attack pattern"),
)

STATEMENTS = (
    TextKind("description-technique", "technique", "description"),
    TextKind("detection-technique", "technique", "detection"),
    TextKind("measure-technique", "technique", "mitigation"),
    TextKind("procedure-technique", "technique", "procedure"),
    TextKind("description-software", "software", "description"),
    TextKind("description-group", "group", "description"),
    TextKind("description-campaign", "campaign", "description"),
    TextKind("description-mitigation", "mitigation", "description"),
    TextKind("description-tactic", "tactic", "description"),
    TextKind("description-component", "data component", "description"),
    TextKind("description-asset", "asset", "description"),
    TextKind("description-weakness", "weakness", "description"),
    TextKind("consequence-weakness", "weakness", "consequence"),
    TextKind("measure-weakness", "weakness", "mitigation"),
    TextKind("example-weakness", "weakness", "example"),
    TextKind("description-pattern", "attack pattern", "description"),
    TextKind("prerequisite-pattern", "attack pattern", "prerequisite"),
    TextKind("measure-pattern", "attack pattern", "mitigation"),
    TextKind("example-pattern", "attack pattern", "example"),
)
"""What is said, and of which page it is said."""

CLAUSES = (
    TextKind("technique-description", "technique", "description"),
    TextKind("technique-measure", "technique", "mitigation"),
    TextKind("technique-detection", "technique", "detection"),
    TextKind("technique-procedure", "technique", "procedure"),
    TextKind("software-description", "software", "description"),
    TextKind("group-description", "group", "description"),
    TextKind("campaign-description", "campaign", "description"),
    TextKind("mitigation-description", "mitigation", "description"),
    TextKind("tactic-description", "tactic", "description"),
    TextKind("component-description", "data component", "description"),
    TextKind("asset-description", "asset", "description"),
    TextKind("weakness-description", "weakness", "description"),
    TextKind("weakness-effect", "weakness", "consequence"),
    TextKind("weakness-measure", "weakness", "mitigation"),
    TextKind("weakness-detection", "weakness", "detection"),
    TextKind("weakness-background", "weakness", "background"),
    TextKind("pattern-description", "attack pattern", "description"),
    TextKind("pattern-prerequisite", "attack pattern", "prerequisite"),
    TextKind("pattern-measure", "attack pattern", "mitigation"),
    TextKind("pattern-resource", "attack pattern", "resource"),
)
"""Of which page something is said, and what: the options are sentences."""

HALVES = (
    TextKind("technique-half", "technique", ""),
    TextKind("software-half", "software", ""),
    TextKind("group-half", "group", ""),
    TextKind("mitigation-half", "mitigation", ""),
    TextKind("tactic-half", "tactic", ""),
    TextKind("weakness-half", "weakness", ""),
    TextKind("pattern-half", "attack pattern", ""),
)
"""A sentence cut in two: the options complete it."""

VALUES = (
    ValueKind("technique-platform", "technique", "Platforms"),
    ValueKind("software-platform", "software", "Platforms"),
    ValueKind("technique-component", "technique", "Data components"),
    ValueKind("weakness-impact", "weakness", "Impacts"),
    ValueKind("weakness-scope", "weakness", "Scopes"),
    ValueKind("weakness-phase", "weakness", "Introduced in"),
    ValueKind("weakness-platform", "weakness", "Platforms"),
    ValueKind("weakness-likelihood", "weakness", "Likelihood of exploit"),
    ValueKind("weakness-abstraction", "weakness", "Abstraction"),
    ValueKind("weakness-method", "weakness", "Detection methods"),
    ValueKind("pattern-impact", "attack pattern", "Impacts"),
    ValueKind("pattern-scope", "attack pattern", "Scopes"),
    ValueKind("pattern-severity", "attack pattern", "Typical severity"),
    ValueKind("pattern-likelihood", "attack pattern", "Likelihood of attack"),
    ValueKind("pattern-abstraction", "attack pattern", "Abstraction"),
    ValueKind("pattern-skill", "attack pattern", "Skills"),
)

NAMED = (
    "technique",
    "tactic",
    "software",
    "group",
    "campaign",
    "mitigation",
    "data component",
    "weakness",
    "attack pattern",
)
"""Pages whose id, name and aliases are asked for."""
