"""Questions that analysts ask, on the whole of CWE, CAPEC and ATT&CK."""

from __future__ import annotations

import re

import pytest

from cybersecqwen.core.interfaces import AnswerHelpers
from cybersecqwen.core.passages import page_of
from cybersecqwen.core.records import Answer, TechniquePrediction
from cybersecqwen.evaluation.answer_bank import measure, read_bank
from cybersecqwen.knowledge.base import KnowledgeBase

_ID = re.compile(r"\b(?:(?:CWE|CAPEC)-\d+|T\d{4}(?:\.\d{3})?|TA\d{4}|[SGMC]\d{4})\b")


def cited(answer: Answer) -> set[str]:
    return {page_of(citation) for citation in answer.citations}


@pytest.mark.parametrize(
    ("question", "pages", "says"),
    [
        ("difference between CWE-79 and CWE-80", {"CWE-79", "CWE-80"}, "is a child of"),
        ("What is the difference between CWE-79 and CWE-80?", {"CWE-79", "CWE-80"}, "child of"),
        (
            "what's the difference between CWE-862 and CWE-863",
            {"CWE-862", "CWE-863"},
            "does not correctly perform the check",
        ),
        ("is CWE-20 ok to map to", {"CWE-20"}, "Discouraged"),
        ("Can I use CWE-119 for CVE mapping?", {"CWE-119"}, "Discouraged"),
        (
            "Is CWE-264 allowed for CVE mapping? what should I use instead",
            {"CWE-264"},
            "Prohibited",
        ),
        ("mapping notes for CWE-20", {"CWE-20"}, "Discouraged"),
        ("What is the mapping usage of CWE-79?", {"CWE-79"}, "Allowed"),
        ("Which CWE is improper certificate validation?", {"CWE-295"}, "CWE-295"),
        ("Which CWE should I use for SSRF?", {"CWE-918"}, "CWE-918"),
        ("Which CAPEC matches CWE-89?", {"CWE-89"}, "CAPEC-66"),
        ("what replaced T1086", {"T1086"}, "T1059.001"),
        ("explain Kerberosting", {"T1558.003"}, "service principal names"),
        ("T1110/003 mitigation", {"T1110.003"}, "M1032"),
        ("Tell me about CVE-2021-44228", {"CWE-917"}, "log4j"),
        ("what CVEs does APT41 exploit", {"T1190"}, "CVE-2019-19781"),
        ("how does Emotet persist", {"S0367"}, "for Persistence (TA0003)"),
        ("how does TrickBot evade detection", {"S0266"}, "for Defense Evasion (TA0005)"),
        ("how many techniques does ATT&CK have", set(), "sub-techniques"),
        ("how many CWEs are there", set(), "weaknesses"),
        ("how many tactics are there", {"TA0006"}, "Tactics, enterprise (14)"),
        ("how many groups are in ATT&CK", set(), "groups"),
        ("is T1059.001 part of T1059", {"T1059.001"}, "is a sub-technique of"),
        ("does CWE-190 lead to CWE-119", {"CWE-190"}, "can precede"),
        ("techniques under T1059", {"T1059"}, "sub-techniques"),
        ("weaknesses under CWE-74", {"CWE-74"}, "children"),
        ("is Turla russian", {"G0010"}, "Russia"),
        ("which country is behind APT34", {"G0049"}, "Iranian"),
        ("siblings of CWE-79", {"CWE-74"}, "siblings under Injection (CWE-74)"),
        ("peers of CWE-352", {"CWE-352"}, "Peer of"),
        ("grandparent of CWE-79", {"CWE-74"}, "CWE-707"),
        ("ancestors of CWE-121", {"CWE-121"}, "3 steps up"),
        ("what can be done about CWE-502", {"CWE-502"}, "mitigations"),
        ("why is CWE-119 not recommended", {"CWE-119"}, "discouraged for mapping"),
        ("what should I log to catch web shells", {"T1505.003"}, "detection"),
        ("which CWE is a buffer overrun on the stack", {"CWE-121"}, "CWE-121"),
    ],
)
def test_questions_are_answered_from_the_right_pages(
    real_knowledge: KnowledgeBase, question: str, pages: set[str], says: str
) -> None:
    answer = real_knowledge.answer(question)
    assert answer.found
    assert pages <= cited(answer)
    assert says.lower() in answer.text.lower()


def test_the_top_25_are_all_named(real_knowledge: KnowledgeBase) -> None:
    answer = real_knowledge.answer("Name the Top 25 CWEs of 2025")
    assert set(real_knowledge.linked("CWE-1435", "member")) <= set(_ID.findall(answer.text))
    assert "25 members" in answer.text


@pytest.mark.parametrize("tool", ["Cobalt Strike", "Mimikatz"])
def test_groups_that_use_a_tool_come_first_and_all(
    real_knowledge: KnowledgeBase, tool: str
) -> None:
    answer = real_knowledge.answer(f"which groups use {tool}")
    (page,) = real_knowledge.parse(tool).subjects
    groups = {u for u in real_knowledge.linking(page, "uses") if u.startswith("G")}
    named = set(_ID.findall(answer.text)) - {page}
    assert named == groups, "groups, all of them, and nothing else"


def test_what_a_group_uses_for_a_tactic(real_knowledge: KnowledgeBase) -> None:
    answer = real_knowledge.answer("What does APT29 use for persistence?")
    used = real_knowledge.linked("G0016", "uses")
    wanted = {page for page in used if "TA0003" in real_knowledge.linked(page, "tactic")}
    assert wanted <= set(_ID.findall(answer.text))
    assert f"{len(wanted)} techniques" in answer.text


@pytest.mark.parametrize(
    ("question", "marks", "says"),
    [
        ("what is CWE", ["cwe"], "Common Weakness Enumeration"),
        ("What does CAPEC mean?", ["capec"], "Common Attack Pattern"),
        ("what is mitre attack", ["attack"], "adversaries have been seen to do"),
        ("whats a tactic in mitre att&ck", ["tactic"], "Initial Access (TA0001)"),
        ("difference between a tactic and a technique", ["tactic", "technique"], "goal"),
        ("CVE vs CWE", ["cve", "cwe"], "one vulnerability"),
        ("what does discouraged mean for a CWE", ["mapping-usage"], "Discouraged"),
        ("what is a weakness variant vs base", ["variant", "base"], "preferred level"),
    ],
)
def test_the_catalogues_own_words_are_defined(
    real_knowledge: KnowledgeBase, question: str, marks: list[str], says: str
) -> None:
    answer = real_knowledge.answer(question)
    assert answer.found
    assert [c for c in answer.citations if c.startswith("GLOSSARY#")] == [
        f"GLOSSARY#{mark}" for mark in marks
    ]
    assert says in answer.text


def test_words_that_entries_are_named_by_stay_theirs(real_knowledge: KnowledgeBase) -> None:
    for question, page in [("what is phishing", "T1566"), ("what is the Impact tactic", "TA0040")]:
        assert page in cited(real_knowledge.answer(question))


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("does T1547.001 apply to linux", "No: "),
        ("is T1003.001 windows only?", "Yes: "),
        ("is CWE-89 a base", "Abstraction: Base"),
        ("is CWE-80 a kind of CWE-79", "is a child of"),
        ("is CWE 74 alright for a cve", "Discouraged"),
        ("should i map to CWE-284 or something more specific", "Discouraged"),
        ("what to use in place of CWE-264", "Prohibited"),
        ("does Turla use Cobalt Strike", "No page here says so"),
        ("what belongs to credential access", "67 techniques"),
        ("which apts use spearphishing link", "groups in the knowledge base use"),
        ("defend against lockbit", "LockBit"),
        ("stop lateral movement over RDP", "mitigations"),
        ("how do adversaries abuse WMI", "Adversaries may abuse Windows"),
        ("define privilege escalation weakness CWE-269", "a class weakness"),
        ("what can an attacker do with CWE-22", "consequences"),
        ("cwe for hard coded crypto key", "(CWE-321)"),
    ],
)
def test_the_direct_answer_says_what_was_asked(
    real_knowledge: KnowledgeBase, question: str, says: str
) -> None:
    answer = real_knowledge.answer(question)
    assert says in " ".join(f"{line.lead} {line.text}" for line in answer.direct)


@pytest.mark.parametrize(
    ("history", "question", "page"),
    [
        ("difference between CWE-79 and CWE-80", "what about the second one?", "CWE-80"),
        ("difference between CWE-79 and CWE-80", "how do I mitigate the first one", "CWE-79"),
        ("CWE-862 vs CWE-863", "is the latter allowed for mapping?", "CWE-863"),
        ("sub-techniques of T1110", "and the last one?", "T1110.004"),
    ],
)
def test_one_of_several_named_before(
    real_knowledge: KnowledgeBase, history: str, question: str, page: str
) -> None:
    assert real_knowledge.answer(question, history=[history]).subjects == (page,)


def test_whether_what_was_named_is_in_a_list(real_knowledge: KnowledgeBase) -> None:
    answer = real_knowledge.answer("is it in the top 25?", history=["CWE-89"])
    assert answer.text.startswith("Yes: ")


@pytest.mark.parametrize(
    "question",
    ["how to stop ransomware", "how to protect against ransomware", "defend against kerberoasting"],
)
def test_protection_is_never_answered_by_procedures(
    real_knowledge: KnowledgeBase, question: str
) -> None:
    answer = real_knowledge.answer(question)
    assert answer.found
    assert not [passage for passage in answer.passages if passage.kind == "procedure"]


@pytest.mark.parametrize("query", ["kerberoasting", "Kerberoasting", "KERBEROASTING"])
def test_the_page_itself_comes_first_and_withdrawn_ones_last(
    real_knowledge: KnowledgeBase, query: str
) -> None:
    found = [passage.id for passage, _ in real_knowledge.search(query, 3)]
    assert found[0] == "T1558.003"
    assert "T1208" not in found
    assert real_knowledge.search("T1208", 1)[0][0].id == "T1208"


def test_a_follow_up_refers_to_what_was_named_before(real_knowledge: KnowledgeBase) -> None:
    answer = real_knowledge.answer("and how do I mitigate it?", history=["What is CWE-79?"])
    assert answer.subjects == ("CWE-79",)
    assert {passage.kind for passage in answer.passages} == {"mitigation"}
    other = real_knowledge.answer(
        "and CWE-89?", history=["What is CWE-79?", "how do I mitigate it?"]
    )
    assert other.subjects == ("CWE-89",)
    assert other.intent == "mitigation"


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of France?",
        "hi",
        "What is CWE-99999?",
        "which groups use FrobnicatorRAT",
        "what is the base score of CVE-2099-12345",
        "Explain the seven stages of the Lockheed Martin kill chain in order",
    ],
)
def test_what_is_not_held_is_refused(real_knowledge: KnowledgeBase, question: str) -> None:
    answer = real_knowledge.answer(question)
    assert not answer.found
    assert answer.citations == ()


def test_the_first_half_of_the_bank_is_answered(real_knowledge: KnowledgeBase) -> None:
    score = measure(
        lambda question, before: real_knowledge.answer(question, history=before),
        read_bank(half="first"),
    )
    assert score.well >= 0.9, score.missed
    assert score.wrong <= 0.05, score.missed
    assert score.rightly_refused >= 0.95, score.missed


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("is T1059.001 a sub technique of T1059", r"^Yes: PowerShell"),
        ("is CWE-787 a child of CWE-121", r"^No: Stack-based"),
        ("groups using Cobalt Strike except APT29", r"but not APT29(?!.*; APT29)"),
        ("techniques used by BlackCat ransomware", r"^BlackCat \(S1068\) uses"),
        ("techniques of Collection that are not on Windows", r"techniques not on windows"),
        ("which techniques does multi-factor authentication help against", r"M1032\) mitigates"),
    ],
)
def test_relations_asked_the_other_way(
    real_knowledge: KnowledgeBase, question: str, says: str
) -> None:
    assert re.search(says, real_knowledge.answer(question).text, re.DOTALL)


@pytest.mark.parametrize(
    ("before", "question", "page", "says"),
    [
        ("who is APT28", "and for persistence?", "G0007", "for Persistence"),
        ("what does APT41 use for persistence", "and for exfiltration?", "G0096", "Exfiltration"),
        ("who is APT28", "are they the same as APT29", "G0016", "APT28"),
        ("who is APT28", "do they use Mimikatz", "S0002", "APT28 (G0007) uses Mimikatz"),
        ("what replaced T1086", "how do I detect the new one", "T1059.001", "detection"),
        ("is CWE-20 ok to map to", "why not", "CWE-20", "commonly misused"),
        ("techniques for T1558", "tell me more", "T1558", "Kerberos"),
    ],
)
def test_what_leans_on_an_earlier_question(
    real_knowledge: KnowledgeBase, before: str, question: str, page: str, says: str
) -> None:
    answer = real_knowledge.answer(question, history=[before])
    assert answer.found
    assert page in cited(answer)
    assert says in answer.text


@pytest.mark.parametrize(
    ("question", "pages", "says"),
    [
        ("which mobile malware reads sms", {"T1636.004"}, "9 pieces of software"),
        ("which android malware records calls", {"T1429"}, "procedures of"),
        ("malware that disables antivirus", {"T1562.001"}, "pieces of software"),
        ("is Mimikatz malware or a tool", {"S0002"}, "is a tool in ATT&CK"),
        ("is emotet malware", {"S0367"}, "^Yes: Emotet"),
        ("is psexec malware", {"S0029"}, "^No: PsExec .* is a tool"),
        ("steal cookies", {"T1539"}, "session cookies"),
        ("prevent usb malware", {"T1091"}, "USB"),
        ("what tactic is exfil", {"TA0010"}, "Exfiltration"),
        ("att&ck technique for sql injection", {"CWE-89"}, "leads to no ATT&CK technique"),
        ("detect powershell encoded commands", {"T1059.001"}, "detection"),
        ('hey so what exactly is a "confused deputy"', {"CWE-441"}, "Unintended Proxy"),
    ],
)
def test_what_does_something_and_what_software_is(
    real_knowledge: KnowledgeBase, question: str, pages: set[str], says: str
) -> None:
    answer = real_knowledge.answer(question)
    assert answer.found
    assert pages <= cited(answer)
    assert re.search(says, answer.text)


def test_a_concept_is_told_beyond_its_definition(real_knowledge: KnowledgeBase) -> None:
    answer = real_knowledge.answer("what is the diamond model")
    more = next(section for section in answer.sections if section.heading == "More")
    assert len(more.lines) == 8 < more.total
    assert cited(answer) == {"GLOSSARY"}


def test_what_the_glossary_says_beyond_a_definition_answers_multiple_choice(
    real_knowledge: KnowledgeBase,
) -> None:
    choices = ["Adversary and victim", "Capability and infrastructure", "Phase and result"]
    asked = "Which features does the technology axis of the Diamond Model join?"
    assert real_knowledge.choose(asked, choices).best == 1


@pytest.mark.parametrize(
    ("question", "technique", "surely"),
    [
        ("adversary uses regsvr32 to run a scriptlet, which technique?", "T1218.010", True),
        ("what technique: malware deletes volume shadow copies", "T1490", True),
        ("They renamed their tool to svchost.exe. What technique is this?", "T1036.005", False),
    ],
)
def test_what_was_done_goes_to_the_technique_specialist(
    real_knowledge: KnowledgeBase, question: str, technique: str, surely: bool
) -> None:
    told = []

    def predict(text: str) -> TechniquePrediction:
        told.append(text)
        return TechniquePrediction(((technique, 0.9 if surely else 0.4),), not surely, "stand-in 1")

    answer = real_knowledge.answer(question, helpers=AnswerHelpers(techniques=predict))
    assert answer.citations == (technique,)
    assert answer.text.startswith("Likely" if surely else "Unsure; perhaps")
    assert told
    assert "technique" not in told[0]


def test_what_others_did_answers_no_question_about_an_actor(
    real_knowledge: KnowledgeBase,
) -> None:
    answer = real_knowledge.answer("which exploit kits does Orangeworm rent out to other gangs")
    assert not answer.found or all("G0071" in citation for citation in answer.citations)
    assert not real_knowledge.answer("is Windows 11 secure").found


@pytest.mark.parametrize(
    ("question", "said", "page"),
    [
        ("list all pillars", "have 10 pillar weaknesses", "CWE-284"),
        ("Which CWEs are pillars?", "have 10 pillar weaknesses", "CWE-707"),
        ("How many base weaknesses are there?", "have 523 base weaknesses", "CWE-22"),
        ("list all class weaknesses of CWE", "have 112 class weaknesses", "CWE-74"),
        ("Which attack patterns are meta?", "have 61 meta attack patterns", "CAPEC-131"),
        ("show me every campaign", " campaigns", "C0024"),
        ("please list all the threat groups", " groups", "G0007"),
    ],
)
def test_entries_of_a_kind_or_level_are_counted_and_listed(
    real_knowledge: KnowledgeBase, question: str, said: str, page: str
) -> None:
    answer = real_knowledge.answer(question)
    assert said in answer.direct[0].text
    (section,) = answer.sections
    assert section.total >= len(section.lines) > 1
    listed = " ".join(line.text for line in section.lines)
    assert f"({page})" in listed


@pytest.mark.parametrize("question", ["and groups?", "which groups?", "groups?"])
def test_a_kind_alone_goes_on_from_the_question_before(
    real_knowledge: KnowledgeBase, question: str
) -> None:
    answer = real_knowledge.answer(question, history=["What is T1003.001?"])
    assert answer.subjects[:1] == ("T1003.001",)
    assert {section.heading for section in answer.sections} == {"Groups"}


def test_software_alone_is_what_uses_a_technique_or_what_an_actor_uses(
    real_knowledge: KnowledgeBase,
) -> None:
    for before in ("What is T1003.001?", "What techniques does APT29 use?"):
        answer = real_knowledge.answer("and software?", history=[before])
        assert [section.heading for section in answer.sections] == ["Software"]


def test_what_goes_on_from_nothing_is_told(real_knowledge: KnowledgeBase) -> None:
    answer = real_knowledge.answer("and groups?")
    assert not answer.found
    assert "goes on from an earlier question" in answer.text
    assert real_knowledge.answer("groups?").found  # what ATT&CK calls one
