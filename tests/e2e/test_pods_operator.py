"""How a change to a person arrives: with the operator away, by watch, and by the mount alone."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Iterator, Sequence

import httpx
import pytest

from harness.caller import Caller
from harness.installation import Figures, Installation
from harness.processes import eventually
from harness.sdkclient import Assistant
from harness.terminal import Terminal

ROUNDS = 20
IN_A_ROW = 12
"""So many equal answers come from all three gateways: the Ingress deals requests out in turn."""
BY_WATCH_SECONDS = 10
BY_MOUNT_SECONDS = 150
"""Kubelet writes a changed Secret into its mounts within 60 to 90 s."""
WATCH = 'productive_mcp_watch_healthy{watch="mapping"}'
RIGHT = "rolebinding/productive-gateway-release"


@pytest.fixture
def no_watch(terminal: Terminal, installation: Installation) -> Iterator[None]:
    """Take the right to see mapping and key ring from the gateways, until they noticed."""
    right = terminal(f"kubectl get {RIGHT} -n productive -o json")
    terminal(f"kubectl delete {RIGHT} -n productive")
    try:
        eventually(lambda: watching(installation) == {0.0}, seconds=60, what="no watch")
        yield
    finally:
        terminal("kubectl apply -f -", given=without_history(right))
        eventually(lambda: watching(installation) == {1.0}, seconds=60, what="watches again")


async def test_a_change_is_in_use_everywhere_at_once(
    assistants: Sequence[Assistant], terminal: Terminal, figures: Figures
) -> None:
    took = []
    async with Caller(assistants[-1]) as marko:
        for number in range(ROUNDS):
            began = time.monotonic()
            suspend(terminal, number % 2 == 0)
            status = httpx.codes.FORBIDDEN if number % 2 == 0 else httpx.codes.OK
            took.append(await everywhere(marko, status, BY_WATCH_SECONDS) - began)
    figures.note(
        "change_to_usable_by_watch_s",
        {"p50": round(statistics.median(took), 2), "max": round(max(took), 2), "n": ROUNDS},
    )


async def test_people_go_on_while_the_operator_is_away_and_changes_wait(
    assistants: Sequence[Assistant],
    installation: Installation,
    terminal: Terminal,
    figures: Figures,
) -> None:
    scale = "kubectl scale -n productive deploy/productive-operator --replicas"
    ended = "kubectl wait -n productive pod -l app.kubernetes.io/component=operator --for=delete"
    async with Caller(assistants[-1]) as marko:
        terminal(f"{scale}=0")
        try:
            terminal(f"{ended} --timeout=60s")
            revisions = set(installation.metrics("productive_mcp_mapping_revision").values())
            suspend(terminal, True)
            await everywhere(marko, httpx.codes.OK, BY_WATCH_SECONDS)
            assert (await marko.refresh()).status_code == httpx.codes.OK
            # What one would wait for here does not happen; each gateway says that it has not.
            assert set(installation.metrics("productive_mcp_mapping_revision").values()) == (
                revisions
            )
        finally:
            terminal(f"{scale}=1")
        began = time.monotonic()
        arrived = await everywhere(marko, httpx.codes.FORBIDDEN, 60)
        figures.note("operator_scaled_up_to_usable_s", round(arrived - began, 2))
        suspend(terminal, False)
        await everywhere(marko, httpx.codes.OK, BY_WATCH_SECONDS)


async def test_a_change_arrives_by_the_mount_alone(
    no_watch: None,
    assistants: Sequence[Assistant],
    installation: Installation,
    terminal: Terminal,
    figures: Figures,
) -> None:
    took = []
    async with Caller(assistants[-1]) as marko:
        for suspended, status in ((True, httpx.codes.FORBIDDEN), (False, httpx.codes.OK)):
            began = time.monotonic()
            suspend(terminal, suspended)
            took.append(await everywhere(marko, status, BY_MOUNT_SECONDS) - began)
    assert watching(installation) == {0.0}
    figures.note("change_to_usable_by_mount_s", [round(one, 1) for one in took])


def suspend(terminal: Terminal, suspended: bool) -> None:
    patch = json.dumps({"spec": {"suspend": suspended}})
    terminal(f"kubectl patch pu marko-cavic -n productive-users --type=merge -p '{patch}'")


async def everywhere(caller: Caller, status: int, seconds: float) -> float:
    """Call until every gateway answers with this status; return when the first of these came.

    Raises:
        AssertionError: not within that time.
        TimeoutError: the same.
    """
    since, row = 0.0, 0
    async with asyncio.timeout(seconds):
        while row < IN_A_ROW:
            answer = await caller.ask()
            assert answer.status_code in {httpx.codes.OK, httpx.codes.FORBIDDEN}, answer.text
            if answer.status_code != status:
                row = 0
            elif not row:
                since, row = time.monotonic(), 1
            else:
                row += 1
            await asyncio.sleep(0.02)
    return since


def watching(installation: Installation) -> set[float]:
    return set(installation.metrics(WATCH).values())


def without_history(text: str) -> str:
    """Return an object as it would be made anew."""
    found = json.loads(text)
    for name in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        found["metadata"].pop(name, None)
    return json.dumps(found)
