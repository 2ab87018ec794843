from __future__ import annotations

from collections import defaultdict

from cybersecqwen.core.records import Entry, Section
from cybersecqwen.corpus.chat.draft import DraftExample
from cybersecqwen.corpus.chat.knowledge_statements import knowledge_drafts

BRUTE = Entry(
    "T9110",
    "Brute Force",
    "technique",
    sections=(
        Section(
            "description", "Adversaries may use Brute Force against many locks at once. It is slow."
        ),
        Section("mitigation", "Lock the account after five attempts that failed.", "M9036"),
        Section("procedure", "Glowworm has tried every key of the harbour office.", "G9001"),
    ),
    links=(("tactic", "TA9006"),),
)
ENTRIES = {
    entry.id: entry
    for entry in (
        BRUTE,
        Entry(
            "T9110.001",
            "Guessing",
            "technique",
            links=(("sub-technique of", "T9110"),),
            sections=(Section("description", "A guess is made without any knowledge of it."),),
        ),
        Entry(
            "T9110.002",
            "Cracking",
            "technique",
            links=(("sub-technique of", "T9110"),),
            sections=(Section("description", "A hash is reversed away from the target system."),),
        ),
        Entry("TA9006", "Credential Access", "tactic"),
        Entry("M9036", "Account Use Policies", "mitigation", links=(("mitigates", "T9110"),)),
        Entry("G9001", "Glowworm", "group", aliases=("APT-Moth",), links=(("uses", "T9110"),)),
        Entry("S9001", "Brute Force", "software"),
        Entry("T9999", "Gone", "technique", withdrawn=True),
    )
}


def _by_kind(views: int = 4) -> dict[str, list[DraftExample]]:
    found = defaultdict(list)
    for draft in knowledge_drafts(ENTRIES, views=views, seed=7):
        found[draft.kind.removeprefix("knowledge-")].append(draft)
    return found


def test_a_page_is_asked_about_from_many_sides() -> None:
    found = _by_kind()
    about = {k: [d for d in v if d.passages[0].id == "T9110"] for k, v in found.items()}
    assert all("Adversaries may use" in draft.response for draft in about["define"])
    assert {draft.response for draft in about["call"]} == {"Brute Force"}
    assert {draft.response for draft in about["name"]} == {"Brute Force (T9110)"}
    relations = {draft.response for draft in about["relation"]}
    assert relations == {
        "Credential Access (TA9006).",
        "Account Use Policies (M9036).",
        "Glowworm (G9001).",
        "Guessing (T9110.001); Cracking (T9110.002).",
    }
    assert all("Account Use Policies (M9036)" in draft.prompt for draft in about["mitigation"])
    assert all("Glowworm (G9001)" in draft.prompt for draft in about["procedure"])
    tactic = [d.response for d in found["relation"] if d.passages[0].id == "TA9006"]
    assert set(tactic) == {"Brute Force (T9110)."}, "relations run both ways"


def test_no_question_gives_its_answer_away() -> None:
    found = _by_kind()
    assert all("brute force" not in draft.prompt.lower() for draft in found["name"])
    assert all(
        draft.response not in draft.prompt for kind in ("call", "identify") for draft in found[kind]
    )


def test_names_that_two_pages_bear_do_not_ask_for_an_id() -> None:
    assert not any("Brute Force" in draft.prompt for draft in _by_kind()["identify"])


def test_neighbours_are_told_apart_and_withdrawn_pages_left_out() -> None:
    found = _by_kind()
    answers = {draft.response for draft in found["contrast"]}
    told = "Guessing (T9110.001): A guess is made without any knowledge of it. "
    told += "Cracking (T9110.002): A hash is reversed away from the target system."
    assert told in answers
    assert not any("T9999" in d.prompt + d.response for kind in found.values() for d in kind)


def test_wordings_differ_and_their_number_is_kept() -> None:
    two = _by_kind(views=2)["define"]
    assert len(two) == 6
    assert len({draft.prompt for draft in two}) == 6
    again = [draft.prompt for draft in knowledge_drafts(ENTRIES, views=2, seed=7)]
    assert again == [draft.prompt for draft in knowledge_drafts(ENTRIES, views=2, seed=7)]
