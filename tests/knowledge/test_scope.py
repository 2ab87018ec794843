"""What no catalogue says is refused; what they say, in like words, is not."""

from __future__ import annotations

import pytest

from cybersecqwen.knowledge.base import KnowledgeBase

ELSEWHERE = [
    "email address of the CVE team",
    "template for an awareness mail on phishing",
    "ip addresses used by APT28",
    "download link for Cobalt Strike",
    "sysmon config for process access",
    "event id for account lockout",
    "set up mfa in google workspace",
    "how many companies were hit by WannaCry",
    "latest zero day in Chrome",
    "what is the EPSS score of CVE-2021-44228",
    "techniques used by APT-Q-99",
    "who founded MITRE",
    "difference between QuantumGoose and LockBit",
    "BlueMarmot ransomware techniques",
    "who should I call after a ransomware attack",
    "kubectl command to get secrets",
    "patch for Exchange 2019 CU14",
    "when was CVE-2020-1472 published",
    "is this mail phishing",
    "what is a VLAN",
    "give me an nmap command for a full scan",
    "ssh key rotation script",
    "python code to parse event logs",
    "statistics on phishing clicks",
    "when was CWE first released",
    "how do I submit a new CWE",
    "where can I download ATT&CK Navigator",
    "tell me a joke",
    "does Fortinet have a fix for the vpn bug",
    "which products are affected by log4shell",
    "technique for yodel tunneling",
    "velociraptor hunt for web shells",
    "download mimikatz",
    "how do I use Cobalt Strike",
    "exploit for CVE-2020-1472",
    "group policy to disable macros",
    "how to encrypt a usb stick",
    "how often should we patch",
    "how many zero days in 2024",
    "is this powershell malicious",
    "which technique is kitten folding",
    "does APT28 use PlumRAT",
    "trends in ransomware 2026",
    "kibana query for brute force",
    "the mail server is down",
    "fix for CVE-2022-41040",
    "what is the best password manager",
    "best university for cyber security",
    "write a phishing policy",
    "where does Windows store the event logs on disk",
    "how to create an azure subscription",
    "what is a hypervisor",
    "weakness called banana deserialization",
    "how is your customer support service",
    "who to call for assistance",
    "is there any unusual activity on the network",
    "how do I upload files to my repository",
]
HELD = [
    ("where in development is CWE-798 introduced", "CWE-798"),
    ("create account technique", "T1136"),
    ("can you explain process hollowing", "T1055.012"),
    ("is CWE-200 fine for a CVE", "CWE-200"),
    ("what is CWE-502 in plain words", "CWE-502"),
    ("am I allowed to map to CWE-200", "CWE-200"),
    ("what logs do I need to see T1059.001", "T1059.001"),
    ("what does exfiltration over C2 channel look like", "T1041"),
    ("how do attackers use scheduled tasks", "T1053.005"),
    ("sample code for CWE-134", "CWE-134"),
    ("how to limit damage of ransomware", "T1486"),
    ("what comes under CWE-693", "CWE-693"),
    ("worst case of CWE-434", "CWE-434"),
    ("how skilled must an attacker be for CAPEC-66", "CAPEC-66"),
    ("what is STIX", "GLOSSARY"),
    ("who maintains CVSS", "GLOSSARY"),
    ("difference between EDR and XDR", "GLOSSARY"),
    ("how are IP addresses gathered by adversaries", "T1590.005"),
    ("event ids for kerberoasting", "T1558.003"),
    ("what is template injection", "T1221"),
    ("techniques used by APT-C-36", "G0099"),
    ("Tell me about CVE-2021-44228", "CWE-917"),
    ("how to prevent malicious email attachments", "T1566.001"),
    ("how do we protect our network from ransomware", "T1486"),
    ("how does patching help against T1190", "T1190"),
    ("owasp 2021 injection category", "CWE-1347"),
    ("what else is APT41 called", "G0096"),
    ("who is behind SolarWinds Compromise", "C0024"),
]


@pytest.mark.data
@pytest.mark.parametrize("question", ELSEWHERE)
def test_what_no_catalogue_says_is_refused(real_knowledge: KnowledgeBase, question: str) -> None:
    answer = real_knowledge.answer(question)
    assert not answer.found
    assert answer.text.startswith("Not in the knowledge base.")


@pytest.mark.data
@pytest.mark.parametrize(("question", "page"), HELD)
def test_like_words_do_not_refuse_what_is_held(
    real_knowledge: KnowledgeBase, question: str, page: str
) -> None:
    answer = real_knowledge.answer(question)
    assert answer.found
    assert page in {citation.partition("#")[0] for citation in answer.citations}
