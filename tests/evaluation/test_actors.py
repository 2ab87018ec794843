from __future__ import annotations

import json
from pathlib import Path

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.evaluation.actors import Actor, ActorTable, load_actors


def test_names_differ_in_spelling_not_in_meaning() -> None:
    table = ActorTable([Actor(["APT28", "Fancy Bear"], "Russia")])
    assert table.same("apt 28", "FANCY BEAR")
    assert table.same("APT-28", "APT28 group")
    assert not table.same("APT29", "APT28")
    assert not table.same("", "")
    assert table.same("Unheard Of", "unheard-of")


def test_aliases_chain_and_bring_their_states() -> None:
    table = ActorTable(
        [Actor(["A", "B"], "X"), Actor(["C", "D"]), Actor(["B", "C"], "Y"), Actor(["E"], "X")]
    )
    assert table.same("A", "D")
    assert table.related("E", "D")
    assert not table.same("E", "D")
    assert table.related("A", "a")
    assert not table.related("A", "Z")


def test_groups_of_no_state_are_not_related() -> None:
    table = ActorTable([Actor(["A"]), Actor(["B"])])
    assert not table.related("A", "B")


def test_the_shipped_table_knows_well_known_names() -> None:
    table = load_actors()
    assert table.same("Cozy Bear", "Midnight Blizzard")
    assert table.same("APT34", "OilRig")
    assert table.related("Kimsuky", "Lazarus Group")
    assert not table.same("Kimsuky", "Lazarus")
    assert not table.related("APT28", "APT41")


def test_tables_and_attack_bundles_are_added(tmp_path: Path) -> None:
    table = tmp_path / "more.yaml"
    table.write_text("- {names: [Spider One, Cozy Bear]}\n")
    bundle = tmp_path / "attack.json"
    reference = [{"source_name": "mitre-attack", "external_id": "G9999"}]
    group = {"type": "intrusion-set", "id": "intrusion-set--1", "external_references": reference}
    objects = [{**group, "name": "Web Two", "aliases": ["Web Two", "Weaver"]}]
    bundle.write_text(json.dumps({"type": "bundle", "objects": objects}))
    actors = load_actors([table, bundle])
    assert actors.same("Spider One", "APT29")
    assert actors.same("weaver", "WEB TWO")
    table.write_text("- {name: typo}\n")
    with pytest.raises(InputError, match="not a table of threat actors"):
        load_actors([table])
    with pytest.raises(InputError, match=r"none\.yaml"):
        load_actors([tmp_path / "none.yaml"])
    bundle.write_text(json.dumps({"type": "bundle", "objects": []}))
    with pytest.raises(InputError, match=r"attack\.json"):
        load_actors([bundle])
