"""What the specialists of severity and of technique share: how they are loaded and asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from cybersecqwen.specialists.folder import SpecialistFiles, load_files
from cybersecqwen.specialists.onnx_session import GraphPool
from cybersecqwen.specialists.tokenize import Encoder


class NamedConfig(Protocol):
    """What every specialist's configuration holds."""

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def version(self) -> str:
        """Version of the model."""

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that it reads at once, special tokens included."""


NamedConfigT = TypeVar("NamedConfigT", bound=NamedConfig)


class EmbeddedSpecialist(Generic[NamedConfigT]):
    """A tokenizer and an ONNX graph from a folder whose files are whole.

    Args:
        files: The model.
        threads: Batches to run at once; None for one a core, 16 at most.

    Raises:
        ModelError: The model cannot be loaded.
    """

    kind: ClassVar[str]
    """What its ``config.json`` calls it, and its folder beside the weakness specialist."""

    schema: ClassVar[type[NamedConfig]]
    """Of its ``config.json``."""

    outputs: ClassVar[tuple[str, ...]]
    """What is read of its graph."""

    def __init__(self, files: SpecialistFiles[NamedConfigT], *, threads: int | None = None) -> None:
        self.config = files.config
        self.folder = files.path
        self.digest = files.digest
        self._encoder = Encoder(files.tokenizer, self.config.max_tokens)
        self._graph = GraphPool(files.graph, self.outputs_of(files.config), threads)

    @classmethod
    def outputs_of(cls, config: NamedConfigT) -> tuple[str, ...]:
        """Return what is read of the graph that a configuration describes."""
        return cls.outputs

    @classmethod
    def from_pretrained(cls, path: str | Path | None = None, *, threads: int | None = None) -> Self:
        """Load a model folder, by default the one that ships with the package.

        Raises:
            InputError: There is no model folder.
            ModelError: The model is damaged or of a newer format.
        """
        files: SpecialistFiles[NamedConfigT] = load_files(path, cls.kind, cls.schema)  # type: ignore[arg-type]
        return cls(files, threads=threads)

    def __reduce__(self) -> tuple[Any, ...]:
        # Sent to another process as its files: that machine need not have the folder.
        return _in_worker, (type(self), load_files(self.folder, self.kind, self.schema))

    @property
    def name(self) -> str:
        """The model's name and version."""
        return f"{self.config.name} {self.config.version}"


def _in_worker(specialist: type[EmbeddedSpecialist[Any]], files: SpecialistFiles[Any]) -> Any:
    # One process of many, so it runs one batch at a time.
    return specialist(files, threads=1)
