from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.torch

from cybersecqwen.apps.export import _hidden  # noqa: E402
from cybersecqwen.cli.main import main  # noqa: E402
from cybersecqwen.core.errors import InputError, ModelError  # noqa: E402
from cybersecqwen.llm import open_backend  # noqa: E402
from cybersecqwen.llm.parity import compare_backends  # noqa: E402
from cybersecqwen.training.export.gguf.adapter import write_gguf_adapter  # noqa: E402
from cybersecqwen.training.export.gguf.write import write_gguf  # noqa: E402
from tiny_chat import write_base  # noqa: E402

PROBES = [("Which weakness? query table", "CWE-89"), ("Which one? script", "It is CWE-79.")]


def made_adapter(base: Path, folder: Path, **settings: object) -> Path:
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    targets = ["q_proj", "k_proj", "down_proj"]
    config = peft.LoraConfig(
        r=4, lora_alpha=6.4, target_modules=targets, task_type="CAUSAL_LM", **settings
    )
    adapted = peft.get_peft_model(model, config)
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.3)
    adapted.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", ["qwen2", "llama"])
def test_llama_cpp_adds_what_peft_does(family: str, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base", family, 64, family == "llama")
    unlike = {"rank_pattern": {"down_proj": 2}, "alpha_pattern": {"down_proj": 1.5}}
    adapter = made_adapter(base, tmp_path / "adapter", **(unlike if family == "qwen2" else {}))
    whole, small = tmp_path / "base.gguf", tmp_path / "adapter.gguf"
    write_gguf(base, whole, "f16")
    config = transformers.AutoConfig.from_pretrained(base)
    assert write_gguf_adapter(adapter, config, small) == 2 * 3 * config.num_hidden_layers
    fields = gguf.GGUFReader(small).fields
    assert fields["adapter.lora.alpha"].contents() == pytest.approx(6.4)

    def gap(**options: object) -> float:
        return compare_backends(
            lambda: open_backend(f"hf:{adapter}", base=str(base)),
            lambda: open_backend(f"gguf:{whole}", threads=1, context=512, **options),
            PROBES,
        ).mean_gap

    assert gap(adapter=str(small)) < 0.01
    assert gap() > 0.05
    if family == "llama":
        return
    other, cut = tmp_path / "other.gguf", tmp_path / "cut.gguf"
    write_gguf(write_base(tmp_path / "narrow", family, 32, tied=False), other, "f16")
    with pytest.raises(ModelError, match=r"for another model than .*lora_. is of shape .* of \("):
        open_backend(f"gguf:{other}", adapter=str(small))
    cut.write_bytes(small.read_bytes()[:-300])
    with pytest.raises(ModelError, match=r"cut\.gguf: is cut off or damaged"):
        open_backend(f"gguf:{whole}", adapter=str(cut))


def test_other_kinds_of_adapters_are_refused(tmp_path: Path) -> None:
    base = write_base(tmp_path / "base", "qwen2", 64, tied=False)
    adapter = made_adapter(base, tmp_path / "adapter", use_rslora=True)
    config = transformers.AutoConfig.from_pretrained(base)
    with pytest.raises(ModelError, match="not a plain LoRA adapter"):
        write_gguf_adapter(adapter, config, tmp_path / "adapter.gguf")
    assert not (tmp_path / "adapter.gguf").exists()


def test_the_command_tries_it_with_the_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_base(tmp_path / "base", "qwen2", 64, tied=False)
    adapter = made_adapter(base, tmp_path / "adapter")
    whole, small = tmp_path / "base.gguf", tmp_path / "adapter.gguf"
    write_gguf(base, whole, "f16")
    line = ["export", "gguf-adapter", str(adapter), "--base", str(base), "--beside", str(whole)]
    assert main([*line, "--out", str(small), "--threads", "1"]) == 0
    assert "answers word for word" in capsys.readouterr().out
    assert (tmp_path / "adapter.gguf.check.json").is_file()


def test_an_adapter_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "base.gguf").write_bytes(b"GGUF")
    missing = str(tmp_path / "none.gguf")
    with pytest.raises(ModelError, match=r"none\.gguf: no such file"):
        open_backend(f"gguf:{tmp_path / 'base.gguf'}", adapter=missing)


def test_what_cannot_be_written_is_told_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(error: Exception) -> None:
        with _hidden(tmp_path / "out.gguf"):
            raise error

    hidden = tmp_path / ".out.gguf.scratch" / "out.gguf"
    with pytest.raises(ModelError, match=r"/out\.gguf: is for another"):
        fails(ModelError(f"{hidden}: is for another"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(InputError, match=r"out\.gguf: cannot be written: the disk is full"):
        fails(OSError("4352 requested and 3776 written"))
    assert list(tmp_path.iterdir()) == []
