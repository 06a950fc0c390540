"""Kopf's part: events ask for a pass, unless they are the echo of a status of ours."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from harness.operatorkit import secret_body, user_body
from productive_contract.names import TOKEN_TYPE
from productive_operator import handlers
from productive_operator.cluster.errors import Unreachable
from productive_operator.conditions import Status
from productive_operator.mapping_watch import watch_mapping
from productive_operator.users import User
from productive_operator.view import StoredMapping


class Nudged:
    def __init__(self) -> None:
        self.kinds: list[str] = []

    def nudge(self, kind: str) -> None:
        self.kinds.append(kind)


class Knowing:
    def __init__(self, *, settled: bool) -> None:
        self._settled = settled

    def has_listed(self, version: str) -> bool:
        return version == "uid/1"

    def is_settled(self, user: User, status: Status | None) -> bool:  # noqa: ARG002
        return self._settled


@pytest.mark.parametrize(
    ("kind", "settled", "asked"),
    [
        (None, False, ["user"]),
        (None, True, []),
        ("ADDED", False, ["user"]),
        ("MODIFIED", False, ["user"]),
        ("MODIFIED", True, []),
        ("DELETED", False, ["user"]),
        ("DELETED", True, ["user"]),
    ],
)
def test_an_event_asks_for_a_pass_unless_it_is_our_own(
    kind: str | None, settled: bool, asked: list[str]
) -> None:
    nudged = Nudged()
    event = {"type": kind, "object": user_body()}
    handlers.user_changed(event, nudged, Knowing(settled=settled))  # type: ignore[arg-type]
    assert nudged.kinds == asked


@pytest.mark.parametrize(
    ("kind", "version", "asked"),
    [
        (None, "1", []),
        (None, "2", ["secret"]),
        ("ADDED", "1", []),
        ("MODIFIED", "2", ["secret"]),
        ("DELETED", "1", ["secret"]),
    ],
)
def test_a_secret_that_the_last_pass_saw_asks_for_none(
    kind: str | None, version: str, asked: list[str]
) -> None:
    nudged = Nudged()
    body = secret_body()
    body["metadata"] |= {"uid": "uid", "resourceVersion": version}
    event = {"type": kind, "object": body}
    handlers.secret_changed(event, nudged, Knowing(settled=False))  # type: ignore[arg-type]
    assert nudged.kinds == asked


def test_kopf_only_watches() -> None:
    registry = handlers.registry(Nudged(), Knowing(settled=False))
    found = {
        h.selector.plural or h.selector.any_name for h in registry._watching.get_all_handlers()
    }
    assert found == {"productiveusers", "secrets"}
    for others in (registry._changing, registry._spawning, registry._indexing, registry._webhooks):
        assert not list(others.get_all_handlers())  # type: ignore[attr-defined]


def test_kopf_asks_for_no_rights_beyond_the_role() -> None:
    settings = handlers.settings()
    assert settings.scanning.disabled
    assert not settings.posting.enabled
    assert list(settings.watching.field_selectors.values()) == [f"type={TOKEN_TYPE}"]


def test_kopf_never_gives_up_on_the_api_server() -> None:
    delays = list(itertools.islice(handlers.Backoffs(), 1000))
    assert delays[:3] == [0.5, 1, 2]
    assert max(delays) == 8


async def test_the_mapping_is_watched_again_after_a_failure() -> None:
    ours = StoredMapping("uid", "1", "t", {"users.json": b"{}"})
    foreign = StoredMapping("uid", "2", "t", {"users.json": b"{}", "x": b""})

    class Windows:
        def __init__(self) -> None:
            self.count = 0

        async def watch_mapping(self) -> AsyncIterator[StoredMapping | None]:
            self.count += 1
            match self.count:
                case 1:
                    yield ours
                    yield foreign
                case 2:
                    raise Unreachable("watch", 0)
                case 3:
                    yield None
                case _:
                    await asyncio.Event().wait()

    windows, nudged = Windows(), Nudged()
    task = asyncio.create_task(
        watch_mapping(windows, lambda s: s is ours, nudged.nudge, pause=0.001)
    )
    async with asyncio.timeout(5):
        while windows.count < 4:  # noqa: ASYNC110 (a counter without an event)
            await asyncio.sleep(0.001)
    task.cancel()
    assert nudged.kinds == ["mapping", "mapping"]
