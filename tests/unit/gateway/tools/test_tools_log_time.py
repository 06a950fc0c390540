from __future__ import annotations

from typing import Any

import httpx
import jsonschema
import pytest
from structlog.testing import capture_logs

from harness.mcpkit import SimulatedTools, person, principal, simulated_tools
from productive_dev.simulator.faults import Fault
from productive_gateway.productive.client import ProductiveSession
from productive_gateway.tools.registry import Answer
from productive_gateway.tools.time_entries import LOG_TIME

DESIGN = {"project": "relaunch", "service": "design", "hours": 2}
LUKA = principal(person("simulator-luka-babic", user_id=9106))


def checked(answer: Answer) -> dict[str, Any]:
    jsonschema.validate(answer.structured, LOG_TIME.output_schema)
    return answer.structured


def errors(answer: Answer) -> list[str]:
    return [row.get("error", {}).get("code", "") for row in answer.structured["results"]]


def written(tools: SimulatedTools) -> list[Any]:
    """Bodies that were posted."""
    return [entry.body for entry in tools.requests("POST")]


async def test_time_is_logged_by_names_in_one_call() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({**DESIGN, "note": "Wireframes v2"})
        assert not answer.is_error
        (result,) = checked(answer)["results"]
        number = result["entry"].pop("id")
        assert result == {
            "ok": True,
            "entry": {
                "date": "2026-11-23",
                "hours": 2.0,
                "minutes": 120,
                "billable_hours": 2.0,
                "project": {"id": "30201", "name": "Website relaunch"},
                "budget": {"id": "4287001", "name": "Relaunch phase 2"},
                "service": {"id": "16880011", "name": "Design"},
                "note": "Wireframes v2",
                "state": "approved",
            },
        }
        assert answer.structured["day_totals"] == [
            {"date": "2026-11-23", "tracked": 2.0, "capacity": 8.0}
        ]
        assert answer.structured["resolved"] == [
            {
                "input": "relaunch",
                "kind": "project",
                "id": "30201",
                "name": "Website relaunch",
                "how": "unique word match",
            },
            {
                "input": "design",
                "kind": "service",
                "id": "16880011",
                "name": "Design",
                "how": "exact name",
            },
        ]
        assert answer.text == ("Logged 2.00 h on Website relaunch / Design (today 2.00 of 8 h).")
        stored = tools.world.state.get("time_entries", number)
        assert stored is not None
        assert stored.attributes["time"] == 120
        assert stored.attributes["note"] == "Wireframes v2"


async def test_entry_is_written_with_relationships() -> None:
    async with simulated_tools() as tools:
        await tools.log({"task": "#88", "hours": "45m", "billable_hours": 0})
        (body,) = written(tools)
        assert body["data"]["attributes"] == {
            "date": "2026-11-23",
            "time": 45,
            "billable_time": 0,
        }
        assert {
            name: link["data"]["id"] for name, link in body["data"]["relationships"].items()
        } == {
            "person": "9104",
            "service": "16880011",
            "task": "20510088",
        }


@pytest.mark.parametrize(
    ("entry", "service", "task"),
    [
        ({"service": "16880015"}, "16880015", None),
        ({"project": "30201", "service": "Project management"}, "16880015", None),
        ({"project": "Website relaunch", "service": "manag"}, "16880015", None),
        ({"task": "Design tokens"}, "16880011", "20510088"),
        ({"task": "20510088"}, "16880011", "20510088"),
        (
            {"task": "https://app.productive.io/1200-nls/tasks/20510088"},
            "16880011",
            "20510088",
        ),
        ({"project": "mobile app", "task": "#12"}, "16880042", "20510212"),
        ({"project": "website care", "task": "#13"}, "16880031", "20510113"),
        ({"task": "startseite übersetzen", "service": "design"}, "16880011", "20510089"),
        ({"task": "#91"}, "16880015", "20510091"),
    ],
)
async def test_references_resolve_to_one_service(
    entry: dict[str, Any], service: str, task: str | None
) -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({**entry, "hours": 1})
        (result,) = checked(answer)["results"]
        assert result["entry"]["service"]["id"] == service
        assert result["entry"].get("task", {}).get("id") == task


@pytest.mark.parametrize(
    ("entry", "code", "field", "candidates"),
    [
        (
            {"project": "website", "service": "design"},
            "ambiguous_reference",
            "project",
            {"30201", "30202", "30205"},
        ),
        ({"project": "Websight relaunch"}, "unknown_reference", "project", None),
        ({"project": "Bakery shop"}, "unknown_reference", "project", None),
        ({"project": "30301"}, "unknown_reference", "project", None),
        (
            {"project": "relaunch", "service": "copywriting"},
            "unknown_reference",
            "service",
            {"16880011", "16880015"},
        ),
        (
            {"service": "Project management"},
            "ambiguous_reference",
            "service",
            {"16880015", "16880035", "16880045"},
        ),
        ({"service": "16880012"}, "unknown_reference", "service", set()),
        ({"service": "16880019"}, "unknown_reference", "service", set()),
        (
            {"project": "relaunch"},
            "ambiguous_reference",
            "service",
            {"16880011", "16880015"},
        ),
        (
            {"task": "#87"},
            "ambiguous_reference",
            "service",
            {"16880011", "16880015"},
        ),
        ({"task": "#12"}, "ambiguous_reference", "task", {"20510112", "20510212"}),
        ({"task": "#4711"}, "unknown_reference", "task", set()),
        ({"task": "no such thing"}, "unknown_reference", "task", set()),
        ({"project": "mobile app", "task": "20510087"}, "invalid_value", "task", set()),
        ({"task": "https://app.productive.io/1-x/people/9104"}, "invalid_value", "task", set()),
        ({}, "invalid_value", None, set()),
    ],
)
async def test_ambiguous_reference_is_asked_and_nothing_is_written(
    entry: dict[str, Any], code: str, field: str | None, candidates: set[str] | None
) -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({**entry, "hours": 1})
        assert answer.is_error
        error = checked(answer)["error"]
        assert error["code"] == code
        assert error["field"] == ("entries[0]" + (f".{field}" if field else ""))
        if candidates is not None:
            found = {one["id"] for one in error.get("candidates", [])}
            assert found >= candidates if candidates else found == set()
        assert all(one["id"] in answer.text for one in error.get("candidates", []))
        assert written(tools) == []


async def test_only_service_in_use_is_chosen_and_named() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({"project": "mobile app", "hours": 1})
        (result,) = checked(answer)["results"]
        assert result["entry"]["service"]["id"] == "16880042"
        last = answer.structured["resolved"][-1]
        assert last["how"] == "only service you used here in the last four weeks"


async def test_project_without_a_trackable_budget_is_reported() -> None:
    async with simulated_tools() as tools:
        for service in list(tools.world.state.all("services")):
            if service.id == "16880061":
                tools.world.state.remove(service)
        answer = await tools.log({"project": "Company website", "hours": 1})
        assert answer.structured["error"]["code"] == "cannot_track"


async def test_good_entries_are_written_although_another_is_ambiguous() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log(
            {"project": "website", "hours": 1},
            {**DESIGN, "date": "yesterday"},
            {**DESIGN, "hours": "90m"},
        )
        assert not answer.is_error
        results = checked(answer)["results"]
        assert [result["ok"] for result in results] == [False, True, True]
        assert answer.structured["day_totals"] == [
            {"date": "2026-11-22", "tracked": 2.0, "capacity": 0.0},
            {"date": "2026-11-23", "tracked": 1.5, "capacity": 8.0},
        ]
        assert answer.text.startswith("Logged 2 of 3 entries, 3.50 h.\n")
        assert "Website care (30202)" in answer.text
        assert len(written(tools)) == 2


@pytest.mark.parametrize(
    "words", ["20.11.", "20 Nov", "3 days ago", "last friday", "Fri 2026-11-20"]
)
async def test_day_is_written_as_people_name_it(words: str) -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({**DESIGN, "date": words})
        assert checked(answer)["results"][0]["entry"]["date"] == "2026-11-20"


async def test_refused_day_says_what_today_is() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({**DESIGN, "date": "gestern"})
        assert answer.structured["error"]["field"] == "entries[0].date"
        assert "Today is Monday 2026-11-23." in answer.text


async def test_everything_is_looked_up_before_the_first_write() -> None:
    async with simulated_tools() as tools:
        await tools.log(DESIGN, {"task": "#88", "hours": 1}, {"service": "16880015", "hours": 1})
        methods = [entry.method for entry in tools.world.log]
        first = methods.index("POST")
        rest = [(entry.method, entry.path) for entry in list(tools.world.log)[first:]]
        assert [method for method, _ in rest] == ["POST", "GET"] * 3
        assert all(path.startswith("/time_entries") for _, path in rest)


async def test_names_are_looked_up_once_for_many_entries() -> None:
    async with simulated_tools() as tools:
        await tools.log(*({**DESIGN, "hours": hours} for hours in (1, 2, 3)))
        assert len(tools.requests("GET", "/projects")) == 1
        assert len(tools.requests("GET", "/services")) == 1


async def test_existing_entry_is_not_written_again_unless_allowed() -> None:
    async with simulated_tools() as tools:
        first = await tools.log(DESIGN)
        again = await tools.log({**DESIGN, "note": "again"})
        assert not again.is_error
        (result,) = checked(again)["results"]
        assert result["ok"] is False
        assert result["duplicate_of"]["id"] == first.structured["results"][0]["entry"]["id"]
        assert "allow_duplicate" in again.text
        assert len(written(tools)) == 1
        wanted = await tools.log(DESIGN, allow_duplicate=True)
        assert wanted.structured["results"][0]["ok"]
        assert wanted.structured["day_totals"][0]["tracked"] == 4.0
        assert len(written(tools)) == 2


async def test_entry_repeated_in_a_call_is_written_once() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log(DESIGN, DESIGN, {**DESIGN, "note": "other"})
        assert [row["ok"] for row in checked(answer)["results"]] == [True, False, True]
        assert errors(answer)[1] == "conflict"
        assert len(written(tools)) == 2


async def test_dry_run_checks_everything_and_writes_nothing() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log(DESIGN, dry_run=True)
        (result,) = checked(answer)["results"]
        assert result["ok"]
        assert "id" not in result["entry"]
        assert answer.structured["dry_run"] is True
        assert answer.structured["day_totals"][0]["tracked"] == 2.0
        assert answer.text.startswith("Would log 2.00 h on Website relaunch / Design")
        assert "nothing was written" in answer.text
        assert written(tools) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hours": "2 days"}, "hours"),
        ({"hours": 0}, "hours"),
        ({"hours": 25}, "hours"),
        ({"hours": None}, "hours"),
        ({"start": "09:00", "end": "10:00"}, "hours"),
        ({"hours": None, "start": "09:00"}, "end"),
        ({"hours": None, "end": "09:00"}, "start"),
        ({"hours": None, "start": "10:00", "end": "09:00"}, "start"),
        ({"date": "someday"}, "date"),
        ({"billable_hours": "x"}, "billable_hours"),
    ],
)
async def test_invalid_value_is_named(change: dict[str, Any], field: str) -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({**DESIGN, **change})
        error = checked(answer)["error"]
        assert (error["code"], error["field"]) == ("invalid_value", f"entries[0].{field}")
        assert written(tools) == []


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"entries": []}, "entries"),
        ({"entries": [DESIGN] * 11}, "entries"),
        ({"entries": [{**DESIGN, "hours": True}]}, "entries[0].hours"),
        ({"entries": [{**DESIGN, "person": "9105"}]}, "entries[0].person"),
        ({"entries": [{**DESIGN, "project": ""}]}, "entries[0].project"),
        ({}, "entries"),
    ],
)
async def test_arguments_of_another_form_are_refused(arguments: dict[str, Any], field: str) -> None:
    async with simulated_tools() as tools:
        answer = await tools.call("log_time", **arguments)
        error = checked(answer)["error"]
        assert (error["code"], error["field"]) == ("invalid_value", field)
        assert tools.requests() == []


async def test_start_and_end_give_the_hours_and_are_kept() -> None:
    async with simulated_tools() as tools:
        span = {**DESIGN, "hours": None, "start": "09:00", "end": "10:30"}
        answer = await tools.log(span)
        assert checked(answer)["results"][0]["entry"]["minutes"] == 90
        (body,) = written(tools)
        assert body["data"]["attributes"]["started_at"] == "2026-11-23T09:00:00.000+01:00"


async def test_day_never_gets_more_than_24_hours() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log(
            {**DESIGN, "hours": 20}, {**DESIGN, "hours": 3}, {**DESIGN, "hours": 2}
        )
        assert [row["ok"] for row in checked(answer)["results"]] == [True, True, False]
        assert errors(answer)[2] == "invalid_value"
        assert len(written(tools)) == 2


async def test_note_keeps_its_text() -> None:
    note = 'a < b & <script>alert("x")</script>\nsecond line'
    async with simulated_tools() as tools:
        answer = await tools.log({**DESIGN, "note": note})
        assert checked(answer)["results"][0]["entry"]["note"] == note
        (body,) = written(tools)
        assert "<script>" not in body["data"]["attributes"]["note"]


async def test_company_rule_is_reported_per_entry() -> None:
    async with simulated_tools() as tools:
        answer = await tools.call(
            "log_time",
            LUKA,
            entries=[
                {"project": "relaunch", "service": "design", "hours": 1},
                {"task": "#89", "service": "design", "hours": 1, "note": "Text"},
                {"task": "#89", "service": "design", "hours": 1, "date": "2026-12-24"},
            ],
        )
        assert [row["ok"] for row in checked(answer)["results"]] == [False, True, False]
        assert errors(answer) == ["policy_violation", "", "policy_violation"]
        assert answer.structured["results"][0]["error"]["field"] == "entries[0].note"


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("fault", [{"cut": True}, {"status": 500}, {"status": 503}])
async def test_lost_answer_is_unknown_and_never_repeated(
    fault: dict[str, Any], *, applied: bool
) -> None:
    async with simulated_tools() as tools:
        tools.world.faults.put([Fault(method="POST", applied=applied, **fault)])
        answer = await tools.log(DESIGN, {**DESIGN, "hours": 1})
        assert answer.is_error
        assert errors(answer) == ["timeout", "upstream_error"]
        assert checked(answer)["error"]["code"] == "timeout"
        assert "None of 2 entries is known to be logged" in answer.text
        assert "may or may not" in answer.text
        assert len(written(tools)) == 1
        # What the message says to do tells the two apart.
        check = await tools.log(DESIGN, dry_run=True)
        assert ("duplicate_of" in check.structured["results"][0]) is applied


async def test_entries_written_before_a_lost_answer_are_reported() -> None:
    async with simulated_tools() as tools:
        sent = 0

        async def lose_the_second(request: httpx.Request) -> None:
            nonlocal sent
            sent += request.method == "POST"
            if request.method == "POST" and sent == 2:
                raise httpx.ReadTimeout("slow", request=request)

        tools.transport.before = lose_the_second
        answer = await tools.log(DESIGN, {**DESIGN, "hours": 1}, {**DESIGN, "hours": 3})
        assert not answer.is_error
        assert [row["ok"] for row in checked(answer)["results"]] == [True, False, False]
        assert errors(answer) == ["", "timeout", "upstream_error"]
        assert "- State unknown: " in answer.text
        assert answer.structured["day_totals"][0]["tracked"] == 2.0
        assert sent == 2


async def test_rate_limit_between_entries_stops_the_rest() -> None:
    async with simulated_tools() as tools:
        tools.world.faults.put([Fault(method="POST", status=429, retry_after=7)])
        answer = await tools.log(DESIGN, {**DESIGN, "hours": 1})
        assert errors(answer) == ["rate_limited", "rate_limited"]
        assert checked(answer)["error"]["retry_after_s"] == 7
        assert len(written(tools)) == 1


async def test_read_only_token_is_reported() -> None:
    async with simulated_tools() as tools:
        who = principal(person("simulator-ana-kovac-read-only"))
        answer = await tools.call("log_time", who, entries=[DESIGN])
        assert checked(answer)["error"]["code"] == "forbidden"


async def test_failure_before_the_first_write_ends_the_call() -> None:
    async with simulated_tools() as tools:
        tools.world.faults.put([Fault(method="GET", path="/services", status=503, times=3)])
        answer = await tools.log(DESIGN, {**DESIGN, "hours": 1})
        assert answer.is_error
        assert checked(answer)["error"]["code"] == "upstream_error"
        assert "nothing was changed" in answer.text
        assert written(tools) == []


async def test_entry_that_productive_changed_is_no_success() -> None:
    async with simulated_tools() as tools:
        await tools.call("get_me")

        async def change(request: httpx.Request) -> None:
            if request.method == "GET" and request.url.path.count("/") == 4:
                number = request.url.path.rsplit("/", 1)[1]
                record = tools.world.state.get("time_entries", number)
                assert record is not None
                record.attributes["time"] = 60  # type: ignore[index]
                record.attributes["note"] = None  # type: ignore[index]

        tools.transport.before = change
        answer = await tools.log({**DESIGN, "note": "Wireframes"})
        (result,) = checked(answer)["results"]
        assert answer.is_error
        assert result["error"]["code"] == "write_not_effective"
        assert "hours, note" in result["error"]["message"]
        assert result["entry"]["hours"] == 1.0
        assert answer.structured["day_totals"][0]["tracked"] == 1.0


async def test_differently_written_entry_among_others_is_reported() -> None:
    async with simulated_tools() as tools:
        odd = {"id": "5", "type": "time_entries", "attributes": {"date": "2026-11-23", "time": 5}}

        def answer_oddly(request: httpx.Request) -> httpx.Response | None:
            single = request.method == "GET" and request.url.path.count("/") == 4
            return httpx.Response(200, json={"data": odd}) if single else None

        tools.transport.answer = answer_oddly
        answer = await tools.log(DESIGN, {**DESIGN, "project": "website"})
        assert not answer.is_error
        assert errors(answer) == ["write_not_effective", "ambiguous_reference"]
        assert "- Logged differently: " in answer.text
        assert "- Not logged: " in answer.text
        checked(answer)


async def test_success_without_the_entry_is_unknown() -> None:
    async with simulated_tools() as tools:

        def answer_nothing(request: httpx.Request) -> httpx.Response | None:
            empty = httpx.Response(201, json={"data": []})
            return empty if request.method == "POST" else None

        tools.transport.answer = answer_nothing
        answer = await tools.log(DESIGN)
        assert checked(answer)["error"]["code"] == "timeout"


async def test_entry_that_cannot_be_read_back_counts_as_written() -> None:
    async with simulated_tools() as tools:
        tools.world.faults.put([Fault(method="GET", path="/time_entries/", status=503, times=3)])
        answer = await tools.log(DESIGN)
        (result,) = checked(answer)["results"]
        assert result["ok"]
        assert result["entry"]["id"]
        assert "could not be read back" in answer.structured["warnings"][0]
        assert answer.structured["warnings"][0] in answer.text


async def test_audit_line_counts_the_writes() -> None:
    async with simulated_tools() as tools:
        with capture_logs() as lines:
            await tools.log(DESIGN, {**DESIGN, "hours": 1, "note": "canary-note"})
        (line,) = lines
        assert (line["tool"], line["writes"], line["arguments"]) == ("log_time", 2, "entries")
        assert "canary" not in str(line)


async def test_projects_of_a_very_large_organization_are_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("productive_gateway.productive.client._PAGE", 1)
    pages = ProductiveSession.pages

    def one_page(session: Any, path: str, query: Any, *, most: int = 10) -> Any:
        return pages(session, path, query, most=1 if path == "/projects" else most)

    monkeypatch.setattr(ProductiveSession, "pages", one_page)
    for reference in ("relaunch", "30201"):
        async with simulated_tools() as tools:
            answer = await tools.log({**DESIGN, "project": reference})
            assert checked(answer)["results"][0]["ok"]
            assert len(tools.requests("GET", "/projects")) == 2


@pytest.mark.attack("M-14")
async def test_nothing_is_logged_with_another_persons_token() -> None:
    async with simulated_tools() as tools:
        who = principal(person("simulator-ana-horvat"))
        answer = await tools.call("log_time", who, entries=[DESIGN])
        assert checked(answer)["error"]["code"] == "wrong_token_owner"
        assert [entry.path for entry in tools.world.log] == ["/organization_memberships"]


async def test_argument_schema_is_short_and_matches_the_tool() -> None:
    schema = LOG_TIME.input_schema
    for entry in (
        DESIGN,
        {**DESIGN, "hours": "1:30"},
        {"task": "#87", "start": "9:00", "end": "10:00"},
    ):
        jsonschema.validate({"entries": [entry]}, schema)
    for wrong in ({"entries": []}, {"entries": [{"who": 1}]}, {"entries": [{"hours": True}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
    assert "null" not in str(schema)
    assert len(str(schema)) < 1600
