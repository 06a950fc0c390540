"""How many requests to /mcp are open at the same time: of one person, and on one replica."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from harness.mcpkit import JSON_HEADERS, McpServer, mcp_server, person, principal, request, until
from productive_gateway.errors import TooManyRequests, Unavailable
from productive_gateway.mcp.flood import LARGE, MOST_LARGE, MOST_REQUESTS, OpenRequest, OpenRequests
from productive_gateway.observability.metrics import REGISTRY

SECONDS = 10
MOST = 20
CROWD = 8


def open_requests() -> float | None:
    return REGISTRY.get_sample_value("productive_mcp_requests_open")


def refused_by_replica() -> float:
    return (
        REGISTRY.get_sample_value("productive_mcp_limit_hits_total", {"limit": "replica_requests"})
        or 0.0
    )


class Waiting:
    """Requests whose bodies do not end until `go`."""

    def __init__(self, mcp: McpServer, *, blanks: int = 0) -> None:
        self._mcp = mcp
        self._blanks = blanks
        self.go = asyncio.Event()
        self.sent: list[asyncio.Task[httpx.Response]] = []

    def send(self, token: str) -> None:
        self.sent.append(asyncio.create_task(self._send(token)))

    async def _send(self, token: str) -> httpx.Response:
        headers = {**JSON_HEADERS, "authorization": f"Bearer {token}"}
        return await self._mcp.http.post("/mcp", content=self._body(), headers=headers)

    async def _body(self) -> AsyncIterator[bytes]:
        yield b'{"jsonrpc":' + b" " * self._blanks
        await self.go.wait()
        yield b'"2.0","id":1,"method":"ping"}'

    async def all_answered(self) -> Counter[int]:
        self.go.set()
        return Counter(one.status_code for one in await asyncio.gather(*self.sent))


@pytest.mark.attack("L-10")
async def test_flood_of_one_person_gets_429_and_another_person_is_served() -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        other = person("simulator-luka-babic", user_id=9106, email="luka@northlight.example")
        mcp.tokens.known["other"] = principal(other)
        waiting = Waiting(mcp)
        for _ in range(100):
            waiting.send("good")
        await until(lambda: sum(one.done() for one in waiting.sent) == 100 - MOST_REQUESTS)
        for one in waiting.sent:
            if one.done():
                refused = one.result()
                assert refused.status_code == 429
                assert refused.headers["retry-after"] == "5"
                assert "www-authenticate" not in refused.headers
        assert (await mcp.post(request("ping"), token="other")).status_code == 200
        answers = await waiting.all_answered()
        assert answers == {200: MOST_REQUESTS, 429: 100 - MOST_REQUESTS}
        assert (await mcp.post(request("ping"))).status_code == 200


@pytest.mark.attack("L-10")
async def test_replica_that_is_full_answers_503_at_once_until_a_request_ends() -> None:
    async with mcp_server(config={"most_requests": MOST}) as mcp, asyncio.timeout(SECONDS):
        for number in range(MOST):
            uid = f"00000000-0000-4000-8000-{number:012}"
            mcp.tokens.known[f"p{number}"] = principal(person(uid=uid))
        waiting = Waiting(mcp)
        for number in range(MOST):
            waiting.send(f"p{number}")
        await until(lambda: open_requests() == MOST)
        before = refused_by_replica()
        with capture_logs() as lines:
            refused = [await mcp.post(request("ping")) for _ in range(3)]
        for answer in refused:
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert answer.json()["error"] == "temporarily_unavailable"
            assert "www-authenticate" not in answer.headers
        assert refused_by_replica() == before + 3
        assert [(one["event"], one["reason"], one["callers"]) for one in lines] == [
            ("limit_hit", "replica_requests", "all")
        ]
        assert await waiting.all_answered() == {200: MOST}
        assert (await mcp.post(request("ping"))).status_code == 200
        assert open_requests() == 0


@pytest.mark.attack("L-10")
async def test_person_with_many_open_requests_leaves_places_to_others() -> None:
    async with mcp_server(config={"most_requests": MOST}) as mcp, asyncio.timeout(SECONDS):
        luka = person("simulator-luka-babic", user_id=9106, email="luka@northlight.example")
        mcp.tokens.known["luka"] = principal(luka)
        waiting = Waiting(mcp)
        for _ in range(MOST):
            waiting.send("good")
        await until(lambda: sum(one.done() for one in waiting.sent) == MOST // 2)
        assert (await mcp.post(request("ping"), token="luka")).status_code == 200
        assert await waiting.all_answered() == {200: MOST // 2, 503: MOST // 2}


@pytest.mark.attack("L-09")
async def test_large_requests_are_bounded_together_and_for_one_person() -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        luka = person("simulator-luka-babic", user_id=9106, email="luka@northlight.example")
        mcp.tokens.known["luka"] = principal(luka)
        waiting = Waiting(mcp, blanks=LARGE)
        for _ in range(MOST_LARGE):
            waiting.send("good")
        await until(lambda: sum(one.done() for one in waiting.sent) == MOST_LARGE // 2)
        refused = next(one for one in waiting.sent if one.done()).result()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        large = {**request("ping"), "params": {"_meta": {"x": "x" * LARGE}}}
        assert (await mcp.post(large)).status_code == 503
        assert (await mcp.post(large, token="luka")).status_code == 200
        assert (await mcp.post(request("ping"))).status_code == 200
        half = MOST_LARGE // 2
        assert await waiting.all_answered() == {200: half, 503: half}
        assert (await mcp.post(large)).status_code == 200


@pytest.mark.attack("L-09")
async def test_large_body_is_refused_by_its_declared_length_before_it_arrives() -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        waiting = Waiting(mcp, blanks=LARGE)
        for _ in range(MOST_LARGE):
            waiting.send("good")
        await until(lambda: sum(one.done() for one in waiting.sent) == MOST_LARGE // 2)

        async def never() -> AsyncIterator[bytes]:
            await asyncio.Event().wait()
            yield b""

        headers = {
            **JSON_HEADERS,
            "authorization": "Bearer good",
            "content-length": str(LARGE + 1),
        }
        assert (await mcp.http.post("/mcp", content=never(), headers=headers)).status_code == 503
        await waiting.all_answered()


@pytest.mark.attack("L-09")
async def test_large_request_becomes_no_stream() -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        params = {"notifications": {"toolsListChanged": True}, "other": "x" * LARGE}
        answer = await mcp.modern("subscriptions/listen", **params)
        assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
        assert open_requests() == 0
        large = {**request("ping"), "params": {"_meta": {"x": "x" * LARGE}}}
        answers = [(await mcp.post(large)).status_code for _ in range(MOST_LARGE + 1)]
        assert answers == [200] * (MOST_LARGE + 1)


@pytest.mark.attack("L-09")
async def test_body_with_very_many_values_is_refused_before_it_is_parsed() -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        many = request("tools/call", name="get_me", arguments={"x": [{}] * 60_000})
        answer = await mcp.post(many)
        assert answer.status_code == 400
        assert "too many values" in answer.json()["error"]["message"]


people = st.sampled_from("abcdefgh"[:CROWD])


@given(st.lists(st.tuples(st.sampled_from(["begin", "end", "stream"]), people), max_size=120))
def test_counts_hold_their_bounds_whatever_begins_and_ends(steps: list[tuple[str, str]]) -> None:
    requests = OpenRequests(MOST, 6)
    running: dict[str, list[OpenRequest]] = {name: [] for name in "abcdefgh"}
    streams: list[OpenRequest] = []
    for step, name in steps:
        if step == "begin":
            total, own = sum(map(len, running.values())), len(running[name])
            one = requests.counted(name)
            try:
                one.__enter__()
            except TooManyRequests:
                assert own == 6
            except Unavailable:
                assert own >= MOST - total
            else:
                assert own < min(6, MOST - total)
                running[name].append(one)
        elif running[name]:
            one = running[name].pop()
            if step == "stream":
                one.stops_counting()
                streams.append(one)
            else:
                one.__exit__(None, None, None)
        assert open_requests() == sum(map(len, running.values())) <= MOST
    for one in [*streams, *(one for each in running.values() for one in each)]:
        one.__exit__(None, None, None)
    assert open_requests() == 0
