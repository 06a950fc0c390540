"""The vendor's recordings, as a table of requests and what they were answered.

The facts (statuses, headers, names and kinds of attributes, orders, totals) are those of 54
recorded answers of March 2026 and of a public set of September 2026; ids and values are ours.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from harness.simulation import DIRECTOR, Simulation, document, link

VENDOR = json.loads((Path(__file__).parent / "data/vendor-resources.json").read_text())
RECORDED = {k: v["recorded"] for k, v in VENDOR["resources"].items() if "recorded" in v}
KINDS = {
    type(None): "null",
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
}
FRESH = "max-age=0, private, must-revalidate"


@pytest.fixture
def admin(sim: Simulation) -> Simulation:
    return sim.as_(DIRECTOR)


def check_shape(item: dict[str, Any]) -> None:
    """Compare a record with the recorded names, their order and the kinds of their values."""
    recorded = RECORDED[item["type"]]
    assert list(item["attributes"]) == list(recorded["attributes"])
    assert list(item["relationships"]) == recorded["relationships"]
    for name, value in item["attributes"].items():
        kinds = set(recorded["attributes"][name].split("|"))
        # Null alone says that the recorded organization never used the attribute.
        if kinds != {"null"} and value is not None:
            found = KINDS[type(value)]
            assert found in kinds or (found == "integer" and "number" in kinds), (name, value)


def check_stubs(item: dict[str, Any], *shown: str) -> None:
    """See that only the organization, and what was asked for, has data."""
    for name, linked in item["relationships"].items():
        if name in ("organization", "parent_company", *shown):
            assert "data" in linked, name
        else:
            assert linked == {"meta": {"included": False}}, name


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("projects", {"page[number]": "1", "page[size]": "5"}),
        ("projects", {"filter[status]": "1", "page[number]": "1", "page[size]": "5"}),
        ("projects", {"filter[query]": "web", "page[size]": "5"}),
        ("tasks", {"page[number]": "1", "page[size]": "5"}),
        ("tasks", {"filter[project_id]": "30201", "page[size]": "10"}),
        ("tasks", {"sort": "-created_at", "page[size]": "5"}),
        ("tasks", {"filter[title]": "homepage wireframes", "page[size]": "5"}),
        ("people", {"page[number]": "1", "page[size]": "20"}),
        ("people", {"filter[email]": "petra.novak@northlight.example"}),
        ("deals", {"page[number]": "1", "page[size]": "5"}),
        ("deals", {"filter[status]": "1", "page[size]": "5"}),
        ("services", {"filter[deal_id]": "4287001", "page[size]": "10"}),
        ("pages", {"page[number]": "1", "page[size]": "20"}),
        ("companies", {"page[size]": "5"}),
    ],
)
async def test_lists_have_the_recorded_shape(
    admin: Simulation, path: str, parameters: dict[str, str]
) -> None:
    answer = await admin.send("GET", path, **parameters)
    assert answer.status_code == 200
    found = answer.json()
    assert list(found) == ["data", "links", "meta"]
    assert found["data"]
    for item in found["data"]:
        check_shape(item)
        check_stubs(item)
    assert list(found["meta"]) == [
        *("current_page", "total_pages", "total_count", "page_size", "max_page_size"),
    ]
    assert found["meta"]["max_page_size"] == 200
    check_headers(answer.headers, answer.content)


def check_headers(headers: Any, content: bytes) -> None:
    assert headers["etag"] == f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
    assert headers["cache-control"] == FRESH
    assert headers["content-type"] == "application/vnd.api+json; charset=utf-8"
    assert headers["vary"] == "Accept,Origin,Accept-Encoding"
    assert headers["content-length"] == str(len(content))
    for name, value in (
        ("x-frame-options", "SAMEORIGIN"),
        ("x-content-type-options", "nosniff"),
        ("x-xss-protection", "0"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("x-permitted-cross-domain-policies", "none"),
    ):
        assert headers[name] == value
    assert "last-modified" not in headers
    assert not [name for name in headers if "ratelimit" in name]


@pytest.mark.parametrize(
    "path",
    ["projects/30201", "tasks/20510087", "people/9104", "deals/4287001", "pages/81001"],
)
async def test_a_single_record_has_the_shape_of_the_list(admin: Simulation, path: str) -> None:
    answer = await admin.send("GET", path)
    assert list(answer.json()) == ["data", "meta"]
    assert answer.json()["meta"] == {}
    check_shape(answer.json()["data"])
    check_stubs(answer.json()["data"])
    check_headers(answer.headers, answer.content)


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"page[number]": "1", "page[size]": "2"}, ["first", "last", "next"]),
        ({"page[number]": "2", "page[size]": "2"}, ["first", "last", "prev", "next"]),
        ({"page[number]": "5", "page[size]": "2"}, ["first", "last", "prev"]),
        ({"page[number]": "1", "page[size]": "200"}, ["first", "last"]),
        ({"filter[company_id]": "999"}, ["first", "last"]),
    ],
)
async def test_links_come_in_the_recorded_order_and_encoding(
    admin: Simulation, parameters: dict[str, str], names: list[str]
) -> None:
    links = (await admin.get("projects", **parameters))["links"]
    assert list(links) == names
    for address in links.values():
        query = urlsplit(address).query
        assert "[" not in query
        pairs = parse_qsl(query)
        assert pairs == sorted(pairs)


async def test_an_empty_list_has_page_zero_as_its_last(admin: Simulation) -> None:
    found = await admin.get("time_entries", **{"filter[person_id]": "1"})
    assert found["meta"]["total_pages"] == 0
    assert dict(parse_qsl(urlsplit(found["links"]["last"]).query))["page[number]"] == "0"


async def test_the_projects_of_the_recordings(admin: Simulation) -> None:
    active = await admin.ids("projects", **{"filter[status]": "1"})
    archived = await admin.ids("projects", **{"filter[status]": "2"})
    whole = await admin.ids("projects")
    assert set(active) | set(archived) == set(whole)
    assert archived == ["30206"], "an unfiltered list holds archived projects"
    assert await admin.ids("projects", **{"filter[status]": "1", "sort": "name"}) == active
    group = {"filter[$op]": "and", "filter[0][status][eq][]": "1"}
    assert await admin.ids("projects", **group) == active
    nested = {
        "filter[$op]": "or",
        "filter[0][status][eq][]": "1",
        "filter[1][$op]": "and",
        "filter[1][0][status][eq][]": "2",
    }
    assert await admin.ids("projects", **nested) == whole
    links = (await admin.get("projects", **nested, **{"page[size]": "2"}))["links"]
    assert "filter%5B%24op%5D=or" in links["next"]
    assert "filter%5B1%5D%5B0%5D%5Bstatus%5D%5Beq%5D%5B%5D=2" in links["next"]
    first = await admin.get(
        "projects", **{"filter[status]": "1", "page[size]": "2", "page[number]": "1"}
    )
    second = await admin.get(
        "projects", **{"filter[status]": "1", "page[size]": "2", "page[number]": "2"}
    )
    paged = [item["id"] for page in (first, second) for item in page["data"]]
    assert paged == active[:4]
    assert first["meta"]["total_pages"] == -(-len(active) // 2)
    for item in (await admin.get("projects"))["data"]:
        assert item["attributes"]["number"] == item["attributes"]["project_number"]


async def test_projects_come_by_name_people_by_first_and_last_name(admin: Simulation) -> None:
    projects = await admin.get("projects", **{"page[size]": "200"})
    assert [item["attributes"]["name"] for item in projects["data"]] == [
        *("Annual report", "Bakery shop", "Company website", "Internal", "Mobile app"),
        *("Rebrand", "Rebrand", "Website care", "Website relaunch"),
    ]
    people = await admin.get("people", **{"page[size]": "200"})
    names = [
        (item["attributes"]["first_name"], item["attributes"]["last_name"] or "")
        for item in people["data"]
    ]
    assert names[:4] == [("Ana", "Bauer"), ("Ana", "Horvat"), ("Ana", "Kovač"), ("Designer", "")]
    assert names[-1] == ("Tomislav", "Kralj")
    kinds = {(a["placeholder"], a["agent"], a["is_user"]) for a in attributes(people)}
    assert len(kinds) == 4, "all kinds of people are in one list"
    assert {a["deactivated_at"] is None for a in attributes(people)} == {True, False}


def attributes(found: Any) -> list[dict[str, Any]]:
    return [item["attributes"] for item in found["data"]]


async def test_a_search_keeps_the_order_and_finds_archived_and_more_than_names(
    admin: Simulation,
) -> None:
    assert await admin.ids("projects", **{"filter[query]": "bakery"}) == ["30206"]
    assert await admin.ids("projects", **{"filter[query]": "2026-02"}) == ["30209"]


async def test_an_included_company_comes_once_and_shows_its_parent(admin: Simulation) -> None:
    found = await admin.get("projects", include="company", **{"filter[status]": "1"})
    assert list(found) == ["data", "included", "links", "meta"]
    wanted = [item["relationships"]["company"]["data"]["id"] for item in found["data"]]
    assert [item["id"] for item in found["included"]] == list(dict.fromkeys(wanted))
    for company in found["included"]:
        check_shape(company)
        check_stubs(company)
        assert company["relationships"]["parent_company"] == {"data": None}
    for project in found["data"]:
        check_stubs(project, "company")


async def test_what_is_included_comes_row_by_row_in_the_order_of_include(
    admin: Simulation,
) -> None:
    found = await admin.get("tasks", include="project,assignee", **{"page[size]": "3"})
    expected: list[tuple[str, str]] = []
    for item in found["data"]:
        for name in ("project", "assignee"):
            data = item["relationships"][name]["data"]
            if data is not None:
                expected.append((data["type"], data["id"]))
    included = [(item["type"], item["id"]) for item in found["included"]]
    assert included == list(dict.fromkeys(expected))


async def test_the_tasks_of_the_recordings(admin: Simulation) -> None:
    whole = await admin.ids("tasks")
    assert whole == sorted(whole, key=int)
    closed = attributes(await admin.get("tasks", **{"page[size]": "200"}))
    assert {a["closed"] for a in closed} == {True, False}
    assert all(a["worked_time"] is None or a["worked_time"] > 0 for a in closed)
    newest = attributes(await admin.get("tasks", sort="-created_at", **{"page[size]": "200"}))
    stamps = [a["created_at"] for a in newest]
    assert stamps == sorted(stamps, reverse=True)
    by_title = attributes(await admin.get("tasks", **{"filter[title]": "DESIGN TOKENS"}))
    assert [a["title"] for a in by_title] == ["Design tokens"]
    assert await admin.ids("tasks", **{"filter[title]": "design"}) == [], "equality, no search"


async def test_deals_and_budgets_are_mixed_and_open_until_closed(admin: Simulation) -> None:
    whole = attributes(await admin.get("deals", **{"page[size]": "200"}))
    assert {a["budget"] for a in whole} == {True, False}
    assert {a["closed_at"] is None for a in whole} == {True, False}
    opened = attributes(await admin.get("deals", **{"filter[status]": "1", "page[size]": "200"}))
    assert {a["closed_at"] for a in opened} == {None}
    assert {a["budget"] for a in opened} == {True, False}


async def test_amounts_are_whole_on_deals_and_fractions_on_services(admin: Simulation) -> None:
    deal = await admin.one("deals/4287001")
    assert type(deal["budget_total"]) is int
    assert isinstance(deal["profit_margin"], str)
    service = await admin.one("services/16880011")
    assert type(service["price"]) is float
    assert isinstance(service["quantity"], str)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "projects/999999999"), ("DELETE", "comments/999999999")]
)
async def test_a_record_that_is_not_there(admin: Simulation, method: str, path: str) -> None:
    answer = await admin.send(method, path)
    assert answer.status_code == 404
    assert answer.json() == {
        "errors": [
            {
                "status": "404",
                "code": "record_not_found",
                "title": "Record Not Found",
                "detail": "The requested record was not found",
                "meta": {},
                "source": {},
            }
        ]
    }
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "no-cache"


async def test_an_empty_task_names_three_faults_in_order(admin: Simulation) -> None:
    answer = await admin.send("POST", "tasks", {"data": document("tasks")})
    assert answer.status_code == 422
    assert [list(error) for error in answer.json()["errors"]] == [
        ["status", "code", "title", "detail", "meta", "source"]
    ] * 3
    assert [(e["source"]["pointer"], e["detail"]) for e in answer.json()["errors"]] == [
        ("data/attributes/title", "can't be blank"),
        ("data/attributes/project", "can't be blank"),
        ("data/attributes/task_list", "can't be blank"),
    ]
    assert "etag" not in answer.headers


async def test_a_page_is_made_changed_and_removed_as_recorded(admin: Simulation) -> None:
    made = await admin.send("POST", "pages", {"data": document("pages", {"title": "Parent"})})
    assert made.status_code == 201
    check_headers(made.headers, made.content)
    root = made.json()["data"]
    check_shape(root)
    assert root["attributes"]["version_number"] is None
    assert root["attributes"]["public_uuid"] is not None
    assert root["attributes"]["preferences"] is None
    assert json.loads(root["attributes"]["body"])["content"] == [{"type": "paragraph"}]
    child = await admin.write(
        "POST",
        "pages",
        document(
            "pages",
            {"title": "Child"},
            parent_page=link("pages", root["id"]),
            root_page=link("pages", root["id"]),
        ),
    )
    assert child["attributes"]["parent_page_id"] == int(root["id"])
    assert child["attributes"]["root_page_id"] == int(root["id"])
    assert child["attributes"]["public_uuid"] is None
    await admin.control("PUT", "clock", {"freeze": True})
    await admin.control("PUT", "clock", {"advance": 60})
    renamed = await admin.write("PATCH", f"pages/{root['id']}", document("pages", {"title": "N"}))
    assert renamed["attributes"]["title"] == "N"
    assert renamed["attributes"]["edited_at"] > root["attributes"]["edited_at"]
    assert renamed["attributes"]["preferences"] == {}
    gone = await admin.send("DELETE", f"pages/{root['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert "content-type" not in gone.headers
    assert "content-length" not in gone.headers
    assert (gone.headers["cache-control"], gone.headers["vary"]) == ("no-cache", "Origin")


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_page_s_body_that_is_an_object_is_dropped(admin: Simulation, method: str) -> None:
    body = {"type": "doc", "content": [{"type": "paragraph"}, {"type": "divider"}]}
    path = "pages" if method == "POST" else "pages/81001"
    before = (await admin.one("pages/81001"))["body"]
    made = await admin.write(method, path, document("pages", {"title": "T", "body": body}))
    kept = made["attributes"]["body"]
    assert "divider" not in kept
    assert method == "POST" or kept == before


async def test_a_page_s_body_that_is_plain_text_fails(admin: Simulation) -> None:
    answer = await admin.send(
        "POST", "pages", {"data": document("pages", {"title": "T", "body": "plain"})}
    )
    assert answer.status_code == 500


async def test_the_same_body_has_the_same_tag_whether_read_or_written(admin: Simulation) -> None:
    made = await admin.send("POST", "pages", {"data": document("pages", {"title": "T"})})
    read = await admin.send("GET", f"pages/{made.json()['data']['id']}")
    assert made.headers["etag"] == read.headers["etag"]


async def test_one_organization_has_settings_in_every_answer(sim: Simulation) -> None:
    board = sim.as_(DIRECTOR, "1300")
    size = len(json.dumps((await board.get("projects"))["meta"]["settings"]))
    assert 14_000 < size < 18_000
    answer = await board.send("POST", "pages", {"data": document("pages", {"title": "T"})})
    assert "settings" in answer.json()["meta"]
    assert (await board.send("GET", "projects/1")).json().keys() == {"errors"}


async def test_a_time_entry_has_the_recorded_44_attributes(admin: Simulation) -> None:
    entry = (await admin.get("time_entries/163000412"))["data"]
    amounts = [
        f"{name}{form}"
        for name in (
            *("cost", "work_cost", "overhead_cost", "internal_overhead_cost"),
            "facility_overhead_cost",
        )
        for form in ("", "_default", "_normalized")
    ]
    assert list(entry["attributes"]) == [
        *("draft", "date", "created_at", "time", "billable_time", "recognized_time", "note"),
        *("track_method_id", "started_at", "timer_started_at", "timer_stopped_at", "approved"),
        *("approved_at", "updated_at", "calendar_event_id", "calendar_event_recurring_id"),
        *("invoice_attribution_id", "invoiced", "overhead", "overtime"),
        *("overtime_cost_multiplier", "rejected", "rejected_reason", "rejected_at"),
        *("last_activity_at", "submitted", "currency", "currency_default"),
        "currency_normalized",
        *amounts,
    ]
    assert list(entry["relationships"]) == [
        *("organization", "person", "service", "task", "approver", "updater", "rejecter"),
        *("creator", "last_actor", "person_subsidiary", "deal_subsidiary", "timesheet"),
        *("invoice_attribution", "approval_statuses"),
    ]


async def test_a_booking_has_the_recorded_25_attributes(admin: Simulation) -> None:
    booking = (await admin.get("bookings/551001"))["data"]
    assert list(booking["attributes"]) == [
        *("hours", "time", "started_on", "ended_on", "note", "total_time", "total_working_days"),
        *("percentage", "created_at", "updated_at", "people_custom_fields", "approved"),
        *("approved_at", "rejected", "rejected_reason", "rejected_at", "canceled", "canceled_at"),
        *("booking_method_id", "autotracking", "draft", "custom_fields", "external_id"),
        *("last_activity_at", "stage_type"),
    ]
    assert list(booking["relationships"]) == [
        *("organization", "service", "event", "person", "creator", "updater", "approver"),
        *("rejecter", "canceler", "origin", "approval_statuses", "custom_field_people"),
        *("custom_field_attachments", "attachments"),
    ]


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "started_at", "id"])
async def test_time_entries_refuse_other_sorts_and_repeat_them(
    admin: Simulation, sort: str
) -> None:
    answer = await admin.send("GET", "time_entries", sort=sort)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (400, "sort_param_unsupported")
    assert error["detail"] == f"Sort by '{sort}' is not supported on this endpoint."
    assert error["source"] == {"parameter": "sort"}


async def test_memberships_answer_for_the_token_whatever_the_header(admin: Simulation) -> None:
    for organization in ("1200", "4711", None):
        asked = admin.as_(DIRECTOR, organization)
        assert set(await asked.ids("organization_memberships")) == {"9101", "9201"}
    only = {"filter[organization_id]": "1300"}
    assert await admin.ids("organization_memberships", **only) == ["9201"]


async def test_a_line_feed_in_a_note_comes_back(sim: Simulation) -> None:
    note = "first\nsecond"
    entry = document(
        "time_entries",
        {"date": "2026-11-23", "time": 5, "note": note},
        person=link("people", "9104"),
        service=link("services", "16880011"),
    )
    made = await sim.write("POST", "time_entries", entry)
    assert made["attributes"]["note"] == note
