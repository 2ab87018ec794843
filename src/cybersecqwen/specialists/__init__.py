"""Embedded classifiers that run on ONNX Runtime, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cybersecqwen.specialists.mapper import CweMapper

__all__ = ["CweMapper"]


def __getattr__(name: str) -> Any:
    # What is said of a model needs no runtime, which takes a fifth of a second to load.
    if name != "CweMapper":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cybersecqwen.specialists.mapper import CweMapper  # noqa: PLC0415

    return CweMapper
