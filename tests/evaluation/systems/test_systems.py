from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.records import Candidate, CwePrediction, Question
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.evaluation.systems.systems import (
    Asked,
    ChoosingSystem,
    Shortlist,
    SpecialistSystem,
    WritingSystem,
    for_backend,
    require_kind,
)

MakeBackend = Callable[..., Any]
CHOICE = Asked(Question("q", "t", "p", "B", ("x", "y", "z")), (Message("user", "p"),))
OPEN = Asked(Question("q", "t", "p", "CWE-79"), (Message("user", "p"),))


def test_a_choice_is_the_likeliest_letter_and_its_confidence_its_share(
    make_backend: MakeBackend,
) -> None:
    backend = make_backend()
    backend.score = lambda conversation, texts: (-3.0, -1.0, -2.0)
    (response,) = ChoosingSystem(backend, shipped_taxonomy()).answer([CHOICE], Sampling())
    assert response.text == "B"
    assert [name for name, _ in response.candidates] == ["B", "C", "A"]
    assert sum(share for _, share in response.candidates) == pytest.approx(1)
    assert response.confidence == pytest.approx(0.665, abs=1e-3)


def test_a_cwe_is_chosen_among_those_nvd_may_use(make_backend: MakeBackend) -> None:
    backend = make_backend()
    seen: list[str] = []

    def score(conversation: Any, texts: list[str], *, whole: bool, **_: Any) -> tuple[float, ...]:
        assert whole, "one id can begin another"
        seen.extend(texts)
        return tuple(0.0 if text == "CWE-89" else -5.0 for text in texts)

    backend.score = score
    (response,) = ChoosingSystem(backend, shipped_taxonomy()).answer([OPEN], Sampling())
    assert response.text == "CWE-89"
    assert len(response.candidates) == 10
    assert len(seen) > 100
    assert "CWE-79" in seen
    assert "CWE-264" not in seen  # a category


def test_a_cwe_is_chosen_among_a_specialists_likeliest(make_backend: MakeBackend) -> None:
    class Lister:
        name = "lister 1"

        def map_many(self, texts: Any, *, labeller: str, top_k: int) -> Any:
            assert (list(texts), labeller, top_k) == (["the flaw"], "cna", 2)
            listed = (Candidate("CWE-20", 0.6), Candidate("CWE-22", 0.3))
            return iter([CwePrediction("CWE-20", 0.6, listed, abstained=False)])

    backend = make_backend()
    backend.score = lambda conversation, texts, **_: {
        ("CWE-20", "CWE-22"): (-2.0, -1.0),
    }[tuple(texts)]
    lister: Any = Lister()
    system = for_backend(backend, "cwe", True, shipped_taxonomy(), Shortlist(lister, 2, "cna"))
    swayed = for_backend(
        backend, "cwe", True, shipped_taxonomy(), Shortlist(lister, 2, "cna", weight=2)
    )
    asked = Asked(Question("q", "t", "p", "CWE-22", text="the flaw"), (Message("user", "p"),))
    (response,) = system.answer([asked], Sampling())
    assert response.text == "CWE-22"
    assert len(response.candidates) == 2
    assert system.identity["shortlist"] == "2 by lister 1"
    (response,) = swayed.answer([asked], Sampling())  # 0.6² e⁻² against 0.3² e⁻¹
    assert response.text == "CWE-20"
    assert response.confidence == pytest.approx(0.36 / (0.36 + 0.09 * math.e))
    assert swayed.identity["shortlist"] == "2 by lister 1, exponent 2"
    with pytest.raises(InputError, match="weight"):
        Shortlist(lister, 2, "cna", weight=-0.1)
    for kind, constrained in (("choice", True), ("cwe", False)):
        with pytest.raises(InputError, match="shortlist"):
            for_backend(
                backend,
                kind,
                constrained,
                shipped_taxonomy(),
                Shortlist(lister, 2, "nvd"),  # type: ignore[arg-type]
            )


def test_a_backend_that_cannot_score_says_so(make_backend: MakeBackend) -> None:
    backend = make_backend()
    backend.capabilities = frozenset({"generate"})
    with pytest.raises(ModelError, match="gives no log-probabilities"):
        ChoosingSystem(backend, shipped_taxonomy())
    backend.capabilities = frozenset({"score"})
    with pytest.raises(ModelError, match="cannot write"):
        WritingSystem(backend)


def test_a_specialist_is_asked_for_one_labellers_answer() -> None:
    class Recorder:
        name = "recorder"

        def map_many(self, texts: Any, *, labeller: str, top_k: int) -> Any:
            assert list(texts) == ["the text"]
            assert labeller == "cna"
            return iter(())

    asked = Asked(Question("q", "t", "p", "CWE-79"), (Message("user", "the text"),))
    system = SpecialistSystem(Recorder(), "cna")  # type: ignore[arg-type]
    assert list(system.answer([asked], Sampling())) == []
    assert system.identity == {"name": "recorder", "labeller": "cna"}


def test_systems_refuse_other_kinds_of_questions() -> None:
    with pytest.raises(InputError, match="embedded answers cwe questions only"):
        require_kind("embedded", "choice", "cwe")
