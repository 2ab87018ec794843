"""An agent's side of the Model Context Protocol: list the tools, call one, read its answer."""

from __future__ import annotations

import os
import sys

import anyio
from mcp import ClientSession, StdioServerParameters, stdio_client

TEXT = "The archive tool follows ../ in member names and writes files outside of its folder."


async def main() -> None:
    """Start the tools as a process of their own and use them, as an agent's host would."""
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "cybersecqwen", "mcp"], env=dict(os.environ)
    )
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        for tool in (await session.list_tools()).tools:
            print(f"tool {tool.name}: {(tool.description or '').splitlines()[0]}")
        mapped = await session.call_tool("map_cve", {"text": TEXT, "top_k": 2})
        answer = mapped.structured_content or {}
        print(f"{answer['cwe']} {answer['confidence']:.2f}  {answer['name']}")


if __name__ == "__main__":
    anyio.run(main)
