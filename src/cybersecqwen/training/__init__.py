"""Training and export. Needs the ``train`` extra; nothing outside this room does."""

from cybersecqwen.core.errors import require_extra

require_extra("train", "torch", "transformers", "accelerate", "onnx")
