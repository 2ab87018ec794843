from __future__ import annotations

import io
import json
import pickle
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen import Assessor, KnowledgeBase
from cybersecqwen.apps.assess_job import AssessJob, run_assess_job
from cybersecqwen.apps.assess_stream import WholeRows, assess_windows
from cybersecqwen.apps.audit import Differences, surest_first
from cybersecqwen.apps.outputs.audit_rows import audit_texts
from cybersecqwen.apps.progress import JobProgress
from cybersecqwen.cli.main import main
from cybersecqwen.core.records import Advisory, CvssVector, CweLabel
from cybersecqwen.sources.advisory_store import AdvisoryStore

SQL = "SQL injection in the id parameter of list.php allows remote attackers to read the database."
OTHER = "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"


@pytest.fixture(scope="module")
def assessor() -> Assessor:
    return Assessor.from_pretrained()


def record(cwe: str, vector: str) -> Advisory:
    label, scored = CweLabel(cwe, "cna"), CvssVector(vector, "3.1", "cna")
    return Advisory("CVE-2026-1", SQL, labels=(label,), cvss=(scored,))


def test_a_row_has_weakness_severity_technique_and_what_the_record_said(assessor: Assessor) -> None:
    records = [record("CWE-20", OTHER), Advisory("CVE-2026-2", "  "), Advisory("CVE-2026-3", SQL)]
    outcomes = list(chain.from_iterable(assess_windows(records, assessor, WholeRows())))
    problems = [found.problem for found in outcomes if found.problem]
    first, second = (found.row for found in outcomes if found.row)
    assert [problem.id for problem in problems] == ["CVE-2026-2"]
    assert second["id"] == "CVE-2026-3"
    assert second["cwe"] == "CWE-89"
    assert second["band"] == "sure"
    assert second["weaknesses"][0]["primary"] is True
    assert set(second["cvss"]["metrics"]) == {"AV", "AC", "PR", "UI", "S", "C", "I", "A"}
    assert second["cvss"]["labeller"] == "nvd"
    assert "T1190" in {found["id"] for found in second["techniques"]}
    assert first["record"]["cwe"] == [{"cwe": "CWE-20", "by": "cna"}]


def test_the_catalogues_own_chain_stands_beside_what_is_predicted() -> None:
    assessor = Assessor.from_pretrained(knowledge=KnowledgeBase.load())
    row = assessor.row(assessor.assess("The password is hard-coded in the firmware of the camera."))
    assert row["cwe"] == "CWE-798"
    chain = {pattern["id"]: pattern["techniques"] for pattern in row["chain"]}
    assert "T1078.001" in {found["id"] for found in chain["CAPEC-70"]}
    (again,) = pickle.loads(pickle.dumps(assessor)).assess_many([SQL])
    assert again.weakness.cwe == "CWE-89"


def test_one_and_many_agree(assessor: Assessor) -> None:
    alone = assessor.row(assessor.assess(SQL))
    many = [assessor.row(found) for found in assessor.assess_many([SQL, SQL])]
    assert alone["cvss"]["vector"] == many[0]["cvss"]["vector"] == many[1]["cvss"]["vector"]
    assert alone["confidence"] == pytest.approx(many[1]["confidence"], abs=1e-3)


def audited(
    assessor: Assessor, records: list[Advisory], store: Path | None = None
) -> list[dict[str, Any]]:
    windows = assess_windows(records, assessor, Differences(store=store))
    return surest_first(found.row for found in chain.from_iterable(windows) if found.row)


def test_audit_names_what_differs_and_leaves_out_what_agrees(assessor: Assessor) -> None:
    ours = assessor.assess(record("CWE-89", OTHER), labeller="cna")
    agreeing = record("CWE-89", ours.cvss.vector)
    rows = audited(assessor, [agreeing, record("CWE-79", OTHER)])
    (row,) = rows
    assert row["weakness"]["own"] == ["CWE-79"]
    assert row["weakness"]["ours"] == "CWE-89"
    assert row["weakness"]["kind"] == "weakness"
    assert row["severity"]["own"] == OTHER
    assert set(row["severity"]["metrics"]) >= {"AV", "PR"}
    assert 0 < row["weight"] <= 1


def test_a_parent_is_a_difference_of_depth(assessor: Assessor) -> None:
    (row,) = audited(assessor, [record("CWE-943", OTHER)])
    assert row["weakness"]["kind"] == "depth"


def test_an_id_that_cwe_lacks_is_called_unknown(assessor: Assessor) -> None:
    (row,) = audited(assessor, [record("CWE-999999", OTHER)])
    assert (row["weakness"]["kind"], row["weakness"]["own_usage"]) == ("unknown", ["no such entry"])
    text = b"".join(audit_texts([row | {"similar": []}], 100)).decode()
    assert "the record says CWE-999999 (no such entry)" in text
    assert "a difference of" not in text


def test_an_interrupted_run_is_gone_on_with(
    assessor: Assessor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cybersecqwen.apps.assess_stream.WINDOW", 32)
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    lines = [f'{{"id": "r{n}", "description": "{SQL} {n}", "cwe": "CWE-20"}}' for n in range(80)]
    source.write_text("\n".join([*lines, "{"]))
    job = AssessJob(source=source, assessor=assessor, output=output)
    summary = run_assess_job(job)
    assert (summary.records, summary.rows, summary.problems) == (81, 80, 1)
    whole = output.read_bytes()
    output.unlink()

    def stop(progress: JobProgress) -> None:
        if progress.done >= 64:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_assess_job(job, progress=stop)
    assert not output.exists()
    notices: list[str] = []
    again = replace(job, resume=True)
    assert run_assess_job(again, notice=notices.append).rows == 80
    assert notices == ["going on after 64 records of an interrupted run"]
    assert output.read_bytes() == whole
    assert [file.name for file in tmp_path.iterdir() if "part" in file.name] == []


def test_another_standard_input_is_not_gone_on_with(assessor: Assessor, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    line = f'{{"id": "a", "description": "{SQL}"}}\n'

    def stop(_: JobProgress) -> None:
        raise KeyboardInterrupt

    job = AssessJob(source=None, assessor=assessor, output=output)
    with pytest.raises(KeyboardInterrupt):
        run_assess_job(replace(job, stdin=io.BytesIO(line.encode())), progress=stop)
    other = io.BytesIO(line.replace('"a"', '"b"').encode())
    run_assess_job(replace(job, stdin=other))
    assert [json.loads(row)["id"] for row in output.read_text().splitlines()] == ["b"]


def test_the_verbs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"id": "a", "description": "' + SQL + '"}\n{"id": "b"}\n')
    out = tmp_path / "out.jsonl"
    assert main(["assess", "--input", str(file), "--output", str(out)]) == 1
    assert out.read_text().count("\n") == 1
    assert '"CWE-89"' in out.read_text()
    assert main(["assess", SQL]) == 0
    shown = capsys.readouterr().out
    assert "CWE-89" in shown
    assert max(map(len, shown.splitlines()[:12])) <= 80
    assert main(["audit"]) == 2
    assert main(["assess", SQL, "--precision", "2"]) == 2
    assert main(["map", SQL, "--precision", "0.99"]) == 0
    assert main(["map", SQL, "--precision", "0.9", "--threshold", "0.5"]) == 2


def test_audit_shows_the_most_similar_records_and_their_labels(
    assessor: Assessor, tmp_path: Path
) -> None:
    store = AdvisoryStore(tmp_path / "store.sqlite", create=True)
    store.add(
        [
            Advisory("CVE-2020-1", SQL, labels=(CweLabel("CWE-89", "nvd"),)),
            Advisory("CVE-2020-2", "SQL in list.php.", labels=(CweLabel("CWE-89", "cna"),)),
            Advisory("CVE-2020-3", SQL),
            Advisory("CVE-2020-4", "A race in a driver.", labels=(CweLabel("CWE-362", "nvd"),)),
            Advisory("CVE-2026-1", SQL, labels=(CweLabel("CWE-79", "cna"),)),
        ]
    )
    (row,) = audited(assessor, [record("CWE-79", OTHER)], store.path)
    assert [found["id"] for found in row["similar"]] == ["CVE-2020-1", "CVE-2020-2"]
    assert row["similar"][0]["likeness"] == 1
    assert row["similar"][0]["cwe"] == [{"cwe": "CWE-89", "by": "nvd"}]
    assert 0 < row["similar"][1]["likeness"] < 1
    store.close()
