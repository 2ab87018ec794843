from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.model_files import write_sums
from cybersecqwen.llm import open_backend

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.torch

ASKED = [[Message("user", text)] for text in ("a", "a longer question", "hm?", "and a fourth one")]
BYTES = "".join(map(chr, range(33, 127)))


@pytest.fixture(scope="module")
def backend(tiny_llama: Path) -> Any:
    return open_backend(f"hf:{tiny_llama}", batch_size=3)


@pytest.fixture(scope="module")
def plain(tiny_llama: Path) -> Any:
    """The same model, used by hand, one sequence at a time."""
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32)
    return model.eval()


@pytest.fixture(scope="module")
def tokenizer(tiny_llama: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(tiny_llama)


def prompt_ids(tokenizer: Any, text: str) -> list[int]:
    written = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    return list(tokenizer(written, add_special_tokens=False)["input_ids"])


def test_greedy_answers_are_those_of_each_prompt_alone(
    backend: Any, plain: Any, tokenizer: Any
) -> None:
    answers = list(backend.generate(ASKED, Sampling(max_tokens=12)))
    for (turn,), answer in zip(ASKED, answers, strict=True):
        ids = prompt_ids(tokenizer, turn.content)
        written: list[int] = []
        while len(written) < 12:
            with torch.no_grad():
                token = int(plain(torch.tensor([ids + written])).logits[0, -1].argmax())
            if token == tokenizer.eos_token_id:
                break
            written.append(token)
        assert answer.text == tokenizer.decode(written, skip_special_tokens=True)
        assert answer.new_tokens == min(len(written) + 1, 12), "the end token counts"
        assert answer.finish == ("length" if len(written) == 12 else "stop")


@pytest.mark.parametrize("whole", [False, True])
def test_scores_are_those_of_the_whole_text(
    backend: Any, plain: Any, tokenizer: Any, whole: bool
) -> None:
    continuations = ["A", "CWE-79", "CWE-798", "xy", "B"]
    prompt = prompt_ids(tokenizer, "which?")
    scores = backend.score([Message("user", "which?")], continuations, whole=whole)
    for text, score in zip(continuations, scores, strict=True):
        ids = prompt + tokenizer(text)["input_ids"] + [tokenizer.eos_token_id] * whole
        with torch.no_grad():
            rows = plain(torch.tensor([ids])).logits[0].log_softmax(-1)
        expected = sum(float(rows[n - 1, ids[n]]) for n in range(len(prompt), len(ids)))
        assert score == pytest.approx(expected, abs=1e-4)


def test_a_tree_scores_as_rows_do(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"CWE-{n}\n" for n in (7, 79, 787, 798, 22, 2, 352)] + ["A"]
    assert backend._trees
    tree = backend.score([Message("user", "which?")], ids)
    again = backend.score([Message("user", "which?")], ids)
    monkeypatch.setattr(backend, "_trees", False)
    rows = backend.score([Message("user", "which?")], ids)
    assert tree == again
    assert tree == pytest.approx(rows, abs=1e-4)


def test_one_token_continuations_hold_at_most_all_the_mass(backend: Any) -> None:
    mass = sum(map(math.exp, backend.score(ASKED[0], list(BYTES))))
    assert 0.05 < mass < 1


def test_an_answer_does_not_depend_on_its_neighbours(backend: Any) -> None:
    sampling = Sampling(temperature=1.0, top_p=0.9, max_tokens=10, seed=7)
    together = [answer.text for answer in backend.generate(ASKED, sampling)]
    assert together == [answer.text for answer in backend.generate(ASKED, sampling)]
    resumed = backend.generate(ASKED[2:], replace(sampling, first_index=2))
    assert together[2:] == [answer.text for answer in resumed]
    other = [answer.text for answer in backend.generate(ASKED, replace(sampling, seed=8))]
    assert together != other


def test_same_question_twice_gives_two_draws(backend: Any) -> None:
    sampling = Sampling(temperature=2.0, max_tokens=10)
    first, second = backend.generate([ASKED[0], ASKED[0]], sampling)
    assert first.text != second.text


@pytest.mark.parametrize("narrow", [{"top_p": 0.0}, {"temperature": 1e-4}])
def test_narrow_sampling_is_greedy(backend: Any, narrow: dict[str, float]) -> None:
    greedy = [answer.text for answer in backend.generate(ASKED, Sampling(max_tokens=8))]
    sampling = replace(Sampling(temperature=1.0, max_tokens=8), **narrow)
    assert [answer.text for answer in backend.generate(ASKED, sampling)] == greedy


@pytest.mark.parametrize("top_p", [1.0, 0.9999])
def test_draws_follow_the_models_distribution(backend: Any, top_p: float) -> None:
    letters = list(BYTES)
    expected = dict(zip(letters, backend.score(ASKED[0], letters), strict=True))
    sampling = Sampling(temperature=1.0, top_p=top_p, max_tokens=1)
    drawn = backend.generate([ASKED[0]] * 300, sampling)
    texts = [answer.text for answer in drawn]
    likeliest = max(expected, key=lambda letter: expected[letter])
    share = math.exp(expected[likeliest])
    spread = 4 * math.sqrt(share * (1 - share) / len(texts))
    assert abs(texts.count(likeliest) / len(texts) - share) < spread


def test_stop_text_ends_the_answer(backend: Any) -> None:
    (whole,) = backend.generate(ASKED[:1], Sampling(max_tokens=12))
    mark = whole.text[3:5]
    (cut,) = backend.generate(ASKED[:1], Sampling(max_tokens=12, stop=(mark,)))
    assert cut.text == whole.text[: whole.text.index(mark)]
    assert cut.finish == "stop"


def test_prompt_that_does_not_fit_fails_alone(backend: Any) -> None:
    asked = [ASKED[0], [Message("user", "x" * 300)], ASKED[1]]
    first, second, third = backend.generate(asked, Sampling(max_tokens=4))
    assert (first.finish, second.finish, third.finish) != ("error", "error", "error")
    assert second.finish == "error"
    assert "does not fit" in second.error
    with pytest.raises(ModelError, match="does not fit"):
        backend.score(asked[1], ["A"])


def test_without_a_chat_template_turns_are_laid_out_plainly(
    tiny_llama: Path, plain: Any, tokenizer: Any, tmp_path: Path
) -> None:
    for file in tiny_llama.iterdir():
        if "chat_template" not in file.name:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    ids = tokenizer("User:\nhi\n\nAssistant:\n")["input_ids"]
    with torch.no_grad():
        row = plain(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    expected = float(row[tokenizer("A")["input_ids"][0]])
    (score,) = open_backend(f"hf:{tmp_path}").score([Message("user", "hi")], ["A"])
    assert score == pytest.approx(expected, abs=1e-4)


def test_raw_puts_the_bare_text(tiny_llama: Path, plain: Any, tokenizer: Any) -> None:
    with torch.no_grad():
        row = plain(torch.tensor([tokenizer("Answer:")["input_ids"]])).logits[0, -1].log_softmax(-1)
    backend = open_backend(f"hf:{tiny_llama}", raw=True)
    (score,) = backend.score([Message("user", "Answer:")], ["A"])
    assert score == pytest.approx(float(row[tokenizer("A")["input_ids"][0]]), abs=1e-4)


def test_local_takes_safetensors_alone(tiny_llama: Path, tmp_path: Path) -> None:
    assert list(open_backend(f"hf:{tiny_llama}", local=True).generate(ASKED[:1], Sampling()))
    for file in tiny_llama.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama).state_dict()
    torch.save(weights, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        open_backend(f"hf:{tmp_path}", local=True)


def test_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nothing-here"):
        open_backend(f"hf:{tmp_path / 'nothing-here'}")
    with pytest.raises(ModelError, match="no such file"):
        open_backend(f"hf:{tmp_path / 'nothing.gguf'}")
    with pytest.raises(ModelError, match="no such file or folder"):
        open_backend("hf:/nothing/here")


def test_an_adapter_or_its_base_that_is_not_there_is_named(
    tiny_llama: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="no adapter's folder"):
        open_backend(f"hf:{tiny_llama}", adapter=str(tiny_llama))
    stated = '{"base_model_name_or_path": "/nothing/base"}'
    (tmp_path / "adapter_config.json").write_text(stated)
    with pytest.raises(ModelError, match="--option base=DIR"):
        open_backend(f"hf:{tmp_path}")


def test_an_adapter_of_another_shape_is_named(tiny_llama: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    config = transformers.LlamaConfig(
        vocab_size=32,
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    lora = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    peft.get_peft_model(transformers.LlamaForCausalLM(config), lora).save_pretrained(tmp_path)
    stated = json.loads((tmp_path / "adapter_config.json").read_text())
    stated["base_model_name_or_path"] = "someone/smaller"
    (tmp_path / "adapter_config.json").write_text(json.dumps(stated))
    told = r"for another model than .*q_proj.* is of shape \[2, 8\], which needs \[2, 16\].*smaller"
    with pytest.raises(ModelError, match=told):
        open_backend(f"hf:{tiny_llama}", adapter=str(tmp_path))
    with pytest.raises(ModelError, match=r"gguf:some\.gguf --option adapter"):
        open_backend("hf:some.gguf", adapter=str(tmp_path))


def test_a_damaged_file_is_refused_before_it_is_parsed(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Path(shutil.copytree(tiny_llama, tmp_path / "model"))
    write_sums(model)
    (model / "tokenizer.json").write_bytes(b"damaged")
    from cybersecqwen.llm.backends import loading

    monkeypatch.setattr(loading.AutoTokenizer, "from_pretrained", _never_called)
    monkeypatch.setattr(loading.AutoModelForCausalLM, "from_pretrained", _never_called)
    with pytest.raises(ModelError, match=r"tokenizer\.json: is not the one that its folder states"):
        open_backend(f"hf:{model}")


def _never_called(*_: object, **__: object) -> None:
    raise AssertionError("it was parsed")


def test_loading_is_silent_without_a_terminal(
    tiny_gguf: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    open_backend(f"hf:{tiny_gguf}")
    assert capfd.readouterr() == ("", "")


def test_conversations_that_begin_alike_are_scored_together_as_alone(
    backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = "A common beginning. "
    groups = [
        ([[Message("user", begin + rest)] for rest in ("one", "another end", "x")], ["A", "B"]),
        ([[Message("user", "alone")]], ["A", "B", "C"]),
        ([[Message("user", rest)] for rest in ("same", "same")], ["B", "A"]),
        ([[Message("user", begin + rest)] for rest in ("12", "21")], ["A", "B"]),
    ]
    alone = [[backend.score(c, texts) for c in conversations] for conversations, texts in groups]

    def refuse(*_: Any) -> None:
        raise AssertionError("one conversation after the other")

    monkeypatch.setattr(type(backend), "score", refuse)
    together = list(backend.score_groups(iter(groups)))
    for found, expected in zip(together, alone, strict=True):
        assert len(found) == len(expected)
        for row, right in zip(found, expected, strict=True):
            assert row == pytest.approx(right, abs=1e-4)


def test_groups_that_do_not_fit_one_pass_are_scored_one_by_one(backend: Any) -> None:
    groups = [([[Message("user", "a")], [Message("user", "b")]], ["yes", "no"])]
    (found,) = backend.score_groups(groups)
    assert found == [backend.score([Message("user", text)], ["yes", "no"]) for text in "ab"]
    with pytest.raises(ModelError, match="does not fit"):
        list(backend.score_groups([([[Message("user", "a" * 300)]], ["A"])]))


def test_code_that_a_folder_brings_is_never_run_whatever_standard_input_says(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    auto = {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own", "AutoTokenizer": "own.Own"}
    (folder / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": auto}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": auto}))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\n")
    words = ["ask", "What is CWE-79?", "--model", f"hf:{folder}"]
    done = subprocess.run(
        [sys.executable, "-m", "cybersecqwen", *words],
        input=b"y\n" * 20,
        capture_output=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 2, done.stdout
    assert b"[y/N]" not in done.stdout + done.stderr
    assert not (tmp_path / "run").exists()
