"""Arrays that a model keeps packed in one file (``.npz``)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray


def packed_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of such a file by their names.

    Raises:
        ValueError: It is damaged, or no such file.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as held:
            return {name: held[name] for name in held.files}
    except Exception as error:  # what numpy, zipfile and zlib raise of damage shares no base
        raise ValueError(f"damaged arrays: {error}") from error
