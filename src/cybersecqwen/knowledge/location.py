"""Which knowledge base is used: one that is named, the user's own, or the one that ships."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.paths import knowledge_folder
from cybersecqwen.knowledge.index_manifest import MANIFEST, read_manifest


def shipped_folder() -> Path:
    """Return the folder of the knowledge base that the package brings."""
    return Path(str(resources.files("cybersecqwen.knowledge"))) / "shipped"


def default_folder() -> Path:
    """Return the knowledge base that is used unless a command is told otherwise.

    The one that ``CYBERSECQWEN_KB`` names, be it there or not; else the user's own, if it can be
    read and none of its sources is older than the package's; else the package's.
    """
    own = knowledge_folder()
    if os.environ.get("CYBERSECQWEN_KB") or _is_as_new(own):
        return own
    return shipped_folder()


def _is_as_new(own: Path) -> bool:
    if not (own / MANIFEST).is_file():
        return False
    try:
        held = {source.name: source.date for source in read_manifest(own).sources}
        shipped = {source.name: source.date for source in read_manifest(shipped_folder()).sources}
    except InputError:
        return False  # of another version of this package
    return all(date >= shipped.get(name, "") for name, date in held.items())


def existing_folder(given: Path | None = None) -> Path:
    """Return the folder of the knowledge base to use, once it is known to be there.

    Args:
        given: A folder; None for the default one.

    Raises:
        InputError: It is not there.
    """
    folder = given or default_folder()
    if not folder.exists():
        raise InputError(
            f"{folder}: no knowledge base there; without --kb and CYBERSECQWEN_KB the one that "
            "ships is used"
        )
    return folder
