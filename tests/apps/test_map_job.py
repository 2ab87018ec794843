from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cybersecqwen import CweMapper
from cybersecqwen.apps import map_job
from cybersecqwen.apps.map_job import (
    MapOptions,
    PartFile,
    RunIdentity,
    identify_input,
    map_records,
)
from cybersecqwen.apps.outputs.rows import MapRow, RowMaker
from cybersecqwen.apps.outputs.writers import write_csv, write_jsonl
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory, RecordProblem
from cybersecqwen.core.taxonomy import shipped_taxonomy
from tiny_specialist import write_model

IDENTITY = RunIdentity((("in", 1, 2),), {"top_k": "5"}, "digest", "0.1.0")
COUNT = 2_500


@pytest.fixture(scope="module")
def mapper(tiny_model: Path) -> CweMapper:
    return CweMapper.load(tiny_model)


def records() -> Iterator[Advisory | RecordProblem]:
    for number in range(COUNT):
        if number % 100 == 50:
            yield RecordProblem(f"file:{number}", "", "broken")
        elif number % 100 == 60:
            yield Advisory(f"r{number}", "\u200b")
        else:
            word = ("sql", "write", "read", "free")[number % 4]
            yield Advisory(f"r{number}", f"{word} {'sql ' * (number % 11)}")


def rows(mapper: CweMapper, problems: list[RecordProblem], done: int = 0) -> Iterator[MapRow]:
    maker = RowMaker(shipped_taxonomy(), mapper.name)
    return map_records(mapper, records(), MapOptions(), maker, problems.append, done=done)


def test_rows_and_problems_keep_their_order(mapper: CweMapper) -> None:
    problems: list[RecordProblem] = []
    ids = [row.id for row in rows(mapper, problems)]
    wanted = [f"r{n}" for n in range(COUNT) if n % 100 not in {50, 60}]
    assert ids == wanted
    assert len(problems) == 50
    assert [p.id for p in problems[:2]] == ["", "r60"]
    assert problems[1] == RecordProblem("record 61", "r60", "description has no text")


@pytest.mark.parametrize("done", [1, 1023, 1024, 1025, 2300, 2450])
def test_going_on_gives_the_rest_and_every_problem(mapper: CweMapper, done: int) -> None:
    problems: list[RecordProblem] = []
    whole = list(rows(mapper, []))
    assert list(rows(mapper, problems, done)) == whole[done:]
    assert len(problems) == 50


def interrupted(mapper: CweMapper, output: Path, keep: int, *, torn: bytes = b"") -> None:
    """Leave what a run leaves that is killed after ``keep`` rows."""
    part = PartFile(output, IDENTITY, resume=False)
    part.write(row for row, _ in zip(rows(mapper, []), range(keep), strict=False))
    with output.with_name(f"{output.name}.part").open("ab") as stream:
        stream.write(torn)


@pytest.mark.parametrize("torn", [b"", b'{"id":"r1', b"\0" * 100, b'{"id":1}\n'])
@pytest.mark.parametrize("keep", [0, 7, 1024, 1500])
def test_resumed_file_is_the_uninterrupted_one(
    mapper: CweMapper, tmp_path: Path, keep: int, torn: bytes
) -> None:
    output = tmp_path / "out.jsonl"
    interrupted(mapper, output, keep, torn=torn)
    part = PartFile(output, IDENTITY, resume=True)
    assert part.done == keep
    part.write(rows(mapper, [], part.done))
    part.finish(write_jsonl)
    assert output.read_bytes() == b"".join(write_jsonl(rows(mapper, [])))
    assert [file.name for file in tmp_path.iterdir()] == ["out.jsonl"]


def test_other_formats_are_written_from_the_same_rows(mapper: CweMapper, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    interrupted(mapper, output, 10)
    part = PartFile(output, IDENTITY, resume=True)
    part.write(rows(mapper, [], part.done))
    part.finish(write_csv)
    assert output.read_bytes() == b"".join(write_csv(rows(mapper, [])))
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("input", ()), ("settings", {}), ("model", "x"), ("version", "9")],
)
def test_another_runs_rows_are_refused_and_kept(
    mapper: CweMapper, tmp_path: Path, field: str, value: object
) -> None:
    output = tmp_path / "out.jsonl"
    interrupted(mapper, output, 3)
    before = (tmp_path / "out.jsonl.part").read_bytes()
    other = RunIdentity(
        **{**{f: getattr(IDENTITY, f) for f in IDENTITY.__struct_fields__}, field: value}
    )
    with pytest.raises(InputError, match=f"other {field}"):
        PartFile(output, other, resume=True)
    assert (tmp_path / "out.jsonl.part").read_bytes() == before


def test_without_resume_old_rows_are_dropped(mapper: CweMapper, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    interrupted(mapper, output, 3)
    assert PartFile(output, IDENTITY, resume=False).done == 0
    assert (tmp_path / "out.jsonl.part").read_bytes() == b""


def test_resume_with_nothing_there_starts(tmp_path: Path) -> None:
    assert PartFile(tmp_path / "new" / "out.jsonl", IDENTITY, resume=True).done == 0


def test_damaged_journal(mapper: CweMapper, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    interrupted(mapper, output, 3)
    (tmp_path / "out.jsonl.part.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        PartFile(output, IDENTITY, resume=True)


def test_full_disk_keeps_what_is_written(
    mapper: CweMapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    part = PartFile(tmp_path / "out.jsonl", IDENTITY, resume=False)
    monkeypatch.setattr(map_job.os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        part.write(rows(mapper, []))
    assert (tmp_path / "out.jsonl.part").stat().st_size > 0


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        PartFile(tmp_path / "file" / "out.jsonl", IDENTITY, resume=False)


def test_input_identity_changes_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text("a")
    first = identify_input(file)
    os.utime(file, ns=(1, 1))
    second = identify_input(file)
    (tmp_path / "other").write_text("b")
    assert len({first, second}) == 2
    assert len(identify_input(tmp_path)) == 2
    with pytest.raises(InputError, match="cannot be read"):
        identify_input(tmp_path / "nowhere")


def test_another_model_is_another_run(tiny_model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    write_model(copy, strength=3.0)
    assert CweMapper.load(copy).digest != CweMapper.load(tiny_model).digest
