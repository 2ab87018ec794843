from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cybersecqwen.core.cancellation import Cancellation, WorkCancelledError
from cybersecqwen.sources.io.json_stream import Element, elements, members, whole_objects
from cybersecqwen.sources.io.streams import ByteSource, UnreadableError


class Trickle:
    """A stream that gives a few bytes at a time."""

    def __init__(self, content: bytes, piece: int) -> None:
        self._content = content
        self._piece = piece

    def read1(self, _size: int, /) -> bytes:
        given, self._content = self._content[: self._piece], self._content[self._piece :]
        return given


def source(content: bytes, piece: int = 5) -> ByteSource:
    return ByteSource(Trickle(content, piece), "x")


def cut(found: Any) -> list[Any]:
    out: list[Any] = []
    for element in found:
        assert isinstance(element, Element), element
        assert element.number == len(out) + 1
        out.append(json.loads(element.content))
    return out


TEXT = st.text(st.sampled_from('ab"\\{}[],: \u00e9\n'), max_size=12)
VALUE = st.recursive(
    TEXT | st.integers() | st.none(), lambda v: st.lists(v, max_size=3), max_leaves=5
)
ROW = st.dictionaries(TEXT, VALUE | st.dictionaries(TEXT, VALUE, max_size=2), max_size=4)


@given(
    rows=st.lists(ROW | TEXT, max_size=5),
    piece=st.integers(1, 40),
    indent=st.sampled_from([None, 2]),
    wrapped=st.booleans(),
)
def test_records_come_out_as_they_went_in(
    rows: list[Any], piece: int, indent: int | None, wrapped: bool
) -> None:
    document = {"format": "[{", "count": 3, "rows": rows} if wrapped else rows
    content = json.dumps(document, indent=indent, ensure_ascii=False).encode()
    assert cut(elements(source(content, piece))) == rows


@given(rows=st.lists(ROW, min_size=1, max_size=4), piece=st.integers(1, 40))
def test_objects_one_after_the_other(rows: list[Any], piece: int) -> None:
    content = "\n".join(json.dumps(row, indent=1) for row in rows).encode()
    assert cut(whole_objects(source(content, piece))) == rows


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'[{"a": 1}, {"b"', "ends in the middle, after 1 whole records"),
        (b'[{"a": 1}]]', "brackets do not match, after 1 whole"),
        (b'[{"a": [1}]', "brackets do not match"),
        (b'[{"a": 1}, "never closed', "ends in the middle, after 1 whole"),
        (b"words", "no list of them"),
        (b"[" * 2000, "nested over"),
    ],
)
def test_broken_documents_say_where(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        list(elements(source(content)))


@given(rows=st.dictionaries(TEXT, ROW | TEXT | VALUE, max_size=4), piece=st.integers(1, 40))
def test_members_come_out_with_their_keys(rows: dict[str, Any], piece: int) -> None:
    rows["last"] = {}
    content = json.dumps(rows, ensure_ascii=False).encode()
    found = {}
    for element in members(source(content, piece)):
        assert isinstance(element, Element)
        found[json.loads(f'"{element.key}"')] = json.loads(element.content)
    assert found == {key: value for key, value in rows.items() if isinstance(value, dict)}


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":[' + b"[]," * 1_000_000 + b"0]}",
        b"[" + b"[[],{}]," * 400_000 + b"{}]",
        b"[" + b'{"a":{"b":{}}},' * 200_000 + b"{}]",
        b'{"a":' + b"[" * 900 + b'["a"],' * 500_000 + b"0" + b"]" * 900 + b"}",
        b'{"a":[' + b'[["a",{"b":[1]}],["' * 100_000,
    ],
    ids=["lists", "lists among records", "records", "deep", "never closed"],
)
def test_brackets_are_followed_fast(content: bytes) -> None:
    before = time.process_time()
    for read in (elements, whole_objects, members):
        with suppress(UnreadableError):
            for _ in read(source(content, 1 << 18)):
                pass
    assert time.process_time() - before < 4.0  # 3 MB each way: one bracket at a time took 9


def test_brackets_are_followed_no_further_once_nobody_wants_them() -> None:
    cancellation = Cancellation()
    cancellation.cancel()

    def follow() -> None:
        for _ in elements(source(b'[{"a":' * 100 + b"[[[[1]]]]," * 5000, 1 << 18)):
            pass

    with pytest.raises(WorkCancelledError):
        cancellation.context().run(follow)
