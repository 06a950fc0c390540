"""Pods come and go while people work, and nobody notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from harness.installation import ExternalServices, Figures, Installation
from harness.load import Tally, working
from harness.sdkclient import Assistant
from harness.terminal import Terminal

SLOW_WRITE_SECONDS = 2.5
"""What Productive takes for each new time entry here, so that some are always under way."""


@pytest.fixture(autouse=True)
def slow_productive(services: ExternalServices) -> Iterator[None]:
    delay = {"method": "POST", "path": "/time_entries", "delay": SLOW_WRITE_SECONDS}
    services.control("PUT", "faults", [delay | {"times": 100_000}])
    yield
    services.control("PUT", "faults", [])


async def test_a_rolling_update_is_not_noticed(
    installation: Installation, assistants: Sequence[Assistant], figures: Figures
) -> None:
    before = set(installation.names("gateway"))
    async with at_work(installation, assistants, figures, "rolling_update"):
        await asyncio.to_thread(installation.upgrade, {"adminContact": "#productive"})
    after = set(installation.names("gateway"))
    assert len(after) == 3
    assert not before & after


async def test_a_deleted_pod_is_not_noticed(
    installation: Installation,
    assistants: Sequence[Assistant],
    figures: Figures,
    terminal: Terminal,
) -> None:
    pod = installation.names("gateway")[0]
    async with at_work(installation, assistants, figures, "deleted_pod"):
        await asyncio.to_thread(terminal, f"kubectl delete pod -n productive {pod}")
        await asyncio.to_thread(rolled_out, terminal)
    assert pod not in installation.names("gateway")


async def test_a_drained_node_is_not_noticed(
    installation: Installation,
    assistants: Sequence[Assistant],
    figures: Figures,
    terminal: Terminal,
) -> None:
    node = installation.pods("gateway")[0]["spec"]["nodeName"]
    drain = f"kubectl drain {node} --ignore-daemonsets --delete-emptydir-data --timeout=180s"
    try:
        async with at_work(installation, assistants, figures, "drained_node"):
            await asyncio.to_thread(terminal, drain)
            await asyncio.to_thread(rolled_out, terminal)
        assert node not in {one["spec"]["nodeName"] for one in installation.pods("gateway")}
    finally:
        terminal(f"kubectl uncordon {node}")


@asynccontextmanager
async def at_work(
    installation: Installation, assistants: Sequence[Assistant], figures: Figures, what: str
) -> AsyncIterator[Tally]:
    """Let people work during the block; hold that nothing failed, was lost or was done twice."""
    writer, *readers = assistants
    before = len(installation.services.entries())
    async with working(readers, writer) as tally:
        yield tally
    figures.note(what, tally.figures())
    assert tally.failures == []
    assert tally.done["tools/list"]
    assert tally.done["log_time"]
    assert len(installation.services.entries()) - before == tally.done["log_time"]


def rolled_out(terminal: Terminal) -> None:
    terminal("kubectl rollout status -n productive deploy/productive-gateway --timeout=120s")
