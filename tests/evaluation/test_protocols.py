from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from cybersecqwen.core import answer_parsing, prompts
from cybersecqwen.core.answer_parsing import AnswerKind
from cybersecqwen.core.errors import InputError
from cybersecqwen.evaluation.protocols import (
    PROTOCOLS,
    find_protocol,
    for_base_model,
    with_max_tokens,
)


def test_the_named_protocols_are_as_their_makers_describe_them() -> None:
    ref = find_protocol("ref")
    assert (ref.temperature, ref.top_p, ref.max_tokens, ref.trials) == (0.3, 1.0, 512, 5)
    assert ref.template("choice") == prompts.BENCHMARK
    assert ref.readers["cwe"] == answer_parsing.CWE_LAST
    faith = find_protocol("faith")
    assert faith.drop_duplicates
    assert faith.temperature == 0.3
    assert faith.readers["cwe"] == answer_parsing.CWE_UNIQUE
    paper = find_protocol("paper-2025")
    assert (paper.trials, paper.temperature, paper.shots) == (10, 0.3, 5)
    assert paper.template("cwe") == prompts.BENCHMARK
    assert for_base_model(paper).template("cwe") == prompts.CWE_FEW_SHOT
    assert find_protocol("constrained").constrained


def test_every_protocol_reads_every_kind_of_answer() -> None:
    for protocol in PROTOCOLS.values():
        assert set(protocol.readers) == set(get_args(AnswerKind))
        assert all(reader.kind == kind for kind, reader in protocol.readers.items())


def test_any_change_changes_the_hash_and_nothing_else_does() -> None:
    hashes = {protocol.sha256() for protocol in PROTOCOLS.values()}
    assert len(hashes) == len(PROTOCOLS)
    ref = find_protocol("ref")
    assert ref.sha256() == replace(ref).sha256()
    assert replace(ref, temperature=0.31).sha256() != ref.sha256()
    readers = {**ref.readers, "choice": answer_parsing.CHOICE_PAPER}
    assert replace(ref, readers=readers).sha256() != ref.sha256()


def test_another_token_limit_is_another_protocol() -> None:
    ref = find_protocol("ref")
    short = with_max_tokens(ref, 64)
    assert (short.name, short.max_tokens) == ("ref, 64 tokens", 64)
    assert short.sha256() != ref.sha256()
    assert with_max_tokens(ref, 512) is ref


def test_what_a_protocol_does_not_say_is_refused() -> None:
    with pytest.raises(InputError, match="no form for base models"):
        for_base_model(find_protocol("ref"))
    with pytest.raises(InputError, match="no protocol 'nice'"):
        find_protocol("nice")
