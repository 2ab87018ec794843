"""Embedded classifiers that run on ONNX Runtime, without torch."""
