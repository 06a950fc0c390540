from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
import pytest
from structlog.testing import capture_logs

from harness.mcpkit import ANA, NOW, HeldTime, person, principal, simulated_tools
from productive_dev.simulator.faults import Fault
from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.productive.wire import errors
from productive_gateway.productive.wire.client import ProductiveApi, ProductiveSession

BODY = {"data": {"type": "time_entries", "attributes": {"date": "2026-11-23", "time": 60}}}
MEMBERSHIP = {
    "data": [
        {
            "id": "9104",
            "type": "organization_memberships",
            "relationships": {
                "organization": {"data": {"type": "organizations", "id": "1200"}},
                "person": {"data": {"type": "people", "id": "9104"}},
            },
        }
    ],
    "included": [{"id": "9104", "type": "people", "attributes": {"first_name": "Ana"}}],
}

Responder = Callable[[httpx.Request], httpx.Response]


@dataclass
class Line:
    """A session whose answers a test gives."""

    session: ProductiveSession
    api: ProductiveApi
    time: HeldTime
    sent: list[httpx.Request] = field(default_factory=list)


@asynccontextmanager
async def line(respond: Responder) -> AsyncIterator[Line]:
    sent: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/organization_memberships"):
            return httpx.Response(200, json=MEMBERSHIP)
        sent.append(request)
        return respond(request)

    time = HeldTime()
    async with httpx.MockTransport(handle) as http:
        api = ProductiveApi("https://api.test/api/v2/", http, "1200", clock=time, sleep=time.sleep)
        yield Line(api.session(principal()), api, time, sent)


def answers(*given: httpx.Response | Exception) -> Responder:
    waiting = list(given)

    def respond(request: httpx.Request) -> httpx.Response:
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return respond


def good() -> httpx.Response:
    return httpx.Response(200, json={"data": []})


async def test_request_has_the_persons_token_and_organization() -> None:
    async with line(lambda _: good()) as tested:
        await tested.session.get("/projects", (("filter[status]", "1"),))
        headers = tested.sent[0].headers
        assert headers["x-auth-token"] == ANA
        assert headers["x-organization-id"] == "1200"
        assert headers["accept"] == "application/vnd.api+json"
        assert str(tested.sent[0].url) == "https://api.test/api/v2/projects?filter%5Bstatus%5D=1"


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(502),
        httpx.Response(503),
        httpx.Response(504),
        httpx.ConnectError("down"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
    ],
)
async def test_read_is_retried_twice_with_growing_pauses(failure: Any) -> None:
    async with line(answers(failure, failure, good())) as tested:
        assert (await tested.session.get("/projects")).records == ()
        first, second = tested.time.slept
        assert 0.2 <= first <= 0.4 < second < 1.21


async def test_read_gives_up_after_three_attempts() -> None:
    async with line(lambda _: httpx.Response(503)) as tested:
        with pytest.raises(errors.Unreachable):
            await tested.session.get("/projects")
        assert len(tested.sent) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 500])
async def test_other_errors_of_a_read_are_not_retried(status: int) -> None:
    async with line(lambda _: httpx.Response(status)) as tested:
        with pytest.raises(errors.ProductiveError):
            await tested.session.get("/projects")
        assert len(tested.sent) == 1


async def test_short_rate_limit_is_waited_for() -> None:
    limited = httpx.Response(429, headers={"X-RateLimit-Reset": "7"})
    async with line(answers(limited, good())) as tested:
        await tested.session.get("/projects")
        assert tested.time.slept == [7.0]


@pytest.mark.parametrize(("reset", "told"), [("9", 9), ("x", 10), (None, 10), ("-1", 10)])
async def test_long_rate_limit_is_reported_at_once(reset: str | None, told: float) -> None:
    headers = {} if reset is None else {"X-RateLimit-Reset": reset}
    async with line(lambda _: httpx.Response(429, headers=headers)) as tested:
        with pytest.raises(errors.RateLimited) as caught:
            await tested.session.get("/projects")
        assert caught.value.retry_after == told
        assert tested.time.slept == []


async def test_write_waits_for_a_short_rate_limit_because_nothing_was_done() -> None:
    limited = httpx.Response(429, headers={"X-RateLimit-Reset": "2"})
    async with line(answers(limited, limited, good())) as tested:
        await tested.session.write("POST", "/time_entries", BODY)
        assert tested.time.slept == [2.0, 2.0]
        assert tested.session.writes == 1


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError("down"), errors.Unreachable),
        (httpx.ConnectTimeout("down"), errors.Unreachable),
        (httpx.PoolTimeout("busy"), errors.Unreachable),
        (httpx.ReadTimeout("slow"), errors.StateUnknown),
        (httpx.WriteError("cut"), errors.StateUnknown),
        (httpx.RemoteProtocolError("cut"), errors.StateUnknown),
        (httpx.Response(500), errors.StateUnknown),
        (httpx.Response(502), errors.StateUnknown),
        (httpx.Response(503), errors.StateUnknown),
        (httpx.Response(302, headers={"location": "/x"}), errors.StateUnknown),
        (httpx.Response(201, text="{"), errors.StateUnknown),
        (httpx.Response(429), errors.RateLimited),
        (httpx.Response(422), errors.Refused),
    ],
)
async def test_write_is_never_repeated(failure: Any, kind: type[errors.ProductiveError]) -> None:
    async with line(answers(failure)) as tested:
        with pytest.raises(errors.ProductiveError) as caught:
            await tested.session.write("POST", "/time_entries", BODY)
        assert type(caught.value) is kind
        assert len(tested.sent) == 1
        assert tested.session.writes == 0
        assert tested.time.slept == []


async def test_redirect_is_not_followed() -> None:
    elsewhere = httpx.Response(302, headers={"location": "https://evil.test/"})
    async with line(lambda _: elsewhere) as tested:
        with pytest.raises(errors.Unreachable):
            await tested.session.get("/projects")
        assert {request.url.host for request in tested.sent} == {"api.test"}


async def test_no_cookie_goes_from_one_request_into_another() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": []}, headers={"set-cookie": "session=ana"})

    async with line(respond) as tested:
        await tested.session.get("/projects")
        await tested.session.get("/projects")
        assert "cookie" not in tested.sent[1].headers


async def test_too_large_answer_is_not_read_to_its_end() -> None:
    async with line(lambda _: httpx.Response(200, content=b" " * 17_000_000)) as tested:
        with pytest.raises(errors.Unreachable):
            await tested.session.get("/projects")


async def test_own_limit_is_waited_for_if_short() -> None:
    async with line(lambda _: good()) as tested:
        await tested.session.identity()
        tested.time.now = NOW + 5
        for _ in range(89):
            await tested.session.get("/projects")
        assert tested.session.requests_left() == 0
        await tested.session.get("/projects")
        assert tested.time.slept == [5.0]


async def test_long_wait_for_own_limit_is_reported() -> None:
    async with line(lambda _: good()) as tested:
        for _ in range(89):
            await tested.session.get("/projects")
        with pytest.raises(errors.RateLimited) as caught:
            await tested.session.get("/projects")
        assert caught.value.retry_after == 10


async def test_waiters_for_one_place_go_on_waiting_until_it_is_their_turn() -> None:
    async with line(lambda _: good()) as tested:
        await tested.session.identity()
        tested.time.now = NOW + 3
        for _ in range(88):
            await tested.session.get("/projects")
        tested.time.now = NOW + 9
        await asyncio.gather(*(tested.session.get("/projects") for _ in range(3)))
        # One place is free at once, one after a second, and the other three seconds later.
        assert tested.time.now == NOW + 13
        assert len(tested.sent) == 91


async def test_refused_organization_pauses_its_other_people_without_another_request() -> None:
    refused = {"errors": [{"title": "Too many requests", "limit": 4000, "period": 1800}]}
    limited = httpx.Response(429, json=refused, headers={"X-RateLimit-Reset": "600"})
    async with line(lambda _: limited) as tested:
        luka = tested.api.session(principal(person("another-token", uid="uid-luka")))
        await luka.identity()
        for session in (tested.session, luka):
            with pytest.raises(errors.RateLimited) as caught:
                await session.get("/projects")
            assert caught.value.limit is errors.Limit.ORGANIZATION
            assert caught.value.retry_after == 600
        assert len(tested.sent) == 1
        assert tested.session.requests_left() == 0


async def test_waits_and_refusals_are_counted() -> None:
    def value(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"productive_mcp_budget_{name}", labels) or 0.0

    refused, waits = value("refused_total", limit="token"), value("wait_seconds_count")
    limited = httpx.Response(429, headers={"X-RateLimit-Reset": "7"})
    async with line(answers(limited, good())) as tested:
        await tested.session.get("/projects")
    async with line(lambda _: httpx.Response(429)) as tested:
        with pytest.raises(errors.RateLimited):
            await tested.session.get("/projects")
    assert value("wait_seconds_count") == waits + 1
    assert value("refused_total", limit="token") == refused + 1


async def test_all_pages_are_read_and_a_truncation_is_reported() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        number = request.url.params["page[number]"]
        record = {"id": number, "type": "projects", "attributes": {}}
        return httpx.Response(200, json={"data": [record], "meta": {"total_pages": 4}})

    async with line(respond) as tested:
        document, complete = await tested.session.pages("/projects", ())
        assert [record.id for record in document.records] == ["1", "2", "3", "4"]
        assert complete
        document, complete = await tested.session.pages("/projects", (), most=2)
        assert len(document.records) == 2
        assert not complete


async def test_the_owner_is_asked_once_before_anything_else() -> None:
    async with simulated_tools() as tools:
        for _ in range(3):
            session = tools.api.session(principal())
            await asyncio.gather(session.get("/projects"), session.get("/tasks"))
        paths = [entry.path for entry in tools.world.log]
        assert paths[0] == "/organization_memberships"
        assert paths.count("/organization_memberships") == 1
        assert len(paths) == 7


@pytest.mark.attack("M-14")
async def test_token_of_another_person_is_refused_before_its_first_use_and_audited() -> None:
    wrong = principal(person("simulator-ana-horvat"))
    async with simulated_tools() as tools:
        with capture_logs() as lines:
            for _ in range(2):
                with pytest.raises(errors.WrongTokenOwner) as caught:
                    await tools.api.session(wrong).write("POST", "/time_entries", BODY)
        assert caught.value.write_instead is None
        assert [entry.path for entry in tools.world.log] == ["/organization_memberships"]
        (line_,) = lines
        assert line_["event"] == "wrong_token_owner"
        assert line_["email"] == "ana.kovac@northlight.example"
        assert "simulator" not in str(line_)


@pytest.mark.attack("M-14")
async def test_user_id_in_place_of_person_id_is_recognised() -> None:
    async with simulated_tools() as tools:
        session = tools.api.session(principal(person(user_id=5104)))
        with pytest.raises(errors.WrongTokenOwner) as caught:
            await session.get("/projects")
        assert caught.value.write_instead == "9104"


async def test_corrected_user_id_takes_effect_at_once() -> None:
    async with simulated_tools() as tools:
        with pytest.raises(errors.WrongTokenOwner):
            await tools.api.session(principal(person(user_id=1))).get("/projects")
        assert await tools.api.session(principal()).get("/projects")


async def test_token_of_another_organization_is_reported() -> None:
    async with simulated_tools() as tools:
        stranger = person("simulator-other-organization", user_id=9202)
        with pytest.raises(errors.WrongOrganization):
            await tools.api.session(principal(stranger)).get("/projects")
        at_home = person("simulator-other-organization", user_id=9202, organization_id="1300")
        assert (await tools.api.session(principal(at_home)).identity()).name == "Grace Holt"


async def test_member_of_two_organizations_is_the_person_of_the_requested_one() -> None:
    async with simulated_tools() as tools:
        here = tools.api.session(principal(person("simulator-director", user_id=9101)))
        there = tools.api.session(
            principal(person("simulator-director", user_id=9201, organization_id="1300"))
        )
        assert (await here.identity()).time_zone.key == "Europe/Zagreb"
        assert (await there.identity()).person_id == "9201"


async def test_persons_own_time_zone_comes_before_the_organizations() -> None:
    async with simulated_tools() as tools:
        luca = principal(person("simulator-luca-moretti", user_id=9107))
        assert (await tools.api.session(luca).identity()).time_zone.key == "America/New_York"


async def test_revoked_token_is_reported_and_not_remembered() -> None:
    async with simulated_tools() as tools:
        revoked = principal(person("simulator-revoked"))
        for _ in range(2):
            with pytest.raises(errors.TokenRejected):
                await tools.api.session(revoked).get("/projects")
        assert len(tools.requests()) == 2


async def test_without_token_or_organization_there_is_no_session() -> None:
    async with simulated_tools() as tools:
        with pytest.raises(errors.TokenRejected):
            tools.api.session(principal(person(None)))
        tools.api.default_organization = None
        with pytest.raises(errors.WrongOrganization):
            tools.api.session(principal())


@pytest.mark.attack("M-11")
async def test_people_share_no_cached_values() -> None:
    async with simulated_tools() as tools:
        ana = tools.api.session(principal())
        luka = tools.api.session(principal(person("simulator-luka-babic", user_id=9106)))

        async def read(session: ProductiveSession) -> str:
            identity = await session.identity()
            return identity.person_id

        seen = [
            await session.remember(("mine",), 60, lambda s=session: read(s))
            for session in (ana, luka, ana, luka)
        ]
        assert seen == ["9104", "9106", "9104", "9106"]


async def test_expired_value_is_read_again() -> None:
    async with line(lambda _: good()) as tested:
        reads: list[int] = []

        async def read() -> int:
            reads.append(1)
            return len(reads)

        first = await tested.session.remember(("x",), 60, read)
        tested.time.now += 59
        second = await tested.session.remember(("x",), 60, read)
        tested.time.now += 2
        third = await tested.session.remember(("x",), 60, read)
        tested.session.forget(("x",))
        fourth = await tested.session.remember(("x",), 60, read)
        assert (first, second, third, fourth) == (1, 1, 2, 3)


async def test_write_in_flight_finishes_when_its_caller_is_cancelled() -> None:
    sent, answered = anyio.Event(), anyio.Event()

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "GET":
                return httpx.Response(200, json=MEMBERSHIP)
            sent.set()
            await answered.wait()
            record = {"id": "1", "type": "time_entries"}
            return httpx.Response(201, json={"data": record})

    async with Slow() as http:
        session = ProductiveApi("https://api.test", http, "1200").session(principal())
        async with anyio.create_task_group() as group:
            group.start_soon(session.write, "POST", "/time_entries", BODY)
            await sent.wait()
            group.cancel_scope.cancel()
            answered.set()
        assert session.writes == 1


async def test_cut_answer_of_an_applied_write_is_unknown() -> None:
    async with simulated_tools() as tools:
        session = tools.api.session(principal())
        await session.identity()
        tools.world.faults.put([Fault(method="POST", cut=True, applied=True)])
        with pytest.raises(errors.StateUnknown):
            await session.write("POST", "/time_entries", BODY)
        assert len(tools.requests("POST")) == 1
