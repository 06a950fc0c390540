"""Grants over a real API server: what the watch spares, and what happens when it breaks."""

from __future__ import annotations

import asyncio

import pytest

from harness.faults import Answer, HalfOpen, Seen
from harness.grantkit import CLIENT, eventually
from harness.grantpair import Pair
from productive_gateway.errors import Unavailable


def watch(seen: Seen) -> bool:
    return seen.watch


async def test_warm_path_sends_nothing_to_the_api_server(pair: Pair) -> None:
    tokens = await pair.one.replica.tokens()
    async with pair.two.replica.watching() as replica:
        await pair.two.proxy.wait(watch)
        await replica.grants.authenticate(tokens.access_token)
        before = len(pair.two.proxy.seen(lambda seen: not seen.watch))
        for _ in range(200):
            await replica.grants.authenticate(tokens.access_token)
        assert len(pair.two.proxy.seen(lambda seen: not seen.watch)) == before


@pytest.mark.attack("R-02")
async def test_revocation_arrives_within_seconds_although_the_watch_is_cut(
    pair: Pair,
) -> None:
    tokens = await pair.one.replica.tokens()
    async with pair.two.replica.watching() as replica:
        await pair.two.proxy.wait(watch)
        pair.two.proxy.cut()
        await pair.one.replica.grants.revoke(tokens.access_token, client_id=CLIENT)
        await eventually(
            lambda: replica.refuses(tokens.access_token), seconds=5, what="the token is refused"
        )


@pytest.mark.attack("R-02")
async def test_half_open_watch_delays_a_revocation_by_fifteen_seconds_at_most(
    pair: Pair,
) -> None:
    tokens = await pair.one.replica.tokens()
    async with pair.two.replica.watching() as replica:
        await pair.two.proxy.wait(watch)
        rule = pair.two.proxy.rule(watch, HalfOpen(), times=None)
        await pair.one.replica.grants.revoke(tokens.access_token, client_id=CLIENT)
        await eventually(
            lambda: replica.refuses(tokens.access_token), seconds=15, what="the token is refused"
        )
        rule.remove()


@pytest.mark.attack("R-02")
async def test_watch_that_is_too_old_lists_again_and_refuses_nobody(pair: Pair) -> None:
    tokens = await pair.one.replica.tokens()
    async with pair.two.replica.watching() as replica:
        await pair.two.proxy.wait(watch)
        rule = pair.two.proxy.rule(watch, Answer(410, "Expired"))
        pair.two.proxy.cut()
        await eventually(lambda: bool(rule.hits), what="the watch was refused")
        for _ in range(50):
            await replica.grants.authenticate(tokens.access_token)
            await asyncio.sleep(0.01)
        later = await pair.one.replica.tokens()
        await replica.grants.authenticate(later.access_token)


@pytest.mark.attack("R-02")
async def test_known_grants_serve_and_nobody_is_refused_while_the_api_server_is_away(
    pair: Pair,
) -> None:
    known = await pair.one.replica.tokens()
    async with pair.two.replica.watching() as replica:
        await replica.grants.authenticate(known.access_token)
        with pair.two.proxy.outage():
            unknown = await pair.one.replica.tokens()
            replica.clock.forward(290)
            await replica.grants.authenticate(known.access_token)
            with pytest.raises(Unavailable):
                await replica.grants.authenticate(unknown.access_token)
            replica.clock.forward(15)
            with pytest.raises(Unavailable):
                await replica.grants.authenticate(known.access_token)
        await eventually(lambda: replica.index.healthy, what="healthy again")
        await replica.grants.authenticate(known.access_token)
        await replica.grants.authenticate(unknown.access_token)
