"""Which engine answers a job's windows: this process, or workers of a Ray cluster."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cybersecqwen.core.engine import Engine, LocalEngine
from cybersecqwen.core.errors import InputError

ENGINE_VARIABLE = "CYBERSECQWEN_ENGINE"
"""Environment variable that names the engine where the command line does not."""


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """An engine as it is named on the command line.

    Attributes:
        scheme: ``local`` or ``ray``.
        address: Address of a running Ray cluster; empty to start one on this machine.
        workers: Processes that answer; None for one a core of the cluster.
    """

    scheme: str = "local"
    address: str = ""
    workers: int | None = None

    @classmethod
    def parse(cls, text: str | None, workers: int | None = None) -> EngineSpec:
        """Read ``local``, ``ray``, ``ray:ADDRESS`` or ``ray://HOST:PORT``.

        Args:
            text: The name; None for what ``CYBERSECQWEN_ENGINE`` says, else ``local``.
            workers: Processes that answer.

        Raises:
            InputError: It names no engine, or workers are asked of the local one.
        """
        said = text or os.environ.get(ENGINE_VARIABLE) or "local"
        scheme, _, rest = said.partition(":")
        if scheme not in {"local", "ray"} or (scheme == "local" and rest):
            raise InputError(f"{said!r} is no engine: give local, ray, or ray:ADDRESS of a cluster")
        if workers is not None and (scheme == "local" or workers < 1):
            raise InputError("--workers takes a number from 1 and goes with --engine ray")
        return cls(scheme, said if rest.startswith("//") else rest, workers)


def open_engine(engine: Engine | EngineSpec | str | None, workers: int | None = None) -> Engine:
    """Open an engine; one that is open stays as it is.

    Args:
        engine: An engine, or its name as ``EngineSpec.parse`` reads it.
        workers: Processes that answer, where it is named.

    Raises:
        InputError: There is no such engine, or no cluster answers at the address.
        MissingExtraError: Ray is not installed.
    """
    spec = (
        EngineSpec.parse(engine, workers) if engine is None or isinstance(engine, str) else engine
    )
    if not isinstance(spec, EngineSpec):
        return spec
    if spec.scheme == "local":
        return LocalEngine()
    from cybersecqwen.apps.ray_engine import RayEngine

    return RayEngine(spec.address, spec.workers)
