"""A call of a tool by a client that traces, at a gateway that sends its spans somewhere."""

from __future__ import annotations

import httpx

from harness.foreignapp import App
from harness.processes import eventually
from harness.spans import PARENT, TRACE, TRACEPARENT
from harness.standalone import ANA, Standalone
from harness.tracereceiver import Received, TraceReceiver

_NEVER = ("pmcp_", ANA, "ana.kovac", "simulator-ana-kovac", "9104", "canary")


def check_one_trace(site: Standalone, receiver: TraceReceiver) -> None:
    """Sign in, call a tool as part of a trace, and find the whole trace at the receiver."""
    token = App(site).tokens({"email": ANA}).json()["access_token"]
    answer = httpx.post(
        site.mcp_url,
        json={
            "jsonrpc": "2.0",
            "id": "canary",
            "method": "tools/call",
            "params": {"name": "get_me", "arguments": {"canary": "canary"}},
        },
        headers={
            "Authorization": f"Bearer {token}",
            "Accept": "application/json, text/event-stream",
            "traceparent": TRACEPARENT,
        },
        timeout=30,
        trust_env=False,
    )
    assert answer.status_code == 200
    assert "Ana" in answer.text
    eventually(lambda: bool(_of_trace(receiver, "POST /mcp")), seconds=60, what="the trace arrives")
    [http] = _of_trace(receiver, "POST /mcp")
    [call] = _of_trace(receiver, "tools/call get_me")
    productive = _of_trace(receiver, "GET /organization_memberships")
    assert http.parent == PARENT
    assert call.parent == http.id
    assert {span.parent for span in productive} == {call.id}
    assert answer.headers["x-request-id"] in http.text
    # The sign-in before it is a trace of its own, with the requests to the provider.
    [redeemed] = receiver.find("POST /token")
    assert redeemed.parent == ""
    [asked] = receiver.find("provider token")
    assert asked.parent in {span.id for span in receiver.find("GET /callback")}
    assert {span.service for span in receiver.spans} == {"productive-mcp-gateway"}
    everything = "\n".join(span.text for span in receiver.spans)
    assert [word for word in _NEVER if word in everything] == []


def _of_trace(receiver: TraceReceiver, name: str) -> list[Received]:
    return [span for span in receiver.find(name) if span.trace == TRACE]
