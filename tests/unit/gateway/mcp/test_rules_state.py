"""Rules T18 and T23: state that passes through the client is sealed and bound to its person."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from harness.mcpkit import MODERN, McpServer, another_replica, mcp_server, person, principal
from harness.revisions import ASKS, CLIENT_CAPABILITIES, OLDER, REVISIONS, answered, ask, call
from productive_gateway.grants.store_memory import MemoryGrantStore

DOOMED = {"kind": "comment", "item": "880012"}
MANAGER = person("simulator-manager", user_id=9103, email="marko@northlight.example")
YES = {"confirm": {"action": "accept", "content": {"confirm": True}}}
LIFE = 10 * 60
"""Seconds for which a question may be answered."""
ENTRY = {"project": "relaunch", "service": "design", "hours": 1}


async def question(mcp: McpServer, **arguments: Any) -> dict[str, Any]:
    """Let a client that can show questions delete something; return the question."""
    asked = {**DOOMED, **arguments}
    result = answered(await call(mcp, MODERN, "delete_item", asked, params={"_meta": ASKS}))
    assert result["resultType"] == "input_required"
    return result


async def reply(
    mcp: McpServer,
    state: str,
    *,
    tool: str = "delete_item",
    arguments: dict[str, Any] | None = None,
    token: str = "good",
    responses: Any = YES,
) -> dict[str, Any]:
    """Repeat the call with the user's answer, and return its result."""
    params = {"_meta": ASKS, "inputResponses": responses, "requestState": state}
    response = await call(mcp, MODERN, tool, arguments or DOOMED, params=params, token=token)
    return answered(response)


def code(result: dict[str, Any]) -> str:
    """Return why nothing was done."""
    assert result["isError"] is True
    found: str = result["structuredContent"]["error"]["code"]
    return found


def is_there(mcp: McpServer) -> bool:
    return mcp.tools.world.state.get("comments", "880012") is not None


@pytest.mark.rule("T18")
async def test_question_is_of_a_kind_that_the_client_declared() -> None:
    async with mcp_server() as mcp:
        asked = await question(mcp)
        (one,) = asked["inputRequests"].values()
        assert one["method"] == "elicitation/create"
        assert one["params"].get("mode", "form") == "form"
        assert is_there(mcp)


@pytest.mark.rule("T10", "T18")
@pytest.mark.parametrize("declared", [{}, {"elicitation": {"url": {}}}, {"sampling": {}}])
async def test_client_that_declared_no_forms_is_not_asked(declared: dict[str, Any]) -> None:
    async with mcp_server() as mcp:
        params = {"_meta": {**ASKS, CLIENT_CAPABILITIES: declared}}
        result = answered(await call(mcp, MODERN, "delete_item", DOOMED, params=params))
        assert result["resultType"] == "complete"
        assert result["structuredContent"]["error"]["code"] == "needs_confirmation"
        assert is_there(mcp)


@pytest.mark.rule("T18")
@pytest.mark.parametrize("revision", OLDER)
async def test_older_revisions_are_never_asked(revision: str) -> None:
    async with mcp_server() as mcp:
        # A client may have declared it at the handshake; without a session nobody can be asked.
        params = {"_meta": {CLIENT_CAPABILITIES: {"elicitation": {}}}}
        result = answered(await call(mcp, revision, "delete_item", DOOMED, params=params))
        assert result["structuredContent"]["error"]["code"] == "needs_confirmation"


@pytest.mark.rule("T18")
async def test_answer_counts_at_another_replica_once() -> None:
    store = MemoryGrantStore()
    async with mcp_server(store=store) as first, another_replica(first, store) as second:
        state = (await question(first))["requestState"]
        assert (await reply(second, state))["isError"] is False
        assert not is_there(first)
        for replica in (first, second):
            assert code(await reply(replica, state)) in {"not_found", "confirm_used"}
        assert len(first.tools.requests("DELETE")) == 1


@pytest.mark.rule("T18")
async def test_state_shows_nothing_of_what_it_holds() -> None:
    async with mcp_server() as mcp:
        state = (await question(mcp))["requestState"]
        sealed = state.rpartition(".")[2]
        held = base64.urlsafe_b64decode(f"{sealed}{'=' * (-len(sealed) % 4)}")
        for secret in (b"880012", b"uid-9104", b"delete_item", b"ana"):
            assert secret not in state.encode()
            assert secret not in held
        assert (await question(mcp))["requestState"] != state


@pytest.mark.rule("T18")
@pytest.mark.parametrize("change", ["first", "last", "cut", "longer", "empty", "made up"])
async def test_altered_state_confirms_nothing(change: str) -> None:
    async with mcp_server() as mcp:
        state = (await question(mcp))["requestState"]
        altered = {
            "first": f"x{state[1:]}",
            "last": state[:-2] + ("AA" if not state.endswith("AA") else "BB"),
            "cut": state[:-4],
            "longer": f"{state}AAAA",
            "empty": "",
            "made up": "pmcp_cf_made-up",
        }[change]
        assert code(await reply(mcp, altered)) == "confirm_invalid"
        assert is_there(mcp)
        assert (await reply(mcp, state))["isError"] is False


@pytest.mark.rule("T18", "T23")
async def test_state_of_one_person_confirms_nothing_of_another() -> None:
    async with mcp_server() as mcp:
        mcp.tokens.known["manager"] = principal(MANAGER)
        state = (await question(mcp))["requestState"]
        assert code(await reply(mcp, state, token="manager")) == "confirm_another_person"
        assert is_there(mcp)


@pytest.mark.rule("T18")
async def test_state_expires() -> None:
    async with mcp_server() as mcp:
        state = (await question(mcp))["requestState"]
        mcp.tools.time.now += LIFE + 1
        assert code(await reply(mcp, state)) == "confirm_expired"
        assert is_there(mcp)


@pytest.mark.rule("T18")
async def test_state_confirms_only_the_call_that_was_asked_about() -> None:
    async with mcp_server() as mcp:
        logged = answered(await call(mcp, MODERN, "log_time", {"entries": [ENTRY]}))
        number = logged["structuredContent"]["results"][0]["entry"]["id"]
        state = (await question(mcp))["requestState"]
        other = {"kind": "time_entry", "item": number}
        refused = await reply(mcp, state, arguments=other)
        assert code(refused) == "confirm_other_arguments"
        many = {"tasks": [{"title": f"T{n}", "project": "Website care"} for n in range(12)]}
        refused = await reply(mcp, state, tool="create_tasks", arguments=many)
        assert code(refused) == "confirm_other_arguments"
        assert mcp.tools.requests("DELETE") == []
        assert mcp.tools.requests("POST", "/api/v2/tasks") == []
        assert (await reply(mcp, state))["isError"] is False


@pytest.mark.rule("T18")
@pytest.mark.parametrize(
    "responses",
    [
        {},
        {"confirm": {"action": "decline"}},
        {"confirm": {"action": "cancel"}},
        {"confirm": {"action": "accept", "content": {"confirm": False}}},
        {"confirm": {"action": "accept", "content": {"confirm": "true"}}},
        {"other": {"action": "accept", "content": {"confirm": True}}},
    ],
)
async def test_only_a_literal_yes_counts(responses: Any) -> None:
    async with mcp_server() as mcp:
        state = (await question(mcp))["requestState"]
        assert code(await reply(mcp, state, responses=responses)) == "declined"
        assert is_there(mcp)


@pytest.mark.rule("T18")
async def test_only_calls_of_tools_ask() -> None:
    async with mcp_server() as mcp:
        for method in ("tools/list", "server/discover"):
            result = answered(await ask(mcp, MODERN, method, {"_meta": ASKS}))
            assert result["resultType"] == "complete"


# --- T23


@pytest.mark.rule("T23")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_undo_handle_of_one_person_is_nothing_to_another(revision: str) -> None:
    store = MemoryGrantStore()
    async with mcp_server(store=store) as mcp, another_replica(mcp, store) as other:
        mcp.tokens.known["manager"] = principal(MANAGER)
        logged = answered(await call(mcp, revision, "log_time", {"entries": [ENTRY]}))
        handle = {"handle": logged["structuredContent"]["undo"]}
        refused = answered(await call(other, revision, "undo", handle, token="manager"))
        assert code(refused) == "undo_another_person"
        assert mcp.tools.requests("DELETE") == []
        assert answered(await call(other, revision, "undo", handle))["isError"] is False
        assert len(mcp.tools.requests("DELETE")) == 1


@pytest.mark.rule("T23")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_undo_handle_needs_a_token_that_may_still_write(revision: str) -> None:
    async with mcp_server() as mcp:
        logged = answered(await call(mcp, revision, "log_time", {"entries": [ENTRY]}))
        handle = {"handle": logged["structuredContent"]["undo"]}
        mcp.tokens.known["narrow"] = principal(scopes=frozenset({"productive:read"}))
        assert (await call(mcp, revision, "undo", handle, token="narrow")).status_code == 403
        assert (await call(mcp, revision, "undo", handle, token="unknown")).status_code == 401
        assert mcp.tools.requests("DELETE") == []


@pytest.mark.rule("T23")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_cursor_of_one_person_opens_nothing_to_another(revision: str) -> None:
    async with mcp_server() as mcp:
        mcp.tokens.known["manager"] = principal(MANAGER)
        wanted = {"project": "relaunch", "limit": 2}
        first = answered(await call(mcp, revision, "list_tasks", wanted))
        more = {**wanted, "cursor": first["structuredContent"]["next_cursor"]}
        refused = answered(await call(mcp, revision, "list_tasks", more, token="manager"))
        assert code(refused) == "invalid_value"
        assert refused["structuredContent"]["error"]["field"] == "cursor"
        assert answered(await call(mcp, revision, "list_tasks", more))["isError"] is False
