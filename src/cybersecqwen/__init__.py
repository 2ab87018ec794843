"""Defensive-cybersecurity models that anyone can train, measure and run on their own hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cybersecqwen.core import telemetry

if TYPE_CHECKING:
    from cybersecqwen.specialists import CweMapper

# Before anything of ours imports a dependency that would report its use.
telemetry.switch_off()

__version__ = "0.2.0"
__all__ = ["CweMapper", "__version__"]


def __getattr__(name: str) -> Any:
    # Lazy, so that importing the package costs nothing until a model is wanted.
    if name == "CweMapper":
        from cybersecqwen.specialists import CweMapper  # noqa: PLC0415

        return CweMapper
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
