"""The endpoint as a protected resource: what MCP's authorization asks of it (rules R1 to R8)."""

from __future__ import annotations

import httpx
import pytest
from structlog.testing import capture_logs

from harness.mcpkit import METADATA, McpServer, mcp_server, person, principal, request, result_of
from harness.oauthkit import PUBLIC_URL, RESOURCE
from productive_contract.mapping import Access
from productive_gateway.errors import InvalidToken
from productive_gateway.oauth.clients.redirect_policy import RedirectPolicy
from productive_gateway.oauth.config import OAuthConfig
from productive_gateway.oauth.metadata import resource_metadata
from productive_gateway.people.scopes import READ, WRITE
from productive_gateway.tools.registry import TOOLS

ENDED = InvalidToken("This sign-in was ended. Sign in again.", reason="revoked")
CALL = request("tools/call", name="get_me", arguments={})
CONFIG = OAuthConfig(PUBLIC_URL, RESOURCE, RedirectPolicy("*", PUBLIC_URL))


def challenge(response: httpx.Response) -> dict[str, str]:
    """Return the parameters of the one challenge of a response."""
    [value] = response.headers.get_list("www-authenticate")
    scheme, _, parameters = value.partition(" ")
    assert scheme == "Bearer"
    pairs = (one.split("=", 1) for one in parameters.split(", "))
    return {name: quoted.removeprefix('"').removesuffix('"') for name, quoted in pairs}


@pytest.mark.rule("R3")
@pytest.mark.parametrize("message", [request("tools/list"), request("ping"), CALL])
@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25"])
async def test_token_is_checked_again_on_the_next_request(
    message: dict[str, object], version: str
) -> None:
    async with mcp_server() as mcp:
        assert (await mcp.post(message, version=version)).status_code == 200
        mcp.tokens.known["good"] = ENDED
        response = await mcp.post(message, version=version)
        assert response.status_code == 401
        assert challenge(response)["error"] == "invalid_token"


@pytest.mark.rule("R3")
@pytest.mark.parametrize("method", ["server/discover", "tools/list", "tools/call"])
async def test_token_is_checked_again_on_the_next_request_without_a_handshake(method: str) -> None:
    params = {"name": "get_me", "arguments": {}} if method == "tools/call" else {}
    async with mcp_server() as mcp:
        assert (await mcp.modern(method, **params)).status_code == 200
        mcp.tokens.known["good"] = ENDED
        assert (await mcp.modern(method, **params)).status_code == 401


@pytest.mark.rule("R5")
@pytest.mark.parametrize("modern", [False, True])
async def test_token_of_the_client_is_never_sent_to_productive(*, modern: bool) -> None:
    token = "token-of-the-client"
    sent: list[str] = []

    async def keep(asked: httpx.Request) -> None:
        sent.append(f"{asked.url} {asked.headers} {asked.content!r}")

    async with mcp_server() as mcp:
        mcp.tokens.known[token] = principal()
        mcp.tools.transport.before = keep
        if modern:
            response = await mcp.modern("tools/call", token=token, name="get_me", arguments={})
        else:
            response = await mcp.post(CALL, token=token)
        assert result_of(response)["result"]["isError"] is False
    assert sent
    assert not [one for one in sent if token in one]


@pytest.mark.rule("R6")
async def test_scope_for_writing_is_enough_to_read() -> None:
    async with mcp_server() as mcp:
        mcp.tokens.known["good"] = principal(scopes=frozenset({WRITE}))
        assert result_of(await mcp.post(CALL))["result"]["isError"] is False


@pytest.mark.rule("R6")
async def test_challenge_for_more_scope_names_all_that_the_call_needs() -> None:
    writing = [tool.name for tool in TOOLS if tool.scope == WRITE]
    assert writing
    async with mcp_server() as mcp:
        for name in writing:
            mcp.tokens.known["good"] = principal(scopes=frozenset({READ}))
            response = await mcp.modern("tools/call", name=name, arguments={})
            assert response.status_code == 403, name
            asked = challenge(response)
            assert asked["error"] == "insufficient_scope"
            assert asked["resource_metadata"] == METADATA
            # Those of the token as well: a client asks for exactly these.
            assert asked["scope"].split() == [READ, WRITE]
            mcp.tokens.known["good"] = principal(scopes=frozenset(asked["scope"].split()))
            assert (await mcp.modern("tools/call", name=name, arguments={})).status_code != 403


@pytest.mark.rule("R6")
async def test_no_challenge_where_more_scope_would_not_help() -> None:
    async with mcp_server() as mcp:
        who = person(access=Access(read_only=True))
        mcp.tokens.known["good"] = principal(who, scopes=frozenset({READ}))
        response = await mcp.post(request("tools/call", name="log_time", arguments={}))
        assert "www-authenticate" not in response.headers
        assert result_of(response)["result"]["isError"] is True


async def _challenges(mcp: McpServer) -> list[httpx.Response]:
    mcp.tokens.known["good"] = principal(scopes=frozenset({READ}))
    return [
        await mcp.post(request("tools/list"), token=None),
        await mcp.post(request("tools/list"), token="unknown"),
        await mcp.post(request("tools/call", name="log_time", arguments={})),
    ]


@pytest.mark.rule("R7")
async def test_offline_access_is_in_no_challenge_and_not_in_the_metadata() -> None:
    async with mcp_server() as mcp:
        for response in await _challenges(mcp):
            assert "offline_access" not in challenge(response)["scope"].split()
    assert "offline_access" not in resource_metadata(CONFIG)["scopes_supported"]


@pytest.mark.rule("R8")
async def test_metadata_lists_only_scopes_that_tools_need_as_challenges_do() -> None:
    """Clients without a challenge ask for all of them."""
    listed = resource_metadata(CONFIG)["scopes_supported"]
    assert set(listed) == {tool.scope for tool in TOOLS}
    async with mcp_server() as mcp:
        for response in await _challenges(mcp):
            assert challenge(response)["scope"].split() == listed


@pytest.mark.rule("R6")
@pytest.mark.parametrize("batch", [False, True], ids=["call", "batch"])
async def test_call_that_is_refused_for_its_scope_is_audited(batch: bool) -> None:
    wanted = request("tools/call", name="log_time", arguments={"entries": []})
    async with mcp_server() as mcp:
        mcp.tokens.known["reader"] = principal(scopes=frozenset({READ}))
        with capture_logs() as lines:
            sent = [request("ping"), wanted] if batch else wanted
            refused = await mcp.post(sent, token="reader", version="2025-03-26")
    assert refused.status_code == httpx.codes.FORBIDDEN
    [line] = lines
    assert (line["event"], line["reason"]) == ("tool_called", "wrong_scope")
    assert (line["tool"], line["user"]) == ("log_time", person().user)
    assert (line["grant"], line["client"]) == ("grant-1", "c0ffee")
