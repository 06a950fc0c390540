"""JSON of any form at /mcp: answered, or a JSON-RPC error with status 400, never 5xx."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import given
from hypothesis import strategies as st

from harness.mcpkit import META, MODERN, mcp_server, request, result_of

Post = Callable[..., httpx.Response]

REVISIONS = (None, "2025-03-26", "2025-06-18", "2025-11-25", MODERN)
LONGEST_ERROR = 300

strings = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(
    ["2.0", "tools/call", "tools/list", "initialize", "ping", "get_me", "log_time", MODERN]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | strings
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3)
)
meta = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(META, values), "progressToken": values, "traceparent": values}
)
params = st.fixed_dictionaries(
    {},
    optional={
        "name": values,
        "arguments": values,
        "cursor": values,
        "protocolVersion": values,
        "capabilities": values,
        "clientInfo": values,
        "requestId": values,
        "_meta": meta | values,
    },
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | values,
        "id": values,
        "method": strings | values,
        "params": params | values,
        "result": values,
        "error": values,
    },
)
requests = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "id": st.integers() | strings, "method": strings, "params": params}
)


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    """One server for all examples."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(mcp_server()) as mcp,
    ):
        yield lambda *sent, **headers: portal.call(partial(mcp.post, *sent, **headers))


def error_of(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON-RPC error of a response, which must be short and name no library."""
    assert response.status_code == 400, (response.status_code, response.text)
    body = response.json()
    assert body["jsonrpc"] == "2.0"
    assert set(body) == {"jsonrpc", "id", "error"}
    assert len(response.content) < LONGEST_ERROR
    assert "pydantic" not in response.text
    error: dict[str, Any] = body["error"]
    return error


@given(message=messages | requests | values, revision=st.sampled_from(REVISIONS))
def test_any_json_value_is_answered_or_refused(
    post: Post, message: Any, revision: str | None
) -> None:
    method = message.get("method") if isinstance(message, dict) else None
    header = method if isinstance(method, str) and method.isascii() and method.isprintable() else ""
    response = post(message, version=revision, mcp_method=header)
    assert response.status_code in {200, 202, 400, 404}
    if response.status_code == 400 and not isinstance(message, list):
        assert response.json()["error"]["code"] in {-32700, -32600, -32602, -32020, -32022}


@given(raw=st.binary() | st.text().map(str.encode))
def test_any_bytes_are_answered_or_refused(post: Post, raw: bytes) -> None:
    assert post(raw).status_code in {200, 202, 400}


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    ("change", "code", "number"),
    [
        ({"method": []}, -32600, 1),
        ({"method": {}}, -32600, 1),
        ({"method": None}, -32600, 1),
        ({"method": 7}, -32600, 1),
        ({"id": None}, -32600, None),
        ({"id": True}, -32600, None),
        ({"id": 1.5}, -32600, None),
        ({"id": []}, -32600, None),
        ({"id": {}}, -32600, None),
        ({"id": "a\ud800"}, -32600, None),
        ({"id": "\udc00", "method": "ping"}, -32600, None),
        ({"id": "\ud83d", "method": "canary"}, -32600, None),
        ({"jsonrpc": "1.0"}, -32600, None),
        ({"jsonrpc": 2.0}, -32600, None),
        ({"jsonrpc": None}, -32600, None),
        ({"params": []}, -32602, 1),
        ({"params": "x"}, -32602, 1),
        ({"params": 0}, -32602, 1),
    ],
)
def test_malformed_envelope_gets_a_short_json_rpc_error(
    post: Post, change: dict[str, Any], code: int, number: Any, revision: str | None
) -> None:
    response = post({**request("tools/list"), **change}, version=revision)
    assert error_of(response)["code"] == code
    assert response.json()["id"] == number


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("value", [None, True, 0, 1.5, "text", {}, {"id": 1}, {"result": {}}])
def test_value_that_is_no_message_gets_a_short_json_rpc_error(
    post: Post, value: Any, revision: str | None
) -> None:
    assert error_of(post(value, version=revision))["code"] == -32600


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"9" * 10_000])
def test_body_that_is_no_json_is_a_parse_error(
    post: Post, raw: bytes, revision: str | None
) -> None:
    assert error_of(post(raw, version=revision))["code"] == -32700


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("depth", [100, 300, 900, 2000])
def test_deep_arguments_are_answered_or_refused(
    post: Post, depth: int, revision: str | None
) -> None:
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    marked = request("tools/call", name="get_me", arguments="DEEP", _meta=META)
    raw = json.dumps(marked).encode().replace(b'"DEEP"', deep)
    response = post(raw, version=revision, mcp_method="tools/call", mcp_name="get_me")
    assert response.status_code in {200, 400}


def test_parameters_may_be_null_or_left_out(post: Post) -> None:
    for message in ({**request("tools/list"), "params": None}, request("ping")):
        assert "result" in result_of(post(message, version="2025-11-25"))


@pytest.mark.parametrize("revision", [None, "2025-03-26", "2025-11-25"])
def test_notification_and_response_of_a_client_are_accepted(
    post: Post, revision: str | None
) -> None:
    for message in (
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": "x", "error": {"code": -1, "message": "no"}},
    ):
        response = post(message, version=revision)
        assert (response.status_code, response.content) == (202, b"")
