"""Grants over a real API server: races of two replicas, lost answers and failures."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from harness.faults import Answer, CutAfter, CutBefore, Delay, Hold, Seen
from harness.grantkit import Replica, records
from harness.grantpair import Pair, get_of_a_grant, held
from harness.quota import limit_secrets
from productive_contract.names import LABEL_STATE
from productive_gateway.errors import Unavailable
from productive_gateway.grants.errors import InvalidGrant, StoreFull
from productive_gateway.grants.service import Tokens


def put(seen: Seen) -> bool:
    return seen.method == "PUT"


def post_of_a_grant(seen: Seen) -> bool:
    return seen.method == "POST" and b'"g-' in seen.body


@pytest.mark.attack("F-07")
async def test_code_of_one_replica_is_redeemed_at_another_at_once(pair: Pair) -> None:
    tokens = await pair.two.replica.redeem(await pair.one.replica.code())
    await pair.one.replica.grants.authenticate(tokens.access_token)


async def race(pair: Pair, calls: list[Callable[[Replica], Awaitable[Tokens]]]) -> list[object]:
    """Make the calls in turns at both replicas; all have read the grant before the first writes."""
    read, half = Hold("after"), len(calls) // 2
    for one in (pair.one, pair.two):
        one.proxy.rule(get_of_a_grant, read, times=half)
    replicas = (pair.one.replica, pair.two.replica)
    tasks = [asyncio.ensure_future(call(replicas[n % 2])) for n, call in enumerate(calls)]
    for one in (pair.one, pair.two):
        await one.proxy.wait(held, count=half)
    read.release()
    return await asyncio.gather(*tasks, return_exceptions=True)


def stored_updates(pair: Pair) -> int:
    """Return how many updates of grants the API server accepted."""
    proxies = (pair.one.proxy, pair.two.proxy)
    return sum(seen.upstream_status == 200 for proxy in proxies for seen in proxy.seen(put))


@pytest.mark.attack("F-02")
async def test_one_of_twenty_parallel_redemptions_gets_tokens_and_the_grant_ends(
    pair: Pair,
) -> None:
    code = await pair.one.replica.code()
    answers = await race(pair, [lambda replica: replica.redeem(code)] * 20)
    assert sum(isinstance(answer, Tokens) for answer in answers) == 1
    assert sum(isinstance(answer, InvalidGrant) for answer in answers) == 19
    [record] = await records(pair.one.replica.store)
    assert record.labels[LABEL_STATE] == "gone"
    assert stored_updates(pair) == 2


@pytest.mark.attack("J-03")
async def test_thirty_parallel_refreshes_through_conflicts_get_one_successor(
    pair: Pair,
) -> None:
    first = await pair.one.replica.tokens()
    before = stored_updates(pair)
    for one in (pair.one, pair.two):
        one.proxy.rule(put, Answer(409, "Conflict"), times=5)
    answers = await race(pair, [lambda replica: replica.refresh(first.refresh_token)] * 30)
    successors = {answer.refresh_token for answer in answers if isinstance(answer, Tokens)}
    assert all(isinstance(answer, Tokens) for answer in answers)
    [successor] = successors
    assert await pair.generation() == 2
    # All of them compute the same successor: only the writes show that one of them won.
    assert stored_updates(pair) == before + 1
    await pair.two.replica.refresh(successor)


@pytest.mark.attack("J-03")
async def test_refresh_that_writes_after_two_others_does_not_bring_an_old_generation_back(
    pair: Pair,
) -> None:
    first = await pair.one.replica.tokens()
    write = pair.one.proxy.rule(put, Hold("before"))
    late = asyncio.create_task(pair.one.replica.refresh(first.refresh_token))
    await pair.one.proxy.wait(lambda _: bool(write.hits))
    second = await pair.two.replica.refresh(first.refresh_token)
    third = await pair.two.replica.refresh(second.refresh_token)
    write.remove()
    with pytest.raises(InvalidGrant) as refusal:
        await late
    assert refusal.value.reason == "overtaken"
    assert await pair.generation() == 3
    await pair.one.replica.refresh(third.refresh_token)


async def test_sign_in_and_refresh_make_as_few_writes_as_promised(pair: Pair) -> None:
    def writes() -> int:
        return len(pair.one.proxy.seen(lambda seen: seen.method != "GET"))

    first = await pair.one.replica.tokens()
    assert writes() == 3
    await pair.one.replica.refresh(first.refresh_token)
    assert writes() == 4
    await pair.one.replica.tokens()
    assert writes() == 6


@pytest.mark.attack("R-13")
async def test_creation_whose_answer_is_cut_off_still_gives_the_code(pair: Pair) -> None:
    rule = pair.one.proxy.rule(post_of_a_grant, CutAfter())
    tokens = await pair.two.replica.redeem(await pair.one.replica.code())
    assert [seen.upstream_status for seen in rule.hits] == [201]
    assert len(pair.stored()) == 1
    await pair.one.replica.grants.authenticate(tokens.access_token)


@pytest.mark.attack("R-13")
async def test_redemption_whose_answer_is_cut_off_still_gives_the_tokens(pair: Pair) -> None:
    code = await pair.one.replica.code()
    rule = pair.one.proxy.rule(put, CutAfter())
    # The first look after it fails as well.
    pair.one.proxy.rule(lambda seen: bool(rule.hits) and get_of_a_grant(seen), CutBefore())
    tokens = await pair.one.replica.redeem(code)
    assert [seen.upstream_status for seen in rule.hits] == [200]
    await pair.two.replica.grants.authenticate(tokens.access_token)
    await pair.two.replica.refresh(tokens.refresh_token)


@pytest.mark.attack("R-13")
async def test_refresh_whose_answer_is_cut_off_gives_the_one_successor(pair: Pair) -> None:
    first = await pair.one.replica.tokens()
    rule = pair.one.proxy.rule(put, CutAfter())
    second = await pair.one.replica.refresh(first.refresh_token)
    assert [seen.upstream_status for seen in rule.hits] == [200]
    again = await pair.two.replica.refresh(first.refresh_token)
    assert again.refresh_token == second.refresh_token
    assert await pair.generation() == 2


@pytest.mark.attack("J-12")
@pytest.mark.parametrize(
    "fault",
    [CutBefore(), Delay(5), Answer(429, "TooManyRequests", retry_after=3), Answer(500)],
    ids=["down", "slow", "429", "500"],
)
async def test_failing_api_server_is_unavailable_and_the_same_token_works_later(
    pair: Pair, fault: CutBefore | Delay | Answer
) -> None:
    first = await pair.one.replica.tokens()
    code = await pair.one.replica.code()
    with pair.one.proxy.outage(fault):
        with pytest.raises(Unavailable) as unavailable:
            await pair.one.replica.refresh(first.refresh_token)
        assert unavailable.value.retry_after == (
            3 if isinstance(fault, Answer) and fault.retry_after else 5
        )
        with pytest.raises(Unavailable):
            await pair.one.replica.redeem(code)
    await pair.one.replica.refresh(first.refresh_token)
    await pair.one.replica.redeem(code)


@pytest.mark.attack("R-11")
async def test_random_failures_at_every_call_lose_no_rotation_and_revoke_nobody(
    pair: Pair,
) -> None:
    chance = random.Random(20261123)
    for replica in (pair.one, pair.two):
        for fault in (
            Answer(500),
            Answer(429, "TooManyRequests", retry_after=1),
            CutBefore(),
            CutAfter(),
        ):
            replica.proxy.rule(lambda _: chance.random() < 0.03, fault, times=None)
    replicas = [pair.one.replica, pair.two.replica]
    tokens: Tokens | None = None
    while tokens is None:
        # A redemption whose trouble lasts ends in a new sign-in; a refresh never does.
        try:
            tokens = await pair.one.replica.tokens()
        except (Unavailable, InvalidGrant):
            continue
    unavailable = 0
    for n in range(60):
        while True:
            try:
                tokens = await replicas[n % 2].refresh(tokens.refresh_token)
                break
            except Unavailable:
                unavailable += 1
    assert unavailable < 10


@pytest.mark.attack("R-10")
async def test_full_namespace_refuses_sign_ins_while_refreshes_go_on(pair: Pair) -> None:
    first = await pair.one.replica.tokens()
    limit_secrets(pair.cluster, 2)
    with pytest.raises(StoreFull):
        await pair.one.replica.code()
    await pair.one.replica.refresh(first.refresh_token)
