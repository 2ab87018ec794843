from __future__ import annotations

import os
import subprocess
import sys

from cybersecqwen.core.records import Entry, Passage
from cybersecqwen.corpus.catalogue_graph import CatalogueGraph

ENTRIES = {
    "T1": Entry("T1", "Lantern Theft", "technique", links=(("tactic", "TA1"),)),
    "T1.001": Entry("T1.001", "Night Theft", "technique", links=(("sub-technique of", "T1"),)),
    "T2": Entry("T2", "Lantern Breaking", "technique", links=(("tactic", "TA1"),)),
    "TA1": Entry("TA1", "Entry", "tactic"),
    "M1": Entry("M1", "Guard", "mitigation", links=(("mitigates", "T1"), ("mitigates", "T3"))),
    "T3": Entry("T3", "Old Theft", "technique", withdrawn=True),
}
PASSAGES = [
    Passage("T1", "Lantern Theft", "description", "Somebody takes a lantern."),
    Passage("T1#mitigation-1", "Lantern Theft", "mitigation", "Guard it."),
]


def test_links_lead_both_ways_to_live_entries_of_a_kind() -> None:
    graph = CatalogueGraph(ENTRIES, PASSAGES)
    assert graph.linked("M1", "mitigates") == ["T1"]
    assert graph.linked("T1", "mitigates", "mitigation", back=True) == ["M1"]
    assert graph.linked("T1", "mitigates", "group", back=True) == []
    assert graph.linked("nothing", "mitigates") == []
    assert graph.kin("T1") == {"T1.001"}
    assert graph.near("T1") == ("T2",), "a child is no look-alike"
    assert graph.root("T1.001") == "T1"


def test_passages_are_found_by_page_kind_and_text() -> None:
    graph = CatalogueGraph(ENTRIES, PASSAGES)
    assert graph.first("T1") == PASSAGES[0]
    assert graph.first("T2") is None
    assert graph.of_kind("T1", "mitigation") == [PASSAGES[1]]
    assert graph.passage("T1", "mitigation", "Guard") == PASSAGES[1]
    assert graph.passage("T1", "mitigation", "lantern") is None


def test_look_alikes_come_in_the_same_order_in_every_process() -> None:
    code = (
        "from cybersecqwen.core.records import Entry\n"
        "from cybersecqwen.corpus.catalogue_graph import CatalogueGraph\n"
        "words = 'amber birch cedar dune ember fjord grove heath'.split()\n"
        "entries = {w: Entry(w, f'{w} of lanterns', 'technique') for w in words}\n"
        "entries['x'] = Entry('x', ' '.join(words), 'technique')\n"
        "print(CatalogueGraph(entries, []).near('x'))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1
