from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from harness.mcpkit import ADMIN, BOTH, person, principal, simulated_tools
from harness.measured import counted
from productive_contract.mapping import Access, Reason, State
from productive_gateway.observability.operations import Operation
from productive_gateway.people.principal import Principal
from productive_gateway.people.scopes import READ, WRITE
from productive_gateway.productive.records import declared as has
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import BadTool, Cost, Example, Kind, Tool, tool
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.registry import TOOLS, UnknownTool


class Said(Answer):
    said: str = has.ident()


def tool_of(run: Any = None, **changes: Any) -> Tool:
    async def say(call: Call, *, word: str = "hello", times: int = 1) -> Said:
        """Say a word as many times as the user wants to hear it."""
        if run is not None:
            await run(call)
        return Said(headline=word, said=word * times)

    declared = tool(
        title="Say", kind=Kind.READS, cost=Cost(reads=0), example=Example("Say it.", {})
    )(say)
    return replace(declared, **{"toolset": "core", **changes})


WRITES = tool_of(name="write", title="Write", kind=Kind.ADDS, toolset="time")


def names(tools: Any, who: Principal) -> list[str]:
    return [one.name for one in tools.registry.listed(tools.registry.allowed(who.person))]


async def test_call_gives_an_answer_an_audit_line_and_a_measurement() -> None:
    async with simulated_tools(tools=(tool_of(),)) as tools:
        with (
            capture_logs() as lines,
            counted("mcp_server_operation_duration_seconds_count") as grown,
            Operation("tools/call", "2026-07-28"),
        ):
            answer = await tools.call("say", word="hi", times=2)
    assert (answer.structured, answer.is_error) == ({"said": "hihi"}, False)
    assert answer.text == "hi\n- said hihi"
    [labels] = grown
    assert dict(labels)["gen_ai_tool_name"] == "say"
    (line,) = lines
    assert line["event"] == "tool_called"
    assert line["audit"] is True
    assert (line["tool"], line["reason"], line["arguments"]) == ("say", "ok", "word,times")
    assert (line["grant"], line["client"], line["writes"]) == ("grant-1", "c0ffee", 0)
    assert line["user"] == "people/ana.kovac"
    assert line["seconds"] >= 0


async def test_audit_line_has_no_values_and_no_unknown_names() -> None:
    async with simulated_tools(tools=(tool_of(),)) as tools:
        with capture_logs() as lines:
            await tools.call("say", word="confidential-word", **{"canary-name": "canary-value"})
    told = str(lines)
    assert "confidential-word" not in told
    assert "canary" not in told


async def test_unknown_tool_is_not_called() -> None:
    async with simulated_tools(tools=(tool_of(),)) as tools:
        with capture_logs() as lines, pytest.raises(UnknownTool):
            await tools.call("nothing")
    assert lines == []


@pytest.mark.parametrize(
    ("settings", "access", "listed"),
    [
        ({}, Access(), ["say", "write"]),
        ({"read_only": True}, Access(), ["say"]),
        ({}, Access(read_only=True), ["say"]),
        ({"toolsets": ["core"]}, Access(), ["say"]),
        ({}, Access(toolsets=("time",)), ["write"]),
        ({"toolsets": ["core"]}, Access(toolsets=("time", "core", "made-up")), ["say"]),
        ({}, Access(toolsets=()), []),
    ],
)
async def test_server_and_person_narrow_the_list_and_the_call(
    settings: dict[str, Any], access: Access, listed: list[str]
) -> None:
    who = principal(person(access=access))
    async with simulated_tools(tools=(tool_of(), WRITES), **settings) as tools:
        assert names(tools, who) == listed
        for name in ("say", "write"):
            answer = await tools.call(name, who)
            assert answer.is_error == (name not in listed)
            if answer.is_error:
                error = answer.structured["error"]
                assert error["code"] == "not_allowed_here"
                assert ADMIN in error["fix"]
                assert not tools.registry.lacks_scope(who, name)


@pytest.mark.rule("R6")
@pytest.mark.parametrize(
    ("scopes", "lacking"),
    [
        (BOTH, []),
        ({READ}, ["write"]),
        ({WRITE}, []),
        (set(), ["say", "write"]),
        ({"other"}, ["say", "write"]),
    ],
)
async def test_scope_is_lacking_only_if_nothing_else_prevents_the_call(
    scopes: set[str], lacking: list[str]
) -> None:
    who = principal(scopes=frozenset(scopes))
    async with simulated_tools(tools=(tool_of(), WRITES)) as tools:
        assert [n for n in ("say", "write") if tools.registry.lacks_scope(who, n)] == lacking
        assert names(tools, who) == ["say", "write"]
        for odd in ("unknown", None, 5, ["say"]):
            assert not tools.registry.lacks_scope(who, odd)


@pytest.mark.attack("M-09")
@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason.TOKEN_SECRET_NOT_FOUND, "Secret for your Productive token does not exist"),
        (Reason.TOKEN_KEY_MISSING, "lacks the expected key"),
        (Reason.TOKEN_EMPTY, "token is empty"),
        (Reason.INVALID, "invalid value"),
        (Reason.MAPPING_FULL, "no space"),
        (None, "no Productive token"),
    ],
)
async def test_without_a_productive_token_each_tool_says_what_is_wrong_and_whom_to_ask(
    reason: Reason | None, words: str
) -> None:
    who = principal(person(None, state=State.NO_TOKEN, reason=reason))
    async with simulated_tools() as tools:
        for name in ("get_me", "list_people"):
            answer = await tools.call(name, who)
            error = answer.structured["error"]
            assert answer.is_error
            assert error["code"] == "not_connected"
            assert words in error["message"]
            assert ADMIN in error["fix"]
            assert answer.text.startswith(error["message"])
        assert tools.requests() == []


@pytest.mark.attack("M-09")
async def test_rotated_token_is_used_for_the_next_call() -> None:
    async with simulated_tools() as tools:
        revoked = principal(person("simulator-revoked"))
        answer = await tools.call("get_me", revoked)
        assert answer.structured["error"]["code"] == "token_rejected"
        assert not (await tools.call("get_me")).is_error


async def test_invalid_arguments_are_named_without_their_values() -> None:
    async with simulated_tools(tools=(tool_of(),)) as tools:
        answer = await tools.call("say", times="canary-value", more=1)
    error = answer.structured["error"]
    assert (error["code"], error["field"]) == ("invalid_value", "times")
    assert error["message"].endswith("times: must be a whole number. Unknown: more.")
    assert "canary" not in str(answer)


async def test_tool_errors_share_one_form() -> None:
    async def refuse(_: Call) -> None:
        raise ToolError(Problem("rate_limited", "Too much.", "Wait.", retry_after_s=4))

    async with simulated_tools(tools=(tool_of(refuse),)) as tools:
        answer = await tools.call("say")
    error = answer.structured["error"]
    request_id = error.pop("request_id")
    assert error == {
        "code": "rate_limited",
        "message": "Too much.",
        "fix": "Wait.",
        "retry_after_s": 4,
    }
    assert answer.text == f"Too much. Wait.\n\nRequest {request_id}."


async def test_internal_error_is_logged_and_answered_with_a_message() -> None:
    async def fail(_: Call) -> None:
        raise RuntimeError("canary in a traceback")

    async with simulated_tools(tools=(tool_of(fail),)) as tools:
        with capture_logs() as lines:
            answer = await tools.call("say")
    error = answer.structured["error"]
    assert error["code"] == "internal_error"
    assert error["request_id"] in error["fix"]
    assert "canary" not in str(answer)
    failed, called = lines
    assert (failed["event"], failed["request_id"]) == ("tool.failed", error["request_id"])
    assert called["reason"] == "internal_error"


async def test_cancelled_call_is_audited_as_such() -> None:
    async def wait(_: Call) -> None:
        started.set()
        await asyncio.Event().wait()

    started = asyncio.Event()
    async with simulated_tools(tools=(tool_of(wait),)) as tools:
        with capture_logs() as lines:
            running = asyncio.create_task(tools.call("say"))
            await started.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
    assert [line["reason"] for line in lines] == ["cancelled"]


def test_every_tool_has_its_hints_and_a_description() -> None:
    for one in TOOLS:
        hints = one.kind.annotations
        assert set(hints) == {
            "readOnlyHint",
            "destructiveHint",
            "idempotentHint",
            "openWorldHint",
        }
        assert one.title
        assert 50 < len(one.description) < 600
        assert one.scope == (READ if hints["readOnlyHint"] else WRITE)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.READS, (True, False, True)),
        (Kind.ADDS, (False, False, False)),
        (Kind.CHANGES, (False, True, True)),
        (Kind.DELETES, (False, True, False)),
    ],
)
def test_hints_are_literal(kind: Kind, expected: tuple[bool, bool, bool]) -> None:
    hints = kind.annotations
    found = (hints["readOnlyHint"], hints["destructiveHint"], hints["idempotentHint"])
    assert found == expected
    assert hints["openWorldHint"]


async def test_call_ends_after_its_deadline() -> None:
    async def wait(_: Call) -> None:
        await asyncio.Event().wait()

    async with simulated_tools(tools=(tool_of(wait),), seconds=0.01) as tools:
        answer = await tools.call("say")
    error = answer.structured["error"]
    assert error["code"] == "timeout"
    assert "Nothing was changed" in error["fix"]


def test_incomplete_tool_does_not_load() -> None:
    async def quiet(call: Call) -> Said:
        return Said(headline="", said="")

    async def without_answer(call: Call) -> None:
        """Say a word as many times as the user wants to hear it."""

    async def writing(call: Call) -> Said:
        """Say a word as many times as the user wants to hear it."""
        return Said(headline="", said="")

    parts: dict[str, Any] = {"title": "Say", "example": Example("Say it.", {})}
    for function, kind, cost in (
        (quiet, Kind.READS, Cost(reads=1)),
        (without_answer, Kind.READS, Cost(reads=1)),
        (writing, Kind.READS, Cost(reads=1, writes=1)),
        (writing, Kind.ADDS, Cost(reads=1)),
    ):
        with pytest.raises(BadTool):
            tool(**parts, kind=kind, cost=cost)(function)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        tool(title="Say", kind=Kind.READS, cost=Cost(reads=1))(writing)  # type: ignore[call-arg]
