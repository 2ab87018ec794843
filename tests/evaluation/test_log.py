from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.log import (
    RunLog,
    Timings,
    questions_sha256,
    read_log,
    write_log,
)

MakeLog = Callable[..., RunLog]


def test_what_is_written_is_read(make_log: MakeLog) -> None:
    log = make_log(["CWE-79", None], ["CWE-79", "CWE-89"])
    assert read_log(log.path) == log


def test_a_torn_last_line_is_dropped_even_when_it_decodes(make_log: MakeLog) -> None:
    log = make_log(["CWE-79", "CWE-20"], ["CWE-79", "CWE-89"])
    data = log.path.read_bytes()
    for cut in (1, 20):
        log.path.write_bytes(data[:-cut])
        torn = read_log(log.path)
        assert torn.torn
        assert torn.rows == log.rows[:1]
        assert torn.missing == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no heading line"),
        (b'{"log":1', "no heading line"),
        (b'{"a":1}\n', "jsonl:1: not an evaluation log"),
        (b"\xff\xfe\n", "jsonl:1: not an evaluation log"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "x.jsonl"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_log(file)


def test_damage_and_doubles_are_named_by_line(make_log: MakeLog) -> None:
    log = make_log(["CWE-79", "CWE-20"], ["CWE-79", "CWE-89"])
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join([lines[0], lines[1][:30] + b"\n", lines[2]]))
    with pytest.raises(InputError, match="jsonl:2: damaged line"):
        read_log(log.path)
    log.path.write_bytes(b"".join([*lines, lines[1]]))
    with pytest.raises(InputError, match="jsonl:4: item-0 is on line 2 too"):
        read_log(log.path)
    log.path.write_bytes(lines[0].replace(b'"log":1', b'"log":9'))
    with pytest.raises(InputError, match="log format 9"):
        read_log(log.path)


def test_the_digest_leaves_the_occasion_out_and_nothing_else(make_log: MakeLog) -> None:
    log = make_log(["CWE-79", "CWE-20"], ["CWE-79", "CWE-89"])
    header = msgspec.structs.replace(log.header, started="now", commit="abc", dirty=True)
    later = [msgspec.structs.replace(row, timings=Timings(9.0, 4)) for row in log.rows]
    assert RunLog(log.path, header, later).digest() == log.digest()
    other = [msgspec.structs.replace(log.rows[0], output="x"), log.rows[1]]
    assert RunLog(log.path, log.header, other).digest() != log.digest()
    seeded = msgspec.structs.replace(log.header, seeds=[7])
    assert RunLog(log.path, seeded, log.rows).digest() != log.digest()


def test_rewriting_gives_the_same_bytes(make_log: MakeLog) -> None:
    log = make_log(["CWE-79", None], ["CWE-79", "CWE-89"])
    before = log.path.read_bytes()
    again = read_log(log.path)
    write_log(log.path, again.header, again.rows)
    assert log.path.read_bytes() == before


def test_questions_are_hashed_with_their_order() -> None:
    one, two = Question("1", "t", "p", "A"), Question("2", "t", "p", "A")
    assert questions_sha256([one, two]) != questions_sha256([two, one])
    assert questions_sha256([one]) != questions_sha256([Question("1", "t", "p", "B")])
