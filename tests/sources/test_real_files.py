"""The real files of the shared data: each is read, or refused in one line that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core.records import Advisory, RecordProblem
from cybersecqwen.sources import read_advisories

pytestmark = pytest.mark.data

# Records with a text, and what is said of the others and of the file.
EXPECTED: dict[str, tuple[int, tuple[str, ...]]] = {
    "csaf/icsa-18-107-02.json": (2, ()),
    "csaf/icsa-19-150-01.json": (1, ()),
    "csaf/icsa-20-203-01.json": (6, ()),
    "csaf/icsa-21-159-08.json": (1, ()),
    "csaf/icsa-22-069-10.json": (2, ()),
    "csaf/icsa-22-335-01.json": (1, ()),
    "csaf/icsa-23-234-02.json": (1, ()),
    "csaf/icsa-24-137-03.json": (2, ()),
    "kev/kev.csv": (60, ()),
    "kev/kev.json": (60, ()),
    "osv/GO-2024-2483.json": (1, ()),
    "osv/GO-2024-2538.json": (1, ()),
    "osv/GO-2024-2594.json": (1, ()),
    "osv/GO-2024-2654.json": (1, ()),
    "osv/GO-2024-2717.json": (1, ()),
    "osv/PYSEC-2024-88.yaml": (1, ()),
    "osv/RUSTSEC-2024-0402.md": (1, ()),
    "osv/RUSTSEC-2024-0408.md": (1, ()),
    "osv/RUSTSEC-2024-0435.md": (1, ()),
    "scanners/generic_csv_defect_dojo.csv": (4, ("no column holds an id",)),
    "scanners/grype_busybox.json": (0, ("lists no vulnerability",)),
    "scanners/kiem-grype-sca.json": (7, ()),
    "scanners/many_vuln.json": (5, ()),
    "scanners/osv-scanner.json": (3, ()),
    "scanners/sc_vulnerability_list_v00.csv": (2, ("the text is the headline",)),
    "scanners/trivy_mix.json": (6, ()),
    "vex/cyclonedx-case1.json": (0, ("the BOM holds no description of it",)),
    "vex/cyclonedx-vex.json": (1, ()),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_files(data_dir: Path, name: str) -> None:
    count, said = EXPECTED[name]
    records = list(read_advisories(data_dir / "formats" / name))
    read = [record for record in records if isinstance(record, Advisory)]
    assert len(read) == count
    assert all(record.description.strip() and record.id for record in read)
    problems = [str(record) for record in records if isinstance(record, RecordProblem)]
    assert len(problems) == len(said)
    assert all(words in problem for words, problem in zip(said, problems, strict=True))


def test_every_file_is_tried(data_dir: Path) -> None:
    folder = data_dir / "formats"
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert files == set(EXPECTED)
