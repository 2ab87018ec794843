"""What the local store keeps of a record: its columns, and one record of two with the same id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from cybersecqwen.core.records import Advisory, AdvisoryState, CvssVector, CweLabel


class _More(msgspec.Struct, array_like=True):
    """What is kept of a record beside what is searched."""

    labels: list[CweLabel]
    cvss: list[CvssVector]
    published: str
    references: list[str]
    aliases: list[str]
    assigner: str
    affected: list[tuple[str, str]]


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(_More).decode


def merged(old: Advisory, new: Advisory) -> Advisory:
    """Return one record of two with the same id.

    The newer one's text and state count; labels and scores add up, and of those by the same hand
    the newer record's. A record without a date is newer than another without, and older than any
    with one.
    """
    if old.modified > new.modified:
        old, new = new, old
    if not new.description.strip() and new.state == "published":
        new = replace(new, description=old.description, title=new.title or old.title)
    hands = {(label.source, label.assigner) for label in new.labels}
    scorers = {(vector.source, vector.assigner) for vector in new.cvss}
    return replace(
        new,
        labels=(*new.labels, *(x for x in old.labels if (x.source, x.assigner) not in hands)),
        cvss=(*new.cvss, *(x for x in old.cvss if (x.source, x.assigner) not in scorers)),
        published=new.published or old.published,
        references=tuple(dict.fromkeys((*new.references, *old.references))),
        title=new.title or old.title,
        aliases=tuple(dict.fromkeys((*new.aliases, *old.aliases))),
        assigner=new.assigner or old.assigner,
        affected=tuple(dict.fromkeys((*new.affected, *old.affected))),
        where="",
        line=0,
        columns=(),
    )


def store_columns(record: Advisory) -> tuple[str | bytes, ...]:
    """Return a record's columns in the store, its key left out."""
    more = _More(
        list(record.labels),
        list(record.cvss),
        record.published,
        list(record.references),
        list(record.aliases),
        record.assigner,
        list(record.affected),
    )
    products = " ".join(dict.fromkeys(name for pair in record.affected for name in pair if name))
    return (
        *(record.id, record.state, record.modified, record.title, record.description, products),
        _ENCODE(more),
    )


def stored_advisory(row: Sequence[str | bytes]) -> Advisory:
    """Return the record of a row of the store."""
    _, name, state, modified, title, description, _, blob = row
    more = _DECODE(blob)  # type: ignore[arg-type]  # the last column holds bytes
    kept: AdvisoryState = state  # type: ignore[assignment]  # only states are written
    return Advisory(
        id=str(name),
        description=str(description),
        labels=tuple(more.labels),
        cvss=tuple(more.cvss),
        published=more.published,
        references=tuple(more.references),
        title=str(title),
        aliases=tuple(more.aliases),
        assigner=more.assigner,
        affected=tuple(more.affected),
        modified=str(modified),
        state=kept,
    )
