"""One way to turn a whole record into text, shared by training, evaluation and serving.

A record says more than its description: who wrote it, of which product, how severe they found it
and, where NVD's convention is asked for, which weakness they named. What is known is put before
the description, part by part; a record of which nothing else is known reads as its description.

The one thing that is never put there is the answer that is asked for: the caller leaves out the
label, or the vector, of the party whose convention the model is to follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from cybersecqwen.core.records import Advisory, CvssVector, CweLabel, LabelSource
from cybersecqwen.core.rows import CVE_ID
from cybersecqwen.core.text.clean import clean, render

BREAK: Final = "|"
"""Stands between two parts."""

PARTS: Final = ("assigner", "product", "title", "vector", "hosts", "cwe")
"""The parts of a record besides its description, in the order in which they are read."""

_MOST_HOSTS = 2
_LONGEST_NAME = 80
_LONGEST_TITLE = 300
_UNKNOWN = {"", "n/a", "na", "unknown", "unspecified", "-", "none"}
_METRIC = re.compile(r"\b(AV|AC|PR|UI|S|C|I|A|VC|VI|VA):([A-Z])\b")
_VECTOR_WORD = re.compile(r"cvss(av|ac|pr|ui|s|c|i|a)([a-z])")
_CWE_WORD = re.compile(r"cnacwe\d+")
_DATED = re.compile(rf"year\d{{4}} {re.escape(BREAK)} ")
_AS_V3 = {"VC": "C", "VI": "I", "VA": "A"}


class RecordParts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a record says besides its description.

    Attributes:
        assigner: Short name of the CNA.
        product: Vendor and product, from ``product_name``.
        title: The CNA's title.
        vector: A CVSS vector of version 3 or 4.
        hosts: Host names of its references, from ``host_names``.
        cwe: The weakness that the CNA named.
    """

    assigner: str = ""
    product: str = ""
    title: str = ""
    vector: str = ""
    hosts: tuple[str, ...] = ()
    cwe: str = ""


def parts_of(record: Advisory, asked: LabelSource, *, severity: bool = False) -> RecordParts:
    """Return what a record says that a model may read.

    Of the CNA's word, and where it says nothing, of another's who gives a name (a coordinator, a
    database of advisories): NVD writes after both, so no record has NVD's word first. What nobody
    puts a name to, such as a column of a table, is not read: it may be the answer itself.

    Args:
        record: The record.
        asked: Whose convention is asked for. Where it is the CNA's, its answer stays out.
        severity: Whether the answer is the vector, else it is the weakness.
    """
    own = asked == "cna"
    vectors = [v for v in record.cvss if v.version[:1] in "34"]
    return RecordParts(
        assigner=record.assigner,
        product=product_name(record.affected),
        title=record.title,
        vector="" if own and severity else next((v.vector for v in _known(vectors)), ""),
        hosts=host_names(record.references),
        cwe="" if own and not severity else next((c.cwe for c in _known(record.labels)), ""),
    )


SaidT = TypeVar("SaidT", CweLabel, CvssVector)


def _known(said: Iterable[SaidT]) -> list[SaidT]:
    """Return what the CNA says, then what others say who give a name."""
    kept = list(said)
    others = [one for one in kept if one.source == "other" and one.assigner]
    return [one for one in kept if one.source == "cna"] + others


def part_texts(parts: RecordParts) -> dict[str, str]:
    """Return the text of each part that is there, by its name, in the order of ``PARTS``."""
    texts = {
        "assigner": render(parts.assigner[:_LONGEST_NAME]),
        "product": render(parts.product[:_LONGEST_NAME]),
        "title": render(parts.title[:_LONGEST_TITLE]),
        "vector": " ".join(vector_words(parts.vector)),
        "hosts": " ".join(parts.hosts[:_MOST_HOSTS]),
        "cwe": cwe_word(parts.cwe),
    }
    return {name: text for name, text in texts.items() if text}


def render_record(description: str, parts: RecordParts | None = None, year: int = 0) -> str:
    """Return the text that a specialist reads for a record: the same at training and after.

    Args:
        description: As published.
        parts: What the record says besides.
        year: As of which year the labeller is to be followed, for a model that was taught years;
            0 for none.
    """
    said = () if parts is None else part_texts(parts).values()
    when = (year_word(year),) if year else ()
    return f" {BREAK} ".join((*when, *said, render(description)))


def year_word(year: int) -> str:
    """Return the word for a year: never one that a description has."""
    return f"year{year}"


def year_tokens(rendered: str) -> int:
    """Return how many tokens say the year before a rendered text: its word and ``BREAK``, or 0."""
    return 2 if _DATED.match(rendered) else 0


def year_of(record_id: str, published: str) -> int:
    """Return the year of publication, else that of a CVE id, else 0."""
    if published[:4].isdecimal():
        return int(published[:4])
    match = CVE_ID.match(record_id)
    return int(match[1]) if match else 0


def vector_words(vector: str) -> list[str]:
    """Return one word for each base metric of a CVSS vector of version 3 or 4.

    Version 4 is read as version 3 where the two ask the same: impact on the vulnerable system,
    and interaction that is passive or active as required.
    """
    words = []
    for metric, value in _METRIC.findall(vector.upper()):
        known = _AS_V3.get(metric, metric)
        needed = metric == "UI" and value in "PA"
        words.append(f"cvss{known}{'R' if needed else value}".lower())
    return words


def cwe_word(cwe: str) -> str:
    """Return the word for a weakness that the CNA named: never one that a description has."""
    return f"cnacwe{cwe.removeprefix('CWE-')}" if cwe else ""


def shown_word(word: str) -> str:
    """Return a word of a rendered record as a person knows it: ``cvssprn`` is ``PR:N``."""
    if found := _VECTOR_WORD.fullmatch(word):
        return f"{found[1]}:{found[2]}".upper()
    return f"CWE-{word[6:]}" if _CWE_WORD.fullmatch(word) else word


def product_name(affected: Iterable[tuple[str, str]]) -> str:
    """Return vendor and product of the first affected product that has a name."""
    for vendor, product in affected:
        names = [name for name in (clean(vendor), clean(product)) if name.lower() not in _UNKNOWN]
        if len(names) == 2 and names[1].lower().startswith(names[0].lower()):
            return names[1]
        if names:
            return " ".join(names)
    return ""


def host_names(references: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct host names of web addresses, without ``www.``, in order."""
    hosts = []
    for url in references:
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:  # an address that no URL standard allows
            continue
        hosts.append(clean(host.removeprefix("www.")))
    return tuple(host for host in dict.fromkeys(hosts) if host)[:4]
