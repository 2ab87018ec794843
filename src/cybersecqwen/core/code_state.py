"""From which commit the package runs, and on which machine."""

from __future__ import annotations

import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


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
    package = Path(str(sys.modules["cybersecqwen"].__file__)).parent

    def git(*arguments: str) -> str:
        command = ["git", "--no-optional-locks", "-C", str(package), *arguments]
        return subprocess.run(
            command, capture_output=True, check=True, text=True, timeout=10
        ).stdout.strip()

    try:
        # Fails where the package merely lies inside somebody else's repository.
        git("ls-files", "--error-unmatch", "__init__.py")
        return CodeState(git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "-uno")))
    except (OSError, subprocess.SubprocessError):
        return CodeState()


def hardware() -> str:
    """Return the machine's processor, and the graphics processor that PyTorch would use."""
    try:
        facts = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        names = [line.partition(":")[2].strip() for line in facts if line.startswith("model name")]
    except OSError:
        names = []
    found = names[0] if names else platform.processor() or platform.machine()
    torch = sys.modules.get("torch")  # where training has loaded it; never loaded for this
    if torch is None or not torch.cuda.is_available():
        return found
    return f"{found}, {torch.cuda.get_device_name()}"
