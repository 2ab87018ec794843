from __future__ import annotations

import msgspec
import pytest

from cybersecqwen.core.lenient_json import MAX_VALUES, LenientDecoder, count_values, decode_lenient


class _Named(msgspec.Struct):
    name: str
    sizes: list[int] = []


def test_values_are_counted_only_where_there_may_be_many() -> None:
    assert count_values(b"[1,2,[3]]", 100) == 0
    assert count_values(b"[1,2,[3]]", 4) == 5
    assert count_values(msgspec.Raw(b'{"a":[1,2]}'), 3) == 4


def test_json_of_too_many_values_is_refused_before_it_fills_the_memory() -> None:
    many = b"[" + b"0," * MAX_VALUES + b"0]"
    with pytest.raises(msgspec.DecodeError, match="more than 1,000,000 values"):
        decode_lenient(many)
    text = b'"' + b"a, " * (MAX_VALUES // 4) + b'"'
    assert len(decode_lenient(text)) == 3 * (MAX_VALUES // 4)


def test_null_counts_as_absent_and_nothing_else_is_tried_again() -> None:
    decoder = LenientDecoder(_Named)
    assert decoder.decode(b'{"name": "a", "sizes": null}').sizes == []
    with pytest.raises(msgspec.ValidationError, match="`str`"):
        decoder.decode(b'{"name": 1, "other": ' + b"[" + b"0," * 2_000_000 + b"0]}")
