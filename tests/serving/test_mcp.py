"""A real client of the Model Context Protocol, over both transports."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

pytest.importorskip("mcp")
from mcp import ClientSession, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

TOOLS = {"map_cve", "assess_cve", "find_techniques", "ask", "search_knowledge", "cwe_info"}


async def use(session: ClientSession) -> None:
    await session.initialize()
    listed = (await session.list_tools()).tools
    assert {tool.name for tool in listed} == TOOLS
    assert all(tool.description and tool.annotations for tool in listed)

    mapped: Any = await session.call_tool("map_cve", {"text": "a sql flaw", "top_k": 2})
    assert mapped.structured_content["cwe"] == "CWE-89"
    answer: Any = await session.call_tool("ask", {"question": "What is cross-site scripting?"})
    assert answer.structured_content["text"]
    chosen: Any = await session.call_tool("ask", {"question": "Which?", "choices": ["XSS", "tea"]})
    assert chosen.structured_content["letter"] in "AB"
    found: Any = await session.call_tool("search_knowledge", {"query": "scripting", "limit": 2})
    assert found.structured_content["passages"][0]["id"].startswith("CWE-79")
    entry: Any = await session.call_tool("cwe_info", {"cwe": "89"})
    assert entry.structured_content["id"] == "CWE-89"

    for name, wrong in (
        ("cwe_info", {"cwe": "CWE-999999"}),
        ("map_cve", {"text": ""}),
        ("map_cve", {"text": "\u200b"}),
        ("map_cve", {"text": "a", "labeller": "me"}),
    ):
        refused: Any = await session.call_tool(name, wrong)
        assert refused.is_error, (name, wrong)


def test_http(live: Any) -> None:
    async def talk() -> None:
        async with (
            streamable_http_client(f"{live.url}/mcp") as streams,
            ClientSession(streams[0], streams[1]) as session,
        ):
            await use(session)

    anyio.run(talk)


def test_stdio(files: dict[str, Any], tmp_path: Path) -> None:
    command = [
        *("-m", "cybersecqwen", "mcp", "--model", files["model"], "--kb", str(files["kb"])),
        *("--specialist", files["specialist"], "--specialist-sha256", files["specialist_sha256"]),
    ]

    async def talk() -> None:
        server = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))
        with (tmp_path / "log").open("w") as log:
            async with (
                stdio_client(server, errlog=log) as streams,
                ClientSession(streams[0], streams[1]) as session,
            ):
                await use(session)

    anyio.run(talk)
