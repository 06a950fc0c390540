"""What is taken from a person is gone at every gateway, and a new token is used at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import httpx
import pytest

from harness.caller import Caller, result
from harness.installation import ExternalServices, Figures
from harness.sdkclient import Assistant
from harness.terminal import Terminal

GONE_SECONDS = 10
"""Twice what is promised while watches are healthy."""
IN_A_ROW = 12
ROTATED = "simulator-ana-rotated"


async def test_a_rotated_token_is_used_by_the_next_call(
    services: ExternalServices,
    assistants: Sequence[Assistant],
    terminal: Terminal,
    figures: Figures,
) -> None:
    services.control("POST", "tokens", {"value": ROTATED, "people": {"1200": "9104"}})
    began = time.monotonic()
    manifest = terminal(
        "kubectl create secret generic ana-kovac-productive -n productive-users "
        f"--type=productive-mcp.dev/token --from-literal=token={ROTATED} --dry-run=client -o yaml"
    )
    terminal("kubectl apply --server-side --force-conflicts -f -", given=manifest)
    async with Caller(assistants[0]) as ana, asyncio.timeout(GONE_SECONDS):
        services.control("DELETE", "log")
        while not used(services, IN_A_ROW):
            assert not result(await ana.call("get_me")).get("isError")
    figures.note("token_rotated_to_used_s", round(time.monotonic() - began, 2))

    # The old one is dead, and nobody has to sign in anew.
    services.control("POST", "tokens", {"value": "simulator-ana-kovac", "revoked": True})
    async with Caller(assistants[0]) as ana:
        for _ in range(IN_A_ROW):
            assert not result(await ana.call("get_me")).get("isError")


@pytest.mark.attack("M-09")
async def test_who_is_deleted_is_refused_everywhere(
    assistants: Sequence[Assistant], terminal: Terminal, figures: Figures
) -> None:
    async with Caller(assistants[-1]) as marko:
        assert (await marko.ask()).status_code == httpx.codes.OK
        began = time.monotonic()
        terminal("kubectl delete pu marko-cavic -n productive-users")
        last, row = began, 0
        async with asyncio.timeout(GONE_SECONDS):
            while row < IN_A_ROW:
                answer = await marko.ask()
                if answer.status_code == httpx.codes.UNAUTHORIZED:
                    row += 1
                    continue
                assert answer.status_code == httpx.codes.OK, answer.text
                last, row = time.monotonic(), 0
        figures.note("deleted_to_refused_s", round(last - began, 2))
        refused = await marko.refresh()
    assert refused.status_code == httpx.codes.BAD_REQUEST
    assert refused.json()["error"] == "invalid_grant"


def used(services: ExternalServices, times: int) -> bool:
    """Tell whether the last so many requests came with the new token."""
    labels = [one["token"] for one in services.control("GET", "log")][-times:]
    return labels == ["ana-rotated"] * times
