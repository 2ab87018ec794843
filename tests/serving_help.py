"""Opens a service without a socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.testclient import TestClient

from cybersecqwen.serving.app import create_app
from cybersecqwen.serving.service import open_service
from cybersecqwen.serving.settings import ServeSettings


@contextmanager
def opened(**settings: Any) -> Iterator[TestClient]:
    """Open a service as loopback clients see it."""
    service = open_service(ServeSettings(**settings))
    with TestClient(
        create_app(service), base_url="http://127.0.0.1", raise_server_exceptions=False
    ) as client:
        yield client
