"""Training of the embedded encoders. Needs the ``train`` extra."""

from cybersecqwen.core.errors import require_extra

require_extra("train", "torch", "transformers", "accelerate", "onnx")
