from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.model_files import write_sums
from cybersecqwen.llm import open_backend

pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.torch

ASKED = [[Message("user", text)] for text in ("a", "a longer question", "hm?")]


@pytest.fixture(scope="module")
def backend(tiny_gguf: Path) -> Any:
    opened = open_backend(f"gguf:{tiny_gguf}", context=256, threads=1)
    yield opened
    opened.close()


def test_scores_agree_with_transformers_on_the_same_file(backend: Any, tiny_gguf: Path) -> None:
    pytest.importorskip("torch")
    other = open_backend(f"hf:{tiny_gguf}")
    continuations = ["A", "B", "CWE-79", "CWE-798\n"]
    for conversation in ASKED:
        ours = backend.score(conversation, continuations)
        assert ours == pytest.approx(other.score(conversation, continuations), abs=0.02)


def test_greedy_answers_agree_with_transformers(backend: Any, tiny_gguf: Path) -> None:
    pytest.importorskip("torch")
    other = open_backend(f"hf:{tiny_gguf}")
    sampling = Sampling(max_tokens=3)
    for ours, theirs in zip(
        backend.generate(ASKED, sampling), other.generate(ASKED, sampling), strict=True
    ):
        assert (ours.text, ours.finish) == (theirs.text, theirs.finish)


def test_score_is_the_probability_before_the_forcing(backend: Any) -> None:
    mass = sum(map(math.exp, backend.score(ASKED[0], [chr(n) for n in range(33, 127)])))
    assert 0.05 < mass < 1


def test_unlisted_tokens_are_forced_to_the_same_figure(
    backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = backend.score(ASKED[1], ["A", "CWE-79\n", "~"])
    monkeypatch.setattr("cybersecqwen.llm.backends.llamacpp._LISTED", 1)
    assert backend.score(ASKED[1], ["A", "CWE-79\n", "~"]) == pytest.approx(listed, abs=1e-3)


def test_seeds(backend: Any) -> None:
    sampling = Sampling(temperature=1.5, max_tokens=8, seed=5)
    texts = [answer.text for answer in backend.generate(ASKED, sampling)]
    assert texts == [answer.text for answer in backend.generate(ASKED, sampling)]
    resumed = backend.generate(ASKED[1:], replace(sampling, first_index=1))
    assert texts[1:] == [answer.text for answer in resumed]
    assert texts != [a.text for a in backend.generate(ASKED, replace(sampling, seed=6))]


def test_parallel_answers_keep_their_order(tiny_gguf: Path) -> None:
    opened = open_backend(f"gguf:{tiny_gguf}", context=256, parallel=3, threads=1)
    alone = open_backend(f"gguf:{tiny_gguf}", context=256, threads=1)
    sampling = Sampling(max_tokens=4)
    together = [answer.text for answer in opened.generate(ASKED * 3, sampling)]
    assert together == [answer.text for answer in alone.generate(ASKED, sampling)] * 3


def test_prompt_that_does_not_fit_fails_alone(backend: Any) -> None:
    asked = [ASKED[0], [Message("user", "x" * 400)], ASKED[1]]
    answers = list(backend.generate(asked, Sampling(max_tokens=4)))
    assert [answer.finish == "error" for answer in answers] == [False, True, False]
    assert "context" in answers[1].error
    with pytest.raises(ModelError, match="context"):
        backend.score(asked[1], ["A"])


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        open_backend(f"gguf:{tmp_path / 'none.gguf'}")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF but not really")
    with pytest.raises(ModelError, match="cut off or damaged"):
        open_backend(f"gguf:{broken}")
    write_sums(tmp_path)
    broken.write_bytes(b"GGUF and damaged since")
    with pytest.raises(ModelError, match=r"broken\.gguf: is not the one that its folder states"):
        open_backend(f"gguf:{broken}")


def test_files_of_another_kind_are_named(tiny_gguf: Path, tmp_path: Path) -> None:
    adapter, prose = tmp_path / "adapter.gguf", tmp_path / "README.md"
    mark = b"general.type\x08\x00\x00\x00\x07" + bytes(7) + b"adapter"
    adapter.write_bytes(b"GGUF" + bytes(28) + mark)
    prose.write_text("# A model")
    for model, other, told in (
        (adapter, None, f"--option adapter={adapter}"),
        (prose, None, "no GGUF file"),
        (tmp_path, None, "a folder"),
        (tiny_gguf, tiny_gguf, "a model, not an adapter"),
        (tiny_gguf, tmp_path, "export gguf-adapter"),
    ):
        options = {"adapter": str(other)} if other else {}
        with pytest.raises(ModelError, match=re.escape(told)):
            open_backend(f"gguf:{model}", **options)


def test_a_whole_answer_is_its_text_and_the_turns_end(backend: Any, tiny_gguf: Path) -> None:
    pytest.importorskip("torch")
    other = open_backend(f"hf:{tiny_gguf}")
    texts = ["CWE-79", "CWE-798"]
    for conversation in ASKED:
        whole = backend.score(conversation, texts, whole=True)
        assert all(w < t for w, t in zip(whole, backend.score(conversation, texts), strict=True))
        assert whole == pytest.approx(other.score(conversation, texts, whole=True), abs=0.02)


def test_what_falls_behind_is_not_read_to_its_end(
    backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"CWE-{number}" for number in (20, 22, 77, 78, 79, 89, 94, 787, 798)]
    exact = backend.score(ASKED[0], texts, whole=True)
    offsets = [0.0 if text == "CWE-94" else -99.0 for text in texts]
    reads = []
    forced = type(backend)._forced
    monkeypatch.setattr(
        type(backend), "_forced", lambda self, *asked: reads.append(asked) or forced(self, *asked)
    )
    found = backend.score(ASKED[0], texts, whole=True, offsets=offsets, within=1.0)
    assert found[texts.index("CWE-94")] == pytest.approx(exact[texts.index("CWE-94")], abs=0.02)
    assert all(bound >= true - 0.02 for bound, true in zip(found, exact, strict=True))
    assert len(reads) == 7  # one for each byte, and the end
