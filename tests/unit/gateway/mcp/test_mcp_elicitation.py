"""Questions to the person, with the SDK's own client and server around them."""

from __future__ import annotations

from typing import Any

import mcp_types as types
import pytest
from mcp.client import Client
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp_types import methods

from productive_gateway.mcp.elicitation import KEY, Answer, Reply, answer, can_ask, question

MODERN, LEGACY = "2026-07-28", "2025-11-25"
QUESTION = question("2 time entries of Ana would be deleted.", "Delete 2 entries", "pmcp_cf_t")


def call(**params: Any) -> types.CallToolRequestParams:
    values = {"name": "delete_item", "arguments": {"ids": [1, 2]}, **params}
    return types.CallToolRequestParams.model_validate(values)


def answered(response: object, state: str = "pmcp_cf_t") -> types.CallToolRequestParams:
    return call(inputResponses={KEY: response}, requestState=state)


def accept(content: object) -> dict[str, object]:
    return {"action": "accept", "content": content}


@pytest.mark.parametrize(
    ("version", "elicitation", "expected"),
    [
        (MODERN, {}, True),
        (MODERN, {"form": {}}, True),
        (MODERN, {"form": {}, "url": {}}, True),
        (MODERN, {"url": {}}, False),
        (MODERN, None, False),
        (LEGACY, {"form": {}}, False),
        ("2027-01-01", {"form": {}}, False),
    ],
)
def test_only_clients_that_declared_forms_are_asked(
    version: str, elicitation: object, expected: bool
) -> None:
    declared = {} if elicitation is None else {"elicitation": elicitation}
    assert can_ask(version, types.ClientCapabilities.model_validate(declared)) is expected


def test_client_without_capabilities_is_not_asked() -> None:
    assert not can_ask(MODERN, None)


def test_question_is_valid_in_the_revision_that_has_it() -> None:
    wire = QUESTION.model_dump(by_alias=True, mode="json", exclude_none=True)
    assert wire["resultType"] == "input_required"
    assert wire["requestState"] == "pmcp_cf_t"
    assert wire["inputRequests"][KEY]["method"] == "elicitation/create"
    assert wire["inputRequests"][KEY]["params"]["requestedSchema"]["required"] == [KEY]
    methods.validate_server_result("tools/call", MODERN, wire)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (accept({KEY: True}), Reply.ACCEPTED),
        (accept({KEY: False}), Reply.DECLINED),
        (accept({KEY: "true"}), Reply.CANCELLED),
        (accept({KEY: 1}), Reply.CANCELLED),
        (accept({}), Reply.CANCELLED),
        (accept(None), Reply.CANCELLED),
        ({"action": "decline"}, Reply.DECLINED),
        ({"action": "decline", "content": {KEY: True}}, Reply.DECLINED),
        ({"action": "cancel"}, Reply.CANCELLED),
        ({"action": "cancel", "content": {KEY: True}}, Reply.CANCELLED),
        ({"roots": []}, Reply.CANCELLED),
    ],
)
def test_only_a_literal_yes_counts(response: object, expected: Reply) -> None:
    assert answer(answered(response)) == Answer(expected, "pmcp_cf_t")


def test_first_call_carries_no_answer() -> None:
    assert answer(call()) is None
    assert answer(call(inputResponses={KEY: accept({KEY: True})})) is None


def test_state_without_an_answer_confirms_nothing() -> None:
    assert answer(call(requestState="pmcp_cf_t")) == Answer(Reply.CANCELLED, "pmcp_cf_t")
    other = call(requestState="pmcp_cf_t", inputResponses={"other": accept({KEY: True})})
    assert answer(other) == Answer(Reply.CANCELLED, "pmcp_cf_t")


def test_token_is_in_no_representation_of_an_answer() -> None:
    assert "pmcp_cf_t" not in repr(answer(call(requestState="pmcp_cf_t")))


@pytest.mark.parametrize(
    ("action", "expected"),
    [("accept", Reply.ACCEPTED), ("decline", Reply.DECLINED), ("cancel", Reply.CANCELLED)],
)
async def test_client_of_the_sdk_shows_the_question_and_calls_again(
    action: Any, expected: Reply
) -> None:
    calls: list[types.CallToolRequestParams] = []
    shown: list[str] = []

    async def call_tool(
        ctx: ServerRequestContext[dict[str, Any]], params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        calls.append(params)
        given = answer(params)
        if given is None:
            assert can_ask(ctx.protocol_version, ctx.session.client_capabilities)
            return QUESTION
        return types.CallToolResult(content=[types.TextContent(type="text", text=given.reply)])

    async def ask(_: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        shown.append(params.message)
        content = {KEY: True} if action == "accept" else None
        return types.ElicitResult(action=action, content=content)

    server = Server("test", on_call_tool=call_tool, on_list_tools=list_tools)
    async with Client(server, elicitation_callback=ask) as client:
        result = await client.call_tool("delete_item", {"ids": [1, 2]})
    assert [one.text for one in result.content if isinstance(one, types.TextContent)] == [expected]
    assert shown == ["2 time entries of Ana would be deleted."]
    assert [one.arguments for one in calls] == [{"ids": [1, 2]}] * 2
    assert calls[1].request_state == "pmcp_cf_t"


async def test_client_that_cannot_show_a_question_is_known_by_its_request() -> None:
    able: list[bool] = []

    async def call_tool(
        ctx: ServerRequestContext[dict[str, Any]], _: types.CallToolRequestParams
    ) -> types.CallToolResult:
        able.append(can_ask(ctx.protocol_version, ctx.session.client_capabilities))
        return types.CallToolResult(content=[])

    server = Server("test", on_call_tool=call_tool, on_list_tools=list_tools)
    async with Client(server) as client:
        await client.call_tool("delete_item", {})
    async with Client(server, mode="legacy", elicitation_callback=_never) as client:
        await client.call_tool("delete_item", {})
    assert able == [False, False]


async def list_tools(_: Any, __: Any) -> types.ListToolsResult:
    tool = types.Tool(name="delete_item", input_schema={"type": "object"})
    return types.ListToolsResult(tools=[tool])


async def _never(_: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    raise AssertionError(params)
