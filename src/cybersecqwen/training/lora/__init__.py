"""Fine-tuning of an instruction-tuned language model, by adapters or whole, on TRL and PEFT."""

import os

from cybersecqwen.core.errors import require_extra

require_extra("train", "torch", "transformers", "accelerate", "peft", "trl", "datasets", "jinja2")
# Batches of ever new widths would make PyTorch's allocator take and give back memory at each step
# (measured: 40 % more tokens a second without that). It reads this when a GPU is first used, by
# the second name before PyTorch 2.9.
for _name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):
    os.environ.setdefault(_name, "expandable_segments:True")
