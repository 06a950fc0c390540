"""Connections to Productive are shared fairly between people."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from harness.mcpkit import person, principal, until
from productive_gateway.outbound.client import Outbound, trusted
from productive_gateway.productive.wire.client import ProductiveApi
from productive_gateway.productive.wire.limiter import Limiter
from productive_gateway.productive.wire.request_slots import RequestSlots

SECONDS = 20
SLOW = (1, 2)
"""People whose requests are never answered."""
QUICK = 3


@dataclass
class SlowProductive:
    """Productive over a socket; the token is the number of its person."""

    url: str = ""
    held: Counter[int] = field(default_factory=Counter)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError), closing(writer):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                who = int(head.partition(b"x-auth-token: ")[2].partition(b"\r\n")[0])
                identity = b"/organization_memberships" in head.partition(b"\r\n")[0]
                if who in SLOW and not identity:
                    self.held[who] += 1
                    await self.closing.wait()
                    return
                body = json.dumps(membership(who) if identity else {"data": []}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


def membership(who: int) -> dict[str, object]:
    return {
        "data": [
            {
                "id": "1",
                "type": "organization_memberships",
                "relationships": {
                    "organization": {"data": {"type": "organizations", "id": "1200"}},
                    "person": {"data": {"type": "people", "id": str(who)}},
                },
            }
        ],
        "included": [{"id": str(who), "type": "people", "attributes": {}}],
    }


@asynccontextmanager
async def slow_productive() -> AsyncIterator[SlowProductive]:
    productive = SlowProductive()
    server = await asyncio.start_server(productive.serve, "127.0.0.1", 0)
    productive.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield productive
    finally:
        productive.closing.set()
        server.close()


async def test_slow_reads_of_two_people_do_not_delay_a_third() -> None:
    async with (
        slow_productive() as productive,
        Outbound(trusted(None)).reused_connections() as connections,
        asyncio.timeout(SECONDS),
    ):
        api = ProductiveApi(
            productive.url, connections, "1200", limiter=Limiter(token_requests=1000)
        )

        async def read(who: int) -> None:
            named = person(str(who), user_id=who, email=f"person-{who}@example.com")
            await api.session(principal(named)).get("/projects")

        slow = [asyncio.create_task(read(who)) for who in SLOW for _ in range(60)]
        await until(lambda: productive.held.total() >= 20)
        begun = time.monotonic()
        await read(QUICK)
        assert time.monotonic() - begun < 5
        assert productive.held == {1: 10, 2: 10}
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)


async def test_heavy_users_leave_slots_for_a_person_who_has_none() -> None:
    slots = RequestSlots(total=12, per_person=10)
    async with asyncio.timeout(SECONDS):
        heavy = [
            asyncio.create_task(hold(slots, f"p{number % 4}", Counter())) for number in range(40)
        ]
        for _ in range(10):
            await asyncio.sleep(0)
        for newcomer in ("new", "newer"):
            async with slots.slot(newcomer):
                pass
        for task in heavy:
            task.cancel()
        await asyncio.gather(*heavy, return_exceptions=True)


async def test_cancelled_waiter_gives_its_turn_to_the_next() -> None:
    slots = RequestSlots(total=2, per_person=1)
    async with asyncio.timeout(SECONDS):
        held: Counter[str] = Counter()
        first, second, third = (asyncio.create_task(hold(slots, "ana", held)) for _ in range(3))
        await until(lambda: held["ana"] == 1)
        first.cancel()
        second.cancel()
        await until(lambda: held["ana"] == 1 and first.done() and second.done())
        third.cancel()
        await asyncio.gather(first, second, third, return_exceptions=True)
        assert held["ana"] == 0
        async with slots.slot("ana"), slots.slot("luka"):
            pass


async def hold(slots: RequestSlots, who: str, held: Counter[str]) -> None:
    """Hold a slot until cancelled."""
    async with slots.slot(who):
        held[who] += 1
        try:
            await asyncio.Event().wait()
        finally:
            held[who] -= 1


steps = st.lists(
    st.tuples(st.sampled_from(["begin", "end", "abandon"]), st.integers(0, 4)), max_size=40
)


@given(total=st.integers(1, 8), per_person=st.integers(1, 4), history=steps)
def test_slots_are_bounded_and_none_is_lost(
    total: int, per_person: int, history: list[tuple[str, int]]
) -> None:
    async def run() -> None:
        slots = RequestSlots(total=total, per_person=per_person)
        held: Counter[str] = Counter()
        tasks: list[tuple[str, asyncio.Task[None]]] = []
        for step, number in history:
            if step == "begin":
                who = f"p{number}"
                tasks.append((who, asyncio.create_task(hold(slots, who, held))))
            elif tasks:
                # The oldest task holds a slot more likely, the newest waits for one.
                _, task = tasks.pop(0 if step == "end" else -1)
                task.cancel()
            for _ in range(8):
                await asyncio.sleep(0)
            free = total - held.total()
            assert free >= 0
            assert all(count <= per_person for count in held.values())
            for who in {who for who, task in tasks if not task.done()}:
                waits = sum(name == who for name, _ in tasks) > held[who]
                assert not waits or held[who] >= min(per_person, free)
        for _, task in tasks:
            task.cancel()
        await asyncio.gather(*(task for _, task in tasks), return_exceptions=True)
        async with asyncio.timeout(SECONDS), slots.slot("last"):
            assert held.total() == 0

    asyncio.run(run())
