from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.readkit import HOSTILE, READ_ONLY, Reading, reading
from productive_gateway.tools.core.get_activity import get_activity

WIREFRAMES = "20510087"


def link(kind: str, number: str) -> dict[str, Any]:
    return {"data": {"type": kind, "id": number}}


async def change_task(asked: Reading, **links: Any) -> None:
    """Change the task of the seed as its project's manager."""
    await asked.write(
        "PATCH",
        f"/tasks/{WIREFRAMES}",
        {
            "type": "tasks",
            "id": WIREFRAMES,
            "attributes": {"due_date": "2026-12-01", "initial_estimate": 600},
            "relationships": links,
        },
    )


async def test_changes_in_my_projects_are_listed_newest_first() -> None:
    async with reading(get_activity) as asked:
        events = await asked.found("events", since="friday")
        assert [event["at"][:10] for event in events] == sorted(
            (event["at"][:10] for event in events), reverse=True
        )
        assert events[-1] == {
            "at": "2026-11-20T15:00+01:00",
            "who": {"id": "9103", "name": "Marko Čavić"},
            "what": "changed",
            "item": {"name": "Homepage wireframes", "id": WIREFRAMES, "kind": "task"},
            "project": {"id": "30201", "name": "Website relaunch"},
            "changes": [{"field": "due date", "before": "2026-11-25", "after": "2026-11-27"}],
        }
        assert asked.sent == ["/projects", "/activities"]


async def test_comment_is_what_was_commented_on_with_its_words() -> None:
    async with reading(get_activity) as asked:
        events = await asked.found("events", since="friday", kinds="comments")
        assert {event["what"] for event in events} == {"commented"}
        spacing = next(event for event in events if event["comment_id"] == "880012")
        assert spacing["item"]["id"] == WIREFRAMES
        assert spacing["comment"] == "Looks good, please check spacing."


async def test_changes_are_in_words_with_names_for_ids() -> None:
    async with reading(get_activity) as asked:
        await change_task(
            asked,
            assignee=link("people", "9105"),
            workflow_status=link("workflow_statuses", "6103"),
            task_list=link("task_lists", "52011"),
        )
        event, *_ = await asked.found(
            "events", scope="task", ref="Homepage wireframes", since="today"
        )
        changes = {one["field"]: (one.get("before"), one.get("after")) for one in event["changes"]}
        assert changes["assignee"] == ("Ana Kovač (9104)", "Ana Horvat (9105)")
        assert changes["status"] == ("To do (6101)", "In review (6103)")
        assert changes["task list"] == ("Sprint 12 (52010)", "Backlog (52011)")
        assert changes["due date"] == ("2026-11-27", "2026-12-01")
        assert changes["estimate"][1] == "10.00 h"
        assert sorted(asked.sent) == [
            "/activities",
            "/people",
            "/task_lists",
            "/tasks",
            "/workflow_statuses",
        ]


async def test_ids_stay_where_their_names_may_not_be_seen() -> None:
    async with reading(get_activity) as asked:
        await change_task(asked, assignee=link("people", "9105"))
        asked.refuse("/people", 403, "access_denied")
        event, *_ = await asked.found("events", scope="task", ref=WIREFRAMES, since="today")
        assert {"field": "assignee", "before": "9104", "after": "9105"} in event["changes"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"scope": "project", "ref": "Website relaunch"}, {"20510087", "20510088"}),
        ({"scope": "task", "ref": "#88", "since": "last 7 days"}, {"20510088"}),
        ({"scope": "person", "ref": "me", "since": "last 7 days"}, {WIREFRAMES}),
        ({"scope": "person", "since": "last 7 days"}, {WIREFRAMES}),
        ({"scope": "Project", "ref": "P-14", "since": "2026-11-20"}, {"20510087", "20510088"}),
    ],
)
async def test_scope_narrows_the_events(arguments: dict[str, Any], expected: set[str]) -> None:
    async with reading(get_activity) as asked:
        events = await asked.found("events", **{"since": "friday", **arguments})
        assert {event["item"]["id"] for event in events} == expected


@pytest.mark.parametrize("since", ["20.11.", "3 days ago", "Fri 2026-11-20", "20 Nov", "friday"])
async def test_day_is_taken_in_the_words_of_people(since: str) -> None:
    async with reading(get_activity) as asked:
        answer = await asked.ask(since=since)
        assert answer.text.startswith("5 events in your projects since Fri 2026-11-20.")


async def test_what_a_person_did_is_theirs_alone() -> None:
    async with reading(get_activity) as asked:
        events = await asked.found("events", scope="person", ref="Marko Čavić", since="last month")
        assert {event["who"]["id"] for event in events} == {"9103"}


async def test_day_begins_at_midnight_of_the_person() -> None:
    async with reading(get_activity) as asked:
        # In UTC, both are on the 21st.
        asked.change("activities", "99100001", created_at="2026-11-22T00:30:00.000+01:00")
        asked.change("activities", "99100002", created_at="2026-11-21T23:30:00.000+01:00")
        names = {
            number: asked.tools.world.state.get("activities", number).attributes["item_id"]  # type: ignore[union-attr]
            for number in ("99100001", "99100002")
        }
        events = await asked.found("events", since="yesterday")
        seen = {event["item"]["id"] for event in events if event["what"] == "created"}
        assert seen == {str(names["99100001"])}


async def test_unknown_zone_is_said_because_the_day_depends_on_it() -> None:
    async with reading(get_activity) as asked:
        asked.change("users", "5104", time_zone="Atlantis")
        asked.change("organizations", "1200", time_zone="Atlantis")
        answer = await asked.ask(since="friday")
        (told,) = answer.structured["warnings"]
        assert "days are in UTC" in told


async def test_pages_partition_the_feed() -> None:
    async with reading(get_activity) as asked:
        arguments = {"scope": "project", "ref": "Website relaunch", "since": "2026-10-01"}
        pages = await asked.all_pages("events", limit=3, **arguments)
        assert pages == await asked.all_pages("events", limit=100, **arguments)
        assert len(pages) > 6
        assert len(set(pages)) == len(pages)


async def test_nothing_that_happened_is_an_answer() -> None:
    async with reading(get_activity) as asked:
        answer = await asked.ask(since="today")
        assert answer.structured == {}
        assert answer.text == "Nothing happened in your projects since today (2026-11-23)."


async def test_person_without_projects_is_told_so() -> None:
    async with reading(get_activity) as asked:
        state = asked.tools.world.state
        for membership in asked.records("memberships"):
            person = membership.to_one("person")
            if person is not None and person.id == "9104":
                state.remove(membership)
        answer = await asked.ask()
        assert answer.text == "You do not work in any active project."
        assert asked.sent == ["/projects"]


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ({"since": "some day"}, "invalid_value", "since"),
        ({"scope": "project"}, "invalid_value", "ref"),
        ({"scope": "task"}, "invalid_value", "ref"),
        ({"ref": "Website relaunch"}, "invalid_value", "scope"),
        ({"scope": "galaxy"}, "invalid_value", "scope"),
        ({"scope": "project", "ref": "Rebrand"}, "ambiguous_reference", "ref"),
        ({"scope": "person", "ref": "Ana"}, "ambiguous_reference", "ref"),
        ({"scope": "task", "ref": "Bake bread"}, "unknown_reference", "ref"),
    ],
)
async def test_refused_argument_is_named(arguments: dict[str, Any], code: str, field: str) -> None:
    async with reading(get_activity) as asked:
        error = await asked.refused(**arguments)
        assert (error["code"], error["field"]) == (code, field)
        assert "/activities" not in asked.sent


async def test_refused_day_says_what_today_is() -> None:
    async with reading(get_activity) as asked:
        error = await asked.refused(since="some day")
        assert "2026-11-23" in error["message"]


async def test_read_only_person_may_see_activity() -> None:
    async with reading(get_activity) as asked:
        assert await asked.found("events", who=READ_ONLY, since="friday")


async def test_words_of_others_stay_within_their_lines() -> None:
    async with reading(get_activity) as asked:
        asked.change("comments", "880012", body=HOSTILE)
        for entry in asked.records("activities"):
            value = [{"title": [{"value": HOSTILE}, {"value": HOSTILE + "!"}]}]
            asked.change("activities", entry.id, item_name=HOSTILE, root_name=HOSTILE)
            if entry.attributes["event"] == "update":
                asked.change("activities", entry.id, changeset=value)
        events = await asked.found("events", since="friday", limit=5)
        assert all(len(event["project"]["name"]) <= 80 for event in events)


async def test_more_projects_than_one_request_names_are_said() -> None:
    async with reading(get_activity) as asked:
        state = asked.tools.world.state
        project, me = state.get("projects", "30201"), state.get("people", "9104")
        membership = asked.records("memberships")[0]
        assert project is not None
        assert me is not None
        for number in range(31000, 31100):
            copy = replace(project, id=str(number))
            state.put(copy)
            mine = replace(membership, id=f"9{number}")
            state.put(mine.with_relations(project=copy.ref, person=me.ref))
        answer = await asked.ask(since="friday")
        assert "Only 100 of your 107 projects are looked at." in answer.structured["warnings"]
