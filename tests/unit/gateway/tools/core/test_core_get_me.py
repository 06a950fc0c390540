from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from harness.mcpkit import person, principal, simulated_tools
from harness.toolkit import said_alike
from productive_contract.mapping import Access
from productive_dev.simulator.records import Record
from productive_gateway.tools.core.get_me import get_me
from productive_gateway.tools.registry import TOOLSETS


async def test_get_me_returns_person_organization_and_tracked_time() -> None:
    async with simulated_tools() as tools:
        answer = await tools.call("get_me")
        assert not answer.is_error
        said_alike(answer, get_me)
        assert answer.structured["person"] == {
            "id": "9104",
            "name": "Ana Kovač",
            "email": "ana.kovac@northlight.example",
        }
        assert answer.structured["organization"] == {"id": "1200", "name": "Northlight Studio"}
        assert answer.structured["time_zone"] == "Europe/Zagreb"
        assert answer.structured["week_hours"] == 40
        assert answer.structured["today"] == {"date": "2026-11-23", "tracked": 0, "capacity": 8}
        assert answer.structured["access"] == {"toolsets": list(TOOLSETS)}
        assert "running_timer" not in answer.structured
        assert answer.text.splitlines()[0] == (
            "You are Ana Kovač (9104) at Northlight Studio; "
            "tracked today (Monday 2026-11-23): 0.00 of 8 h."
        )


async def test_get_me_sends_three_requests_at_first_and_then_two() -> None:
    async with simulated_tools() as tools:
        await tools.call("get_me")
        assert len(tools.requests()) == 3
        await tools.call("get_me")
        assert len(tools.requests()) == 5


async def test_get_me_shows_todays_time_and_narrowed_access() -> None:
    async with simulated_tools() as tools:
        entry = {"date": "2026-11-23", "time": 90, "person_id": 9104, "service_id": 16880011}
        await tools.post("/time_entries", {"type": "time_entries", "attributes": entry})
        narrowed = principal(person(access=Access(read_only=True, toolsets=("core",))))
        answer = await tools.call("get_me", narrowed)
        assert answer.structured["today"]["tracked"] == 1.5
        assert answer.structured["access"] == {"toolsets": ["core"], "read_only": True}
        assert "read only" in answer.text


async def test_get_me_shows_a_running_timer() -> None:
    async with simulated_tools() as tools:
        timer = next(
            record
            for record in tools.world.state.all("timers")
            if record.attributes["stopped_at"] is None
        )
        owner = int(timer.attributes["person_id"])
        token = {9103: "simulator-manager", 9105: "simulator-ana-horvat"}[owner]
        answer = await tools.call("get_me", principal(person(token, user_id=owner)))
        running = answer.structured["running_timer"]
        said_alike(answer, get_me)
        assert running["since"] == str(timer.attributes["started_at"])[:16] + "+01:00"
        assert running["entry"]["service"]["name"]
        assert "running timer: since" in answer.text


async def test_today_is_in_the_persons_own_zone() -> None:
    async with simulated_tools() as tools:
        late = datetime(2026, 11, 24, 0, 30, tzinfo=ZoneInfo("Europe/Zagreb"))
        tools.time.now = late.timestamp()
        here = await tools.call("get_me")
        luca = principal(person("simulator-luca-moretti", user_id=9107))
        there = await tools.call("get_me", luca)
        assert here.structured["today"]["date"] == "2026-11-24"
        assert there.structured["today"]["date"] == "2026-11-23"


async def test_unknown_time_zone_is_reported() -> None:
    async with simulated_tools() as tools:
        for kind, number in (("users", "5104"), ("organizations", "1200")):
            record = tools.world.state.get(kind, number)
            assert isinstance(record, Record)
            record.attributes["time_zone"] = "Atlantis"  # type: ignore[index]
        answer = await tools.call("get_me")
        assert answer.structured["time_zone"] == "UTC"
        assert "UTC" in answer.structured["warnings"][0]
        assert answer.structured["warnings"][0] in answer.text


async def test_arguments_that_get_me_does_not_have_are_named() -> None:
    async with simulated_tools() as tools:
        answer = await tools.call("get_me", person="9105")
        assert answer.structured["person"]["id"] == "9104"
        assert answer.structured["warnings"] == ["Unknown arguments were ignored: person."]
