"""Whether a model on Hugging Face's hub can be had, told before a loader tries for half a minute.

Transformers asks for a file six times, with pauses of up to eight seconds, before it says that
there is no network. Here the file that it asks for first is asked for once.
"""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.errors import ModelError

_SECONDS = 2.0
"""To connect, and as long again to answer."""

_FIRST_FILES = ("config.json", "adapter_config.json")


def require_reachable(source: str) -> None:
    """See that a model is here, or that the hub answers.

    A folder, or what was downloaded before, sends nothing. What the hub answers (there is no such
    model, it needs a token) is left to the loader to tell.

    Args:
        source: A folder, or an id of the hub.

    Raises:
        ModelError: It is not here, and the hub is not to be asked or does not answer.
    """
    if Path(source).exists():
        return
    # Heavy, and needed only for a name on the hub.
    from huggingface_hub import (  # noqa: PLC0415
        constants,
        get_hf_file_metadata,
        try_to_load_from_cache,
    )
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415

    missing = f"{source}: no such folder, and not among the models downloaded before"
    endpoint = constants.ENDPOINT
    try:
        if any(isinstance(try_to_load_from_cache(source, name), str) for name in _FIRST_FILES):
            return
        if constants.HF_HUB_OFFLINE:
            raise ModelError(f"{missing}; HF_HUB_OFFLINE forbids to ask the hub")
        url = f"{endpoint}/{source}/resolve/main/{_FIRST_FILES[0]}"
        get_hf_file_metadata(url, timeout=_SECONDS)
    except (HfHubHTTPError, HFValidationError):
        return
    except ModelError:
        raise
    # The client's own errors, which are another package's in each major version.
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"{missing}; the hub ({endpoint}) does not answer: {reason[0]}; offline, give a "
            "folder that holds the model"
        ) from error
