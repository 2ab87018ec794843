from __future__ import annotations

import pytest

from cybersecqwen.core.text.accounts import account_of


@pytest.mark.parametrize(
    "line",
    [
        "Table of contents",
        "table of contents",
        "Executive summary",
        "Figure 2: Timeline",
        "Indicators of compromise",
        "Page 3 of 12",
        "No lateral movement was observed.",
        "We found no evidence of data exfiltration.",
        "Phishing was ruled out as the initial vector.",
        "The attackers did not dump credentials.",
        "The attacker may have used a VPN, but this could not be confirmed.",
        "MFA should be enforced for all remote access.",
        "We recommend that administrators disable RDP.",
        "Users are advised to change their passwords at once.",
        "Der Bericht wurde von der Abteilung im März erstellt und verteilt.",
        "Les attaquants ont utilisé des courriels avec une pièce jointe.",
        "Злоумышленники использовали фишинговые письма.",
        "攻击者使用带有恶意附件的钓鱼邮件进入网络。",
    ],
)
def test_what_tells_of_no_attack_is_left_out(line: str) -> None:
    told = "The intruders dumped LSASS memory with procdump."
    assert account_of(line) == ""
    assert account_of(f"{line}\n{told}") == told


@pytest.mark.parametrize(
    "text",
    [
        "Credential dumping",
        "download",
        "If no debugger is found, the malware decrypts its payload.",
        "The malware does not write files to disk and runs in memory only.",
        "The attackers did not need credentials because the web shell ran as SYSTEM.",
        "Once done, the file is deleted to leave no evidence on the machine.",
        "The actors indexed the contents of file shares and\nlisted the tables.",
        "A PowerShell script block was executed\nto download",
        "The backdoor gathers the OS name, OS version and the OS architecture.",
    ],
)
def test_an_account_stays_as_it_is(text: str) -> None:
    assert account_of(text) == text


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        (
            "There is no sign that data was taken, but the attackers did dump NTDS.dit.",
            "the attackers did dump NTDS.dit.",
        ),
        ("They dumped LSASS, but no lateral movement was observed.", "They dumped LSASS"),
        ("Although no ransomware was deployed, the group stole 40 GB.", "the group stole 40 GB."),
        (
            "The attackers did not stop at the first host, but moved on over RDP.",
            "The attackers did not stop at the first host, but moved on over RDP.",
        ),
    ],
)
def test_a_half_that_denies_is_left_out(sentence: str, told: str) -> None:
    assert account_of(sentence) == told
