"""What a log says of the code and the machine that made it."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import cybersecqwen

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


@dataclass(frozen=True, slots=True)
class CodeState:
    """The commit that the package was run from, if it was run from a checkout.

    Attributes:
        commit: Hexadecimal commit id, or an empty string.
        dirty: Whether tracked files differ from it.
    """

    commit: str = ""
    dirty: bool = False


def code_state() -> CodeState:
    """Ask git about the package's own checkout; an installed package has none."""
    package = Path(cybersecqwen.__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(package), *arguments]
        return subprocess.run(
            command, capture_output=True, check=True, text=True, timeout=10
        ).stdout.strip()

    try:
        # Fails where the package merely lies inside somebody else's repository.
        git("ls-files", "--error-unmatch", "__init__.py")
        return CodeState(git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "-uno")))
    except (OSError, subprocess.SubprocessError):
        return CodeState()


def versions() -> dict[str, str]:
    """Return the versions of this package, Python, and the libraries that shape results."""
    found = {"cybersecqwen": cybersecqwen.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
