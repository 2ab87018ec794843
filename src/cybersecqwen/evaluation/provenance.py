"""What a log says of the code and the machine that made it."""

from __future__ import annotations

import platform
from importlib import metadata

import cybersecqwen
from cybersecqwen.core.code_state import CodeState, code_state

__all__ = ["CodeState", "code_state", "versions"]

_PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "onnxruntime",
    "tokenizers",
    "torch",
    "transformers",
    "xllamacpp",
)


def versions() -> dict[str, str]:
    """Return the versions of this package, Python, and the libraries that shape results."""
    found = {"cybersecqwen": cybersecqwen.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
