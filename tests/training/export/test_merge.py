from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.torch

from safetensors.torch import load_file  # noqa: E402

from cybersecqwen.cli.main import main  # noqa: E402
from cybersecqwen.core.errors import InputError, ModelError  # noqa: E402
from cybersecqwen.core.model_files import write_sums  # noqa: E402
from cybersecqwen.training.export.merge import adapter_base, export_adapter, merge  # noqa: E402
from cybersecqwen.training.lora.model import find_base  # noqa: E402
from cybersecqwen.training.specialist.encoder import load_base  # noqa: E402
from tiny_chat import write_base  # noqa: E402

_WEIGHTS, _BASE = "adapter_model.safetensors", "base_model_name_or_path"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("merge-base"))


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM")
    adapted = peft.get_peft_model(model, config)
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.3)
    folder = tmp_path_factory.mktemp("merge") / "adapter"
    adapted.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlibrary_name: peft\n---\n\n# card\n")
    return folder


def logits(model: Any) -> Any:
    with torch.no_grad():
        return model(torch.arange(5, 25)[None]).logits


def adapted(base: Path, folder: Path) -> Any:
    plain = transformers.AutoModelForCausalLM.from_pretrained(base)
    return peft.PeftModel.from_pretrained(plain, str(folder)).eval()


def test_merged_it_computes_what_base_and_adapter_do(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    merge(adapter, tmp_path / "merged")
    whole = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert torch.allclose(logits(whole), logits(adapted(base, adapter)), atol=1e-4)
    plain = transformers.AutoModelForCausalLM.from_pretrained(base)
    assert not torch.allclose(logits(whole), logits(plain), atol=1e-2)
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "merged").chat_template
    card = (tmp_path / "merged" / "README.md").read_text().splitlines()
    assert card[1] == "library_name: transformers"
    assert "with what was learnt. What follows is the card" in card[4]
    assert card[-1] == "# card"
    assert json.loads((tmp_path / "merged" / "merge.json").read_text())["base"] == str(base)


def test_a_base_that_has_moved_is_named(base: Path, adapter: Path, tmp_path: Path) -> None:
    export_adapter(adapter, tmp_path / "moved", "f32", base="/nowhere/base")
    assert adapter_base(tmp_path / "moved") == "/nowhere/base"
    with pytest.raises(InputError, match="--base"):
        merge(tmp_path / "moved", tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    merge(tmp_path / "moved", tmp_path / "merged", base=str(base))


def test_half_as_large_the_adapter_is_nearly_the_same(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    export_adapter(adapter, tmp_path / "half", "bf16")
    name = "adapter_model.safetensors"
    assert (tmp_path / "half" / name).stat().st_size < 0.6 * (adapter / name).stat().st_size
    close = logits(adapted(base, tmp_path / "half"))
    assert torch.allclose(close, logits(adapted(base, adapter)), atol=0.3)


def test_scaled_the_weights_lie_between_the_bases_and_the_adapted(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    export_adapter(adapter, tmp_path / "nearer", "f32", scale=0.25)
    merge(tmp_path / "nearer", tmp_path / "merged")
    plain, whole, between = (
        transformers.AutoModelForCausalLM.from_pretrained(folder).get_parameter(
            "model.layers.0.mlp.down_proj.weight"
        )
        for folder in (base, _merged(adapter, tmp_path / "whole"), tmp_path / "merged")
    )
    assert torch.allclose(between, 0.75 * plain + 0.25 * whole, atol=1e-5)


def _merged(adapter: Path, out: Path) -> Path:
    merge(adapter, out)
    return out


def test_cut_to_all_its_columns_it_computes_the_same(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    assert export_adapter(adapter, tmp_path / "same", "f32", rank=4) == pytest.approx(1.0)
    assert torch.allclose(
        logits(adapted(base, tmp_path / "same")), logits(adapted(base, adapter)), atol=1e-3
    )


def products(folder: Path) -> dict[str, Any]:
    """What each adapted matrix gets, and of what rank."""
    model = adapted(Path(json.loads((folder / "adapter_config.json").read_text())[_BASE]), folder)
    layers = {n: m for n, m in model.named_modules() if hasattr(m, "get_delta_weight")}
    return {n: layer.get_delta_weight("default").detach() for n, layer in layers.items()}


def test_cut_to_fewer_columns_each_product_is_the_nearest_of_its_rank(
    adapter: Path, tmp_path: Path
) -> None:
    kept = export_adapter(adapter, tmp_path / "less", "f32", rank=2)
    whole, less = products(adapter), products(tmp_path / "less")
    ranks = {name: int(torch.linalg.matrix_rank(matrix)) for name, matrix in less.items()}
    assert len(set(ranks.values())) > 1
    for name, matrix in less.items():
        lost = torch.linalg.svdvals(whole[name])[ranks[name] :].norm()
        assert float((whole[name] - matrix).norm()) == pytest.approx(float(lost), rel=1e-3)
    squared = [sum(float(m.square().sum()) for m in made.values()) for made in (less, whole)]
    assert kept == pytest.approx(squared[0] / squared[1], rel=1e-3)
    sizes = [
        sum(map(torch.numel, load_file(f / _WEIGHTS).values()))
        for f in (tmp_path / "less", adapter)
    ]
    assert sizes[0] <= sizes[1] / 2
    scaled = products(_scaled(tmp_path / "less", tmp_path / "scaled"))
    assert all(torch.allclose(scaled[n], m / 2, atol=1e-5) for n, m in less.items())


def _scaled(adapter: Path, out: Path) -> Path:
    export_adapter(adapter, out, "f32", scale=0.5)
    return out


def test_adapters_of_one_base_are_averaged(adapter: Path, tmp_path: Path) -> None:
    export_adapter(adapter, tmp_path / "less", "f32", rank=2)
    export_adapter(adapter, tmp_path / "sum", "f32", scale=0.5, add=[(tmp_path / "less", 0.25)])
    whole, less, both = (products(f) for f in (adapter, tmp_path / "less", tmp_path / "sum"))
    assert all(torch.allclose(both[n], whole[n] / 2 + less[n] / 4, atol=1e-4) for n in whole)


def test_an_adapter_to_add_is_a_folder_and_a_number(
    adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for added, said in (("x", "not DIR=FACTOR"), (f"{adapter}=half", "not 'half'")):
        line = ["export", "adapter", str(adapter), "--out", str(tmp_path / "out"), "--add", added]
        assert main(line) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_ranks_that_cannot_be_are_refused(adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rank 4 cannot be cut to rank 5"):
        export_adapter(adapter, tmp_path / "more", "f32", rank=5)
    assert not (tmp_path / "more").exists()


def test_taken_folders_and_missing_adapters_are_refused(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(InputError, match="is there already"):
        merge(adapter, tmp_path / "taken")
    with pytest.raises(InputError, match="no adapter"):
        merge(tmp_path / "nothing", tmp_path / "merged")
    other = write_base(tmp_path / "wider", width=64)
    with pytest.raises(InputError, match="does not fit"):
        merge(adapter, tmp_path / "merged", base=str(other))


def test_damaged_folders_are_refused_before_they_are_parsed(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    stated = Path(shutil.copytree(adapter, tmp_path / "stated"))
    write_sums(stated)
    (stated / "adapter_model.safetensors").write_bytes(b"damaged")
    for use in (
        lambda: merge(stated, tmp_path / "out"),
        lambda: export_adapter(stated, tmp_path / "out", "bf16"),
    ):
        with pytest.raises(ModelError, match=r"adapter_model\.safetensors: is not the one"):
            use()
    own = Path(shutil.copytree(base, tmp_path / "own"))
    write_sums(own)
    (own / "config.json").write_bytes(b"damaged")
    for load in (
        lambda: merge(adapter, tmp_path / "out", base=str(own)),
        lambda: find_base(str(own)),
        lambda: load_base(str(own)),
    ):
        with pytest.raises(ModelError, match=r"config\.json: is not the one"):
            load()
    assert not (tmp_path / "out").exists()
