"""Refreshes of one grant in any order of their calls to the store, some without an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.grantfaults import FaultyStore, away
from harness.grantkit import RESOURCE, RING, HeldKeys, Replica
from productive_contract.secret import Secret
from productive_gateway.errors import Unavailable
from productive_gateway.grants.errors import InvalidGrant
from productive_gateway.grants.grant import Cause, GrantState
from productive_gateway.grants.provider import Answer, Confirmed, Denied, Unanswered
from productive_gateway.grants.record import Record, decode
from productive_gateway.grants.retry_budget import RetryLimits
from productive_gateway.grants.service import Tokens
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.grants.tokens import read_refresh

NO_PAUSES = RetryLimits(conflict_pauses=(0, 0), failure_pauses=(0, 0), seconds=60)

NOBODY_WAITS = RetryLimits(conflict_pauses=(0, 0), failure_pauses=(1000, 1000), seconds=60)
"""Who would have to wait for another request is answered at once."""

T = TypeVar("T")


@dataclass(eq=False)
class Request:
    """One refresh, and what came of it."""

    token: str
    generation: int
    read_as_current: bool = False
    ended_the_grant: bool = False
    answer: Tokens | InvalidGrant | Unavailable | None = None


REQUEST: ContextVar[Request | None] = ContextVar("REQUEST", default=None)


@dataclass(eq=False)
class Call:
    """A call to the store that waits; its result says whether the answer comes."""

    request: Request
    turn: asyncio.Future[bool]


@dataclass
class ScheduledStore(FaultyStore):
    """A store whose calls wait until the test lets them through; it notes what requests see."""

    waiting: list[Call] = field(default_factory=list)

    async def get(self, name: str) -> Record | None:
        record = await self.in_turn(lambda: self.inner.get(name))
        request = REQUEST.get()
        if record is not None and request is not None:
            request.read_as_current |= decode(record, RING).generation == request.generation
        return record

    async def update(self, record: Record) -> Record:
        return await self.in_turn(lambda: self._stored(record))

    async def _stored(self, record: Record) -> Record:
        stored = await self.inner.update(record)
        request = REQUEST.get()
        if request is not None and decode(record, RING).state is GrantState.GONE:
            request.ended_the_grant = True
        return stored

    async def in_turn(self, call: Callable[[], Awaitable[T]]) -> T:
        request = REQUEST.get()
        if request is None:
            return await call()
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.waiting.append(Call(request, turn))
        answered = await turn
        result = await call()
        if not answered:
            raise away()
        return result


@dataclass
class Provider:
    """A provider whose refresh tokens are good for one use; its answers, too, can get lost."""

    store: ScheduledStore
    uses: int = 0
    sent: list[str] = field(default_factory=list)
    denials: int = 0
    lost: int = 0

    @property
    def current(self) -> str:
        return f"token-{self.uses}"

    async def ask(self, token: Secret) -> Answer:
        try:
            return await self.store.in_turn(lambda: self._use(token.reveal()))
        except Unavailable as error:
            self.lost += 1
            return Unanswered(error)

    async def _use(self, token: str) -> Answer:
        self.sent.append(token)
        if token != self.current:
            self.denials += 1
            return Denied(Cause.UPSTREAM_REFUSED)
        self.uses += 1
        return Confirmed(Secret(self.current), None)


class Refreshes:
    """Requests at two replicas, moved on by the test."""

    def __init__(self, limits: RetryLimits = NO_PAUSES) -> None:
        self.store = ScheduledStore(MemoryGrantStore())
        self.provider = Provider(self.store)
        first = Replica.over(self.store, keys=HeldKeys(RING), limits=limits, ask=self.provider.ask)
        self.replicas = (first, first.another())
        self.requests: list[Request] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._tokens: list[str] = []

    async def begin(self, **sign_in: Any) -> None:
        """Sign in."""
        self._tokens.append((await self.replicas[0].tokens(**sign_in)).refresh_token)

    async def act(self, action: str, number: int) -> None:
        """Do one of ACTIONS."""
        waiting = self.store.waiting
        if action == "start":
            await self.start(number)
        elif waiting:
            call = waiting[number % len(waiting)]
            if action == "run":
                await self._run(call.request)
            else:
                await self._let_through(call, answered=action == "answer")

    async def start(self, age: int) -> Request:
        """Begin a request with the latest refresh token, or one of those before it."""
        token = self._tokens[max(len(self._tokens) - 1 - age, 0)]
        request = Request(token, read_refresh(RING, token, RESOURCE).generation)
        replica = self.replicas[len(self.requests) % len(self.replicas)]
        self.requests.append(request)
        self._tasks.append(asyncio.create_task(self._refresh(replica, request)))
        await self._settle()
        return request

    async def finish(self) -> None:
        """Let all calls through, with their answers."""
        while self.store.waiting:
            await self._run(self.store.waiting[0].request)
        await asyncio.gather(*self._tasks)

    async def _run(self, request: Request) -> None:
        while calls := [call for call in self.store.waiting if call.request is request]:
            await self._let_through(calls[0], answered=True)

    async def _let_through(self, call: Call, *, answered: bool) -> None:
        self.store.waiting.remove(call)
        call.turn.set_result(answered)
        await self._settle()

    async def _refresh(self, replica: Replica, request: Request) -> None:
        REQUEST.set(request)
        try:
            answer = await replica.refresh(request.token)
        except (InvalidGrant, Unavailable) as error:
            request.answer = error
        else:
            request.answer = answer
            if answer.refresh_token not in self._tokens:
                self._tokens.append(answer.refresh_token)

    async def _settle(self) -> None:
        """Let every task run until it waits for a call or is done."""
        for _ in range(20):
            await asyncio.sleep(0)


ACTIONS = st.tuples(
    st.sampled_from(["start", "start", "answer", "answer", "run", "run", "lose"]),
    st.integers(0, 2),
)
"""`start` a request with a token of that age; let one call through with its `answer`, or `lose` it;
`run` the request of a call to its end."""
OVERTAKEN = [
    ("start", 0),  # one reads its token as the current one …
    ("answer", 0),
    ("start", 0),  # … a second moves on to the next generation …
    ("run", 1),
    ("start", 0),  # … a third to the one after …
    ("run", 1),
    ("answer", 0),  # … and the first loses its race.
]
LOST_ANSWER = [
    ("start", 0),  # one moves on, and its answer is lost …
    ("answer", 0),
    ("lose", 0),
    ("start", 0),  # … a second repeats it …
    ("run", 1),
    ("start", 0),  # … and a third uses what the second got.
    ("run", 1),
]


@pytest.mark.attack("J-03", "R-13")
@settings(max_examples=150, deadline=None)
@given(st.lists(ACTIONS, max_size=30))
@example(OVERTAKEN)
@example(LOST_ANSWER)
def test_request_that_read_its_token_as_current_never_ends_the_grant(
    actions: list[tuple[str, int]],
) -> None:
    async def scenario() -> None:
        refreshes = Refreshes()
        await refreshes.begin()
        for action, number in actions:
            await refreshes.act(action, number)
        await refreshes.finish()
        for request in refreshes.requests:
            assert not (request.read_as_current and request.ended_the_grant), request
        successors: dict[str, str] = {}
        for request in refreshes.requests:
            if isinstance(request.answer, Tokens):
                successor = request.answer.refresh_token
                assert successors.setdefault(request.token, successor) == successor

    asyncio.run(scenario())


@pytest.mark.attack("J-03", "J-13", "R-13")
@settings(max_examples=150, deadline=None)
@given(st.lists(ACTIONS, max_size=40))
def test_refreshes_use_a_token_of_the_provider_once_unless_its_answer_got_lost(
    actions: list[tuple[str, int]],
) -> None:
    """The lease of a request that fails is not over in this test: nobody takes it."""

    async def scenario() -> None:
        refreshes = Refreshes(NOBODY_WAITS)
        await refreshes.begin(provider_token=Secret("token-0"))
        for action, number in actions:
            await refreshes.act(action, number)
        await refreshes.finish()
        provider = refreshes.provider
        again = len(provider.sent) - len(set(provider.sent))
        assert again <= provider.lost
        assert provider.denials <= provider.lost
        for request in refreshes.requests:
            ended = request.read_as_current and request.ended_the_grant
            assert not ended or provider.denials, request
        got = {r.answer.refresh_token for r in refreshes.requests if isinstance(r.answer, Tokens)}
        # Each successor was confirmed by the provider.
        assert len(got) <= provider.uses

    asyncio.run(scenario())


@pytest.mark.parametrize("actions", [OVERTAKEN, LOST_ANSWER], ids=["overtaken", "lost answer"])
async def test_overtaken_request_is_refused_and_the_latest_token_still_works(
    actions: list[tuple[str, int]],
) -> None:
    refreshes = Refreshes()
    await refreshes.begin()
    for action, number in actions:
        await refreshes.act(action, number)
    await refreshes.finish()
    overtaken, *others = [request.answer for request in refreshes.requests]
    assert isinstance(overtaken, InvalidGrant)
    assert overtaken.reason == "overtaken"
    assert all(isinstance(answer, Tokens) for answer in others)
    latest = await refreshes.start(0)
    await refreshes.finish()
    assert isinstance(latest.answer, Tokens)
