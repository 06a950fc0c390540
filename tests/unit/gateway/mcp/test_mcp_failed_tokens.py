"""Refused access tokens are limited, and none that is good is kept out."""

from __future__ import annotations

import httpx
import pytest

from harness.grantkit import HeldClock
from harness.mcpkit import McpServer, mcp_server, request
from productive_gateway.grants.errors import TokenFault, invalid_token
from productive_gateway.mcp.failed_tokens import FailedTokens
from productive_gateway.web.caller_address import CallerAddresses, parse_proxies
from productive_gateway.web.limits import Limits, PerMinute

MOST = 30
OFFICE = "192.0.2.1"


def counting(clock: HeldClock | None = None, *, trusted: str = "127.0.0.1") -> FailedTokens:
    limits = Limits.of(PerMinute(failed_tokens=MOST), clock or HeldClock())
    return FailedTokens(limits.failed_tokens, CallerAddresses(parse_proxies(trusted.split())))


async def send(mcp: McpServer, token: str, address: str = OFFICE) -> httpx.Response:
    return await mcp.post(request("ping"), token=token, x_forwarded_for=address)


async def forged(mcp: McpServer, count: int, address: str = OFFICE) -> list[int]:
    """Send so many forged tokens, each another one; return the statuses."""
    for number in range(count):
        mcp.tokens.known.setdefault(f"forged-{number}", invalid_token(TokenFault.MALFORMED))
    return [(await send(mcp, f"forged-{number}", address)).status_code for number in range(count)]


@pytest.mark.attack("Q-05")
async def test_forged_tokens_of_one_address_are_limited_and_good_ones_pass() -> None:
    clock = HeldClock()
    async with mcp_server(failed_tokens=counting(clock)) as mcp:
        assert await forged(mcp, MOST + 5) == [401] * MOST + [429] * 5
        answer = await send(mcp, "forged-1")
        assert answer.headers["retry-after"] == "2"
        assert "www-authenticate" not in answer.headers
        assert answer.json()["error"] == "too_many_requests"
        # A colleague in the same office, and a stranger elsewhere.
        assert (await send(mcp, "good")).status_code == 200
        assert (await forged(mcp, 1, "192.0.2.2")) == [401]
        clock.forward(2)
        assert (await forged(mcp, 2)) == [401, 429]


@pytest.mark.attack("Q-05")
async def test_what_is_not_even_of_the_form_of_a_token_counts_too() -> None:
    async with mcp_server(failed_tokens=counting()) as mcp:
        statuses = [(await send(mcp, "a b")).status_code for _ in range(MOST + 1)]
        assert statuses == [401] * MOST + [429]


@pytest.mark.attack("Q-05", "L-12")
async def test_the_address_cannot_be_chosen() -> None:
    async with mcp_server(failed_tokens=counting()) as mcp:
        mcp.tokens.known["forged"] = invalid_token(TokenFault.MALFORMED)
        statuses = [
            (await send(mcp, "forged", f"203.0.113.{number}, {OFFICE}")).status_code
            for number in range(MOST + 1)
        ]
        assert statuses == [401] * MOST + [429]


@pytest.mark.attack("Q-05")
async def test_a_broken_neighbour_hides_from_nobody_that_a_token_has_expired() -> None:
    async with mcp_server(failed_tokens=counting()) as mcp:
        for name in ("loops", "colleague"):
            mcp.tokens.known[name] = invalid_token(TokenFault.EXPIRED)
        looping = [(await send(mcp, "loops")).status_code for _ in range(MOST + 3)]
        assert looping == [401] * MOST + [429] * 3
        await forged(mcp, MOST + 1)
        answer = await send(mcp, "colleague")
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.attack("Q-05")
async def test_without_an_address_forged_tokens_are_refused_and_not_limited() -> None:
    async with mcp_server(failed_tokens=counting(trusted="")) as mcp:
        assert set(await forged(mcp, MOST + 5)) == {401}
