"""``serve``: the page, REST, OpenAI's API and MCP on one port of this machine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cybersecqwen.cli.common import EXIT_DONE

HELP = "serve the page, REST, OpenAI's API and MCP on this machine"
EXAMPLES = (
    "serve",
    "serve --host 0.0.0.0 --token-file token.txt",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_settings(parser)
    parser.add_argument("--host", help="address to listen on (127.0.0.1); others need a token")
    parser.add_argument("--port", type=int, help="port to listen on (8000)")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="what clients must present to be served"
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        metavar="NAME",
        help="a further name that clients may call the service by",
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add what ``serve`` and ``mcp`` share."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings as TOML or YAML; flags win"
    )
    parser.add_argument(
        "--model",
        metavar="SPEC",
        help="language model: hf:DIR, gguf:FILE, openai:URL#MODEL, mock:FILE (embedded: none)",
    )
    parser.add_argument(
        "--model-sha256", metavar="HEX", help="checksum of the model; see info --digest"
    )
    parser.add_argument("--specialist", metavar="DIR", help="a specialist of your own (embedded)")
    parser.add_argument("--specialist-sha256", metavar="HEX", help="checksum of its config.json")
    parser.add_argument("--kb", type=Path, metavar="DIR", help="knowledge base (your own)")
    parser.add_argument("--threads", type=int, metavar="N", help="cores for mapping (all)")
    parser.add_argument(
        "--log-texts",
        action="store_true",
        default=None,
        help="let what clients send appear in the log",
    )


def settings_given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that the command line gave, by name."""
    from cybersecqwen.serving.settings import ServeSettings

    flags = {
        name: value
        for name, value in vars(arguments).items()
        if value is not None and name in ServeSettings.model_fields
    }
    if getattr(arguments, "allowed_host", None):
        flags["allowed_hosts"] = tuple(arguments.allowed_host)
    return flags


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from cybersecqwen.serving.server import serve
    from cybersecqwen.serving.settings import load_settings

    serve(load_settings(settings_given(arguments), arguments.config))
    return EXIT_DONE
