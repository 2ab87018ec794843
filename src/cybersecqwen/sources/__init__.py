"""One file per upstream format, each turning it into core records."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cybersecqwen.sources.detect import FORMATS, detect_format, read_advisories
    from cybersecqwen.sources.io.position import ReadPosition
    from cybersecqwen.sources.io.unpack import UnpackLimits

__all__ = ["FORMATS", "ReadPosition", "UnpackLimits", "detect_format", "read_advisories"]

# The readers of every format take a fifth of a second to load; the store and the catalogues, which
# lie beside them, need none of them.
_MODULES = {"ReadPosition": "io.position", "UnpackLimits": "io.unpack"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'detect')}"), name)
    globals()[name] = value
    return value
