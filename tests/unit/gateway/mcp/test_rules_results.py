"""Rules about results, lists and errors: T11 to T14, T19 to T22, over HTTP, by revision."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from harness.mcpkit import MODERN, McpServer, mcp_server, person, principal
from harness.revisions import (
    ASKS,
    OLDER,
    REVISIONS,
    SERVER_INFO,
    answered,
    ask,
    call,
    frames,
    refused,
)
from productive_contract.mapping import Access
from productive_gateway.people.scopes import READ
from productive_gateway.tools.registry import TOOLS

DEEPEST = 12
"""Levels of a tool's schema."""
LARGEST = 16_384
"""Bytes of a tool's schema."""
CODES = {-32700, -32600, -32601, -32602, -32603, -32020, -32021, -32022}
"""Every error code that this server may send."""
COMMENT = {"kind": "comment", "item": "880012"}
FAILING = {"entries": [{"project": "relaunch", "service": "made up", "hours": 1}]}


def initialize(revision: str) -> dict[str, Any]:
    client = {"name": "t", "version": "1"}
    return {"protocolVersion": revision, "capabilities": {}, "clientInfo": client}


# --- T11: server/discover


@pytest.mark.rule("T11")
async def test_discovery_says_what_a_client_needs_before_its_first_call() -> None:
    async with mcp_server() as mcp:
        result = answered(await ask(mcp, MODERN, "server/discover"))
        assert result["supportedVersions"] == [MODERN]
        assert set(result["capabilities"]) == {"tools"}
        assert "Productive" in result["instructions"]
        assert (result["ttlMs"], result["cacheScope"]) == (300_000, "private")
        assert result["_meta"][SERVER_INFO]["title"] == "Productive"


@pytest.mark.rule("T11")
@pytest.mark.parametrize("revision", OLDER)
async def test_handshake_says_the_same_in_older_revisions(revision: str) -> None:
    async with mcp_server() as mcp:
        discovered = answered(await ask(mcp, MODERN, "server/discover"))
        result = answered(await ask(mcp, revision, "initialize", initialize(revision)))
        assert result["instructions"] == discovered["instructions"]
        assert set(result["capabilities"]) == {"tools"}
        named = discovered["_meta"][SERVER_INFO]
        assert (result["serverInfo"]["name"], result["serverInfo"]["version"]) == (
            named["name"],
            named["version"],
        )


# --- T12 and T13: what every result carries


async def results(mcp: McpServer, revision: str) -> dict[str, dict[str, Any]]:
    """Return results of every kind."""
    meta = {"_meta": ASKS} if revision == MODERN else {}
    found = {
        "list": await ask(mcp, revision, "tools/list"),
        "call": await call(mcp, revision, "get_me"),
        "failed call": await call(mcp, revision, "log_time", FAILING),
        "invalid call": await call(mcp, revision, "log_time", {"entries": 5}),
        "unconfirmed call": await call(mcp, revision, "delete_item", COMMENT),
        "asking call": await call(mcp, revision, "delete_item", COMMENT, params=meta),
    }
    if revision == MODERN:
        found["discover"] = await ask(mcp, revision, "server/discover")
    else:
        found["initialize"] = await ask(mcp, revision, "initialize", initialize(revision))
        found["ping"] = await ask(mcp, revision, "ping")
    return {name: answered(response) for name, response in found.items()}


@pytest.mark.rule("T12")
async def test_every_result_names_its_type_and_the_server() -> None:
    async with mcp_server() as mcp:
        for name, result in (await results(mcp, MODERN)).items():
            wanted = "input_required" if name == "asking call" else "complete"
            assert result["resultType"] == wanted, name
            info = result["_meta"][SERVER_INFO]
            assert (info["name"], info["version"]) == ("productive", "1.2.3"), name


@pytest.mark.rule("T12", "T13", "T18")
@pytest.mark.parametrize("revision", OLDER)
async def test_older_revisions_get_no_member_that_they_do_not_know(revision: str) -> None:
    async with mcp_server() as mcp:
        for name, result in (await results(mcp, revision)).items():
            newer = {"resultType", "_meta", "ttlMs", "cacheScope", "inputRequests", "requestState"}
            assert newer.isdisjoint(result), name


@pytest.mark.rule("T13")
async def test_only_what_may_be_kept_says_how_long_and_for_whom() -> None:
    async with mcp_server() as mcp:
        for name, result in (await results(mcp, MODERN)).items():
            if name in {"list", "discover"}:
                assert result["ttlMs"] >= 0
                # Both depend on the person, so nobody else may be given them.
                assert result["cacheScope"] == "private"
            else:
                assert {"ttlMs", "cacheScope"}.isdisjoint(result), name


# --- T14: the list of tools


async def names(mcp: McpServer, revision: str, **rest: Any) -> list[str]:
    listed = answered(await ask(mcp, revision, "tools/list", **rest))
    return [tool["name"] for tool in listed["tools"]]


@pytest.mark.rule("T14")
async def test_list_is_the_same_for_every_connection_token_and_revision() -> None:
    async with mcp_server() as mcp:
        mcp.tokens.known["narrow"] = principal(scopes=frozenset({READ}))
        lists = [
            await names(mcp, revision, **rest)
            for revision in REVISIONS
            for rest in (
                {},
                {"token": "narrow"},
                {"number": "x"},
                {"headers": {"mcp-session-id": "s", "user-agent": "other"}},
            )
        ]
        assert lists == [[tool.name for tool in TOOLS]] * len(lists)


@pytest.mark.rule("T14")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_list_of_a_person_is_a_part_of_all_tools_in_the_same_order(revision: str) -> None:
    async with mcp_server() as mcp:
        for access in (Access(read_only=True), Access(toolsets=("time", "core"))):
            mcp.tokens.known["own"] = principal(person(access=access))
            found = await names(mcp, revision, token="own")
            assert 0 < len(found) < len(TOOLS)
            assert found == [tool.name for tool in TOOLS if tool.name in found]


@pytest.mark.rule("T13", "T14")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_list_has_one_page(revision: str) -> None:
    async with mcp_server() as mcp:
        assert "nextCursor" not in answered(await ask(mcp, revision, "tools/list"))
        response = await ask(mcp, revision, "tools/list", {"cursor": "made-up"})
        assert refused(response) == (400 if revision == MODERN else 200, -32602)


# --- T19: what is gone, and what is sent unasked


@pytest.mark.rule("T19")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_nothing_is_sent_that_was_not_asked_for(revision: str) -> None:
    async with mcp_server() as mcp:
        levels = {"_meta": {"io.modelcontextprotocol/logLevel": "debug"}}
        for params in ({}, levels):
            for response in (
                await call(mcp, revision, "get_me", params=params),
                await call(mcp, revision, "log_time", FAILING, params=params),
            ):
                assert [set(one) & {"method"} for one in frames(response)] == [set()]
                assert "mcp-session-id" not in response.headers


@pytest.mark.rule("T19")
@pytest.mark.parametrize(
    "method",
    ["ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "initialize"],
)
async def test_methods_of_older_revisions_are_gone_in_the_newest(method: str) -> None:
    async with mcp_server() as mcp:
        params = {"level": "debug", "uri": "file:///x", **initialize(MODERN)}
        assert refused(await ask(mcp, MODERN, method, params)) == (404, -32601)


@pytest.mark.rule("T19")
@pytest.mark.parametrize("revision", OLDER)
async def test_older_revisions_are_served_without_a_session(revision: str) -> None:
    async with mcp_server() as mcp:
        assert answered(await ask(mcp, revision, "ping")) == {}
        response = await ask(mcp, revision, "initialize", initialize(revision))
        assert "mcp-session-id" not in response.headers
        assert refused(await ask(mcp, revision, "logging/setLevel", {"level": "debug"})) == (
            200,
            -32601,
        )


# --- T20: error codes


def refused_requests() -> Iterator[tuple[str, dict[str, Any]]]:
    for method in (
        "resources/read",
        "resources/list",
        "resources/templates/list",
        "prompts/get",
        "prompts/list",
        "completion/complete",
        "tasks/get",
        "sampling/createMessage",
        "elicitation/create",
        "roots/list",
        "made/up",
        "",
    ):
        yield method, {"uri": "file:///missing", "name": "missing", "taskId": "x"}
    yield "tools/call", {"name": "made_up", "arguments": {}}
    yield "tools/call", {"name": "get_me", "arguments": []}
    yield "tools/call", {"arguments": {}}
    yield "tools/list", {"cursor": "made-up"}


@pytest.mark.rule("T20")
@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(("method", "params"), list(refused_requests()))
async def test_errors_have_only_codes_of_the_protocol(
    method: str, params: dict[str, Any], revision: str
) -> None:
    async with mcp_server() as mcp:
        status, code = refused(await ask(mcp, revision, method, params))
        assert code in CODES
        assert code in {-32601, -32602} or revision == MODERN
        if revision == MODERN:
            assert status == (404 if code == -32601 else 400)


# --- T21: schemas


def positions(node: Any, level: int = 1) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(node, dict):
        yield level, node
        for value in node.values():
            yield from positions(value, level + 1)
    elif isinstance(node, list):
        for value in node:
            yield from positions(value, level)


@pytest.mark.rule("T21")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_schemas_are_of_2020_12_local_and_small(revision: str) -> None:
    async with mcp_server() as mcp:
        for tool in answered(await ask(mcp, revision, "tools/list"))["tools"]:
            for schema in (tool["inputSchema"], tool["outputSchema"]):
                jsonschema.Draft202012Validator.check_schema(schema)
                assert schema["type"] == "object"
                assert len(json.dumps(schema)) <= LARGEST, tool["name"]
                for level, node in positions(schema):
                    assert level <= DEEPEST, tool["name"]
                    assert str(node.get("$ref", "#")).startswith("#")
                    assert "$dynamicRef" not in node


# --- T22: calls


@pytest.mark.rule("T22")
@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("log_time", {}),
        ("log_time", {"entries": 5}),
        ("log_time", {"entries": [{"hours": "many"}]}),
        ("list_tasks", {"limit": 10**9}),
        ("get_task", {"task": None}),
    ],
)
async def test_invalid_arguments_are_a_result_that_the_model_can_read(
    tool: str, arguments: dict[str, Any], revision: str
) -> None:
    async with mcp_server() as mcp:
        result = answered(await call(mcp, revision, tool, arguments))
        assert result["isError"] is True
        assert result["content"][0]["text"]
        assert result["structuredContent"]["error"]["code"]
        assert mcp.tools.requests("POST") == []


CALLS: dict[str, dict[str, Any]] = {
    "get_me": {},
    "list_tasks": {"assignee": "me"},
    "get_task": {"task": "20510087"},
    "list_projects": {},
    "get_timesheet": {},
    "log_time": {"entries": [{"project": "relaunch", "service": "design", "hours": 1}]},
    "create_tasks": {"tasks": [{"title": "New", "project": "Website care"}]},
    "find": {"query": "website"},
}


@pytest.mark.rule("T22")
@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("name", CALLS)
async def test_structured_result_fits_its_schema_and_comes_as_text_too(
    name: str, revision: str
) -> None:
    async with mcp_server() as mcp:
        tools = answered(await ask(mcp, revision, "tools/list"))["tools"]
        (tool,) = [one for one in tools if one["name"] == name]
        jsonschema.validate(CALLS[name], tool["inputSchema"])
        result = answered(await call(mcp, revision, name, CALLS[name]))
        assert result["isError"] is False
        assert result["content"][0]["type"] == "text"
        assert result["content"][0]["text"]
        validator = jsonschema.Draft202012Validator(tool["outputSchema"])
        validator.validate(result["structuredContent"])


@pytest.mark.rule("T22")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_access_is_checked_at_the_call_and_not_by_the_list_alone(revision: str) -> None:
    async with mcp_server() as mcp:
        mcp.tokens.known["reader"] = principal(person(access=Access(read_only=True)))
        entry = CALLS["log_time"]
        result = answered(await call(mcp, revision, "log_time", entry, token="reader"))
        assert result["isError"] is True
        assert result["structuredContent"]["error"]["code"] == "not_allowed_here"
        mcp.tokens.known["narrow"] = principal(scopes=frozenset({READ}))
        assert (await call(mcp, revision, "log_time", entry, token="narrow")).status_code == 403
        assert mcp.tools.requests("POST") == []
