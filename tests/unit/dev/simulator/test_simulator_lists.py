"""Paging, filters and sorts of the simulator, against brute force over its state."""

from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from productive_dev.simulator.api.answer import answer
from productive_dev.simulator.api.call import Call
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.errors import Problem
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.resources import RESOURCES
from productive_dev.simulator.resources.search import NAME
from productive_dev.simulator.world import World

MONDAY = datetime(2026, 11, 23, 9, tzinfo=ZoneInfo("Europe/Zagreb")).timestamp()
WORLD = World(
    SimulatorConfig(clock=lambda: MONDAY, requests_per_token=10**9, requests_per_organization=10**9)
)
MANAGER = "simulator-manager"
ENTRIES = [e for e in WORLD.state.all("time_entries") if e.organization == "1200"]
DAYS = st.sampled_from([date(2026, 11, 5) + timedelta(days=n) for n in range(20)])


def get(path: str, *, token: str = MANAGER, **parameters: str) -> dict[str, Any]:
    return get_pairs(path, tuple(parameters.items()), token)


def get_pairs(
    path: str, pairs: tuple[tuple[str, str], ...], token: str = MANAGER
) -> dict[str, Any]:
    headers = {"x-auth-token": token, "x-organization-id": "1200"}
    document = answer(WORLD, Call("GET", path, f"http://sim/{path}", pairs, headers)).document
    assert document is not None
    return document


def ids(document: dict[str, Any]) -> list[str]:
    return [item["id"] for item in document["data"]]


def project_of(entry: Record) -> str | None:
    project = WORLD.state.follow(entry, "service", "deal", "project")
    return project.id if project else None


def state_of(entry: Record) -> str:
    values = entry.attributes
    if values["rejected"]:
        return "3"
    return "1" if values["approved"] else "5" if values["submitted"] else "2"


@given(size=st.integers(1, 250))
def test_pages_partition_the_list(size: int) -> None:
    seen: list[str] = []
    number, last = 1, 1
    while number <= last:
        page = get("time_entries", **{"page[size]": str(size), "page[number]": str(number)})
        assert page["meta"] == {
            "current_page": number,
            "total_pages": -(-len(ENTRIES) // min(size, 200)),
            "total_count": len(ENTRIES),
            "page_size": min(size, 200),
            "max_page_size": 200,
        }
        seen += ids(page)
        last = page["meta"]["total_pages"]
        number += 1
    assert sorted(seen) == sorted(entry.id for entry in ENTRIES)


def test_following_the_next_link_visits_every_record_once() -> None:
    pairs: tuple[tuple[str, str], ...] = (("page[size]", "7"), ("filter[person_id]", "9104"))
    seen: list[str] = []
    while True:
        page = get_pairs("time_entries", pairs)
        seen += ids(page)
        if "next" not in page["links"]:
            break
        pairs = tuple(parse_qsl(urlsplit(page["links"]["next"]).query))
    expected = [e.id for e in ENTRIES if e.relations["person"] == Ref("people", "9104")]
    assert sorted(seen) == sorted(expected)
    assert page["links"].keys() == {"first", "last", "prev"}


def test_per_page_means_the_same_as_page_size() -> None:
    assert ids(get("people", per_page="3")) == ids(get("people", **{"page[size]": "3"}))


def test_nothing_found_has_no_pages() -> None:
    page = get("time_entries", **{"filter[person_id]": "1"})
    assert page["data"] == []
    assert page["meta"]["total_pages"] == 0


@given(
    person=st.none() | st.lists(st.sampled_from(["9103", "9104", "9105", "1"]), min_size=1),
    project=st.none() | st.sampled_from(["30201", "30202", "30203", "30204"]),
    after=st.none() | DAYS,
    before=st.none() | DAYS,
    status=st.none() | st.sampled_from(["1", "2", "3", "5"]),
)
def test_filters_of_time_entries_equal_brute_force(
    person: list[str] | None,
    project: str | None,
    after: date | None,
    before: date | None,
    status: str | None,
) -> None:
    wanted = {
        "filter[person_id]": None if person is None else ",".join(person),
        "filter[project_id]": project,
        "filter[after]": after and after.isoformat(),
        "filter[before]": before and before.isoformat(),
        "filter[status]": status,
    }
    page = get("time_entries", **{k: v for k, v in wanted.items() if v}, **{"page[size]": "200"})
    expected = [
        entry.id
        for entry in ENTRIES
        if (person is None or entry.relations["person"].id in person)  # type: ignore[union-attr]
        and (project is None or project_of(entry) == project)
        and (after is None or entry.attributes["date"] >= after.isoformat())
        and (before is None or entry.attributes["date"] <= before.isoformat())
        and (status is None or state_of(entry) == status)
    ]
    assert sorted(ids(page)) == sorted(expected)


@given(day=DAYS, operator=st.sampled_from(["eq", "not_eq", "gt", "lt", "gt_eq", "lt_eq"]))
def test_operators_on_dates_equal_brute_force(day: date, operator: str) -> None:
    compare = {
        "eq": lambda value: value == day.isoformat(),
        "not_eq": lambda value: value != day.isoformat(),
        "gt": lambda value: value > day.isoformat(),
        "lt": lambda value: value < day.isoformat(),
        "gt_eq": lambda value: value >= day.isoformat(),
        "lt_eq": lambda value: value <= day.isoformat(),
    }[operator]
    page = get("time_entries", **{f"filter[date][{operator}]": str(day), "page[size]": "200"})
    assert sorted(ids(page)) == sorted(e.id for e in ENTRIES if compare(e.attributes["date"]))


@settings(max_examples=25)
@given(size=st.integers(5, 60), descending=st.booleans())
def test_a_sorted_list_is_the_same_over_pages_as_in_one(size: int, descending: bool) -> None:
    order = "-date" if descending else "date"
    whole = get("time_entries", sort=order, **{"page[size]": "200"})
    dates = [item["attributes"]["date"] for item in whole["data"]]
    assert dates == sorted(dates, reverse=descending)
    paged = [
        number
        for page in range(1, -(-len(ENTRIES) // size) + 1)
        for number in ids(
            get("time_entries", sort=order, **{"page[size]": str(size), "page[number]": str(page)})
        )
    ]
    assert paged == ids(whole)


def test_services_a_person_may_track_on_are_those_that_a_post_accepts() -> None:
    page = get("services", **{"filter[trackable_by_person_id]": "9104", "page[size]": "200"})
    assert {number for number in ids(page) if number < "16880080"} == {
        *("16880011", "16880015", "16880031", "16880035", "16880042", "16880045"),
        *("16880051", "16880052", "16880061"),
    }


def test_the_tracking_filter_is_right_where_the_attribute_is_not() -> None:
    everything = get("services", **{"filter[deal_id]": "4287001"})
    filtered = get(
        "services", **{"filter[deal_id]": "4287001", "filter[time_tracking_enabled]": "true"}
    )
    assert all(item["attributes"]["time_tracking_enabled"] for item in everything["data"])
    assert set(ids(everything)) - set(ids(filtered)) == {"16880019"}


def test_an_inert_filter_changes_nothing() -> None:
    assert ids(get("bookings", **{"filter[booking_type]": "2"})) == ids(get("bookings"))


def test_an_empty_value_asks_for_records_without_one() -> None:
    assert ids(get("timers", **{"filter[stopped_at][eq]": ""})) == ["14335001"]
    assert ids(get("timers", **{"filter[stopped_at][not_eq]": ""})) == []


def test_a_closed_budget_and_its_services_are_told_by_budget_status() -> None:
    assert ids(get("deals", **{"filter[type]": "2", "filter[budget_status]": "2"})) == ["4287002"]
    assert set(ids(get("services", **{"filter[budget_status]": "2"}))) == {"16880021", "16880025"}


def test_tentative_bookings_are_hidden_unless_asked_for() -> None:
    assert "551003" not in ids(get("bookings"))
    assert "551003" in ids(get("bookings", **{"filter[with_draft]": "true"}))


def test_bookings_are_found_by_the_days_they_touch() -> None:
    found = get("bookings", **{"filter[after]": "2026-12-01", "filter[before]": "2026-12-01"})
    assert ids(found) == ["551001", "551005"]


@pytest.mark.parametrize(
    ("parameters", "code", "parameter"),
    [
        ({"filter[colour]": "red"}, "unsupported_filter", "filter[colour]"),
        ({"filter[date][near]": "2026-11-20"}, "unsupported_filter_operation", "filter[date]"),
        ({"filter[service_id][gt]": "1"}, "unsupported_filter_operation", "filter[service_id]"),
        ({"filter[date]": "null"}, "unsupported_filter_value_type", "filter[date]"),
        ({"filter[creator_id]": "ana"}, "unsupported_filter_value_type", "filter[creator_id]"),
        ({"sort": "created_at"}, "sort_param_unsupported", "sort"),
        ({"sort": "date,id"}, "sort_param_unsupported", "sort"),
        ({"include": "colour"}, "unsupported_include", "include"),
        ({"include": "service.colour"}, "unsupported_include", "include"),
        ({"page[number]": "0"}, "invalid_page", "page[number]"),
    ],
)
def test_what_is_not_supported_is_refused_by_its_name(
    parameters: dict[str, str], code: str, parameter: str
) -> None:
    with pytest.raises(Problem) as caught:
        get("time_entries", **parameters)
    error = caught.value.body()["errors"][0]
    assert caught.value.http_status == 400
    assert error["code"] == code
    assert error["source"] == {"parameter": parameter}
    # The original's body says another status than its answer.
    assert error["status"] == "unprocessable_content"


def test_paging_backwards_by_cursor_is_not_implemented() -> None:
    with pytest.raises(Problem, match="simulator does not have it"):
        get("time_entries", **{"page[before]": "x"})


@pytest.mark.parametrize("kind", sorted(RESOURCES))
def test_every_filter_and_sort_of_every_resource_answers(kind: str) -> None:
    path, needed = kind, {}
    if kind == NAME:
        path, needed = "search/quick", {"filter[type]": "task"}
    values = {Kind.DAY: "2026-11-20", Kind.MOMENT: "2026-11-20", Kind.FLAG: "true"}
    for name, known in RESOURCES[kind].filters.items():
        get(path, **{f"filter[{name}]": values.get(known.kind, "1"), **needed})
    for name in RESOURCES[kind].sorts:
        get(path, sort=f"-{name}", **needed)
