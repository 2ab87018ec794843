from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
gguf = pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.torch

from gguf import GGMLQuantizationType as Type  # noqa: E402

from cybersecqwen.core.chat import Message  # noqa: E402
from cybersecqwen.core.errors import InputError, ModelError  # noqa: E402
from cybersecqwen.llm import open_backend  # noqa: E402
from cybersecqwen.llm.parity import compare_backends  # noqa: E402
from cybersecqwen.training.export.gguf.importance import measure, read_texts  # noqa: E402
from cybersecqwen.training.export.gguf.quantise import quantise, tensor_type  # noqa: E402
from cybersecqwen.training.export.gguf.vocabulary import split_name  # noqa: E402
from cybersecqwen.training.export.gguf.write import architecture, write_gguf  # noqa: E402
from tiny_chat import chat_rows, write_base, write_rows  # noqa: E402

TEXT_END = "<|endoftext|>"
FAMILIES = {"qwen3": (256, True), "qwen2": (64, False), "llama": (64, True)}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bases")
    return {
        name: write_base(folder / name, name, width, tied)
        for name, (width, tied) in FAMILIES.items()
    }


def gap(base: Path, file: Path) -> float:
    probes = [("Which weakness? query table", "CWE-89"), ("Which one? script", "It is CWE-79.")]
    found = compare_backends(
        lambda: open_backend(f"hf:{base}"),
        lambda: open_backend(f"gguf:{file}", threads=1, context=512),
        probes,
    )
    return found.mean_gap


@pytest.mark.parametrize("family", FAMILIES)
def test_llama_cpp_computes_what_transformers_does(
    bases: dict[str, Path], family: str, tmp_path: Path
) -> None:
    file = tmp_path / "model.gguf"
    types = write_gguf(bases[family], file, "f16")
    assert set(types) == {"F16", "F32"}
    assert gap(bases[family], file) < 0.01
    assert [path.name for path in tmp_path.iterdir()] == ["model.gguf"]


def test_quantised_with_importance_it_still_answers(bases: dict[str, Path], tmp_path: Path) -> None:
    base = bases["qwen3"]
    importance = measure(base, [row["prompt"] for row in chat_rows(10, 3)])
    file = tmp_path / "model.gguf"
    types = write_gguf(base, file, "q4_k_m", importance, "rows.jsonl")
    assert set(types) == {"F32", "Q4_K", "Q6_K"}
    assert gap(base, file) < 0.4
    fields = gguf.GGUFReader(file).fields
    assert fields["quantize.imatrix.dataset"].contents() == "rows.jsonl"
    assert fields["general.file_type"].contents() == int(gguf.LlamaFileType.MOSTLY_Q4_K_M)


def test_importance_lowers_the_error_where_much_flows() -> None:
    draw = np.random.default_rng(1)
    values = draw.normal(size=(32, 512)).astype(np.float32)
    weights = np.where(np.arange(512) % 8 == 0, 100.0, 0.01).astype(np.float32)
    busy = weights > 1
    errors = []
    for importance in (None, weights):
        back = gguf.quants.dequantize(quantise(values, Type.Q4_K, importance), Type.Q4_K)
        errors.append(float(np.square(back - values)[:, busy].mean()))
    assert errors[1] < errors[0]


def test_importance_is_the_mean_square_of_what_flows_in(bases: dict[str, Path]) -> None:
    import transformers

    found = measure(bases["qwen2"], ["a flaw in a query"])
    model = transformers.AutoModelForCausalLM.from_pretrained(bases["qwen2"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(bases["qwen2"])
    seen: list[Any] = []
    projection = model.model.layers[1].mlp.down_proj
    projection.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(torch.tensor([tokenizer("a flaw in a query\n\n")["input_ids"]]))
    expected = seen[0][0].square().mean(0).numpy()
    assert found["model.layers.1.mlp.down_proj"] == pytest.approx(expected, rel=1e-3)
    assert "lm_head" in found


@pytest.mark.parametrize(
    ("name", "shape", "kind", "expected"),
    [
        ("blk.0.attn_norm.weight", (512,), "q4_k_m", Type.F32),
        ("blk.0.attn_q.weight", (512, 512), "f16", Type.F16),
        ("blk.0.attn_q.weight", (512, 512), "q8_0", Type.Q8_0),
        ("blk.0.attn_q.weight", (512, 512), "q4_k_m", Type.Q4_K),
        ("blk.0.attn_q.weight", (512, 576), "q4_k_m", Type.Q5_0),
        ("blk.0.attn_q.weight", (512, 30), "q4_k_m", Type.F16),
        ("blk.0.ffn_down.weight", (512, 512), "q4_k_m", Type.Q6_K),
        ("blk.5.ffn_down.weight", (512, 512), "q4_k_m", Type.Q4_K),
        ("blk.6.attn_v.weight", (512, 512), "q4_k_m", Type.Q6_K),
        ("blk.31.attn_v.weight", (512, 576), "q4_k_m", Type.Q8_0),
        ("output.weight", (512, 512), "q4_k_m", Type.Q6_K),
        ("token_embd.weight", (512, 512), "q4_k_m", Type.Q4_K),
    ],
)
def test_types_are_those_of_llama_cpp(name: str, shape: Any, kind: Any, expected: Type) -> None:
    assert tensor_type(name, shape, kind, 32, tied=False) == expected
    if name == "token_embd.weight":
        assert tensor_type(name, shape, kind, 32, tied=True) == Type.Q6_K


def test_what_cannot_be_written_is_refused(bases: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model folder"):
        write_gguf(tmp_path, tmp_path / "a.gguf", "f16")
    changed = tmp_path / "changed"
    changed.mkdir()
    for file in bases["qwen2"].iterdir():
        (changed / file.name).write_bytes(file.read_bytes())
    config = json.loads((changed / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}
    (changed / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="linear"):
        write_gguf(changed, tmp_path / "a.gguf", "f16")
    assert not (tmp_path / "a.gguf").exists()
    (changed / "model.safetensors").unlink()
    with pytest.raises(InputError, match="export merge"):
        write_gguf(changed, tmp_path / "a.gguf", "f16")


def test_ways_to_split_are_told_apart() -> None:
    def level(regex: bool) -> dict[str, Any]:
        return {"type": "ByteLevel", "use_regex": regex}

    digits = {"type": "Digits", "individual_digits": True}
    assert split_name(level(True)) == "gpt-2"
    smol = {"type": "Sequence", "pretokenizers": [digits, level(True)]}
    assert split_name(smol) == "smollm"
    llama = {"type": "Split", "pattern": {"Regex": r"\p{L}+|\p{N}{1,3}|\s+"}}
    both = {"type": "Sequence", "pretokenizers": [llama, level(False)]}
    assert split_name(both) == "llama-bpe"
    with pytest.raises(ModelError, match="splits text"):
        split_name({"type": "Whitespace"})


def test_training_text_is_read_from_rows_and_prose(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", chat_rows(3, 1))
    assert len(read_texts(rows)) == 3
    prose = tmp_path / "text.txt"
    prose.write_text("one\n\ntwo\n")
    assert read_texts(prose) == ["one", "two\n"]
    prose.write_text("  \n")
    with pytest.raises(InputError, match="no text"):
        read_texts(prose)
    rows.write_text("nonsense\n")
    with pytest.raises(InputError, match=":1: no training row"):
        read_texts(rows)


def test_an_answer_ends_as_its_turn_does(bases: dict[str, Path], tmp_path: Path) -> None:
    """Whatever the tokenizer calls the end: some name that of whole texts."""
    base = tmp_path / "base"
    shutil.copytree(bases["qwen3"], base)
    settings = base / "tokenizer_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"eos_token": TEXT_END}))
    stops = base / "generation_config.json"
    told = json.loads(stops.read_text())
    write_gguf(base, tmp_path / "told.gguf", "f16")
    stops.unlink()
    write_gguf(base, tmp_path / "untold.gguf", "f16")
    ends = {
        name: gguf.GGUFReader(tmp_path / f"{name}.gguf")
        .fields["tokenizer.ggml.eos_token_id"]
        .contents()
        for name in ("told", "untold")
    }
    assert ends["told"] == told["eos_token_id"] != ends["untold"]
    asked = [Message("user", "Which?")]
    ids = ["CWE-79", "CWE-798"]
    expected = open_backend(f"hf:{bases['qwen3']}").score(asked, ids, whole=True)
    for name in ends:
        opened = open_backend(f"gguf:{tmp_path / name}.gguf", threads=1, context=512)
        assert opened.score(asked, ids, whole=True) == pytest.approx(expected, abs=0.05)


def test_other_families_are_refused() -> None:
    with pytest.raises(ModelError, match=r"m: of the family gpt2; .* llama, qwen2, qwen3$"):
        architecture(SimpleNamespace(model_type="gpt2"), Path("m"))
