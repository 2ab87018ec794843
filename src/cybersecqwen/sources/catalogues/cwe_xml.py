"""The CWE catalogue's XML form turned into its JSON form's shape, page by page.

Schema: https://cwe.mitre.org/data/xsd/cwe_schema_latest.xsd. Element ``Common_Consequences``
holding ``Consequence`` is the JSON's ``CommonConsequences`` list, and so on; attributes become
fields beside the elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

_SECTIONS = {"Weaknesses": "Weakness", "Categories": "Category", "Views": "View"}
_PAGES = tuple(f"}}{page}" for page in _SECTIONS.values())
_PIECE_BYTES = 1 << 18
_MAX_PAGES, _MAX_ELEMENTS = 20_000, 1_000_000  # fifteen times as many as there are
_BLOCKS = frozenset({"p", "div", "ul", "ol", "li", "br", "table", "tr", "h1", "h2", "h3"})

# Elements of a list that are text alone, and the attribute that is all of others.
_TEXTS = frozenset({"Background_Detail", "Functional_Area", "Affected_Resource"})
_ATTRIBUTE = {"Related_Attack_Pattern": "CAPEC_ID"}
_LISTS = frozenset(
    {
        "Related_Weaknesses",
        "Applicable_Platforms",
        "Background_Details",
        "Alternate_Terms",
        "Modes_Of_Introduction",
        "Common_Consequences",
        "Detection_Methods",
        "Potential_Mitigations",
        "Observed_Examples",
        "Functional_Areas",
        "Affected_Resources",
        "Related_Attack_Patterns",
        "Relationships",
        "Members",
    }
)
_REPEATED = frozenset({"Scope", "Impact"})
"""Fields that the JSON form always writes as lists; ``Phase`` is one of a mitigation's."""


class NotACatalogueError(Exception):
    """The XML is broken, or something else; the message says what."""


class _Builder(TreeBuilder):
    """Builds the tree, and refuses what could fill the memory: document types, endless pages."""

    def __init__(self) -> None:
        super().__init__()
        self._elements = self._pages = 0

    def start(self, tag: str, attrs: dict[str, str]) -> Element:
        self._elements += 1
        self._pages += tag.endswith(_PAGES)
        if self._pages > _MAX_PAGES or self._elements > _MAX_ELEMENTS:
            raise NotACatalogueError(f"it has over {_MAX_PAGES:,} pages, or a million elements")
        return super().start(tag, attrs)

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        raise NotACatalogueError("it has a document type declaration, which is refused")


def catalogue_of(content: bytes) -> dict[str, Any]:
    """Return the catalogue in the JSON form's shape.

    Raises:
        NotACatalogueError: The content is no CWE catalogue in XML.
    """
    parser = XMLParser(target=_Builder())
    try:
        # In pieces: what the builder raises is heeded at the end of one.
        for start in range(0, len(content), _PIECE_BYTES):
            parser.feed(content[start : start + _PIECE_BYTES])
        root = parser.close()
    except ParseError as error:
        raise NotACatalogueError(str(error)) from error
    if _name(root) != "Weakness_Catalog":
        raise NotACatalogueError(f"its root is {_name(root)}, not Weakness_Catalog")
    document: dict[str, Any] = {
        "ContentVersion": root.get("Version", ""),
        "ContentDate": root.get("Date", ""),
    }
    for section in root:
        if page := _SECTIONS.get(_name(section)):
            document[_name(section)] = [_page(each) for each in section if _name(each) == page]
    return document


def _page(element: Element) -> dict[str, Any]:
    page: dict[str, Any] = {_field(name): value for name, value in element.attrib.items()}
    for child in element:
        name = _name(child)
        if name == "Notes":
            page["Notes"] = [{"Type": n.get("Type", ""), "Note": _text(n)} for n in child]
        elif name == "Demonstrative_Examples":
            page["DemonstrativeExamples"] = [{"Entries": list(_example(each))} for each in child]
        elif name == "Mapping_Notes":
            page["MappingNotes"] = _fields(child)
        elif name in _LISTS:
            page[_field(name)] = [_item(each) for each in child]
        elif not len(child) or _name(child[0]) in _BLOCKS:
            page[_field(name)] = _text(child)
    return page


def _item(element: Element) -> Any:
    name = _name(element)
    if name in _TEXTS:
        return _text(element)
    if name in _ATTRIBUTE:
        return element.get(_ATTRIBUTE[name], "")
    return _fields(element)


def _fields(element: Element) -> dict[str, Any]:
    fields: dict[str, Any] = {_field(name): value for name, value in element.attrib.items()}
    for child in element:
        name = _field(_name(child))
        if name in _REPEATED or (name == "Phase" and _name(element) == "Mitigation"):
            fields.setdefault(name, []).append(_text(child))
        else:
            fields[name] = _text(child)
    return fields


def _example(element: Element) -> Iterator[dict[str, str]]:
    for child in element:
        if _name(child) in {"Intro_Text", "Body_Text"}:
            yield {_field(_name(child)): _text(child)}


def _field(name: str) -> str:
    """Return the JSON form's name of an element or attribute."""
    return {"CWE_ID": "CweID", "View_ID": "ViewID"}.get(name, name.replace("_", ""))


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: Element) -> str:
    """Return an element's text, XHTML blocks inside it as paragraphs."""
    parts = [element.text or ""]
    for child in element:
        block = "\n\n" if _name(child) in _BLOCKS else ""
        parts += [block, _text(child), block, child.tail or ""]
    return "".join(parts)
