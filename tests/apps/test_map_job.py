from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cybersecqwen import CweMapper
from cybersecqwen.apps import part_file
from cybersecqwen.apps.map_job import (
    MapJob,
    MapOptions,
    MapOutcome,
    map_stream,
    map_windows,
    run_map_job,
)
from cybersecqwen.apps.part_file import PartFile, RunIdentity, identify_input
from cybersecqwen.apps.progress import JobProgress
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory, RecordProblem
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


def test_outcomes_keep_the_order_of_records(mapper: CweMapper) -> None:
    outcomes = list(map_stream(records(), mapper, MapOptions()))
    assert len(outcomes) == COUNT
    answered = [outcome.record.id for outcome in outcomes if outcome.record]
    assert answered == [f"r{n}" for n in range(COUNT) if n % 100 not in {50, 60}]
    assert all((o.prediction is None) == (o.problem is not None) for o in outcomes)
    assert outcomes[50].problem == RecordProblem("file:50", "", "broken")
    assert outcomes[60].problem == RecordProblem(
        "record 61", "r60", "description has no text", "no_description"
    )


@pytest.mark.parametrize("skip", [1, 63, 64, 65, 320, 1343, 1344, 2300, 2499, 2500, 9999])
def test_going_on_gives_the_rest(mapper: CweMapper, skip: int) -> None:
    whole = list(map_stream(records(), mapper, MapOptions()))
    assert list(map_stream(records(), mapper, MapOptions(), skip=skip)) == whole[skip:]


def test_the_first_windows_are_small(mapper: CweMapper) -> None:
    windows = map_windows(records(), mapper, MapOptions())
    assert [len(window) for window in windows] == [64, 256, 1024, 1024, 132]


@pytest.mark.parametrize("text", ["nan", "N/A", "TBD", ".", "-", "None", "No description."])
def test_placeholders_are_no_descriptions(mapper: CweMapper, text: str) -> None:
    (outcome,) = map_stream([Advisory("r", text, where="f.csv:2")], mapper, MapOptions())
    assert outcome.problem is not None
    assert outcome.problem.kind == "no_description"
    assert outcome.problem.where == "f.csv:2"


def write_feed(path: Path) -> Path:
    with path.open("w") as stream:
        for record in records():
            if isinstance(record, RecordProblem):
                stream.write("{\n")
            else:
                row = {"id": record.id, "description": record.description}
                stream.write(json.dumps(row) + "\n")
    return path


def job(mapper: CweMapper, folder: Path, name: str = "out.jsonl", **options: object) -> MapJob:
    feed = folder / "feed.jsonl"
    if not feed.exists():
        write_feed(feed)
    ending = name.removesuffix(".gz").rsplit(".", 1)[1]
    return MapJob(
        source=feed,
        classifier=mapper,
        output=folder / name,
        to=ending,
        **options,  # type: ignore[arg-type]
    )


def test_a_job_and_its_summary(mapper: CweMapper, tmp_path: Path) -> None:
    problems: list[RecordProblem] = []
    moments: list[JobProgress] = []
    summary = run_map_job(job(mapper, tmp_path), progress=moments.append, report=problems.append)
    assert (summary.records, summary.answered, summary.problems) == (COUNT, 2450, 50)
    assert len(problems) == 50
    assert sum(common.records for common in summary.commonest) + summary.unsure == 2450
    assert sorted(p.name for p in tmp_path.iterdir()) == ["feed.jsonl", "out.jsonl"]
    fractions = [moment.fraction for moment in moments]
    assert fractions == sorted(fractions)
    assert moments[-1] == JobProgress("writing the output", COUNT, share=1.0)
    assert 0 < moments[0].fraction < 0.2


def test_states_of_records_are_counted_not_reported(mapper: CweMapper, tmp_path: Path) -> None:
    entries = [
        {"cve": {"id": "CVE-2020-0001", "vulnStatus": "Rejected", "descriptions": []}},
        {"cve": {"id": "CVE-2020-0002", "descriptions": [{"lang": "en", "value": "sql sql sql"}]}},
    ]
    feed = tmp_path / "nvd.json"
    feed.write_text(json.dumps({"format": "NVD_CVE", "vulnerabilities": entries}))
    problems: list[RecordProblem] = []
    sink = io.BytesIO()
    summary = run_map_job(MapJob(source=feed, classifier=mapper), sink=sink, report=problems.append)
    assert problems == []
    assert (summary.records, summary.answered, summary.rejected) == (2, 1, 1)
    assert summary.problems == 0


def interrupted(output: Path, mapper: CweMapper, keep: int, *, torn: bytes = b"") -> None:
    """Leave what a run leaves that is killed after ``keep`` outcomes."""
    part = PartFile(output, IDENTITY, MapOutcome)
    part.append(list(map_stream(records(), mapper, MapOptions()))[:keep])
    part.close()
    with output.with_name(f"{output.name}.part").open("ab") as stream:
        stream.write(torn)


@pytest.mark.parametrize("torn", [b"", b'{"record":', b"\0" * 100, b'{"record":1}\n'])
@pytest.mark.parametrize("keep", [7, 64, 1500])
@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.json"])
def test_a_resumed_output_is_the_uninterrupted_one(
    mapper: CweMapper, tmp_path: Path, keep: int, torn: bytes, name: str
) -> None:
    whole = run_to_bytes(job(mapper, tmp_path, f"whole.{name.rsplit('.')[1]}"))
    first = job(mapper, tmp_path, name)
    identity = part_file_identity(first)
    part = PartFile(first.output, identity, MapOutcome)  # type: ignore[arg-type]
    outcomes = map_stream(file_records(tmp_path), mapper, MapOptions())
    part.append(outcome for outcome, _ in zip(outcomes, range(keep), strict=False))
    part.close()
    with (tmp_path / f"{name}.part").open("ab") as stream:
        stream.write(torn)
    notices: list[str] = []
    problems: list[RecordProblem] = []
    summary = run_map_job(first, report=problems.append, notice=notices.append)
    assert notices == [f"going on after {keep:,} records of an interrupted run"]
    assert (summary.records, len(problems)) == (COUNT, 50)
    assert without_time((tmp_path / name).read_bytes()) == without_time(whole)
    assert not list(tmp_path.glob("*.part*"))


def without_time(data: bytes) -> bytes:
    return data.split(b',"summary"')[0]


def run_to_bytes(asked: MapJob) -> bytes:
    run_map_job(asked)
    assert asked.output is not None
    return asked.output.read_bytes()


def part_file_identity(asked: MapJob) -> RunIdentity:
    from cybersecqwen.apps.map_job import identity_of

    assert isinstance(asked.source, Path)
    return identity_of(asked, asked.source, asked.classifier, asked.options)  # type: ignore[arg-type]


def file_records(folder: Path) -> Iterator[Advisory | RecordProblem]:
    from cybersecqwen.sources import read_advisories

    return read_advisories(folder / "feed.jsonl")


def test_csv_and_compressed_outputs(mapper: CweMapper, tmp_path: Path) -> None:
    plain = run_to_bytes(job(mapper, tmp_path, "out.csv"))
    assert len(list(csv.DictReader(io.StringIO(plain.decode())))) == 2450
    packed = run_to_bytes(job(mapper, tmp_path, "out.csv.gz"))
    assert gzip.decompress(packed) == plain
    assert packed == run_to_bytes(job(mapper, tmp_path, "out.csv.gz"))


def test_one_object_holds_rows_problems_and_summary(mapper: CweMapper, tmp_path: Path) -> None:
    found = json.loads(run_to_bytes(job(mapper, tmp_path, "out.json")))
    assert len(found["items"]) == 2450
    assert len(found["problems"]) == 50
    assert found["summary"]["records"] == COUNT


@pytest.mark.parametrize(
    ("field", "value"),
    [("input", ()), ("settings", {}), ("model", "x"), ("version", "9")],
)
def test_another_runs_rows_are_refused_and_kept(
    mapper: CweMapper, tmp_path: Path, field: str, value: object
) -> None:
    output = tmp_path / "out.jsonl"
    interrupted(output, mapper, 3)
    before = (tmp_path / "out.jsonl.part").read_bytes()
    other = RunIdentity(
        **{**{f: getattr(IDENTITY, f) for f in IDENTITY.__struct_fields__}, field: value}
    )
    with pytest.raises(InputError, match=f"other {field}"):
        PartFile(output, other, MapOutcome, resume=True)
    assert (tmp_path / "out.jsonl.part").read_bytes() == before


def test_another_runs_outcomes_are_put_aside(mapper: CweMapper, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    other = RunIdentity((), {}, "x", "9")
    for number in (1, 2):
        interrupted(output, mapper, 3)
        before = (tmp_path / "out.jsonl.part").read_bytes()
        notices: list[str] = []
        PartFile(output, other, MapOutcome, notice=notices.append).close()
        (said,) = notices
        assert f"out.jsonl.part.{number}: kept" in said
        assert (tmp_path / f"out.jsonl.part.{number}").read_bytes() == before


def test_two_runs_do_not_write_one_output(tmp_path: Path) -> None:
    first = PartFile(tmp_path / "out.jsonl", IDENTITY, MapOutcome)
    with pytest.raises(InputError, match="is writing it"):
        PartFile(tmp_path / "out.jsonl", IDENTITY, MapOutcome)
    first.close()
    PartFile(tmp_path / "out.jsonl", IDENTITY, MapOutcome).close()
    assert list(tmp_path.iterdir()) == []


def test_a_part_file_that_another_program_changed_is_no_output(
    mapper: CweMapper, tmp_path: Path
) -> None:
    part = PartFile(tmp_path / "out.jsonl", IDENTITY, MapOutcome)
    part.append(map_stream(records(), mapper, MapOptions()))
    with (tmp_path / "out.jsonl.part").open("ab") as stream:
        stream.write(b"{}\n")
    with pytest.raises(InputError, match="another program has changed it"):
        part.finish(())
    part.close()


def test_restart_begins_anew(mapper: CweMapper, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    interrupted(output, mapper, 3)
    assert PartFile(output, IDENTITY, MapOutcome, restart=True).done == 0
    assert (tmp_path / "out.jsonl.part.1").stat().st_size > 0


def test_a_surrogate_in_an_id_is_spelt_out(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "out.jsonl", IDENTITY, MapOutcome)
    part.append([MapOutcome(record=Advisory("r\ud800", "text"))])
    (found,) = part.outcomes()
    assert found.record == Advisory("r\\ud800", "text")


def test_resume_with_nothing_there_starts(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "new" / "out.jsonl", IDENTITY, MapOutcome, resume=True)
    assert part.done == 0
    part.close()


def test_damaged_journal(mapper: CweMapper, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    interrupted(output, mapper, 3)
    (tmp_path / "out.jsonl.part.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        PartFile(output, IDENTITY, MapOutcome, resume=True)


def test_full_disk_keeps_what_is_written(
    mapper: CweMapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = list(map_stream(records(), mapper, MapOptions()))
    part = PartFile(tmp_path / "out.jsonl", IDENTITY, MapOutcome)
    part.append(outcomes[:10])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(part_file.os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device; 10 records are kept"):
        part.append(outcomes[10:])
    part.close()
    assert (tmp_path / "out.jsonl.part").stat().st_size > 0


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        PartFile(tmp_path / "file" / "out.jsonl", IDENTITY, MapOutcome)


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
