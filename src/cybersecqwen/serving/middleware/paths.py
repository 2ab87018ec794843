"""What the layers know of the routes."""

from __future__ import annotations

from starlette.types import Scope

FILE_ROUTE = "/api/map/file"
ASSESS_FILE_ROUTE = "/api/assess/file"
ROWS_ROUTE = "/api/rows"

UPLOAD_ROUTES = frozenset({FILE_ROUTE, ASSESS_FILE_ROUTE, ROWS_ROUTE})
"""Routes whose body is a file of any size."""

OPEN_PATHS = frozenset({"/", "/health"})
"""Paths that need no token; so does what begins with ``STATIC``."""

STATIC = "/static/"


def is_open(path: str) -> bool:
    """Whether a path is served to whoever can reach the service."""
    return path in OPEN_PATHS or path.startswith(STATIC)


def route_of(scope: Scope) -> str:
    """Return the route's pattern: what a log or a metric may say of a path."""
    route = scope.get("route")
    return str(getattr(route, "path", "")) or "(none)"
