"""Tools of the suite that no tool of this gateway can be, so the SDK's server calls them itself.

They answer with pictures and resources, send messages on their way, or ask the client for input.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import mcp_types as types
from mcp.shared.exceptions import MCPError

from conformance.content import IMAGE, elicitation, embedded
from productive_gateway.mcp.server import Context

Result = types.CallToolResult | types.InputRequiredResult
Special = Callable[[Context, types.CallToolRequestParams], Awaitable[Result]]

_AUDIO: Final = types.AudioContent(
    type="audio",
    data="UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=",
    mime_type="audio/wav",
)
_MIXED: Final = '{"test":"data","value":123}'
_CONFIRM: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
}
_COLOR: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"color": {"type": "string"}},
    "required": ["color"],
}
_STATUS: Final = ["active", "inactive", "pending"]
_DEFAULTS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": _STATUS, "default": "active"},
        "verified": {"type": "boolean", "default": True},
    },
}
_ENUMS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"untitledSingle": {"type": "string", "enum": _STATUS}},
}


def _done(*contents: types.ContentBlock) -> types.CallToolResult:
    return types.CallToolResult(content=list(contents))


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)


def _sampling(text: str) -> types.CreateMessageRequest:
    return types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(messages=[_message(text)], max_tokens=100)
    )


def _message(text: str) -> types.SamplingMessage:
    return types.SamplingMessage(role="user", content=_text(text))


def _answering(*contents: types.ContentBlock) -> Special:
    async def answer(ctx: Context, params: types.CallToolRequestParams) -> Result:
        return _done(*contents)

    return answer


async def _log(ctx: Context, params: types.CallToolRequestParams) -> Result:
    for message in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.session.send_log_message("info", message, related_request_id=ctx.request_id)
        await anyio.sleep(0.05)  # as the suite describes the tool
    return _done(_text("Tool with logging executed successfully"))


async def _sample_at_once(ctx: Context, params: types.CallToolRequestParams) -> Result:
    prompt = str((params.arguments or {}).get("prompt"))
    done = await ctx.session.create_message(
        [_message(prompt)], max_tokens=100, related_request_id=ctx.request_id
    )
    return _done(_text(f"LLM response: {done.content}"))


def _eliciting_at_once(schema: dict[str, Any]) -> Special:
    async def elicit(ctx: Context, params: types.CallToolRequestParams) -> Result:
        message = str((params.arguments or {}).get("message"))
        given = await ctx.session.elicit_form(message, schema, ctx.request_id)
        return _done(_text(f"action={given.action}, content={json.dumps(given.content)}"))

    return elicit


async def _need_sampling(ctx: Context, params: types.CallToolRequestParams) -> Result:
    declared = ctx.session.client_capabilities
    if declared is None or declared.sampling is None:
        raise MCPError(
            code=types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="This tool requires that the client can sample.",
            data={"requiredCapabilities": {"sampling": {}}},
        )
    return _done(_text("The client can sample."))


def _asking(requests: dict[str, types.InputRequest], state: str | None = None) -> Special:
    """Return a tool that asks for all of these, and is done once it has an answer to each."""

    async def ask(ctx: Context, params: types.CallToolRequestParams) -> Result:
        given = params.input_responses or {}
        if set(requests) <= set(given) and params.request_state == state:
            shown = [one.content for one in given.values() if isinstance(one, types.ElicitResult)]
            return _done(_text(f"state-ok: {json.dumps(shown)}"))
        return types.InputRequiredResult(input_requests=requests, request_state=state)

    return ask


async def _ask_what_is_declared(ctx: Context, params: types.CallToolRequestParams) -> Result:
    declared = ctx.session.client_capabilities
    requests: dict[str, types.InputRequest] = {}
    if declared is not None and declared.sampling is not None:
        requests["sample"] = _sampling("Say hello.")
    if declared is not None and declared.elicitation is not None:
        requests["ask"] = elicitation("What is your name?")
    return types.InputRequiredResult(input_requests=requests, request_state="declared")


async def _ask_in_rounds(ctx: Context, params: types.CallToolRequestParams) -> Result:
    given = params.input_responses or {}
    if params.request_state == "1" and "step1" in given:
        question = elicitation("Step 2: What is your favorite color?", _COLOR)
        return types.InputRequiredResult(input_requests={"step2": question}, request_state="2")
    if params.request_state == "2" and "step2" in given:
        return _done(_text("Both answers are here."))
    question = elicitation("Step 1: What is your name?")
    return types.InputRequiredResult(input_requests={"step1": question}, request_state="1")


_NAME: Final = elicitation("What is your name?")
_ROOTS: Final = types.ListRootsRequest()
_OK: Final = elicitation("Please confirm.", _CONFIRM)

SPECIAL: Final[dict[str, Special]] = {
    "test_image_content": _answering(IMAGE),
    "test_audio_content": _answering(_AUDIO),
    "test_embedded_resource": _answering(
        embedded("test://embedded-resource", "This is an embedded resource content.")
    ),
    "test_multiple_content_types": _answering(
        _text("Multiple content types test:"),
        IMAGE,
        embedded("test://mixed-content-resource", _MIXED, "application/json"),
    ),
    "test_tool_with_logging": _log,
    "test_logging_tool": _log,
    "test_sampling": _sample_at_once,
    "test_elicitation": _eliciting_at_once(
        {"type": "object", "properties": {"response": {"type": "string"}}}
    ),
    "test_elicitation_sep1034_defaults": _eliciting_at_once(_DEFAULTS),
    "test_elicitation_sep1330_enums": _eliciting_at_once(_ENUMS),
    "test_missing_capability": _need_sampling,
    "test_streaming_elicitation": _asking({"user_name": _NAME}),
    "test_input_required_result_elicitation": _asking({"user_name": _NAME}),
    "test_input_required_result_sampling": _asking(
        {"capital_question": _sampling("What is the capital of France?")}
    ),
    "test_input_required_result_list_roots": _asking({"client_roots": _ROOTS}),
    "test_input_required_result_request_state": _asking({"confirm": _OK}, "nonce"),
    "test_input_required_result_tampered_state": _asking({"confirm": _OK}, "round-1"),
    "test_input_required_result_multiple_inputs": _asking(
        {"user_name": _NAME, "greeting": _sampling("Generate a greeting."), "client_roots": _ROOTS},
        "multiple",
    ),
    "test_input_required_result_multi_round": _ask_in_rounds,
    "test_input_required_result_capabilities": _ask_what_is_declared,
}
