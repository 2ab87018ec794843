"""Arguments that name files here or elsewhere, by URLs such as ``s3://bucket/feed.json.gz``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cybersecqwen.cli.common import one_line, warn

if TYPE_CHECKING:
    from cybersecqwen.apps.staging import Staging


def place(text: str) -> Path | str:
    """Return a path, or a URL as it is: what argparse makes of such an argument."""
    return text if "://" in text else Path(text)


@contextmanager
def staged(
    arguments: argparse.Namespace,
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    continued: bool = False,
) -> Iterator[Staging | None]:
    """Put local paths in the place of URLs, and copy outputs to where they belong at the end.

    Args:
        arguments: What was typed.
        inputs: Names of arguments that are read: each a path, a URL, a list of them, or None.
        outputs: Likewise, of those that are written.
        continued: Whether an output that is there already is gone on with.

    Yields:
        What knows the URLs; None where there are none, and nothing was done.

    Raises:
        InputError: A file cannot be read, or an output not be written.
    """
    read, written = _urls(arguments, inputs), _urls(arguments, outputs)
    if not read and not written:
        yield None
        return
    from cybersecqwen.apps.staging import Staging

    with Staging(lambda line: warn(one_line(line)), continued=continued) as staging:
        paths = staging.open(read, written)
        for name in (*inputs, *outputs):
            value = getattr(arguments, name)
            if isinstance(value, list):
                setattr(arguments, name, [paths.get(str(item), item) for item in value])
            else:
                setattr(arguments, name, paths.get(str(value), value))
        yield staging


def _urls(arguments: argparse.Namespace, names: Sequence[str]) -> list[str]:
    values = [getattr(arguments, name) for name in names]
    single = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [item for item in single if isinstance(item, str) and "://" in item]
