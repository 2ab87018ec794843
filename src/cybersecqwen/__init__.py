"""Defensive-cybersecurity models that anyone can train, measure and run on their own hardware."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cybersecqwen.core import telemetry

if TYPE_CHECKING:
    from cybersecqwen.knowledge.base import KnowledgeBase
    from cybersecqwen.llm.answering import Answerer
    from cybersecqwen.specialists import CweMapper

# Before anything of ours imports a dependency that would report its use.
telemetry.switch_off()

__version__ = "0.2.0"
__all__ = ["Answerer", "CweMapper", "KnowledgeBase", "__version__"]


_ROOMS = {
    "Answerer": "cybersecqwen.llm.answering",
    "CweMapper": "cybersecqwen.specialists",
    "KnowledgeBase": "cybersecqwen.knowledge.base",
}


def __getattr__(name: str) -> Any:
    # Lazy, so that importing the package costs nothing until a model is wanted.
    if name in _ROOMS:
        return getattr(import_module(_ROOMS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
