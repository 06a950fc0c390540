"""Workflows of the tasks toolset as scripts: whatever a call is given was said before.

A model has only the question and the answers before it. So each text and number in the arguments of
each call must be in one of them, or be a word that the tool's schema offers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from harness.mcpkit import SimulatedTools, simulated_tools
from harness.tasktools import ask, record, state
from productive_dev.simulator.records import Record
from productive_gateway.tools.registry import TOOLS, Answer


class Conversation:
    """A question of Ana Kovač, and the calls that answer it."""

    def __init__(self, tools: SimulatedTools, question: str) -> None:
        self.tools = tools
        self.said = [question]
        self.calls = 0

    async def call(self, name: str, /, *, things: int = 1, **arguments: Any) -> Answer:
        tool = next(one for one in TOOLS if one.name == name)
        offered = set(_offered(tool.input_schema))
        heard = " ".join(self.said).casefold()
        for value in _scalars(arguments):
            known = value in offered or str(value).casefold() in heard
            assert known, f"nobody said {value!r}"
        self.calls += 1
        answer = await ask(self.tools, name, things=things, **arguments)
        self.said.append(answer.text)
        return answer

    async def done(self, name: str, /, *, things: int = 1, **arguments: Any) -> dict[str, Any]:
        answer = await self.call(name, things=things, **arguments)
        assert not answer.is_error, answer.text
        return answer.structured


def _offered(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        yield from (one for one in node.get("enum", ()) if isinstance(one, str))
        for value in node.values():
            yield from _offered(value)
    elif isinstance(node, list):
        for value in node:
            yield from _offered(value)


def _scalars(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            # Names of custom fields are chosen by the model too.
            yield from (value_ for value_ in _scalars(value))
            if name[:1].isupper():
                yield name
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _scalars(value)
    elif not isinstance(node, bool) and node is not None:
        yield node


def target(found: Record, relation: str) -> str | None:
    ref = found.to_one(relation)
    return ref.id if ref else None


def task_called(tools: SimulatedTools, title: str) -> Record:
    (found,) = [one for one in tools.world.state.all("tasks") if one.attributes["title"] == title]
    return found


async def test_workflow_6_my_open_tasks_due_this_week() -> None:
    async with simulated_tools() as tools:
        talk = Conversation(tools, "What are my open tasks for this_week? They are for me.")
        answer = await talk.done("list_tasks", assignee="me", due="this_week")
        assert talk.calls == 1
        assert len(tools.requests("GET", "/tasks")) == 1
        assert answer["total"] == 7
        assert "Homepage wireframes (20510087)" in talk.said[-1]


async def test_workflow_7_create_a_task_for_somebody_due_friday() -> None:
    async with simulated_tools() as tools:
        talk = Conversation(
            tools, 'Create "Check the contact form" in Website care for Ana Horvat, due Friday.'
        )
        task = {
            "title": "Check the contact form",
            "project": "Website care",
            "assignee": "Ana Horvat",
            "due": "Friday",
        }
        await talk.done("create_tasks", tasks=[task])
        assert talk.calls == 1
        made = task_called(tools, "Check the contact form")
        assert made.attributes["due_date"] == "2026-11-27"
        assert (target(made, "assignee"), target(made, "project")) == ("9105", "30202")


async def test_workflow_7_a_list_that_is_not_clear_is_chosen_from_the_candidates() -> None:
    async with simulated_tools() as tools:
        talk = Conversation(tools, 'Create "Check the logo" in the Website relaunch.')
        asked = await talk.call(
            "create_tasks", tasks=[{"title": "Check the logo", "project": "Website relaunch"}]
        )
        assert asked.structured["error"]["code"] == "missing_task_list"
        talk.said.append("The one in Ideas: 52901.")
        task = {"title": "Check the logo", "project": "Website relaunch", "task_list": "52901"}
        await talk.done("create_tasks", tasks=[task])
        assert target(task_called(tools, "Check the logo"), "task_list") == "52901"


async def test_workflow_8_move_a_task_to_in_review() -> None:
    async with simulated_tools() as tools:
        talk = Conversation(tools, "Move #87 to In review.")
        answer = await talk.done("update_task", task="#87", status="In review")
        assert talk.calls == 1
        assert target(record(tools, "tasks", "20510087"), "workflow_status") == "6103"
        assert answer["changed"][0]["field"] == "status"


async def test_workflow_9_close_a_task_with_a_comment_and_regret_it() -> None:
    async with simulated_tools() as tools:
        before = state(tools)
        talk = Conversation(tools, "The banner (#13) is done. Comment: Sent to the client.")
        await talk.done("update_task", task="#13", status="done", comment="Sent to the client")
        assert talk.calls == 1
        assert record(tools, "tasks", "20510113").attributes["closed"]
        handle = talk.said[-1].rpartition("undo ")[2].strip()
        await talk.done("undo", things=2, handle=handle)
        assert state(tools) == before


async def test_workflow_10_comment_on_a_task_with_a_mention() -> None:
    async with simulated_tools() as tools:
        talk = Conversation(tools, 'Write on #13 "The copy is ready" and tell Marko Čavić.')
        answer = await talk.done(
            "add_comment", on="#13", body="The copy is ready", mention=["Marko Čavić"]
        )
        assert talk.calls == 1
        body = record(tools, "comments", answer["comment"]["id"]).attributes["body"]
        assert "@[Person:9103:Marko Čavić]" in body


async def test_workflow_11_what_a_task_is_about_and_then_tick_off_a_todo() -> None:
    async with simulated_tools() as tools:
        talk = Conversation(tools, "What is Homepage wireframes about, and where does it stand?")
        await talk.done("get_task", task="Homepage wireframes")
        for fact in ("Three variants", "To do", "Mobile variant (77120)", "Design tokens"):
            assert fact in talk.said[-1]
        talk.said.append("Tick off the todo.")
        await talk.done("update_task", task="20510087", close_todos=["77120"])
        assert record(tools, "todos", "77120").attributes["closed"]
        assert talk.calls == 2


async def test_workflow_27_set_a_custom_field_by_name() -> None:
    async with simulated_tools() as tools:
        talk = Conversation(tools, "Set the Priority of #88 to High.")
        await talk.done("update_task", task="#88", custom_fields={"Priority": "High"})
        assert talk.calls == 1
        assert record(tools, "tasks", "20510088").attributes["custom_fields"] == {"3311": "48120"}


async def test_workflow_27_an_option_that_does_not_exist_is_chosen_from_the_candidates() -> None:
    async with simulated_tools() as tools:
        talk = Conversation(tools, "Set the Priority of #88 to Urgent.")
        asked = await talk.call("update_task", task="#88", custom_fields={"Priority": "Urgent"})
        assert asked.is_error
        assert "High (48120)" in asked.text
        talk.said.append("High, then.")
        await talk.done("update_task", task="#88", custom_fields={"Priority": "High"})
        assert record(tools, "tasks", "20510088").attributes["custom_fields"] == {"3311": "48120"}


@pytest.mark.parametrize(
    ("question", "item", "kind", "number"),
    [
        ("Delete my comment 880012.", "880012", "comment", "880012"),
        ("Delete the task 20510092.", "20510092", "task", "20510092"),
    ],
)
async def test_deleting_takes_two_calls_and_the_users_word(
    question: str, item: str, kind: str, number: str
) -> None:
    async with simulated_tools() as tools:
        talk = Conversation(tools, question)
        asked = await talk.call("delete_item", kind=kind, item=item)
        token = asked.structured["error"]["confirm"]
        await talk.done("delete_item", kind=kind, item=item, confirm=token)
        assert talk.calls == 2
        assert tools.world.state.get(f"{kind}s", number) is None
