"""Rule T17: `subscriptions/listen`, and what is said of changes where there is no such stream."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from harness.mcpkit import MODERN, McpServer, mcp_server, person, principal
from harness.revisions import (
    OLDER,
    SUBSCRIPTION,
    Exchange,
    answered,
    ask,
    exchange,
    frames,
    headers_of,
    message_of,
    refused,
)
from productive_contract.mapping import Access, Mapping, Person, State
from productive_gateway.errors import AccessDenied, InvalidToken
from productive_gateway.mcp.subscriptions import MOST_STREAMS
from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.people.snapshot import Snapshot

LISTEN = "subscriptions/listen"
TOOLS_CHANGED = "notifications/tools/list_changed"
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
WANTED = {"notifications": {"toolsListChanged": True}}
READ_ONLY = Access(read_only=True)
LUKA = person("simulator-luka-babic", user_id=9106, email="luka.babic@northlight.example")
SECONDS = 10


def publish(mcp: McpServer, *people: Person) -> None:
    """Let a new mapping come into use."""
    mapping = Mapping(revision=1, people={one.email: one for one in people})
    mcp.endpoint.subscriptions.take(Snapshot.of(mapping))


async def acknowledged(one: Exchange) -> dict[str, Any]:
    assert (await one.head())[0] == 200
    frame = await one.frame()
    assert frame is not None
    assert frame["method"] == ACKNOWLEDGED
    params: dict[str, Any] = frame["params"]
    return params


@pytest.mark.rule("T17")
async def test_stream_is_acknowledged_then_reports_changes_then_ends_with_a_result() -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        publish(mcp, person())
        async with exchange(mcp, MODERN, LISTEN, WANTED, number="s-1") as one:
            params = await acknowledged(one)
            assert params["notifications"] == {"toolsListChanged": True}
            assert params["_meta"][SUBSCRIPTION] == "s-1"
            for access in (READ_ONLY, Access(), Access(toolsets=("core",))):
                publish(mcp, person(access=access))
                frame = await one.frame()
                assert frame is not None
                assert frame["method"] == TOOLS_CHANGED
                assert frame["params"]["_meta"][SUBSCRIPTION] == "s-1"
                assert "id" not in frame
            mcp.endpoint.subscriptions.close()
            last = await one.frame()
            assert last is not None
            assert last["id"] == "s-1"
            assert last["result"]["resultType"] == "complete"
            assert last["result"]["_meta"][SUBSCRIPTION] == "s-1"
            await one.task


@pytest.mark.rule("T17")
async def test_mapping_that_changes_nothing_of_the_person_is_not_reported() -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        publish(mcp, person(), LUKA)
        async with exchange(mcp, MODERN, LISTEN, WANTED) as one:
            await acknowledged(one)
            publish(mcp, person(), replace(LUKA, access=READ_ONLY))
            publish(mcp, person("another-token"), LUKA)
            publish(mcp, person(state=State.NO_TOKEN), LUKA)
            publish(mcp, LUKA)
            mcp.endpoint.subscriptions.close()
            last = await one.frame()
            assert last is not None
            assert "result" in last


@pytest.mark.rule("T17")
async def test_only_the_person_whose_list_changed_hears_of_it() -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        mcp.tokens.known["luka"] = principal(LUKA)
        publish(mcp, person(), LUKA)
        async with (
            exchange(mcp, MODERN, LISTEN, WANTED) as ana,
            exchange(mcp, MODERN, LISTEN, WANTED, number=2) as also_ana,
            exchange(mcp, MODERN, LISTEN, WANTED, token="luka") as luka,
        ):
            for one in (ana, also_ana, luka):
                await acknowledged(one)
            publish(mcp, person(access=READ_ONLY), LUKA)
            mcp.endpoint.subscriptions.close()
            for one, number in ((ana, 1), (also_ana, 2)):
                told = await one.frame()
                assert told is not None
                assert told["method"] == TOOLS_CHANGED
                assert told["params"]["_meta"][SUBSCRIPTION] == number
            last = await luka.frame()
            assert last is not None
            assert "result" in last


@pytest.mark.rule("T17")
@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"toolsListChanged": False},
        {"promptsListChanged": True, "resourcesListChanged": True},
        {"resourceSubscriptions": ["file:///x"]},
    ],
)
async def test_only_what_was_asked_for_and_exists_is_acknowledged_and_sent(
    wanted: dict[str, Any],
) -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        publish(mcp, person())
        async with exchange(mcp, MODERN, LISTEN, {"notifications": wanted}) as one:
            assert (await acknowledged(one))["notifications"] == {}
            publish(mcp, person(access=READ_ONLY))
            mcp.endpoint.subscriptions.close()
            last = await one.frame()
            assert last is not None
            assert "result" in last


@pytest.mark.rule("T17")
async def test_change_between_authentication_and_subscription_is_not_lost() -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        # The token's principal is of an older mapping than the one in use.
        publish(mcp, person(access=READ_ONLY))
        async with exchange(mcp, MODERN, LISTEN, WANTED) as one:
            await acknowledged(one)
            told = await one.frame()
            assert told is not None
            assert told["method"] == TOOLS_CHANGED


@pytest.mark.rule("T17")
@pytest.mark.parametrize(
    "end",
    [
        InvalidToken("Over. Sign in again.", reason="revoked"),
        AccessDenied("Suspended. Ask IT.", reason="suspended"),
    ],
)
async def test_stream_ends_when_its_token_becomes_invalid(end: Exception) -> None:
    async with mcp_server(recheck=0.01) as mcp, asyncio.timeout(SECONDS):
        async with exchange(mcp, MODERN, LISTEN, WANTED) as one:
            await acknowledged(one)
            mcp.tokens.known["good"] = end
            assert await one.frame() is None
            await one.task
        await all_slots_are_free(mcp)


@pytest.mark.rule("T15", "T17")
async def test_client_that_disconnects_gives_its_stream_back() -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        for _ in range(MOST_STREAMS + 1):
            async with exchange(mcp, MODERN, LISTEN, WANTED) as one:
                await acknowledged(one)
                assert REGISTRY.get_sample_value("productive_mcp_streams_open") == 1
            assert REGISTRY.get_sample_value("productive_mcp_streams_open") == 0
            sent = len(one.messages)
            publish(mcp, person(access=READ_ONLY))
            publish(mcp, person())
            assert len(one.messages) == sent
        await all_slots_are_free(mcp)


async def all_slots_are_free(mcp: McpServer) -> None:
    mcp.tokens.known["good"] = principal()
    streams = [exchange(mcp, MODERN, LISTEN, WANTED) for _ in range(MOST_STREAMS)]
    opened = [await one.__aenter__() for one in streams]
    for one in opened:
        await acknowledged(one)
    for context in streams:
        await context.__aexit__(None, None, None)


@pytest.mark.rule("T17")
async def test_streams_of_a_person_are_bounded() -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        mcp.tokens.known["luka"] = principal(LUKA)
        opened = [Exchange(mcp, *_listening(number)) for number in range(MOST_STREAMS)]
        for one in opened:
            await acknowledged(one)
        response = await ask(mcp, MODERN, LISTEN, WANTED)
        assert refused(response) == (200, -32603)
        assert str(MOST_STREAMS) in frames(response)[0]["error"]["message"]
        async with exchange(mcp, MODERN, LISTEN, WANTED, token="luka") as other:
            await acknowledged(other)
        opened[0].disconnect()
        await opened[0].task
        async with exchange(mcp, MODERN, LISTEN, WANTED) as again:
            await acknowledged(again)
        for one in opened:
            one.disconnect()
            await one.task


@pytest.mark.attack("L-10")
@pytest.mark.rule("T17")
async def test_streams_of_all_people_are_bounded_and_leave_the_places_of_requests_free() -> None:
    config = {"most_streams": 3, "most_requests": 2}
    async with mcp_server(config=config) as mcp, asyncio.timeout(SECONDS):
        mcp.tokens.known["luka"] = principal(LUKA)
        opened = [Exchange(mcp, *_listening(number)) for number in range(3)]
        for one in opened:
            await acknowledged(one)
        response = await ask(mcp, MODERN, LISTEN, WANTED, token="luka")
        assert refused(response) == (200, -32603)
        assert "too many subscriptions" in frames(response)[0]["error"]["message"]
        assert (await ask(mcp, MODERN, "tools/list")).status_code == 200
        opened[0].disconnect()
        await opened[0].task
        async with exchange(mcp, MODERN, LISTEN, WANTED, token="luka") as again:
            await acknowledged(again)
        for one in opened:
            one.disconnect()
            await one.task


def _listening(number: int) -> tuple[dict[str, Any], dict[str, str]]:
    message = message_of(MODERN, LISTEN, WANTED, number)
    return message, headers_of(MODERN, message)


@pytest.mark.rule("T17")
async def test_stream_with_too_many_unread_changes_is_ended() -> None:
    async with (
        mcp_server() as mcp,
        asyncio.timeout(SECONDS),
        exchange(mcp, MODERN, LISTEN, WANTED) as one,
    ):
        await acknowledged(one)
        for _ in range(40):
            publish(mcp, person(access=READ_ONLY))
            publish(mcp, person())
        told = []
        while (frame := await one.frame()) is not None:
            told.append(frame)
        assert len(told) < 40
        await one.task


@pytest.mark.rule("T17")
async def test_replica_that_stops_opens_no_stream() -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        mcp.endpoint.subscriptions.close()
        assert refused(await ask(mcp, MODERN, LISTEN, WANTED)) == (200, -32603)


@pytest.mark.rule("T17")
async def test_listening_needs_a_filter_and_a_token() -> None:
    async with mcp_server() as mcp:
        assert refused(await ask(mcp, MODERN, LISTEN, {})) == (400, -32602)
        assert (await ask(mcp, MODERN, LISTEN, WANTED, token="bad")).status_code == 401


@pytest.mark.rule("T11", "T17")
async def test_changes_are_promised_only_where_a_stream_reports_them() -> None:
    async with mcp_server() as mcp:
        discovered = answered(await ask(mcp, MODERN, "server/discover"))
        assert discovered["capabilities"] == {"tools": {"listChanged": True}}
        for revision in OLDER:
            client = {"name": "t", "version": "1"}
            params = {"protocolVersion": revision, "capabilities": {}, "clientInfo": client}
            initialized = answered(await ask(mcp, revision, "initialize", params))
            assert initialized["capabilities"] == {"tools": {"listChanged": False}}
            assert refused(await ask(mcp, revision, LISTEN, WANTED)) == (200, -32601)
