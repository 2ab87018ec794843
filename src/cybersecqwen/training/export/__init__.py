"""Trained models in the forms that other programs read. Needs the ``train`` extra."""

from cybersecqwen.core.errors import require_extra

require_extra("train", "torch", "transformers", "accelerate", "onnx")
