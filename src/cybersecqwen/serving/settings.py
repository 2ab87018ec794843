"""Settings of a service: flags win over the environment, that over a file, that over defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from cybersecqwen.core.config import read_yaml
from cybersecqwen.core.errors import InputError

PREFIX = "CYBERSECQWEN_SERVE_"
_SHORTEST_TOKEN = 16


class ServeSettings(BaseSettings):
    """A service's settings; sizes in bytes, times in seconds.

    Attributes:
        host: Address to listen on; any but a loopback address needs a token.
        port: Port to listen on; 0 for one that is free.
        model: Language model, as a SPEC; ``embedded`` for none.
        model_sha256: Digest that the language model's file or folder must have.
        specialist: ``embedded``, or a specialist's model folder.
        specialist_sha256: Digest that the specialist's ``config.json`` must have.
        kb: Knowledge base; None for the user's own, if there is one.
        token: What clients must present as ``Authorization: Bearer ...``.
        token_file: File that holds the token.
        allowed_hosts: Further names that the Host header may carry.
        log_texts: Whether what clients send may appear in the log.
        max_body_bytes: Size of a request's body, and of one record in a file.
        body_memory_bytes: Memory that the bodies of all requests under way may take, by an
            estimate; more requests are refused with 429.
        max_file_bytes: Size of a file sent to be mapped, and disk that it may take with the
            archives within it.
        upload_disk_bytes: Disk that all files sent may take together.
        max_uploads: Files that may arrive at once.
        max_members: Files that an archive may hold.
        max_items: Texts in one batch request.
        max_tokens: Tokens of one answer.
        body_seconds: For a request's body to arrive, and for each MiB of a file.
        request_seconds: For an answer that needs no language model.
        answer_seconds: For an answer that a language model writes.
        job_seconds: For one file to be mapped.
        queue: Single texts that may wait to be mapped.
        jobs: Batches and files mapped at once; three times as many more may take turns with them.
        parallel: Answers written by the language model at once.
        upstream_parallel: Requests passed through to another server at once.
        answer_queue: Questions that may wait for it.
        context: Tokens of prompt and answer together, for a GGUF model.
        threads: Processor cores for mapping; None for all.
        max_connections: Connections open at once.
        drain_seconds: For answers under way when the service is told to stop.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    model: str = "embedded"
    model_sha256: str = Field("", pattern="^([0-9a-f]{64})?$")
    specialist: str = "embedded"
    specialist_sha256: str = Field("", pattern="^([0-9a-f]{64})?$")
    kb: Path | None = None
    token: SecretStr | None = None
    token_file: Path | None = None
    allowed_hosts: tuple[str, ...] = ()
    log_texts: bool = False
    max_body_bytes: int = Field(4 << 20, gt=0)
    body_memory_bytes: int = Field(48 << 20, gt=0)
    max_file_bytes: int = Field(2 << 30, gt=0)
    upload_disk_bytes: int = Field(8 << 30, gt=0)
    max_uploads: int = Field(64, gt=0)
    max_members: int = Field(50_000, gt=0)
    max_items: int = Field(10_000, gt=0)
    max_tokens: int = Field(4096, gt=0)
    body_seconds: float = Field(30.0, gt=0)
    request_seconds: float = Field(60.0, gt=0)
    answer_seconds: float = Field(300.0, gt=0)
    job_seconds: float = Field(3600.0, gt=0)
    queue: int = Field(1024, gt=0)
    jobs: int = Field(2, gt=0)
    parallel: int = Field(1, gt=0)
    upstream_parallel: int = Field(256, gt=0)
    answer_queue: int = Field(16, ge=0)
    context: int = Field(8192, gt=0)
    threads: int | None = Field(None, gt=0)
    max_connections: int = Field(900, gt=0)
    drain_seconds: int = Field(30, ge=0)

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return is_loopback(self.host)

    @model_validator(mode="after")
    def _safe(self) -> ServeSettings:
        token = self.token.get_secret_value() if self.token else None
        if token is not None and len(token) < _SHORTEST_TOKEN:
            raise ValueError(f"the token must have at least {_SHORTEST_TOKEN} characters")
        if token is not None and not (token.isascii() and token.isprintable()):
            raise ValueError("the token must be printable ASCII")
        if token is not None and token != token.strip():
            raise ValueError("the token must neither begin nor end with a blank")
        if token is None and not self.on_loopback:
            raise ValueError(
                f"{self.host} is no loopback address, so others could reach the service: give "
                f"clients a token ({PREFIX}TOKEN or --token-file), or listen on 127.0.0.1"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether an address or name stands for this machine alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def load_settings(flags: Mapping[str, Any], file: Path | None = None) -> ServeSettings:
    """Gather the settings.

    Args:
        flags: Settings by name that the command line gave.
        file: A TOML or YAML file of settings; ``CYBERSECQWEN_SERVE_CONFIG`` names one, too.

    Raises:
        InputError: A setting is unknown or has a wrong value, or a file cannot be read.
    """
    named = os.environ.get(f"{PREFIX}CONFIG")
    file = file or (Path(named) if named else None)
    _check_environment()

    class Layered(ServeSettings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            layers = (init_settings, env_settings)
            return (*layers, _file_source(settings_cls, file)) if file else layers

    try:
        token_file = flags.get("token_file") or os.environ.get(f"{PREFIX}TOKEN_FILE")
        if token_file is None and file is not None:
            token_file = _file_source(ServeSettings, file)().get("token_file")
        read = {"token": _token(Path(token_file))} if token_file else {}
        return Layered(**{**read, **flags})
    except ValidationError as error:
        problems = "; ".join(_problem(found) for found in error.errors())
        raise InputError(f"settings: {problems}") from error
    except ValueError as error:  # a file's syntax, or the environment's JSON
        raise InputError(f"settings: {error}") from error
    except RecursionError as error:
        raise InputError(f"settings: {file}: nested too deeply") from error
    except OSError as error:
        raise InputError(f"settings: {error.filename}: {error.strerror}") from error


def _check_environment() -> None:
    known = {f"{PREFIX}{name}".upper() for name in ServeSettings.model_fields} | {f"{PREFIX}CONFIG"}
    unknown = sorted(n for n in os.environ if n.startswith(PREFIX) and n not in known)
    if unknown:
        raise InputError(f"settings: {', '.join(unknown)}: no such setting")


def _file_source(settings: type[BaseSettings], file: Path) -> PydanticBaseSettingsSource:
    if not file.is_file():
        raise InputError(f"{file}: no such settings file")
    if file.suffix.lower() in {".yaml", ".yml"}:
        values = read_yaml(file)
        if not isinstance(values, dict | None):
            raise InputError(f"{file}: no settings, but a {type(values).__name__}")
        return InitSettingsSource(settings, {str(name): v for name, v in (values or {}).items()})
    if file.suffix.lower() == ".toml":
        return TomlConfigSettingsSource(settings, toml_file=file)
    raise InputError(f"{file}: settings are read from a .toml, .yaml or .yml file")


def _token(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the token: {error}") from error


def _problem(found: Any) -> str:
    where = ".".join(map(str, found["loc"]))
    message = str(found["msg"]).removeprefix("Value error, ")
    if found["type"] == "extra_forbidden":
        message = "no such setting"
    return f"{where}: {message}" if where else message
