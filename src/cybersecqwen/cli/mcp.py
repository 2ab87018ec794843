"""``mcp``: tools for an agent on this machine, over standard input and output."""

from __future__ import annotations

import argparse

from cybersecqwen.cli.common import EXIT_DONE
from cybersecqwen.cli.serve import add_settings, settings_given

HELP = "serve tools to an agent over standard input and output (MCP)"
EXAMPLES = ("mcp",)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until the agent closes the connection."""
    from cybersecqwen.serving.server import serve_stdio
    from cybersecqwen.serving.settings import load_settings

    serve_stdio(load_settings(settings_given(arguments), arguments.config))
    return EXIT_DONE
