"""Whatever happens between a store and its reflector, the sink is right in the end, and never
younger than it says.

A model of the API server in virtual time: lists, windows with their events and bookmarks, servers
that are away, fall silent, cut, drop slow watchers, answer watches by themselves, forget versions
or are restored from a backup.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness import virtualtime
from productive_kube.backoff import Backoff
from productive_kube.client import WATCH_SLACK, Listed
from productive_kube.collection import Change
from productive_kube.errors import ApiError, Gone, Unreachable
from productive_kube.reflector import Reflector

WINDOW = 10
TRAFFIC = (10**15, 10**12, 10**9, 10**6)
"""Versions that other objects take after a backup, by the number of restores before it. So each
restore is a fall, and the store does not grow beyond what it was before: nobody could see that."""
SETTLED_SECONDS = 2 * (WINDOW + WATCH_SLACK) + 10

Item: TypeAlias = tuple[str, int]
State: TypeAlias = dict[str, int]
Restored = Literal["cut", "silent", "naive"]
"""Whether windows are cut by it, wait for versions from their future, or get those from before."""


def cut() -> Unreachable:
    return Unreachable("x", status=0, reason="Cut")


@dataclass(eq=False)
class Window:
    """One open watch, as the server sees it."""

    reached: int
    queue: asyncio.Queue[Change[Item] | ApiError | None] = field(default_factory=asyncio.Queue)
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    naive: bool = False
    stalled: bool = False
    """Whether what is told no longer gets through, so that the server will drop it."""

    def tell(self, change: Change[Item]) -> None:
        if self.stalled:
            return
        if self.naive or int(change.version) > self.reached:
            self.reached = int(change.version)
            self.queue.put_nowait(change)


class Store:
    """A `Source`, and what happens to it."""

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self.state: State = {}
        self.version = 1
        self.truth: list[tuple[float, State]] = [(self._now(), {})]
        """Each state, with the moment since which it was there."""
        self.away = False
        self.empty = False
        self.bookmarks = True
        self.forgetful = False
        self.restores = 0
        self._events: list[Change[Item]] = []
        self._windows: list[Window] = []
        self._backup: tuple[State, int, list[Change[Item]]] | None = None

    # What a reflector asks.

    async def list(self) -> Listed[Item]:
        async with self._answering():
            return Listed(list(self.state.items()), str(self.version))

    async def version_now(self) -> str:
        async with self._answering():
            return str(self.version)

    async def watch(self, version: str, seconds: int) -> AsyncGenerator[Change[Item], None]:
        opened = self._now()
        async with self._answering():
            pass
        if self.forgetful:
            self.forgetful = False
            raise Gone("x", status=410, reason="Expired")
        if self.empty:
            return
        window = Window(int(version))
        for event in self._events:
            window.tell(event)
        self._windows.append(window)
        try:
            async with aclosing(self._window(window, opened, seconds)) as changes:
                async for change in changes:
                    yield change
        finally:
            self._windows.remove(window)

    async def _window(
        self, window: Window, opened: float, seconds: int
    ) -> AsyncGenerator[Change[Item], None]:
        end = self._now() + seconds
        bookmark = end - 2 if self.bookmarks else math.inf
        while not window.silent.is_set():
            try:
                async with asyncio.timeout_at(min(bookmark, end)):
                    event = await window.queue.get()
            except TimeoutError:
                if window.silent.is_set():
                    break
                if self._now() >= end and not window.stalled:
                    return
                if self._now() >= end:
                    raise cut() from None
                bookmark = math.inf
                window.tell(Change(str(self.version)))
                continue
            if event is None:
                # In the last moment of a window nobody could tell it from the window's end.
                if self._now() > opened + 0.9 * seconds:
                    raise cut()
                return
            if isinstance(event, ApiError):
                raise event
            yield event
        # The client's own deadline.
        async with asyncio.timeout_at(opened + seconds + WATCH_SLACK):
            await asyncio.Event().wait()

    @asynccontextmanager
    async def _answering(self) -> AsyncGenerator[None, None]:
        """Take a moment before and after the answer is made."""
        await asyncio.sleep(0.03)
        if self.away:
            raise cut()
        yield
        await asyncio.sleep(0.03)

    # What happens to it.

    def write(self, name: str, value: int | None) -> None:
        if value is None and name not in self.state:
            return
        self.version += 1
        item = (name, self.state.pop(name) if value is None else value)
        if value is not None:
            self.state[name] = value
        event = Change(str(self.version), item, deleted=value is None)
        self._events.append(event)
        for window in self._windows:
            window.tell(event)
        self._note()

    def silence(self) -> None:
        for window in self._windows:
            window.silent.set()

    def cut(self) -> None:
        for window in self._windows:
            window.queue.put_nowait(cut())

    def stall(self) -> None:
        for window in self._windows:
            window.stalled = True

    def drop(self) -> None:
        """End windows in order, without what they were not told."""
        for window in self._windows:
            window.queue.put_nowait(None)

    def back_up(self) -> None:
        if self.restores < len(TRAFFIC):
            self._backup = (dict(self.state), self.version, list(self._events))
            self.version += TRAFFIC[self.restores]

    def restore(self, how: Restored) -> None:
        if self._backup is None:
            return
        self.state, self.version, self._events = self._backup
        self._backup = None
        self.restores += 1
        self._note()
        for window in self._windows:
            window.naive = how == "naive"
        if how == "cut":
            self.cut()

    def heal(self) -> None:
        self.away = self.empty = self.forgetful = False
        self.bookmarks = True

    def _note(self) -> None:
        self.truth.append((self._now(), dict(self.state)))

    def last_true(self, state: State) -> float:
        """Return the latest moment at which the store was in this state."""
        ends = [since for since, _ in self.truth[1:]] + [self._now()]
        return max(
            (end for (_, then), end in zip(self.truth, ends, strict=True) if then == state),
            default=-math.inf,
        )


class Source:
    """The store as the reflector's protocol names it."""

    def __init__(self, store: Store) -> None:
        self.list = store.list
        self.version = store.version_now
        self._store = store

    async def watch(self, version: str, seconds: int) -> AsyncGenerator[Change[Item], None]:
        try:
            async with aclosing(self._store.watch(version, seconds)) as changes:
                async for change in changes:
                    yield change
        except TimeoutError as error:
            raise Unreachable("x", status=0, reason="Timeout") from error


class Followed:
    """The sink."""

    def __init__(self, store: Store) -> None:
        self.state: State = {}
        self._store = store
        self._newest = 0
        self._falls = 0

    def replace(self, listed: Listed[Item], *, fell: bool) -> None:
        self.state = dict(listed.items)
        assert fell or int(listed.version) >= self._newest
        self._newest = int(listed.version)
        self._falls += fell
        assert self._falls <= self._store.restores

    def apply(self, change: Change[Item]) -> None:
        assert change.item is not None
        name, value = change.item
        if change.deleted:
            self.state.pop(name, None)
        else:
            self.state[name] = value
        assert int(change.version) >= self._newest
        self._newest = int(change.version)


Step: TypeAlias = tuple[float, tuple[object, ...]]
"""How many seconds to wait, and what happens then."""

SECONDS = st.sampled_from([0, 0, 0.05, 0.5, 2, 7, 9, 15])
FLAGS = ("away", "empty", "bookmarks", "forgetful")
HAPPENINGS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from("ab"), st.integers(0, 9)),
    st.tuples(st.just("write"), st.sampled_from("ab"), st.integers(0, 9) | st.none()),
    st.tuples(st.sampled_from(["silence", "cut", "stall", "drop", "back_up"])),
    st.tuples(st.just("restore"), st.sampled_from(["cut", "silent", "naive"])),
    st.tuples(st.sampled_from(FLAGS), st.booleans()),
)
TICKS = (0.02,) * 10
"""Seconds between looks at first, while a list is read or a window opened; then they are longer."""


async def play(steps: list[Step]) -> None:
    store = Store()
    sink = Followed(store)
    loop = asyncio.get_running_loop()
    reflector = Reflector(
        Source(store),
        sink,
        label="test",
        window=WINDOW,
        backoff=Backoff(chance=lambda: 0.5),
        monotonic=loop.time,
    )
    task = asyncio.create_task(reflector.run())

    async def wait(seconds: float) -> None:
        until = loop.time() + seconds
        ticks = iter(TICKS)
        while loop.time() < until:
            await asyncio.sleep(min(next(ticks, 1.0), until - loop.time()))
            if task.done():
                task.result()
            if reflector.confirmed is not None:
                assert store.last_true(sink.state) >= reflector.confirmed
                assert reflector.age == loop.time() - reflector.confirmed

    try:
        for seconds, (name, *arguments) in steps:
            await wait(seconds)
            if name in FLAGS:
                setattr(store, str(name), *arguments)
            else:
                getattr(store, str(name))(*arguments)
        if store.empty and not store.away:
            # Lists stand in for windows that nothing lets through.
            await wait(SETTLED_SECONDS)
            assert sink.state == store.state
        store.heal()
        await wait(SETTLED_SECONDS)
        assert sink.state == store.state
        assert reflector.healthy
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def fall(how: str) -> list[Step]:
    """Return a history with a restore that takes a change back, and a change after it."""
    before: list[Step] = [(2, ("back_up",)), (0, ("write", "a", 1))]
    return [*before, (15, ("restore", how)), (0, ("write", "b", 1))]


@settings(max_examples=200)
@example(fall("cut"))
@example(fall("silent"))
@example(fall("naive"))
@example([(2, ("stall",)), (0, ("write", "a", 1)), (2, ("drop",))])
@given(st.lists(st.tuples(SECONDS, HAPPENINGS), max_size=30))
def test_the_sink_is_right_in_the_end_and_never_younger_than_it_says(steps: list[Step]) -> None:
    virtualtime.run(play(steps))
