"""A knowledge base of the small made-up files."""

from __future__ import annotations

import pytest

from cybersecqwen.core.records import Catalogue
from cybersecqwen.knowledge.base import KnowledgeBase
from cybersecqwen.knowledge.index import build
from cybersecqwen.knowledge.location import shipped_folder
from cybersecqwen.sources.catalogues.cwe_text import read_cwe_text
from cybersecqwen.sources.catalogues.stix import read_stix
from mitre_files import write_all


@pytest.fixture(scope="session")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> list[Catalogue]:
    files = write_all(tmp_path_factory.mktemp("mitre"))
    return [read_stix(files["attack"]), read_stix(files["capec"]), read_cwe_text(files["cwe"])]


@pytest.fixture(scope="session")
def knowledge(
    catalogues: list[Catalogue], tmp_path_factory: pytest.TempPathFactory
) -> KnowledgeBase:
    folder = tmp_path_factory.mktemp("kb") / "kb"
    build(catalogues, folder)
    return KnowledgeBase(folder)


@pytest.fixture(scope="session")
def real_knowledge() -> KnowledgeBase:
    """The shipped one, of which ``test_location`` proves that it is what its sources give."""
    return KnowledgeBase(shipped_folder())
