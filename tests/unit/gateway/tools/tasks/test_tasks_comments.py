"""add_comment and update_comment."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from harness.mcpkit import SimulatedTools, simulated_tools
from harness.tasktools import (
    MANAGER,
    READ_ONLY,
    ask,
    confirmed,
    ok,
    record,
    refused,
    state,
    undone,
    writes,
)
from productive_dev.simulator.faults import Fault
from productive_dev.simulator.records import Record, Ref

DEAL = "https://app.productive.io/1200/d/deal/4287001"


def comment_of(tools: SimulatedTools, answer: dict[str, Any]) -> Record:
    return record(tools, "comments", answer["comment"]["id"])


@pytest.mark.parametrize(
    ("arguments", "parent", "number"),
    [
        ({"on": "#13"}, "task", "20510113"),
        ({"on": "task:20510113"}, "task", "20510113"),
        ({"on": "https://app.productive.io/1200/tasks/20510113"}, "task", "20510113"),
        ({"on": "Website care", "kind": "project"}, "project", "30202"),
        ({"on": "project: Website care"}, "project", "30202"),
        ({"on": "https://app.productive.io/1200/projects/30202"}, "project", "30202"),
        ({"on": DEAL}, "deal", "4287001"),
        ({"on": "budget: 4287001"}, "deal", "4287001"),
        ({"on": "Ana Horvat", "kind": "person"}, "person", "9105"),
        ({"on": "Alpine Rail", "kind": "company"}, "company", "7004"),
    ],
)
async def test_a_comment_is_written_on_what_is_named(
    arguments: dict[str, Any], parent: str, number: str
) -> None:
    async with simulated_tools() as tools:
        answer = await ok(tools, "add_comment", body="Looks **good**", **arguments)
        comment = comment_of(tools, answer)
        target = comment.to_one(parent)
        assert target is not None
        assert target.id == number
        assert "<strong>good</strong>" in comment.attributes["body"]
        assert writes(tools) == [("POST", "/comments")]


async def test_a_comment_on_a_page_is_in_its_discussion() -> None:
    async with simulated_tools() as tools:
        before = state(tools)
        answer = await ok(tools, "add_comment", on="Onboarding", kind="page", body="Hello")
        discussion = comment_of(tools, answer).to_one("discussion")
        assert discussion is not None
        assert discussion.id == "82001"
        new = await ok(tools, "add_comment", on="Handbook", kind="page", body="Hello")
        made = comment_of(tools, new).to_one("discussion")
        assert made is not None
        page = record(tools, "discussions", made.id).to_one("page")
        assert page is not None
        assert page.id == "81001"
        await undone(tools, new)
        await undone(tools, answer)
        assert state(tools) == before


async def test_colleagues_see_an_internal_comment_where_no_client_has_access() -> None:
    async with simulated_tools() as tools:
        answer = await ok(tools, "add_comment", on="#13", body="Hello")
        number = answer["comment"]["id"]
        assert comment_of(tools, answer).attributes["hidden"] is False
        seen = await ok(tools, "get_task", MANAGER, task="#13")
        assert number in {one["id"] for one in seen["comments"]}


async def test_an_internal_comment_is_hidden_where_clients_have_access() -> None:
    async with simulated_tools() as tools:
        answer = await ok(tools, "add_comment", on="#87", body="Hello")
        assert comment_of(tools, answer).attributes["hidden"] is True
        assert answer["visible_to"] == "colleagues (hidden from clients)"
        assert any("Clients have access" in one for one in answer["warnings"])


async def test_a_comment_is_hidden_where_it_does_not_show_who_has_access() -> None:
    async with simulated_tools() as tools:
        tools.world.faults.put([Fault(path="/memberships", status=403)])
        answer = await ok(tools, "add_comment", on="#13", body="Hello")
        assert comment_of(tools, answer).attributes["hidden"] is True
        assert any("does not show whether" in one for one in answer["warnings"])


async def test_a_member_whom_the_person_may_not_see_counts_as_a_client() -> None:
    async with simulated_tools() as tools:
        membership = next(
            one
            for one in tools.world.state.all("memberships")
            if one.to_one("project") == Ref("projects", "30202")
        )
        # The answer names the person and does not include it.
        tools.world.state.put(membership.with_relations(person=Ref("people", "9999")))
        answer = await ok(tools, "add_comment", on="#13", body="Hello")
        assert comment_of(tools, answer).attributes["hidden"] is True


async def test_the_user_is_asked_before_clients_can_read() -> None:
    async with simulated_tools() as tools:
        answer = await confirmed(
            tools,
            "add_comment",
            says=("clients can read", "Klara Weber (9123)", "Hello"),
            on="#87",
            body="Hello",
            visibility="client",
        )
        assert comment_of(tools, answer).attributes["hidden"] is False


async def test_mentions_are_found_by_name_and_put_where_the_text_has_them() -> None:
    async with simulated_tools() as tools:
        answer = await ok(
            tools,
            "add_comment",
            on="#13",
            body="@Marko the copy is ready",
            mention=["Marko", "Ana Horvat"],
        )
        body = comment_of(tools, answer).attributes["body"]
        assert "@[Person:9103:Marko Čavić] the copy is ready" in body
        assert "@[Person:9105:Ana Horvat]" in body


async def test_the_same_comment_twice_is_written_once() -> None:
    async with simulated_tools() as tools:
        first = await ok(tools, "add_comment", on="#13", body="Hello")
        again = await ok(tools, "add_comment", on="#13", body="Hello")
        assert again["comment"]["id"] == first["comment"]["id"]
        assert any("not written twice" in one for one in again["warnings"])
        assert len(writes(tools)) == 1


async def test_a_comment_that_productive_wrote_otherwise_is_no_success() -> None:
    def other(request: httpx.Request) -> httpx.Response | None:
        if request.method != "POST":
            return None
        attributes = {"body": "<p>Quite another text</p>", "hidden": False}
        comment = {"type": "comments", "id": "880999", "attributes": attributes}
        return httpx.Response(201, json={"data": comment})

    async with simulated_tools() as tools:
        tools.transport.answer = other
        answer = await ask(tools, "add_comment", on="#13", body="Hello")
        assert answer.structured["error"]["code"] == "write_not_effective"
        assert "880999" in answer.text


async def test_html_in_a_comment_is_ordinary_text() -> None:
    async with simulated_tools() as tools:
        answer = await ok(tools, "add_comment", on="#13", body="<script>x</script> if x<5")
        body = comment_of(tools, answer).attributes["body"]
        assert "<script>" not in body
        assert "x&lt;5" in body


async def test_undo_removes_the_comment() -> None:
    async with simulated_tools() as tools:
        before = state(tools)
        await undone(tools, await ok(tools, "add_comment", on="#13", body="Hello"))
        assert state(tools) == before


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ({"on": "#12", "body": "x"}, "ambiguous_reference", "on"),
        ({"on": "no such task", "body": "x"}, "unknown_reference", "on"),
        ({"on": "#13"}, "invalid_value", "body"),
        ({"on": "#13", "body": "x", "mention": ["Ana"]}, "ambiguous_reference", "mention[0]"),
        ({"on": "Rebrand", "kind": "project", "body": "x"}, "ambiguous_reference", "on"),
        ({"on": "https://app.productive.io/1300/tasks/1", "body": "x"}, "invalid_value", "on"),
    ],
)
async def test_what_cannot_be_commented_on_is_refused(
    arguments: dict[str, Any], code: str, field: str
) -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "add_comment", **arguments)
        assert (error["code"], error["field"]) == (code, field)


async def test_a_comment_is_rewritten_pinned_and_reacted_to_in_one_call() -> None:
    async with simulated_tools() as tools:
        before = state(tools)
        answer = await ok(
            tools,
            "update_comment",
            comment="880012",
            body="Another *text*",
            pin=True,
            add_reaction="like",
        )
        comment = record(tools, "comments", "880012")
        assert "<em>text</em>" in comment.attributes["body"]
        assert comment.attributes["pinned_at"] is not None
        assert comment.attributes["reactions"] == {"like": [9104]}
        assert [one["field"] for one in answer["changed"]] == ["body", "pin", "reaction"]
        await undone(tools, answer)
        assert state(tools) == before


async def test_what_is_so_already_is_not_written_again() -> None:
    async with simulated_tools() as tools:
        answer = await ok(
            tools, "update_comment", comment="880012", pin=False, remove_reaction="like"
        )
        assert "changed" not in answer
        assert not writes(tools)
        await ok(tools, "update_comment", comment="880012", pin=True)
        await ok(tools, "update_comment", comment="(880012)", pin=True)
        assert len(writes(tools)) == 1


async def test_to_rewrite_somebody_elses_comment_the_user_is_asked() -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "update_comment", comment="880011", body="Mine now")
        assert error["code"] == "needs_confirmation"
        assert "Marko Čavić" in error["message"]
        answer = await ask(
            tools, "update_comment", comment="880011", body="Mine now", confirm=error["confirm"]
        )
        # Productive lets only the author rewrite it.
        assert answer.structured["error"]["code"] == "forbidden"
        await ok(tools, "update_comment", comment="880011", pin=True)
        assert record(tools, "comments", "880011").attributes["pinned_at"] is not None


@pytest.mark.parametrize(
    ("comment", "code"), [("the last one", "invalid_value"), ("880301", "not_found")]
)
async def test_a_comment_is_named_by_its_id(comment: str, code: str) -> None:
    async with simulated_tools() as tools:
        assert (await refused(tools, "update_comment", comment=comment, pin=True))["code"] == code


async def test_orders_in_a_comment_are_quoted() -> None:
    async with simulated_tools() as tools:
        answer = await ask(tools, "update_comment", comment="880014", pin=True)
        orders = [line for line in answer.text.splitlines() if "SYSTEM" in line]
        assert orders
        assert all(line.strip().startswith(">") for line in orders)


async def test_a_reader_writes_no_comment() -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "add_comment", READ_ONLY, on="#13", body="x")
        assert error["code"] == "not_allowed_here"
        error = await refused(tools, "update_comment", READ_ONLY, comment="880012", pin=True)
        assert error["code"] == "not_allowed_here"
