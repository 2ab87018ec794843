"""What models are called on the outside, where a path on this machine is nobody's business."""

from __future__ import annotations

from cybersecqwen.core.model_spec import ModelSpec

EMBEDDED = "cybersecqwen-embedded"
"""The specialist and the knowledge base, without a language model."""


def model_name(spec: str) -> str:
    """Return a language model's public name: a file's or folder's own, or the upstream's."""
    return ModelSpec.parse(spec).public_name
