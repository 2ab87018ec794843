"""Names in a text settle what it is, in the wording of long ago as in today's."""

from __future__ import annotations

import pytest

from cybersecqwen import CweMapper
from cybersecqwen.core.records import Advisory, Labeller

# Before 2019 NVD called four in five of the first kind CWE-119, since 2021 three in a hundred.
OLD_WORDING = {
    "Stack-based buffer overflow in the FTP server in Example Suite 4.0 allows remote attackers to "
    "execute arbitrary code via a long USER command.": {"CWE-121", "CWE-787"},
    "A stack-based buffer overflow in httpd allows remote attackers to execute arbitrary code via "
    "a long URL.": {"CWE-121", "CWE-787"},
    "Heap-based buffer overflow in the RTF converter in Example Office 2010 allows user-assisted "
    "remote attackers to execute arbitrary code via a crafted document.": {"CWE-122", "CWE-787"},
    "Integer overflow in the decoder in Example Player 9 allows remote attackers to execute "
    "arbitrary code via a crafted MP4 file.": {"CWE-190"},
    "Double free vulnerability in libexample 0.9 allows remote attackers to cause a denial of "
    "service or possibly execute arbitrary code.": {"CWE-415"},
    "Use-after-free vulnerability in Example Browser 8 allows remote attackers to execute "
    "arbitrary code via vectors involving a detached node.": {"CWE-416"},
    "Race condition in the ioctl handler in the Example Kernel 2.6 allows local users to gain "
    "privileges via concurrent calls.": {"CWE-362"},
    "NULL pointer dereference in the parse function in exampled 1.1 allows remote attackers to "
    "cause a denial of service (daemon crash).": {"CWE-476"},
}


@pytest.fixture(scope="module")
def mapper() -> CweMapper:
    return CweMapper.load()


@pytest.mark.parametrize("labeller", ["nvd", "cna"])
def test_a_name_in_old_wording_gets_todays_id(mapper: CweMapper, labeller: Labeller) -> None:
    answers = mapper.map_many(OLD_WORDING, labeller=labeller)
    found = {text: answer.cwe for text, answer in zip(OLD_WORDING, answers, strict=True)}
    assert {text: cwe for text, cwe in found.items() if cwe not in OLD_WORDING[text]} == {}


def test_a_record_of_long_ago_is_answered_as_nvd_then_did(mapper: CweMapper) -> None:
    text = next(iter(OLD_WORDING))
    assert mapper.map(Advisory("CVE-2010-0001", text)).cwe == "CWE-119"
    assert mapper.map(Advisory("CVE-2025-0001", text)).cwe in OLD_WORDING[text]
