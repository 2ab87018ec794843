"""The names that columns of tables and keys of rows have, however spelled, by what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cybersecqwen.core.records import LabelSource
from cybersecqwen.sources.advisories.advisory_fields import ids_alone

_NOT_A_LETTER = re.compile(r"[\W_]+")

# Names without case, spaces, hyphens, underscores and a plural s, the best first.
TEXTS = (
    *("description", "vulnerabilitydescription", "cvedescription", "vulndescription"),
    *("shortdescription", "longdescription", "fulldescription", "issuedescription"),
    *("findingdescription", "desc", "text", "detail", "overview", "advisory"),
    *("vulnerabilityinsight", "vulnerabilitydetail", "technicaldetail", "threat", "diagnosi"),
    *("observation", "explanation"),
    # As tools call it whose menus are in another language.
    *("beschreibung", "schwachstellenbeschreibung", "kurzbeschreibung", "langbeschreibung"),
    *("fehlerbeschreibung", "problembeschreibung", "befundbeschreibung", "descripción"),
    *("descripcion", "descripcióndelavulnerabilidad", "descripciondelavulnerabilidad", "descrição"),
    *("descricao", "descriçãodavulnerabilidade", "descrizione", "descrizionedellavulnerabilità"),
    *("omschrijving", "beskrivning", "opis", "описание", "описаниеуязвимости", "描述", "漏洞描述"),
    *("概要", "説明", "설명"),
)
SUMMARIES = ("summary", "vulnerabilitysummary", "synopsi", "headline", "abstract")
TITLES = (
    *("title", "vulnerabilityname", "vulnerabilitytitle", "vulnname", "nvtname", "pluginname"),
    *("pluginoutputname", "issuetitle", "findingtitle", "name"),
)
TITLES_AS_TEXT = TITLES[:6]
"""Headlines that are taken for the text where a scanner's export has nothing better."""

CVE_IDS = ("cve", "cveid", "cvenumber", "cvename", "cvecode", "cvelist")
COMMON_IDS = ("commonvulnerabilitiesandexposure", "commonvulnerabilitiesexposure")
OTHER_IDS = (
    *("id", "vulnerabilityid", "vulnid", "ghsaid", "ghsa", "osvid", "advisoryid", "identifier"),
    *("vulnerability", "uniqueid", "recordid", "pluginid", "plugin", "nvtoid", "oid", "qid"),
    *("issuekey", "key", "findingid", "uuid"),
)
URLS = ("url", "link", "reference", "primaryurl", "href")
CWES: dict[str, LabelSource | None] = {
    "nvdcwe": "nvd",
    "cnacwe": "cna",
    "adpcwe": "adp",
    "cwe": None,
    "cweid": None,
    "weakness": None,
    "weaknesse": None,
    "gt": None,
}
PROBLEM_TYPES = ("problemtype",)
PUBLISHED = ("published", "publisheddate", "datepublished", "publicationdate", "publishedat")
MODIFIED = ("modified", "lastmodified", "lastmodifieddate", "updated", "updatedat", "dateupdated")
VENDORS = ("vendor", "vendorproject", "ecosystem", "manufacturer")
PRODUCTS = ("product", "productname", "package", "packagename", "pkgname", "component", "module")
REFERENCES = ("reference", "url", "link", "seealso")
ALIASES = ("aliase", "alia", "otherid", "identifier", "cve", "cveid")

# Names that no list holds are told by their words.
_WORDS = re.compile(r"(?:CVE|GHSA|ID)s?(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
TEXT_WORDS = (
    frozenset(("description", "descriptions", "desc", "descr")),
    frozenset(("details", "detail", "text")),
)
OF_ANOTHER_THING = frozenset(
    (
        *("solution", "fix", "remediation", "recommendation", "mitigation", "workaround", "patch"),
        *("impact", "severity", "cvss", "risk", "status", "cwe", "weakness", "rule", "category"),
        *("product", "package", "vendor", "component", "service", "asset", "host", "system"),
        *("port", "project", "type", "reference", "references", "url", "link", "contact"),
        *("format", "length", "language", "lang", "html", "id", "hash", "count", "date"),
        # Words of a sentence, which no name has.
        *("the", "a", "an", "is", "are", "was", "in", "to", "when", "via", "by", "that", "which"),
        *("with", "this", "no", "not", "from", "as", "on", "it", "its", "may", "can", "has"),
    )
)
_ID_WORDS = frozenset(("cve", "cves", "ghsa", "ghsas"))
_BESIDE_IDS = _ID_WORDS | frozenset(
    (
        *("id", "ids", "identifier", "identifiers", "number", "numbers", "no", "nr", "num", "code"),
        *("list", "name", "names", "reference", "references", "ref", "refs", "related", "all"),
        *("associated", "linked", "primary", "main", "tag", "tags", "entry", "record", "and"),
        *("or", "s", "vulnerability", "vuln", "advisory", "mitre", "nvd", "cisa"),
        *("custom", "field", "nummer", "номер"),  # Jira's export; other languages
    )
)


def plain_name(name: str) -> str:
    """Return a column's name without case, spaces, punctuation and a plural s."""
    folded = _NOT_A_LETTER.sub("", name).lower()
    # ``CVSS`` and ``Weakness`` are no plurals.
    return folded if folded.endswith("ss") else folded.removesuffix("s") or folded


def by_words(
    names: Sequence[str], wanted: Iterable[frozenset[str]], unwanted: frozenset[str]
) -> tuple[int, ...]:
    """Return the columns whose names have a word of one set, the first set's first, and of the
    unwanted ones none.
    """
    split = [frozenset(word.lower() for word in _WORDS.findall(name)) for name in names]
    return tuple(
        place
        for some in wanted
        for place, words in enumerate(split)
        if words & some and not words & unwanted
    )


def names_ids(name: str) -> bool:
    """Whether a column is called by the ids of vulnerabilities, with words that say no more."""
    words = {word.lower() for word in _WORDS.findall(name)}
    return bool(words & _ID_WORDS) and words <= _BESIDE_IDS and not ids_alone(name)


def names_a_vector(name: str) -> bool:
    """Whether a column whose plain name is given may hold CVSS vectors."""
    return "cvss" in name or "vector" in name
