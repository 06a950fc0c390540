"""Plain calls of tools, answered without the SDK, which takes more than twice as long for a call.

This is the same call by a shorter way. Everything that protects it is done before, by the endpoint,
for both ways; the tool runs through the registry, which limits, times and audits it; and the answer
is the one that the SDK would give. A call that is not plain is left to the SDK: one with a progress
token, with parameters in headers, with the answer to a question, or with a member that is not known
here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import anyio
import mcp_types as types
from mcp.server.connection import Connection
from mcp.server.lowlevel.server import Server
from mcp.shared.inbound import MCP_PARAM_HEADER_PREFIX, X_MCP_HEADER_KEY
from mcp_types import methods
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from productive_gateway.errors import AccessDenied, InvalidToken
from productive_gateway.mcp import elicitation
from productive_gateway.mcp.delayed import Delayed
from productive_gateway.mcp.message import Message
from productive_gateway.mcp.plain import LONGEST_REMEMBERED, plain_revision
from productive_gateway.mcp.token_watch import TokenWatch
from productive_gateway.people.principal import Principal
from productive_gateway.tools.kit.errors import UserQuestion
from productive_gateway.tools.kit.running import CallEnded, RunningCall
from productive_gateway.tools.registry import Answer, ToolRegistry
from productive_gateway.web.headers import RawHeaders
from productive_gateway.web.timers import Timers
from productive_gateway.web.whole_answer import send_whole

METHOD: Final = "tools/call"
ATTENDED_AFTER: Final = 0.05
"""Seconds after which a task looks whether the client goes away: a call that asks nobody is over by
then, and a task for each would cost as much as such a call."""
KEPT_ALIVE_AFTER: Final = 15.0
"""Seconds without a byte after which a proxy might close the connection; as the SDK has it."""

_MEMBERS: Final = frozenset({"jsonrpc", "id", "method", "params"})
_PARAMS: Final = frozenset({"name", "arguments", "_meta"})
_PROGRESS_TOKEN: Final = "progressToken"  # noqa: S105  # a name of the protocol
_PARAM_HEADERS: Final = MCP_PARAM_HEADER_PREFIX.lower().encode()
_SURROGATES: Final = (b"\\ud", b"\\uD")
"""How half of a surrogate pair begins, which is no text; parsers differ in what they do with it."""

_JSON: Final[RawHeaders] = ((b"content-type", b"application/json"),)
_STREAM: Final[RawHeaders] = (
    (b"content-type", b"text/event-stream"),
    (b"connection", b"keep-alive"),
    (b"x-accel-buffering", b"no"),
)
_PING: Final = b": ping\r\n\r\n"


@dataclass(frozen=True, slots=True)
class PlainCall:
    """What a plain tools/call asks for."""

    revision: str
    number: int | str
    tool: str
    arguments: Mapping[str, Any]
    can_ask: bool
    """Whether the client can show the user a question."""


@dataclass(frozen=True, slots=True)
class Client:
    """The client of one call."""

    scope: Scope
    receive: Receive
    send: Send
    token: str
    """What the client authenticated with."""


class PlainCalls:
    """Reads plain calls, runs them and sends their answers."""

    def __init__(
        self, server: Server[dict[str, Any]], registry: ToolRegistry, watch: TokenWatch
    ) -> None:
        """Connect the parts.

        Args:
            server: the SDK's, whose answers these are equal to.
            registry: the tools.
            watch: of the tokens of running calls.
        """
        self._registry = registry
        self._watch = watch
        self._attended = Timers(ATTENDED_AFTER)
        self._info = {types.SERVER_INFO_META_KEY: server.server_info_stamp}
        self._without_headers: dict[str, bool] = {}
        self._ends = {
            version: self._end(version)
            for method, version in methods.SERVER_RESULTS
            if method == METHOD
        }

    def read(self, headers: RawHeaders, body: bytes, message: Message) -> PlainCall | None:
        """Return a plain call; None for anything else.

        Args:
            headers: of the request, without blanks around their values.
            body: of the request.
            message: what the body holds, of valid form.
        """
        params = message.get("params")
        if message.get("method") != METHOD or not isinstance(params, dict):
            return None
        name, meta = params.get("name"), params.get("_meta", {})
        plain = (
            isinstance(name, str)
            and isinstance(meta, dict)
            and message.keys() == _MEMBERS
            and params.keys() <= _PARAMS
            and self._takes_no_headers(name)
            and _PROGRESS_TOKEN not in meta
            and not (_SURROGATES[0] in body or _SURROGATES[1] in body)
            and _PARAM_HEADERS not in b" ".join([one for one, _ in headers])
        )
        version = plain_revision(headers, message) if plain else None
        if version is None:
            return None
        can_ask = version in MODERN_PROTOCOL_VERSIONS and _can_ask(version, meta)
        arguments = params.get("arguments") or {}
        return PlainCall(version, message["id"], params["name"], arguments, can_ask)

    async def run(self, principal: Principal, call: PlainCall, client: Client) -> None:
        """Run a call and send its answer, unless the client goes away meanwhile.

        Raises:
            InvalidToken: the token became invalid before the response began.
            AccessDenied: the person was suspended before the response began.
        """
        running = RunningCall()
        response = _Response(call, client, running)
        watched = self._watch.begin(client.token, running.end)
        try:
            answer = await self._attended_answer(principal, call, response, running)
        finally:
            watched.stop()
        if answer is not None:
            await response.finish(answer)
        elif watched.ended is not None:
            await response.end(watched.ended)

    async def _attended_answer(
        self, principal: Principal, call: PlainCall, response: _Response, running: RunningCall
    ) -> bytes | None:
        """Return the answer of a call; None if it was ended."""
        attended = Delayed(self._attended, response.attend)
        try:
            return await self._answered(principal, call, running)
        except CallEnded:
            return None
        finally:
            attended.stop()

    async def _answered(self, principal: Principal, call: PlainCall, running: RunningCall) -> bytes:
        """Return the whole JSON-RPC answer."""
        try:
            answer = await self._registry.call(
                principal, call.tool, call.arguments, can_ask=call.can_ask, running=running
            )
        except UserQuestion as asked:
            question = elicitation.question(asked.message, asked.action, asked.token)
            result = json.dumps(self._shaped(call.revision, question)).encode()
        else:
            result = _written(answer) + self._ends[call.revision]
        return b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (
            to_json(call.number, ensure_ascii=True),
            result,
        )

    def _takes_no_headers(self, name: str) -> bool:
        """Whether a tool exists, and none of its arguments is repeated in a header."""
        if name not in self._without_headers:
            schema = self._registry.input_schema(name)
            if schema is None:
                return False
            self._without_headers[name] = X_MCP_HEADER_KEY not in json.dumps(schema)
        return self._without_headers[name]

    def _end(self, version: str) -> bytes:
        """Return what the SDK adds to each result in a revision, as the end of an object."""
        plain = types.CallToolResult(content=[], structured_content={}, is_error=False)
        shaped = self._shaped(version, plain)
        added = {name: value for name, value in shaped.items() if name not in _RESULT}
        return b"," + json.dumps(added).encode()[1:] if added else b"}"

    def _shaped(self, version: str, result: BaseModel) -> dict[str, Any]:
        """Return a result as the SDK sends it in a revision."""
        dumped = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        shaped = methods.serialize_server_result(METHOD, version, dumped)
        if version in MODERN_PROTOCOL_VERSIONS:
            shaped["_meta"] = self._info
        return shaped


_RESULT: Final = frozenset({"content", "structuredContent", "isError"})


class _Response:
    """The response to one call.

    Nothing is sent before the call is over, except that a long one begins a stream which keeps the
    connection alive.
    """

    def __init__(self, call: PlainCall, client: Client, running: RunningCall) -> None:
        # Before 2026-07-28 each answer is a stream of one event.
        self._streams = call.revision not in MODERN_PROTOCOL_VERSIONS
        self._begun = False
        self._client = client
        self._running = running

    async def attend(self) -> None:
        """End the call once the client is gone; until then keep the connection alive."""
        while True:
            with anyio.move_on_after(KEPT_ALIVE_AFTER):
                while (await self._client.receive())["type"] != "http.disconnect":
                    pass
                self._running.end()
                return
            self._streams = True
            await self._begin()
            await self._send_body(_PING, more=True)

    async def finish(self, answer: bytes) -> None:
        """Send the answer."""
        headers = _STREAM if self._streams else _JSON
        if self._streams:
            answer = b"event: message\r\ndata: %s\r\n\r\n" % answer
        if self._begun:
            await self._send_body(answer, more=False)
        else:
            await send_whole(self._client.scope, self._client.send, 200, headers, answer)

    async def end(self, reason: InvalidToken | AccessDenied) -> None:
        """End the response without an answer.

        Raises:
            InvalidToken, AccessDenied: the reason, if nothing was sent yet.
        """
        if not self._begun:
            raise reason
        # The part that was sent cannot be taken back.
        await self._send_body(b"", more=False)

    async def _begin(self) -> None:
        if not self._begun:
            start = {"type": "http.response.start", "status": 200, "headers": [*_STREAM]}
            await self._client.send(start)
            # Not before: while the client reads nothing, the call may end and send it again.
            self._begun = True

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        await self._client.send({"type": "http.response.body", "body": body, "more_body": more})


def _can_ask(version: str, meta: Mapping[str, Any]) -> bool:
    declared = meta[types.CLIENT_CAPABILITIES_META_KEY]
    if not declared:
        return False
    text = json.dumps(declared)
    can_ask = _declares_forms if len(text) <= LONGEST_REMEMBERED else _declares_forms.__wrapped__
    return can_ask(version, text)


@lru_cache(maxsize=64)
def _declares_forms(version: str, declared: str) -> bool:
    """Whether the capabilities that a client declares, written as JSON, let it show a question."""
    # The SDK decides what a malformed declaration means.
    connection = Connection.from_envelope(version, None, json.loads(declared))
    return elicitation.can_ask(version, connection.client_capabilities)


def _written(answer: Answer) -> bytes:
    """Return the members of a result that are a tool's own, as the beginning of an object."""
    own = {
        "content": [{"type": "text", "text": answer.text}],
        "structuredContent": answer.structured,
        "isError": answer.is_error,
    }
    try:
        text = to_json(own, ensure_ascii=True)
    except ValueError:
        # Half of a surrogate pair, which Productive may have stored.
        text = json.dumps(own, separators=(",", ":")).encode()
    return text[:-1]
