from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.knowledge.base import KnowledgeBase
from cybersecqwen.knowledge.index import NOTICE, build
from cybersecqwen.knowledge.index_manifest import read_manifest
from cybersecqwen.knowledge.location import default_folder, shipped_folder
from cybersecqwen.knowledge.notices import notice_of
from cybersecqwen.sources.catalogues.cwe_text import read_cwe_text
from cybersecqwen.sources.catalogues.stix import read_stix

BUNDLES = ("enterprise-attack", "mobile-attack", "ics-attack")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CYBERSECQWEN_KB", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "cybersecqwen" / "kb"


def copy_of_shipped(to: Path, *, date: str) -> None:
    to.mkdir(parents=True)
    for file in shipped_folder().iterdir():
        (to / file.name).symlink_to(file)
    manifest = to / "manifest.json"
    text = manifest.read_text()
    for source in read_manifest(shipped_folder()).sources:
        text = text.replace(f'"{source.date}"', f'"{date}"')
    manifest.unlink()
    manifest.write_text(text)


def test_the_shipped_one_answers_at_once() -> None:
    assert default_folder() == shipped_folder()
    answer = KnowledgeBase.load().answer("What is CWE-79?")
    assert answer.found
    names = {source.name for source in read_manifest(shipped_folder()).sources}
    assert names == {"cwe", "capec", *BUNDLES}


def test_ones_own_is_used_unless_it_is_older(home: Path, tmp_path: Path) -> None:
    copy_of_shipped(home, date="2099-01-01")
    assert default_folder() == home
    home.rename(tmp_path / "newer")
    copy_of_shipped(home, date="2001-01-01")
    assert default_folder() == shipped_folder()


def test_one_of_another_format_is_passed_over(home: Path) -> None:
    home.mkdir(parents=True)
    (home / "manifest.json").write_text('{"format": 1}')
    assert default_folder() == shipped_folder()


def test_a_named_one_is_used_be_it_there_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYBERSECQWEN_KB", str(tmp_path / "named"))
    assert default_folder() == tmp_path / "named"


def test_notices_of_what_is_in_it() -> None:
    notice = (shipped_folder() / NOTICE).read_text("utf-8")
    assert notice == notice_of([*BUNDLES, "capec", "cwe"])
    assert "with the permission of The MITRE Corporation" in notice
    assert "CAPEC" not in notice_of(["cwe"])


def test_the_shipped_one_is_what_its_sources_give(data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "knowledge"
    catalogues = [read_stix(folder / f"{name}.stix.json.gz") for name in (*BUNDLES, "capec")]
    catalogues.append(read_cwe_text(folder / "cwe-4.19.1.json.gz"))
    build(catalogues, tmp_path / "again")
    shipped = {file.name: file.read_bytes() for file in shipped_folder().iterdir()}
    assert {file.name: file.read_bytes() for file in (tmp_path / "again").iterdir()} == shipped
