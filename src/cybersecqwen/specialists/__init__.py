"""Embedded classifiers that run on ONNX Runtime, without torch."""

from cybersecqwen.specialists.mapper import CweMapper

__all__ = ["CweMapper"]
