"""A small network that scores the options of one question against each other.

It sees a table of measurements, one row an option, and gives each row a number; a softmax over the
rows makes probabilities. Rows are scored by the same weights, so their order does not matter and
there may be any number of them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.ensemble import softmax_rows
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.files import atomic_write
from cybersecqwen.core.packed_arrays import packed_arrays

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class OptionRanker:
    """One hidden layer over standardised inputs, F inputs and H hidden units.

    Attributes:
        names: What each input is; a file made for other inputs is refused.
        mean: (F,) of the inputs in training.
        scale: (F,) likewise, their standard deviation.
        hidden: (F, H) weights.
        bias: (H,).
        output: (H,) weights.
        direct: (F,) weights of the inputs on the score, past the hidden layer.
        temperature: What logits are divided by, so that probabilities are honest.
    """

    names: tuple[str, ...]
    mean: Floats
    scale: Floats
    hidden: Floats
    bias: Floats
    output: Floats
    direct: Floats
    temperature: float = 1.0

    def logits(self, inputs: Floats) -> NDArray[np.float64]:
        """Return the score (N,) of each of N options from its inputs (N, F)."""
        # Doubles, since a product of matrices rounds a row by its place among the others.
        seen = np.clip((inputs - self.mean) / self.scale, -5, 5).astype(np.float64)
        scores: NDArray[np.float64] = (
            np.tanh(seen @ self.hidden + self.bias) @ self.output + seen @ self.direct
        )
        return scores

    def probabilities(self, inputs: Floats) -> NDArray[np.float64]:
        """Return each option's probability (N,)."""
        return softmax_rows(self.logits(inputs) / self.temperature)

    def save(self, path: Path) -> None:
        """Write the network as an ``.npz`` file, atomically; equal networks give equal bytes."""
        stream = io.BytesIO()
        np.savez(
            stream,
            names=np.array(self.names),
            mean=self.mean,
            scale=self.scale,
            hidden=self.hidden,
            bias=self.bias,
            output=self.output,
            direct=self.direct,
            temperature=np.float32(self.temperature),
        )
        with atomic_write(path) as out:
            out.write(stream.getvalue())

    @classmethod
    def read(cls, content: bytes, names: tuple[str, ...], where: str) -> OptionRanker:
        """Read a network for the given inputs.

        Raises:
            ModelError: The content is no network, or one for other inputs.
        """
        try:
            found = packed_arrays(content)
            network = cls(
                tuple(str(name) for name in found.pop("names")),
                temperature=float(found.pop("temperature")),
                **found,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{where}: no reader: {error}") from error
        if network.names != names:
            raise ModelError(f"{where}: a reader for other measurements; train it anew")
        return network
