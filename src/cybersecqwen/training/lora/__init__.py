"""LoRA fine-tuning of an instruction-tuned language model, on TRL and PEFT."""

from cybersecqwen.core.errors import require_extra

require_extra("train", "peft", "trl", "datasets", "jinja2")
