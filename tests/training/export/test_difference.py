"""A fully fine-tuned model beside its base: averaged with it, and its difference as an adapter."""

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

from cybersecqwen.cli.main import main  # noqa: E402
from cybersecqwen.core.errors import InputError  # noqa: E402
from cybersecqwen.core.files import sha256_file  # noqa: E402
from cybersecqwen.core.model_files import check_stated_files  # noqa: E402
from cybersecqwen.training.export.full import adapter_of_difference  # noqa: E402
from cybersecqwen.training.export.low_rank import leading_factors  # noqa: E402
from cybersecqwen.training.export.merge import adapter_base, merge  # noqa: E402
from tiny_chat import write_base  # noqa: E402

_DOWN = "model.layers.0.mlp.down_proj.weight"


def opened(folder: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(folder)


def logits(model: Any) -> Any:
    with torch.no_grad():
        return model(torch.arange(5, 25)[None]).logits


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("difference-base"))


def write_tuned(base: Path, folder: Path, moved: dict[str, Any]) -> Path:
    """A model that differs from its base in some weights, as ``train lora`` leaves one."""
    shutil.copytree(base, folder)
    model = opened(base)
    with torch.no_grad():
        for name, change in moved.items():
            model.get_parameter(name).add_(change)
    model.save_pretrained(folder)
    files = {"model.safetensors": sha256_file(base / "model.safetensors")}
    record = {"recipe": {}, "base": {"source": str(base), "files": files}}
    (folder / "training.json").write_text(json.dumps(record))
    return folder


@pytest.fixture(scope="module")
def tuned(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All projections moved by matrices of rank 2, and the norm at the end by a little."""
    torch.manual_seed(5)
    model = opened(base)
    moved = {
        name: 0.2 * torch.randn(len(weights), 2) @ torch.randn(2, weights.shape[1])
        for name, weights in model.named_parameters()
        if "_proj" in name
    }
    moved["model.norm.weight"] = 0.01 * torch.ones_like(model.get_parameter("model.norm.weight"))
    return write_tuned(base, tmp_path_factory.mktemp("difference") / "tuned", moved)


def test_at_the_rank_of_what_changed_the_adapter_is_the_change(
    base: Path, tuned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "adapter"
    line = ["export", "adapter", str(tuned), "--rank", "2", "--out", str(out), "--json"]
    assert main(line) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kept"] == pytest.approx(told["projections"], rel=1e-6)
    assert 0.999 < told["kept"] < 1, "the norm at the end is not kept"
    put_on = peft.PeftModel.from_pretrained(opened(base), str(out))
    assert torch.allclose(logits(put_on), logits(opened(tuned)), atol=0.2)
    assert not torch.allclose(logits(opened(base)), logits(opened(tuned)), atol=1.0)
    assert "of rank 2" in (out / "README.md").read_text()
    check_stated_files(out)
    # What takes an adapter takes this one.
    merge(out, tmp_path / "half", scale=0.5)
    between, low, high = (
        opened(folder).get_parameter(_DOWN) for folder in (tmp_path / "half", base, tuned)
    )
    assert torch.allclose(between, (low + high) / 2, atol=1e-4)


def test_below_it_the_share_kept_is_that_of_the_largest_singular_values(
    base: Path, tuned: Path
) -> None:
    made = adapter_of_difference(tuned, str(base), 1)
    before, after = (opened(folder).state_dict() for folder in (base, tuned))
    del before["lm_head.weight"]  # tied to the embedding
    whole = sum(float((after[name] - before[name]).square().sum()) for name in before)
    pairs = [(n, n.replace("lora_A", "lora_B")) for n in made.weights if "lora_A" in n]
    kept = 0.0
    for down, up in pairs:
        product = made.weights[up] @ made.weights[down]
        name = down.removeprefix("base_model.model.").replace(".lora_A", "")
        change = after[name] - before[name]
        lost = torch.linalg.svdvals(change)[len(made.weights[down]) :].norm()
        assert float((change - product).norm()) == pytest.approx(float(lost), rel=1e-3, abs=1e-4)
        kept += float(product.square().sum())
    assert made.kept == pytest.approx(kept / whole, rel=1e-4)
    assert made.kept < made.projections
    columns = sum(len(made.weights[down]) for down, _ in pairs)
    assert columns <= 2 * len(pairs)


@pytest.mark.parametrize("shape", [(6, 9), (9, 6)])
def test_factors_are_those_of_the_singular_value_decomposition(shape: tuple[int, int]) -> None:
    torch.manual_seed(2)
    matrix = torch.randn(shape)
    left, values, right = leading_factors(matrix, 4)
    assert torch.allclose(values, torch.linalg.svdvals(matrix)[:4], atol=1e-5)
    assert torch.allclose(left.T @ left, torch.eye(4), atol=1e-5)
    assert torch.allclose((left.T @ matrix), values[:, None] * right, atol=1e-5)


def test_averaged_each_weight_lies_between(base: Path, tuned: Path, tmp_path: Path) -> None:
    merge(tuned, tmp_path / "nearer", scale=0.25)
    between, low, high = (
        dict(opened(folder).named_parameters()) for folder in (tmp_path / "nearer", base, tuned)
    )
    for name, weights in between.items():
        assert torch.allclose(weights, 0.75 * low[name] + 0.25 * high[name], atol=1e-6)
    assert json.loads((tmp_path / "nearer" / "merge.json").read_text())["scale"] == 0.25
    check_stated_files(tmp_path / "nearer")


def test_what_cannot_be_is_refused(base: Path, tuned: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no adapter but a whole model; --scale"):
        merge(tuned, tmp_path / "out")
    with pytest.raises(InputError, match="no adapter but a whole model; `export adapter --rank`"):
        adapter_base(tuned)
    with pytest.raises(InputError, match="name it with --base"):
        merge(base, tmp_path / "out", scale=0.5)
    with pytest.raises(InputError, match="there is no difference"):
        adapter_of_difference(base, str(base), 2)
    with pytest.raises(InputError, match="--rank: 1 at least"):
        adapter_of_difference(tuned, str(base), 0)
    wider = write_base(tmp_path / "wider", width=64)
    with pytest.raises(InputError, match=r"is not what .*tuned was trained from"):
        adapter_of_difference(tuned, str(wider), 2)
    (tuned_elsewhere := tmp_path / "elsewhere").mkdir()
    for file in tuned.iterdir():
        if file.name != "training.json":
            shutil.copyfile(file, tuned_elsewhere / file.name)
    with pytest.raises(InputError, match="do not fit each other"):
        adapter_of_difference(tuned_elsewhere, str(wider), 2)
    assert not (tmp_path / "out").exists()


def test_a_whole_model_wants_a_rank(
    tuned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["export", "adapter", str(tuned), "--out", str(out)]) == 2
    assert "takes --rank" in capsys.readouterr().err
    assert not out.exists()
