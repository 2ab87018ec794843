"""One local service for people, programs and agents: REST, OpenAI's API, MCP and a page."""

from cybersecqwen.core.errors import require_extra

require_extra(
    "serve",
    *("fastapi", "uvicorn", "httptools", "httpx", "pydantic_settings", "prometheus_client", "mcp"),
)
