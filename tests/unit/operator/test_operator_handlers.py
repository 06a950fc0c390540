"""Which events ask for a pass: all, unless they are the echo of a status of ours."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import aiohttp
import pytest

from harness.operatorkit import MemoryCluster, never, user_body
from productive_contract.names import TOKEN_TYPE
from productive_operator import handlers, sessions
from productive_operator.reconciler import Reconciler
from productive_operator.scheduler import Scheduler


class Operator:
    """One that has made a pass over Ana, and is not running."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster()
        self.cluster.add("ana")
        self.cluster.tokens["ana-productive"]["metadata"] |= {"uid": "uid", "resourceVersion": "1"}
        self.reconciler = Reconciler(self.cluster, lambda: 1.0)
        self.scheduler = Scheduler(self.reconciler.reconcile, self.reconciler.watches)

    def user(self, kind: str | None, body: dict[str, Any]) -> bool:
        """Tell whether an event of a ProductiveUser asks for a pass."""
        handlers.user_changed(
            {"type": kind, "object": body},  # type: ignore[arg-type,typeddict-item]
            self.scheduler,
            self.reconciler,
        )
        return self.scheduler.is_enqueued

    def secret(self, kind: str | None, version: str) -> bool:
        """Tell whether an event of Ana's token Secret asks for a pass."""
        body = self.cluster.tokens["ana-productive"]
        body["metadata"]["resourceVersion"] = version
        handlers.secret_changed(
            {"type": kind, "object": body},  # type: ignore[arg-type,typeddict-item]
            self.scheduler,
            self.reconciler,
        )
        return self.scheduler.is_enqueued


@pytest.fixture
async def operator() -> Operator:
    operator = Operator()
    await operator.reconciler.reconcile(never)
    return operator


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED"])
@pytest.mark.parametrize("settled", [False, True])
def test_an_event_asks_for_a_pass_unless_the_object_is_as_the_last_pass_left_it(
    operator: Operator, kind: str | None, settled: bool
) -> None:
    body = operator.cluster.bodies["ana"] if settled else user_body(suspend=True)
    assert operator.user(kind, body) is not settled


def test_a_deletion_asks_for_a_pass(operator: Operator) -> None:
    assert operator.user("DELETED", operator.cluster.bodies["ana"])


@pytest.mark.parametrize(
    ("kind", "version", "asked"),
    [
        (None, "1", False),
        (None, "2", True),
        ("ADDED", "1", False),
        ("MODIFIED", "2", True),
        ("DELETED", "1", True),
    ],
)
def test_a_secret_that_the_last_pass_saw_asks_for_none(
    operator: Operator, kind: str | None, version: str, asked: bool
) -> None:
    assert operator.secret(kind, version) is asked


@pytest.mark.parametrize("kind", ["MODIFIED", "DELETED"])
async def test_an_event_only_says_which_name_to_list_again(operator: Operator, kind: str) -> None:
    operator.cluster.add("bob")
    operator.cluster.listed.clear()
    running = asyncio.create_task(operator.scheduler.run())
    async with asyncio.timeout(5):
        while not operator.cluster.listed:  # noqa: ASYNC110 (a list gives no event)
            await asyncio.sleep(0)
        operator.user(kind, user_body("bob"))
        operator.secret(kind, "2")
        while len(operator.cluster.listed) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0)
    running.cancel()
    assert operator.cluster.listed == ["*", "ana", "bob", "ana-productive", "bob-productive"]


def test_kopf_only_watches(operator: Operator) -> None:
    async def no_login() -> aiohttp.ClientSession:
        raise AssertionError

    registry = handlers.registry("https://x", no_login, operator.scheduler, operator.reconciler)
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
    assert delays[0] <= sessions.PAUSE_FROM
    assert sessions.PAUSE_TO / 2 <= min(delays[10:]) <= max(delays) <= sessions.PAUSE_TO
