from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.taxonomy import Weakness, shipped_taxonomy
from cybersecqwen.sources.catalogues.catalogue import read_catalogue
from cybersecqwen.sources.catalogues.cwe import read_cwe, write_cwe_table

XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<Weakness_Catalog Name="CWE" Version="9.9" Date="2030-01-02"
    xmlns="http://cwe.mitre.org/cwe-7" xmlns:xhtml="http://www.w3.org/1999/xhtml">
  <Weaknesses>
    <Weakness ID="30" Name="Leaf &amp; twig" Abstraction="Base" Structure="Simple" Status="Draft">
      <Description>Usage of <xhtml:p>markup</xhtml:p></Description>
      <Related_Weaknesses>
        <Related_Weakness Nature="ChildOf" CWE_ID="20" View_ID="1000" Ordinal="Primary"/>
        <Related_Weakness Nature="ChildOf" CWE_ID="20" View_ID="1000"/>
        <Related_Weakness Nature="ChildOf" CWE_ID="10" View_ID="1000"/>
        <Related_Weakness Nature="ChildOf" CWE_ID="20" View_ID="1003"/>
        <Related_Weakness Nature="CanPrecede" CWE_ID="99" View_ID="1000"/>
      </Related_Weaknesses>
      <Mapping_Notes><Usage>Allowed-with-Review</Usage></Mapping_Notes>
    </Weakness>
    <Weakness ID="20" Name="Trunk" Abstraction="Class" Structure="Simple" Status="Stable">
      <Mapping_Notes><Usage>Discouraged</Usage></Mapping_Notes>
    </Weakness>
    <Weakness ID="10" Name="DEPRECATED: Root" Abstraction="Pillar" Status="Deprecated">
      <Mapping_Notes><Usage>Prohibited</Usage></Mapping_Notes>
    </Weakness>
  </Weaknesses>
  <Categories>
    <Category ID="40" Name="Garden" Status="Draft">
      <Relationships><Has_Member CWE_ID="10" View_ID="699"/></Relationships>
      <Mapping_Notes><Usage>Prohibited</Usage></Mapping_Notes>
    </Category>
  </Categories>
  <Views>
    <View ID="1003" Name="Simplified" Type="Graph" Status="Draft">
      <Members><Has_Member CWE_ID="20" View_ID="1003"/></Members>
      <Mapping_Notes><Usage>Prohibited</Usage></Mapping_Notes>
    </View>
  </Views>
</Weakness_Catalog>
"""


def mapping(usage: str) -> dict[str, str]:
    return {"Usage": usage}


def related(nature: str, cwe: str, view: str) -> dict[str, str]:
    return {"Nature": nature, "CweID": cwe, "ViewID": view}


JSON = json.dumps(
    {
        "ContentVersion": "9.9",
        "ContentDate": "2030-01-02",
        "Weaknesses": [
            {
                "ID": "30",
                "Name": "Leaf & twig",
                "Abstraction": "Base",
                "Status": "Draft",
                "RelatedWeaknesses": [
                    related("ChildOf", "20", "1000"),
                    related("ChildOf", "10", "1000"),
                    related("ChildOf", "20", "1003"),
                    related("CanPrecede", "99", "1000"),
                ],
                "MappingNotes": mapping("Allowed-with-Review"),
            },
            {
                "ID": "20",
                "Name": "Trunk",
                "Abstraction": "Class",
                "Status": "Stable",
                "MappingNotes": mapping("Discouraged"),
            },
            {
                "ID": "10",
                "Name": "DEPRECATED: Root",
                "Abstraction": "Pillar",
                "Status": "Deprecated",
                "MappingNotes": mapping("Prohibited"),
            },
        ],
        "Categories": [
            {
                "ID": "40",
                "Name": "Garden",
                "Status": "Draft",
                "Relationships": [{"CweID": "10", "ViewID": "699"}],
                "MappingNotes": mapping("Prohibited"),
            }
        ],
        "Views": [
            {
                "ID": "1003",
                "Name": "Simplified",
                "Status": "Draft",
                "Members": [{"CweID": "20", "ViewID": "1003"}],
                "MappingNotes": mapping("Prohibited"),
            }
        ],
    }
).encode()

ENTRIES = [
    Weakness("CWE-10", "DEPRECATED: Root", "pillar", "prohibited", deprecated=True),
    Weakness("CWE-20", "Trunk", "class", "discouraged", in_1003=True),
    Weakness(
        "CWE-30",
        "Leaf & twig",
        "base",
        "allowed-with-review",
        parents=("CWE-20", "CWE-10"),
        parents_1003=("CWE-20",),
        in_1003=True,
    ),
    Weakness("CWE-40", "Garden", "category", "prohibited"),
    Weakness("CWE-1003", "Simplified", "view", "prohibited"),
]


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("cwec_v9.9.xml", content)
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [XML, zipped(XML), gzip.compress(XML), JSON, gzip.compress(JSON), zipped(JSON)],
    ids=["xml", "xml.zip", "xml.gz", "json", "json.gz", "json.zip"],
)
def test_both_forms_give_the_same_table(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "catalogue"
    file.write_bytes(content)
    table = read_cwe(file)
    assert (table.version, table.date) == ("9.9", "2030-01-02")
    assert table.entries == ENTRIES


BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>
<Weakness_Catalog Version="&b;" Date="x"/>"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, "document type"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "document type"),
        (b"<feed/>", "its root is feed"),
        (XML[:-200], "no element found|unclosed"),
        (XML.replace(b' ID="30"', b""), "weakness 1: .*missing required field `ID`"),
        (XML.replace(b'ID="30"', b'ID="thirty"'), "'thirty' is no CWE id"),
        (b'<Weakness_Catalog Version="1" Date="x"/>', "missing required field `Weaknesses`"),
        (b'{"Weaknesses": 3}', "no CWE catalogue"),
        (b"plain words", "no CWE catalogue"),
        (gzip.compress(XML, mtime=0)[:100], "damaged"),
        (b"", "empty"),
    ],
)
def test_what_is_no_catalogue_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "catalogue"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_cwe(file)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_cwe(tmp_path / "absent.xml")


@pytest.mark.data
def test_the_shipped_table_is_what_the_catalogue_gives(data_dir: Path, tmp_path: Path) -> None:
    table = read_cwe(data_dir / "knowledge" / "cwe-4.19.1.json.gz")
    shipped = shipped_taxonomy()
    assert (table.version, table.entries) == (shipped.version, list(shipped))
    file = tmp_path / "table.json"
    write_cwe_table(table, file)
    assert len(json.loads(file.read_bytes())["entries"]) == 1447


def test_a_catalogue_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cwe.xml"
    head = b'<Weakness_Catalog xmlns="http://cwe.mitre.org/cwe-7"><Weaknesses>'
    path.write_bytes(head + b'<Weakness ID="79" Name="a"/>' * 20_001)
    with pytest.raises(InputError, match="over 20,000 pages"):
        read_catalogue(path)
