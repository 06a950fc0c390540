"""Workflows of the core toolset as scripts: whatever a call is given was said before.

A model has only the question and the answers before. So each argument of each call must be in one
of them, or be a word that the tool's schema offers.
"""

from __future__ import annotations

from typing import Any

from harness.readkit import MANAGER, Reading, reading
from productive_gateway.people.principal import Principal
from productive_gateway.tools.core.find import find
from productive_gateway.tools.core.get_activity import get_activity
from productive_gateway.tools.core.get_project import get_project
from productive_gateway.tools.kit.declare import Tool
from productive_gateway.tools.registry import Answer


class Conversation:
    """A question, and the calls that answer it."""

    def __init__(self, asked: Reading, question: str, who: Principal | None = None) -> None:
        self.asked, self.who = asked, who
        self.said = [question]
        self.calls = 0

    async def call(self, tool: Tool, **arguments: Any) -> Answer:
        properties = tool.input_schema["properties"]
        for name, value in arguments.items():
            about = properties[name]
            offered = about.get("enum") or about.get("items", {}).get("enum", [])
            if not isinstance(value, bool) and value not in offered:
                assert any(str(value).casefold() in text.casefold() for text in self.said), value
        self.calls += 1
        self.asked.tool = tool
        answer = await self.asked.ask(self.who, **arguments)
        assert not answer.is_error, answer.text
        self.said.append(answer.text)
        return answer

    def knows(self, *facts: str) -> None:
        """Check that facts of the answer to the question were said."""
        for fact in facts:
            assert fact in self.said[-1], fact


async def test_workflow_22_status_report_of_a_project_is_one_call() -> None:
    async with reading(get_project) as asked:
        talk = Conversation(asked, "Write a status report of the website relaunch.", MANAGER)
        await talk.call(get_project, project="website relaunch", report=True)
        talk.knows("8 open tasks, 2 overdue", "last week (2026-11-16 to 2026-11-22) · 17.75 h")
        talk.knows("Relaunch phase 2 (4287001)", "percent used 82", "Go-live (20510095)")
        talk.knows("Ana Kovač (9104)", "due date · from 2026-11-25 · to 2026-11-27")
        assert talk.calls == 1
        assert len(asked.sent) == 7


async def test_workflow_23_changes_in_my_projects_since_yesterday_are_one_call() -> None:
    async with reading(get_activity) as asked:
        talk = Conversation(asked, "What changed in my projects since yesterday?")
        await talk.call(get_activity, scope="mine", since="yesterday")
        talk.knows("1 event in your projects since yesterday (2026-11-22)", "Klara Weber (9123)")
        assert talk.calls == 1
        assert len(asked.sent) == 2


async def test_workflow_23_goes_on_to_one_task_by_its_printed_form() -> None:
    async with reading(get_activity) as asked:
        talk = Conversation(asked, "What changed since yesterday, and what before? Last 7 days.")
        await talk.call(get_activity, since="yesterday")
        await talk.call(
            get_activity, scope="task", ref="Homepage wireframes (20510087)", since="last 7 days"
        )
        talk.knows("due date · from 2026-11-25 · to 2026-11-27", "says Three variants, please.")


async def test_workflow_24_something_by_half_a_name_is_one_call() -> None:
    async with reading(find) as asked:
        talk = Conversation(asked, 'Where is that thing called "wireframe"?')
        await talk.call(find, query="wireframe")
        talk.knows("Homepage wireframes (20510087)", "task", "Website relaunch")
        talk.knows("https://app.productive.io/1200/tasks/20510087")
        assert talk.calls == 1
        assert len(asked.sent) == 1


async def test_workflow_24_link_of_a_match_is_taken_by_the_next_tool() -> None:
    async with reading(find) as asked:
        talk = Conversation(asked, "How is the project with the relaunch going?")
        await talk.call(find, query="relaunch", kinds="project")
        await talk.call(
            get_project, project="https://app.productive.io/1200/projects/30201", report=True
        )
        talk.knows("Website relaunch (30201): ")
