from __future__ import annotations

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.specialists.technique import TechniqueClassifier, main_techniques


@pytest.fixture(scope="module")
def classifier() -> TechniqueClassifier:
    return TechniqueClassifier.from_pretrained()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The intruder dumped credentials from the memory of the LSASS process.", "T1003.001"),
        ("Staff received an email with a malicious attachment from a spoofed sender.", "T1566.001"),
        ("The implant was set to run at logon through a Run key in the registry.", "T1547.001"),
        ("All documents on the servers were encrypted and a ransom was demanded.", "T1486"),
    ],
)
def test_a_sentence_gets_its_technique(
    classifier: TechniqueClassifier, text: str, wanted: str
) -> None:
    best = classifier.classify(text)[0]
    assert best.id == wanted
    assert best.citation == wanted
    assert 0 < best.probability <= 1


def test_a_report_gets_each_sentences_technique_and_the_sentence(
    classifier: TechniqueClassifier,
) -> None:
    report = (
        "Staff received an email with a malicious attachment from a spoofed sender. "
        "Later the intruder dumped credentials from the memory of the LSASS process."
    )
    found = classifier.techniques_of(report, threshold=0.3)
    assert main_techniques(found) == ["T1003", "T1566"]
    assert all(candidate.sentence in report for candidate in found)


def test_a_sentence_on_several_techniques_and_one_on_none(classifier: TechniqueClassifier) -> None:
    found = classifier.techniques_of(
        "Glow is a backdoor that was first seen in 2019 and is written in C++. It talks to its "
        "server over HTTP, encrypts its traffic with RC4 and can delete its own files."
    )
    assert main_techniques(found) == ["T1070", "T1071", "T1573"]
    assert [one.probability for one in found] == sorted(
        (o.probability for o in found), reverse=True
    )


def test_nothing_to_read(classifier: TechniqueClassifier) -> None:
    with pytest.raises(InputError, match="nothing to read"):
        classifier.classify("\u200b")
