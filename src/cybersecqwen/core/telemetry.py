"""Usage reporting of dependencies, switched off before any of them is imported.

Some dependencies report their use over the network unless told otherwise. They read their switch
from the environment, once, when they are imported, so this module runs first of all, from
``cybersecqwen/__init__.py``, which every way in passes: the command line, the library, the server,
MCP, the tests and every process that these start, since children inherit the environment.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

SWITCHES = {
    # ONNX Runtime from 1.29 on: looks up its collector some seconds into a run, and keeps a device
    # id and a queue of events on disk. Its disable_telemetry_events() after the import is too late.
    "ORT_DISABLE_TELEMETRY": "1",
    # huggingface_hub, and through it transformers, datasets, trl, peft and accelerate.
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    # Ray: clusters that are started here.
    "RAY_USAGE_STATS_ENABLED": "0",
    # FastAPI: exporters of OpenTelemetry that an environment names.
    "FASTAPI_OTEL_AUTO_CONFIGURE": "false",
    # What further libraries have agreed on (https://donottrack.sh); DISABLE_TELEMETRY is read by
    # older Hugging Face libraries.
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""Environment variables that switch usage reporting off, with the value that does so."""


def switch_off() -> None:
    """Set every switch, whatever its value was: a promise should not depend on a shell's profile.

    Warns:
        RuntimeWarning: The program imported ONNX Runtime first, with its reporting on. It reads its
            switch while it is imported, so nothing done here can reach it any more.
    """
    late = "onnxruntime" in sys.modules and not os.environ.get("ORT_DISABLE_TELEMETRY")
    os.environ.update(SWITCHES)
    if late:
        warnings.warn(
            "onnxruntime was imported before cybersecqwen, so its usage reporting may be on: "
            "import cybersecqwen first, or set ORT_DISABLE_TELEMETRY=1 in the environment",
            RuntimeWarning,
            stacklevel=3,
        )


def leftovers() -> list[Path]:
    """Return the folders of ONNX Runtime's device id and event queue that exist.

    Runs of this package up to 0.1.0, or other programs on the machine, have made them.
    """
    return [folder for folder in _leftover_folders() if folder.is_dir()]


def _leftover_folders() -> list[Path]:
    home = Path.home()
    bases = [
        Path(base)
        for base in map(os.environ.get, ("XDG_CACHE_HOME", "LOCALAPPDATA", "APPDATA"))
        if base
    ]
    bases += [home / ".cache", home / "Library" / "Application Support"]
    folders = (base / "Microsoft" / "DeveloperTools" / ".onnxruntime" for base in bases)
    return list(dict.fromkeys(folder for folder in folders if folder.is_absolute()))
