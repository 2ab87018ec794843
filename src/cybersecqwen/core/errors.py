"""Errors that a user can act on.

Each carries the whole message; the command line prints it on one line and exits with 2.
"""

from __future__ import annotations

import importlib.util


class CyberSecQwenError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(CyberSecQwenError):
    """An input as a whole cannot be used: a missing file, an unknown format, a wrong key."""


class ModelError(CyberSecQwenError):
    """A model cannot be loaded or cannot do what was asked of it."""


class MissingExtraError(CyberSecQwenError):
    """A feature needs a part that the base install leaves out."""


def require_extra(extra: str, *modules: str) -> None:
    """Check, where a package that needs it is imported, that an extra is installed.

    Args:
        extra: Name of the extra in ``pyproject.toml``.
        modules: Modules that the extra provides.

    Raises:
        MissingExtraError: One of the modules is not installed; the message has the command.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        # Reading how a package was installed is slow, and no verb waits for it unless it must.
        from cybersecqwen.core.install_command import install_command  # noqa: PLC0415

        raise MissingExtraError(
            f"this needs {', '.join(missing)}, which the base install leaves out: "
            f"{install_command(extra)}"
        )
