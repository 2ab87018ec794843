from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.records import Question
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.evaluation.systems.base import Asked, require_kind
from cybersecqwen.evaluation.systems.language_model import (
    ChoosingSystem,
    WritingSystem,
    for_backend,
)
from cybersecqwen.evaluation.systems.specialist import SpecialistSystem

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


def test_a_closed_list_is_needed_to_choose_from(make_backend: MakeBackend) -> None:
    with pytest.raises(InputError, match="not cvss answers"):
        for_backend(make_backend(), "cvss", True, shipped_taxonomy())
    assert isinstance(for_backend(make_backend(), "cvss", False, shipped_taxonomy()), WritingSystem)


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
        digest = "d"
        window = 8

        def map_many(self, texts: Any, *, labeller: str, top_k: int) -> Any:
            assert list(texts) == ["the text"]
            assert labeller == "cna"
            return iter(())

    asked = Asked(Question("q", "t", "p", "CWE-79"), (Message("user", "the text"),))
    system = SpecialistSystem(Recorder(), "cna")  # type: ignore[arg-type]
    assert list(system.answer([asked], Sampling())) == []
    assert system.identity == {"name": "recorder", "labeller": "cna", "digest": "d"}
    assert system.align == 8


def test_systems_refuse_other_kinds_of_questions() -> None:
    with pytest.raises(InputError, match="embedded answers cwe questions only"):
        require_kind("embedded", "choice", "cwe")
