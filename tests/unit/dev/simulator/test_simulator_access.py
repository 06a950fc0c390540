"""Who gets in, in which order a request is checked, and the recorded error bodies."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from productive_dev.simulator.api.answer import answer
from productive_dev.simulator.api.call import Call
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.simulator.errors import Problem
from productive_dev.simulator.world import World

MONDAY = datetime(2026, 11, 23, 9, tzinfo=ZoneInfo("Europe/Zagreb")).timestamp()
JSON_API = "application/vnd.api+json"


@pytest.fixture
def world() -> World:
    return World(SimulatorConfig(clock=lambda: MONDAY))


def refused(world: World, method: str, path: str, **headers: str) -> tuple[int, str | None]:
    problem = problem_of(world, method, path, **headers)
    return problem.http_status, problem.code


def problem_of(
    world: World, method: str, path: str, body: bytes = b"{}", **headers: str
) -> Problem:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(Problem) as caught:
        answer(world, Call(method, path, "http://sim", (), named, body))
    return caught.value


def body_of(problem: Problem) -> dict[str, Any]:
    (error,) = problem.body()["errors"]
    return error


def test_a_missing_token_has_the_recorded_body(world: World) -> None:
    assert body_of(problem_of(world, "GET", "people", x_organization_id="1200")) == {
        "status": "401",
        "code": "invalid_auth_token",
        "title": "Unauthenticated",
        "detail": "You are not authenticated",
        "meta": {},
        "source": {},
    }


@pytest.mark.parametrize("token", ["simulator-revoked", "simulator-deactivated", "wrong", ""])
def test_a_dead_token_is_not_authenticated(world: World, token: str) -> None:
    answered = refused(world, "GET", "people", x_auth_token=token, x_organization_id="1200")
    assert answered == (401, "invalid_auth_token")


def test_a_token_of_another_organization_has_no_person(world: World) -> None:
    token = "simulator-other-organization"
    problem = problem_of(world, "GET", "people", x_auth_token=token, x_organization_id="1200")
    assert body_of(problem)["code"] == "no_person"
    assert "X-Auth-Token" in body_of(problem)["detail"]


@pytest.mark.parametrize("headers", [{}, {"x_organization_id": "4711"}])
def test_an_organization_that_is_not_there_is_said(world: World, headers: dict[str, str]) -> None:
    answered = refused(world, "GET", "people", x_auth_token="simulator-manager", **headers)
    assert answered == (403, "no_organization_id")


def test_the_content_type_is_checked_before_the_token(world: World) -> None:
    assert refused(world, "POST", "time_entries", content_type="application/json") == (
        415,
        "unsupported_content_type",
    )
    assert refused(world, "POST", "time_entries", content_type=JSON_API)[0] == 401


def test_the_route_is_checked_before_the_content_type(world: World) -> None:
    assert refused(world, "POST", "boards") == (404, "route_not_found")
    assert refused(world, "GET", "time_entries/1/approve") == (404, "route_not_found")


def test_a_read_only_token_may_not_write(world: World) -> None:
    answered = refused(
        world,
        "POST",
        "time_entries",
        x_auth_token="simulator-ana-kovac-read-only",
        x_organization_id="1200",
        content_type=JSON_API,
    )
    assert answered == (403, "access_denied")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "invoices"),
        ("POST", "expenses"),
        ("GET", "webhooks/1"),
        ("POST", "teams"),
        ("PATCH", "pages/81001/append_markdown"),
        ("GET", "reports/invoice_reports"),
        ("POST", "deals/copy"),
    ],
)
def test_what_only_the_simulator_lacks_is_not_implemented(
    world: World, method: str, path: str
) -> None:
    problem = problem_of(world, method, path, content_type=JSON_API)
    assert (problem.http_status, problem.code) == (501, "not_simulated")
    assert "simulator does not have it" in str(problem)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "nonsense"),
        ("GET", "boards"),
        ("DELETE", "people/9104"),
        ("DELETE", "projects/30201"),
        ("PATCH", "timers/14335001"),
        ("POST", "timers/14335001/stop"),
        ("POST", "activities"),
        ("GET", "reports/nonsense"),
        ("GET", "tasks/20510087/subtasks"),
        ("GET", "search/quick/1"),
    ],
)
def test_what_the_original_lacks_is_not_found(world: World, method: str, path: str) -> None:
    assert refused(world, method, path, content_type=JSON_API) == (404, "route_not_found")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data":[]}', b'{"data":{"attributes":1}}'])
def test_a_body_that_is_no_document_is_refused(world: World, body: bytes) -> None:
    headers = {
        "x_auth_token": "simulator-ana-kovac",
        "x_organization_id": "1200",
        "content_type": JSON_API,
    }
    assert problem_of(world, "POST", "time_entries", body, **headers).http_status == 400
