"""Rules about the form of a request: T1 to T10, over HTTP, in every revision."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from harness.mcpkit import JSON_HEADERS, META, MODERN, McpServer, mcp_server, request
from harness.revisions import (
    OLDER,
    REVISIONS,
    answered,
    ask,
    call,
    frames,
    headers_of,
    message_of,
    refused,
)

VERSION = "io.modelcontextprotocol/protocolVersion"
UNKNOWN = ("2099-01-01", "2024-10-07", "draft", "", "2025-11-25 ,", "ö", "x" * 500)
AUTHORIZED = {**JSON_HEADERS, "authorization": "Bearer good"}


async def post(mcp: McpServer, message: Any, headers: dict[str, str]) -> Any:
    sent = [(k.encode(), v.encode("latin-1")) for k, v in {**AUTHORIZED, **headers}.items()]
    return await mcp.http.post("/mcp", content=json.dumps(message), headers=sent)


# --- T1: one path, POST, one message


@pytest.mark.rule("T1", "T19")
@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD"])
async def test_other_methods_are_refused_after_authentication(method: str, revision: str) -> None:
    async with mcp_server() as mcp:
        headers = {"accept": "text/event-stream", "mcp-protocol-version": revision}
        without = await mcp.http.request(method, "/mcp", headers=headers)
        assert without.status_code == 401
        headers["authorization"] = "Bearer good"
        response = await mcp.http.request(method, "/mcp", headers=headers)
        assert response.status_code == 405
        assert response.headers["allow"] == "POST"


@pytest.mark.rule("T1")
@pytest.mark.parametrize("revision", REVISIONS[1:])
async def test_batch_is_refused_where_the_revision_has_none(revision: str) -> None:
    async with mcp_server() as mcp:
        message = message_of(revision, "tools/list")
        response = await post(mcp, [message], headers_of(revision, message))
        assert refused(response) == (400, -32600)


@pytest.mark.rule("T1")
async def test_batch_is_answered_in_the_revision_that_has_them() -> None:
    async with mcp_server() as mcp:
        response = await post(mcp, [request("ping", 1), request("ping", 2)], {})
        assert [one["id"] for one in response.json()] == [1, 2]


@pytest.mark.rule("T1")
async def test_response_that_a_client_posts_is_refused_in_the_newest_revision() -> None:
    async with mcp_server() as mcp:
        posted = {"jsonrpc": "2.0", "id": 1, "result": {}}
        response = await post(mcp, posted, {"mcp-protocol-version": MODERN})
        assert refused(response) == (400, -32600)


# --- T2: origin


@pytest.mark.rule("T2")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_foreign_origin_is_refused_before_the_token_is_read(revision: str) -> None:
    async with mcp_server() as mcp:
        headers = {"origin": "https://evil.example"}
        response = await ask(mcp, revision, "tools/list", headers=headers)
        assert response.status_code == 403
        assert mcp.tokens.asked == []


# --- T3: what a POST is answered with


@pytest.mark.rule("T3")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_request_is_answered_with_json_or_an_event_stream(revision: str) -> None:
    async with mcp_server() as mcp:
        for response in (
            await ask(mcp, revision, "tools/list"),
            await call(mcp, revision, "get_me"),
        ):
            kind = response.headers["content-type"].partition(";")[0]
            assert kind in {"application/json", "text/event-stream"}
            assert frames(response)[-1]["id"] == 1


@pytest.mark.rule("T3")
@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("method", ["notifications/initialized", "notifications/made/up"])
async def test_notification_is_accepted_without_a_body(method: str, revision: str) -> None:
    async with mcp_server() as mcp:
        message = message_of(revision, method)
        del message["id"]
        response = await post(mcp, message, headers_of(revision, message))
        assert (response.status_code, response.content) == (202, b"")


# --- T4 and T5: the revision


@pytest.mark.rule("T4")
@pytest.mark.parametrize("header", [None, *OLDER, "2024-11-05"])
async def test_newest_revision_in_the_message_needs_the_same_in_the_header(
    header: str | None,
) -> None:
    async with mcp_server() as mcp:
        headers = {} if header is None else {"mcp-protocol-version": header}
        for message in (
            request("tools/list", _meta=META),
            request("tools/call", name="get_me", arguments={}, _meta=META),
        ):
            assert refused(await post(mcp, message, headers)) == (400, -32020)
        assert mcp.tools.requests() == []


@pytest.mark.rule("T4")
@pytest.mark.parametrize("meant", ["2025-11-25", "2099-01-01", "", None, 5, ["2026-07-28"], {}])
async def test_newest_revision_in_the_header_needs_the_same_in_the_message(meant: Any) -> None:
    async with mcp_server() as mcp:
        message = request("tools/list", _meta={**META, VERSION: meant})
        headers = {"mcp-protocol-version": MODERN, "mcp-method": "tools/list"}
        assert refused(await post(mcp, message, headers)) == (400, -32020)


@pytest.mark.rule("T4")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_repeated_version_header_is_a_mismatch(revision: str) -> None:
    async with mcp_server() as mcp:
        message = message_of(revision, "tools/list")
        sent = {**AUTHORIZED, **headers_of(revision, message), "mcp-protocol-version": revision}
        headers = [*sent.items(), ("mcp-protocol-version", revision)]
        response = await mcp.http.post("/mcp", content=json.dumps(message), headers=headers)
        assert refused(response) == (400, -32020)


@pytest.mark.rule("T4", "T6")
async def test_blanks_around_header_values_do_not_count() -> None:
    async with mcp_server() as mcp:
        message = request("tools/call", name="get_me", arguments={}, _meta=META)
        headers = {
            "mcp-protocol-version": f" {MODERN}\t",
            "mcp-method": "tools/call  ",
            "mcp-name": "\t get_me ",
        }
        assert answered(await post(mcp, message, headers))["isError"] is False


@pytest.mark.rule("T5")
@pytest.mark.parametrize("version", UNKNOWN)
@pytest.mark.parametrize("method", ["tools/list", "tools/call", "initialize", "made/up"])
@pytest.mark.parametrize("meta", ["none", "same", "empty"])
async def test_unknown_revision_is_answered_with_the_served_ones(
    meta: str, method: str, version: str
) -> None:
    async with mcp_server() as mcp:
        params: dict[str, Any] = {"name": "get_me", "arguments": {}}
        if meta != "none":
            params["_meta"] = {**META, VERSION: version} if meta == "same" else {}
        headers = {"mcp-protocol-version": version, "mcp-method": method, "mcp-name": "get_me"}
        response = await post(mcp, request(method, 7, **params), headers)
        assert refused(response) == (400, -32022)
        error = response.json()
        assert error["id"] == 7
        assert error["error"]["data"]["supported"] == [MODERN]
        assert version.startswith(error["error"]["data"]["requested"])
        assert mcp.tools.requests() == []


@pytest.mark.rule("T5")
async def test_unknown_revision_of_a_notification_or_a_batch_is_refused_too() -> None:
    async with mcp_server() as mcp:
        headers = {"mcp-protocol-version": "2099-01-01"}
        for message in (
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            [request("ping")],
        ):
            response = await post(mcp, message, headers)
            assert refused(response) == (400, -32022)
            assert response.json()["error"]["data"]["requested"] == "2099-01-01"


@pytest.mark.rule("T5")
@pytest.mark.parametrize("asked", ["2099-01-01", "1.0", *OLDER])
async def test_handshake_settles_on_a_revision_that_is_served(asked: str) -> None:
    async with mcp_server() as mcp:
        client = {"name": "t", "version": "1"}
        params = {"protocolVersion": asked, "capabilities": {}, "clientInfo": client}
        result = answered(await post(mcp, request("initialize", **params), {}))
        assert result["protocolVersion"] == (asked if asked in OLDER else OLDER[-1])


@pytest.mark.rule("T5")
async def test_handshake_that_carries_the_new_metadata_is_still_a_handshake() -> None:
    async with mcp_server() as mcp:
        client = {"name": "t", "version": "1"}
        params = {"protocolVersion": OLDER[-1], "capabilities": {}, "clientInfo": client}
        message = request("initialize", **params, _meta=META)
        assert answered(await post(mcp, message, {}))["protocolVersion"] == OLDER[-1]


# --- T6: routing headers


@pytest.mark.rule("T6")
@pytest.mark.parametrize(
    "changed",
    [
        {"mcp-method": None},
        {"mcp-method": "tools/list"},
        {"mcp-method": "TOOLS/CALL"},
        {"mcp-method": ""},
        {"mcp-name": None},
        {"mcp-name": "log_time"},
        {"mcp-name": "GET_ME"},
        {"mcp-name": ""},
        {"mcp-name": "get_m\xe9"},
        {"mcp-name": "=?base64?Z2V0X21l"},
        {"mcp-name": "=?base64?!!!!?="},
        {"mcp-name": "=?base64?Z2V0X21m?="},
        {"mcp-name": "=?base64?Z2V0X21l=?="},
    ],
)
async def test_routing_header_that_differs_from_the_message_is_a_mismatch(
    changed: dict[str, str | None],
) -> None:
    async with mcp_server() as mcp:
        message = request("tools/call", name="get_me", arguments={}, _meta=META)
        headers = {**headers_of(MODERN, message), **changed}
        sent = {name: value for name, value in headers.items() if value is not None}
        response = await post(mcp, message, sent)
        assert refused(response) == (400, -32020)
        assert mcp.tools.requests() == []


@pytest.mark.rule("T6")
@pytest.mark.parametrize("sent", ["g\xe9t", "g\xc3\xa9t"], ids=["Latin-1", "UTF-8"])
async def test_routing_header_with_other_characters_than_ascii_is_a_mismatch(sent: str) -> None:
    async with mcp_server() as mcp:
        message = request("tools/call", name="g\xe9t", arguments={}, _meta=META)
        headers = {**headers_of(MODERN, message), "mcp-name": sent}
        assert refused(await post(mcp, message, headers)) == (400, -32020)


@pytest.mark.rule("T6")
async def test_encoded_name_is_decoded_before_it_is_compared() -> None:
    async with mcp_server() as mcp:
        encoded = f"=?base64?{base64.b64encode(b'get_me').decode()}?="
        response = await call(mcp, MODERN, "get_me", headers={"mcp-name": encoded})
        assert answered(response)["isError"] is False


@pytest.mark.rule("T6")
@pytest.mark.parametrize("revision", OLDER)
async def test_older_revisions_do_not_know_the_routing_headers(revision: str) -> None:
    async with mcp_server() as mcp:
        headers = {"mcp-method": "tools/list", "mcp-name": "log_time"}
        response = await call(mcp, revision, "get_me", headers=headers)
        assert answered(response)["isError"] is False


# --- T7: parameters in headers


@pytest.mark.rule("T7")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_parameter_headers_that_no_tool_asks_for_change_nothing(revision: str) -> None:
    async with mcp_server() as mcp:
        listed = answered(await ask(mcp, revision, "tools/list"))["tools"]
        assert "x-mcp-header" not in json.dumps(listed)
        stray = {"mcp-param-person": "9106", "mcp-param-x": "=?base64?!!?="}
        me = answered(await call(mcp, revision, "get_me", headers=stray))
        assert me["structuredContent"]["person"]["id"] == "9104"


# --- T8: unknown methods


@pytest.mark.rule("T8")
@pytest.mark.parametrize("method", ["made/up", "tools/made-up", "ping", "logging/setLevel"])
async def test_unknown_method_is_404_in_the_newest_revision(method: str) -> None:
    async with mcp_server() as mcp:
        assert refused(await ask(mcp, MODERN, method)) == (404, -32601)


@pytest.mark.rule("T8")
@pytest.mark.parametrize("revision", OLDER)
@pytest.mark.parametrize("method", ["made/up", "server/discover", "subscriptions/listen"])
async def test_unknown_method_is_an_error_of_the_request_in_older_revisions(
    method: str, revision: str
) -> None:
    async with mcp_server() as mcp:
        assert refused(await ask(mcp, revision, method)) == (200, -32601)


# --- T9: metadata of each request


@pytest.mark.rule("T9")
@pytest.mark.parametrize(
    "meta",
    [
        None,
        {},
        "text",
        [],
        {VERSION: MODERN},
        {"io.modelcontextprotocol/clientCapabilities": {}},
    ],
)
@pytest.mark.parametrize("method", ["tools/list", "server/discover", "tools/call", "made/up"])
async def test_request_without_its_metadata_is_refused(method: str, meta: Any) -> None:
    async with mcp_server() as mcp:
        params = {"name": "get_me", "arguments": {}, **({} if meta is None else {"_meta": meta})}
        message = request(method, **params)
        response = await post(mcp, message, headers_of(MODERN, message))
        assert refused(response) == (400, -32602)
        assert mcp.tools.requests() == []


@pytest.mark.rule("T9")
@pytest.mark.parametrize("declared", ["text", 5, [], {"elicitation": "yes"}])
async def test_malformed_capabilities_are_refused(declared: Any) -> None:
    async with mcp_server() as mcp:
        meta = {**META, "io.modelcontextprotocol/clientCapabilities": declared}
        message = request("tools/call", name="get_me", arguments={}, _meta=meta)
        response = await post(mcp, message, headers_of(MODERN, message))
        assert refused(response) == (400, -32602)
        assert mcp.tools.requests() == []


# --- T10: capabilities of the client


@pytest.mark.rule("T10")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_no_tool_needs_a_capability_that_the_client_did_not_declare(revision: str) -> None:
    """A client that cannot show a question gets a token to confirm with, in place of -32021."""
    async with mcp_server() as mcp:
        entry = {"project": "relaunch", "service": "design", "hours": 1}
        logged = answered(await call(mcp, revision, "log_time", {"entries": [entry]}))
        number = logged["structuredContent"]["results"][0]["entry"]["id"]
        doomed = {"kind": "time_entry", "item": number}
        asked = answered(await call(mcp, revision, "delete_item", doomed))
        error = asked["structuredContent"]["error"]
        assert error["code"] == "needs_confirmation"
        assert mcp.tools.requests("DELETE") == []
        confirmed = {**doomed, "confirm": error["confirm"]}
        assert answered(await call(mcp, revision, "delete_item", confirmed))["isError"] is False
        assert len(mcp.tools.requests("DELETE")) == 1
