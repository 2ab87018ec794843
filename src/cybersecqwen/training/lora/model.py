"""The base of a fine-tuning, what of it learns, and a faster way through it."""

from __future__ import annotations

import importlib.util
import json
import types
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import sha256_file
from cybersecqwen.core.hub import require_reachable
from cybersecqwen.core.model_files import NO_CODE, check_stated_files
from cybersecqwen.core.progress_bars import quiet_hub, silent_without_terminal
from cybersecqwen.training.lora.memory_plan import MemoryStrategy, Shape
from cybersecqwen.training.recipes.lora import LoraRecipe


@dataclass(frozen=True)
class LoraBase:
    """What is known of a base before its weights are read.

    Attributes:
        source: Hugging Face id, or a folder.
        config: Its configuration.
        tokenizer: Its tokenizer, with its chat template.
    """

    source: str
    config: Any
    tokenizer: Any


_MODEL_FILES = "the model (config.json, tokenizer.json, *.safetensors)"


def find_base(source: str) -> LoraBase:
    """Read a base's configuration and tokenizer.

    Raises:
        InputError: It is not there, or is no causal language model.
        ModelError: A file of it is not the one that its folder states, or the hub that should have
            it does not answer.
    """
    check_stated_files(source)
    # An id of the hub has one slash at most; what transformers says of a path is no help.
    if not Path(source).is_dir() and (source.startswith((".", "/")) or source.count("/") > 1):
        raise InputError(f"base {source}: no such folder; give a folder that holds {_MODEL_FILES}")
    _require_weights(Path(source))
    require_reachable(source)
    try:
        with silent_without_terminal(), quiet_hub():
            config = AutoConfig.from_pretrained(source, **NO_CODE)
            tokenizer = AutoTokenizer.from_pretrained(source, **NO_CODE)
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"base {source}: not found: {reason} Offline, give a folder that holds {_MODEL_FILES}"
        ) from error
    return LoraBase(source, config, tokenizer)


def computing_type() -> torch.dtype:
    """Return the type that is computed in: bfloat16 on a GPU, float32 on a processor."""
    return torch.bfloat16 if torch.cuda.is_available() else torch.float32


def _require_weights(folder: Path) -> None:
    """Refuse a folder of a model that lacks weights, which would else be missed much later."""
    if not (folder / "config.json").is_file():
        return
    names = ["model.safetensors"]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise InputError(f"{index}: cannot be read: {error}") from error
    missing = [name for name in names if not (folder / name).is_file()]
    if missing and not list(folder.glob("pytorch_model*.bin")):
        raise InputError(f"base {folder}: lacks its weights: {', '.join(missing)}")


def weight_type(recipe: LoraRecipe) -> torch.dtype:
    """Return the type in which a base's weights are held while a recipe's training runs.

    Weights that do not learn are held in the type that is computed in. Those that learn are
    float32, else steps smaller than bfloat16's rounding would be lost (Micikevicius et al., arXiv
    1710.03740); autocast makes the bfloat16 copies that are computed with.
    """
    return torch.float32 if recipe.adapter is None else computing_type()


def own_type(base: LoraBase) -> torch.dtype:
    """Return the type that a base's weights are kept in."""
    kind = getattr(base.config, "dtype", None)
    return kind if isinstance(kind, torch.dtype) else torch.bfloat16


def load_weights(base: LoraBase, recipe: LoraRecipe, strategy: MemoryStrategy) -> Any:
    """Load a base's weights: in ``weight_type``, or NF4.

    Raises:
        InputError: They are not there or do not fit the configuration.
    """
    options: dict[str, Any] = {}
    if strategy.base_4bit:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=torch.bfloat16,
            bnb_4bit_use_double_quant=True,
        )
    try:
        with silent_without_terminal():
            model = AutoModelForCausalLM.from_pretrained(
                base.source,
                dtype=weight_type(recipe),
                attn_implementation="flash_attention_2" if has_flash_attention() else "sdpa",
                **options,
                **NO_CODE,
            )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(f"base {base.source}: cannot load its weights: {error}") from error
    model.config.use_cache = False
    return model


def has_flash_attention() -> bool:
    """Whether FlashAttention-2 can be used: a GPU is there, and the package."""
    return torch.cuda.is_available() and importlib.util.find_spec("flash_attn") is not None


def adapter_config(recipe: LoraRecipe, layers: int) -> LoraConfig | None:
    """Return the recipe's adapter as PEFT describes it, for a base of so many layers.

    None where all weights learn.
    """
    adapter = recipe.adapter
    if adapter is None:
        return None
    of = adapter.layers
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules=list(adapter.targets),
        layers_to_transform=list(range(max(0, layers - of), layers)) if of else None,
        bias="none",
        base_model_name_or_path=recipe.base,
    )


def narrow_states(model: Any) -> None:
    """Let the states between layers have autocast's type though the weights are float32, in place.

    They begin as rows of the embedding, which autocast leaves in the type that they are held in.
    """

    def narrowed(_: nn.Module, __: Any, states: Tensor) -> Tensor:
        kind = states.device.type
        on = torch.is_autocast_enabled(kind)
        return states.to(torch.get_autocast_dtype(kind)) if on else states

    model.get_input_embeddings().register_forward_hook(narrowed)


def fuse_adapters(model: nn.Module) -> None:
    """Compute a model's adapters and norms in fewer passes over memory, in place.

    PEFT turns a projection's input into the adapter's float32, which autocast turns back into
    bfloat16; then it scales and adds in passes of their own. Here the input goes in as it is, and
    scaling and adding belong to the second product. The norms of Llama and its relatives take
    PyTorch's one kernel instead of eight. The result is the same but for rounding.
    """
    for module in model.modules():
        if isinstance(module, LoraLinear) and isinstance(module.base_layer, nn.Linear):
            module.forward = types.MethodType(_lean_forward, module)
        # By this attribute the norms that scale by their weight are told from others.
        elif type(module).__name__.endswith("RMSNorm") and hasattr(module, "variance_epsilon"):
            module.forward = types.MethodType(_lean_norm, module)


def compile_layers(model: nn.Module, names: Collection[str]) -> None:
    """Let PyTorch compile the layers, whose classes are named, when they first run.

    All have the same code and share what is made of it; batches of any shape do too.
    """
    for module in model.modules():
        if type(module).__name__ in names:
            module.compile(dynamic=True)


# A compilation takes half a minute to two, and steps are faster by a seventh or more after it
# (docs/experiments/lora.md): it pays in runs of several minutes. At 200 TFLOP/s, what an H100
# reaches without it, this is five of them.
_WORTH_COMPILING = 6e16
_FLOPS_PER_WEIGHT = 4  # of a token: forward, and backward through weights that do not learn
_FLOPS_PER_LEARNING = 2  # more, where they do


def compiling_pays(shape: Shape, tokens: int) -> bool:
    """Whether layers should be compiled: there is a GPU that Triton knows, and a long run.

    Args:
        shape: Of the base and what learns.
        tokens: To be learnt from, over all epochs.
    """
    if not torch.cuda.is_available() or importlib.util.find_spec("triton") is None:
        return False
    each = _FLOPS_PER_WEIGHT * shape.parameters + _FLOPS_PER_LEARNING * shape.learning
    return each * tokens >= _WORTH_COMPILING


def _lean_norm(self: Any, x: Tensor) -> Tensor:
    """Return x over its root mean square, by the norm's weight, for (..., D) states."""
    # Autocast would take the states to float32; the kernel computes in it by itself.
    with torch.autocast(x.device.type, enabled=False):
        weight = self.weight.to(x.dtype)
        return functional.rms_norm(x, weight.shape, weight, self.variance_epsilon)


def _lean_forward(self: Any, x: Tensor) -> Tensor:
    """Return W x + s B A x for (..., I) states, of shape (..., O)."""
    if self.disable_adapters:
        base: Tensor = self.base_layer(x)
        return base
    (name,) = self.active_adapters
    out: Tensor = self.base_layer(x)
    shown = self.lora_dropout[name](x)
    low = functional.linear(shown, self.lora_A[name].weight.to(x.dtype))  # (..., R)
    weight = self.lora_B[name].weight.to(out.dtype)  # (O, R)
    added = torch.addmm(
        out.reshape(-1, out.shape[-1]),
        low.reshape(-1, low.shape[-1]).to(out.dtype),
        weight.t(),
        alpha=self.scaling[name],
    )
    return added.view_as(out)


def base_identity(base: LoraBase) -> dict[str, str]:
    """Return a base's identity: hashes of a folder's files, else the hub's revision."""
    folder = Path(base.source)
    if not folder.is_dir():
        return {"revision": str(getattr(base.config, "_commit_hash", "") or "unknown")}
    files = sorted([folder / "config.json", *folder.glob("*.safetensors")])
    return {file.name: sha256_file(file) for file in files if file.is_file()}
