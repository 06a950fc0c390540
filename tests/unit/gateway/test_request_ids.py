"""One id joins an HTTP answer, what a failed call shows, and the lines of log and audit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from harness.loglines import log_lines
from harness.mcpkit import MODERN, PUBLIC, RESOURCE, McpServer, mcp_server, request, result_of
from productive_gateway.app import mcp_routes, public_app


@asynccontextmanager
async def served() -> AsyncIterator[McpServer]:
    """Serve /mcp behind the outermost layer of the public port."""
    async with mcp_server() as mcp:
        app = public_app(mcp_routes(mcp.endpoint), resource=RESOURCE)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as mcp.http:
            yield mcp


async def failed_call(mcp: McpServer, version: str) -> httpx.Response:
    params: dict[str, Any] = {"name": "log_time", "arguments": {"entries": "none"}}
    if version == MODERN:
        return await mcp.modern("tools/call", **params)
    return await mcp.post(request("tools/call", **params), version=version)


@pytest.mark.parametrize("version", [MODERN, "2025-11-25", "2025-03-26"])
async def test_answer_and_audit_line_have_the_id_of_the_response(version: str) -> None:
    async with served() as mcp:
        with capture_logs() as lines:
            answer = await failed_call(mcp, version)
    request_id = answer.headers["x-request-id"]
    result = result_of(answer)["result"]
    assert result["structuredContent"]["error"]["request_id"] == request_id
    assert result["content"][0]["text"].endswith(f"Request {request_id}.")
    assert [line["request_id"] for line in lines] == [request_id]


async def test_each_request_has_an_id_of_its_own() -> None:
    async with served() as mcp:
        with log_lines() as out:
            out.configure("info")
            answers = await asyncio.gather(*(failed_call(mcp, MODERN) for _ in range(20)))
        ids = {answer.headers["x-request-id"] for answer in answers}
        assert len(ids) == 20
        assert {line["request_id"] for line in out.read_all()} == ids
