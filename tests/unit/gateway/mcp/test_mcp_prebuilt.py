from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import httpx
import pytest
from mcp_types import methods

from harness.mcpkit import (
    META,
    MODERN,
    McpServer,
    mcp_server,
    person,
    principal,
    request,
    result_of,
)
from productive_contract.mapping import Access
from productive_gateway.mcp.instructions import LONGEST, instructions_for
from productive_gateway.mcp.prebuilt import PrebuiltAnswers
from productive_gateway.tools.kit.access import Allowed
from productive_gateway.tools.kit.declare import Kind
from productive_gateway.tools.registry import TOOLS, TOOLSETS

LEGACY = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")

READING = [tool for tool in TOOLS if tool.kind is Kind.READS]


async def ask(
    mcp: McpServer, method: str, version: str | None, number: Any = 1, token: str = "good"
) -> httpx.Response:
    if version == MODERN:
        message = request(method, number, _meta=META)
        return await mcp.post(message, token=token, version=version, mcp_method=method)
    return await mcp.post(request(method, number), token=token, version=version)


@pytest.mark.parametrize("version", [*LEGACY, None, MODERN])
@pytest.mark.parametrize("method", ["tools/list", "server/discover"])
@pytest.mark.parametrize("number", [0, 7, "text", 'ö\n"', -1, 2**60])
async def test_prebuilt_answer_equals_the_sdk_answer(
    method: str, version: str | None, number: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mcp_server() as mcp:
        ours = await ask(mcp, method, version, number)
        monkeypatch.setattr(PrebuiltAnswers, "answer", lambda *_: None)
        theirs = await ask(mcp, method, version, number)
    assert ours.status_code == theirs.status_code
    assert result_of(ours) == result_of(theirs)


async def test_list_is_serialised_once_and_only_the_id_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    serialised: list[str] = []
    serialise = methods.serialize_server_result

    def counting(method: str, version: str, result: dict[str, Any]) -> dict[str, Any]:
        serialised.append(method)
        return serialise(method, version, result)

    async with mcp_server() as mcp:
        monkeypatch.setattr(methods, "serialize_server_result", counting)
        first = await ask(mcp, "tools/list", MODERN, 1)
        second = await ask(mcp, "tools/list", MODERN, "x")
        assert first.text.replace('"id":1', '"id":"x"') == second.text
    assert serialised == ["tools/list"]


async def test_list_has_the_tools_with_schemas_and_hints() -> None:
    async with mcp_server() as mcp:
        result = result_of(await ask(mcp, "tools/list", MODERN))["result"]
        assert [tool["name"] for tool in result["tools"]] == [tool.name for tool in TOOLS]
        for tool in result["tools"]:
            assert tool["title"]
            assert tool["inputSchema"]["type"] == "object"
            assert tool["outputSchema"]["type"] == "object"
            assert len(tool["annotations"]) == 5
        assert (result["ttlMs"], result["cacheScope"]) == (300_000, "private")
        info = result["_meta"]["io.modelcontextprotocol/serverInfo"]
        assert (info["name"], info["version"]) == ("productive", "1.2.3")


async def test_list_contains_only_what_the_person_may_use() -> None:
    async with mcp_server() as mcp:
        mcp.tokens.known["reader"] = principal(person(access=Access(read_only=True)))
        for version in (MODERN, "2025-11-25"):
            message = (
                request("tools/list", _meta=META) if version == MODERN else request("tools/list")
            )
            for token, names in (("good", TOOLS), ("reader", READING)):
                response = await mcp.post(
                    message, token=token, version=version, mcp_method="tools/list"
                )
                found = result_of(response)["result"]["tools"]
                assert [tool["name"] for tool in found] == [tool.name for tool in names]


@pytest.mark.parametrize(
    ("change", "headers", "status", "code"),
    [
        ({"params": {"cursor": "x", "_meta": META}}, {}, 400, -32602),
        ({"params": {}}, {}, 400, -32602),
        ({}, {"mcp-method": "tools/call"}, 400, -32020),
        ({}, {"mcp-protocol-version": "2099-01-01"}, 400, -32020),
        ({"id": True}, {}, 400, -32600),
        ({"id": None}, {}, 400, -32600),
        ({"jsonrpc": "1.0"}, {}, 400, -32600),
        ({"method": "tools/made-up"}, {"mcp-method": "tools/made-up"}, 404, -32601),
        ({}, {"accept": "application/json"}, 406, None),
        ({}, {"content-type": "text/plain"}, 400, None),
    ],
)
async def test_unusual_request_is_refused_by_the_sdk(
    change: dict[str, Any], headers: dict[str, str], status: int, code: int | None
) -> None:
    async with mcp_server() as mcp:
        message = {**request("tools/list", _meta=META), **change}
        sent = {
            "authorization": "Bearer good",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": MODERN,
            "mcp-method": "tools/list",
            **headers,
        }
        response = await mcp.http.post("/mcp", content=json.dumps(message), headers=sent)
        assert response.status_code == status
        if code is not None:
            assert response.json()["error"]["code"] == code


async def test_repeated_routing_header_is_refused() -> None:
    async with mcp_server() as mcp:
        headers = [
            ("authorization", "Bearer good"),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", MODERN),
            ("mcp-method", "tools/list"),
            ("mcp-method", "tools/list"),
        ]
        content = json.dumps(request("tools/list", _meta=META))
        response = await mcp.http.post("/mcp", content=content, headers=headers)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == -32020


async def test_discovery_returns_revision_instructions_and_capabilities() -> None:
    async with mcp_server() as mcp:
        result = result_of(await ask(mcp, "server/discover", MODERN))["result"]
        assert result["supportedVersions"] == [MODERN]
        assert result["instructions"].startswith("Productive.io")
        assert result["capabilities"] == {"tools": {"listChanged": True}}


async def test_older_client_initializes_in_its_own_revision() -> None:
    async with mcp_server() as mcp:
        for version in LEGACY:
            message = request(
                "initialize",
                protocolVersion=version,
                capabilities={},
                clientInfo={"name": "t", "version": "1"},
            )
            response = await mcp.post(message, version=None)
            result = result_of(response)["result"]
            assert result["protocolVersion"] == version
            assert result["instructions"].startswith("Productive.io")
            assert "mcp-session-id" not in response.headers


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    "toolsets", [kept for size in range(4) for kept in combinations(TOOLSETS, size)]
)
def test_instructions_are_short_and_name_only_tools_that_the_person_has(
    toolsets: tuple[str, ...], read_only: bool
) -> None:
    allowed = Allowed(read_only, toolsets)
    text = instructions_for(allowed)
    assert len(text) < LONGEST
    known = {tool.name for tool in TOOLS if allowed.permits(tool)}
    words = {word.strip("`.,:;()") for word in text.split()}
    assert {word for word in words if "_" in word} <= known | {"next_cursor", "this_week"}
    assert ("may only read" in text) == read_only


async def test_instructions_are_those_of_the_person_who_asks() -> None:
    """Also in revisions in which the SDK answers."""
    reader = principal(person(access=Access(read_only=True)))
    async with mcp_server() as mcp:
        mcp.tokens.known["reader"] = reader
        for token, read_only in (("good", False), ("reader", True), ("good", False)):
            message = request(
                "initialize",
                protocolVersion=LEGACY[-1],
                capabilities={},
                clientInfo={"name": "t", "version": "1"},
            )
            old = result_of(await mcp.post(message, token=token, version=None))["result"]
            new = result_of(await ask(mcp, "server/discover", MODERN, token=token))["result"]
            assert ("may only read" in old["instructions"]) == read_only
            assert new["instructions"] == old["instructions"]
