"""Confirmation tokens: what was shown is done once, as shown, by the person who saw it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.grantfaults import FaultyStore
from harness.grantkit import HeldClock, HeldKeys, ana, new_key
from harness.writeskit import Things, Writer, lost
from productive_contract.masking import mask
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.sealing.keys import KeyRing
from productive_gateway.tools.writes.canonical import canonical
from productive_gateway.tools.writes.claims import Known
from productive_gateway.tools.writes.confirm import Asked, Channel
from productive_gateway.tools.writes.errors import (
    ConfirmFault,
    ConfirmRefused,
    LedgerUnavailable,
)
from productive_gateway.tools.writes.results import NotWritten, Written

BO = ana(uid="5f0c6f0e-0000-4000-8000-000000000002", email="bo@example.com")
ASKED = Asked(ana(), "delete_item", {"task": "87", "count": 1}, {"title": "Wireframes"})


class Site:
    def __init__(self) -> None:
        self.store = FaultyStore(MemoryGrantStore())
        self.keys, self.clock = HeldKeys(), HeldClock()
        self.one = Writer(self.store, self.keys, clock=self.clock)
        self.two = Writer(self.store, self.keys, clock=self.clock)

    def token(self, asked: Asked = ASKED, channel: Channel = Channel.ARGUMENT) -> str:
        return self.one.confirmations.issue(asked, channel)

    async def use(
        self, token: str, asked: Asked = ASKED, channel: Channel = Channel.ARGUMENT
    ) -> None:
        confirmations = self.two.confirmations
        await confirmations.use(await confirmations.check(token, asked, channel))

    async def fault(self, token: str, asked: Asked = ASKED, **more: Channel) -> ConfirmFault:
        with pytest.raises(ConfirmRefused) as error:
            await self.use(token, asked, **more)
        return error.value.fault


@pytest.fixture
def site() -> Site:
    return Site()


async def test_token_confirms_at_another_replica_with_one_write(site: Site) -> None:
    token = site.token()
    assert site.store.writes() == 0
    await site.use(token)
    assert site.store.writes() == 1
    assert len(token) <= 110


async def test_order_and_spelling_of_arguments_do_not_matter(site: Site) -> None:
    other = replace(ASKED, arguments={"count": 1, "task": "87"})
    await site.use(f"  {site.token()}\n", other)


@pytest.mark.attack("L-06")
@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"person": BO}, ConfirmFault.ANOTHER_PERSON),
        ({"tool": "update_task"}, ConfirmFault.OTHER_ARGUMENTS),
        ({"arguments": {"task": "88", "count": 1}}, ConfirmFault.OTHER_ARGUMENTS),
        ({"arguments": {"task": "87"}}, ConfirmFault.OTHER_ARGUMENTS),
        ({"state": {"title": "Wireframes v2"}}, ConfirmFault.CHANGED),
    ],
)
async def test_token_confirms_nothing_else(
    site: Site, changed: dict[str, object], expected: ConfirmFault
) -> None:
    token = site.token()
    assert await site.fault(token, replace(ASKED, **changed)) is expected
    assert site.store.writes() == 0
    await site.use(token)  # which did not use it up


async def test_token_is_used_once_at_any_replica(site: Site) -> None:
    token = site.token()
    answers = await asyncio.gather(*(site.use(token) for _ in range(6)), return_exceptions=True)
    assert answers.count(None) == 1
    assert await site.fault(token) is ConfirmFault.USED


async def test_token_expires_after_ten_minutes_and_its_use_is_remembered_for_longer(
    site: Site,
) -> None:
    token = site.token()
    site.clock.forward(599)
    await site.use(token)
    assert await site.fault(token) is ConfirmFault.USED
    site.clock.forward(1)
    assert await site.fault(token) is ConfirmFault.EXPIRED
    site.clock.forward(-59)  # a replica whose clock is behind
    assert await site.fault(token) is ConfirmFault.USED


async def test_token_of_one_channel_is_none_of_the_other(site: Site) -> None:
    for channel in Channel:
        [other] = set(Channel) - {channel}
        token = site.token(channel=channel)
        assert await site.fault(token, channel=other) is ConfirmFault.INVALID
        await site.use(token, channel=channel)


@pytest.mark.parametrize("text", ["", "yes", "pmcp_cf_", "pmcp_cf_a.b", "é", "pmcp_cf_ü.ä"])
async def test_other_text_is_no_token(site: Site, text: str) -> None:
    assert await site.fault(text) is ConfirmFault.INVALID


@given(st.data())
def test_changed_token_is_refused(data: st.DataObject) -> None:
    async def main() -> None:
        site = Site()
        token = site.token()
        position = data.draw(st.integers(0, len(token) - 1))
        changed = token[:position] + data.draw(st.sampled_from("aZ0-_.")) + token[position + 1 :]
        if changed != token:
            assert await site.fault(changed) is ConfirmFault.INVALID

    asyncio.run(main())


async def test_token_survives_a_rotation_and_not_the_end_of_its_key(site: Site) -> None:
    token, old, new = site.token(), site.keys.ring().keys[0], new_key()
    site.keys.put(KeyRing((new, old), new.kid))
    await site.two.confirmations.check(token, ASKED, Channel.ARGUMENT)
    site.keys.put(KeyRing((new,), new.kid))
    assert await site.fault(token) is ConfirmFault.INVALID


async def test_token_is_masked_in_logs(site: Site) -> None:
    token = site.token()
    assert token not in mask(f"arguments: confirm={token}")


async def test_nothing_is_confirmed_while_the_api_server_is_away(site: Site) -> None:
    token = site.token()
    site.store.fail("get", "away", times=3)
    with pytest.raises(LedgerUnavailable):
        await site.use(token)
    await site.use(token)


# --- with the guard


async def test_guarded_call_uses_its_token_up_in_the_write_that_it_makes_anyway(
    site: Site,
) -> None:
    confirmed = await site.one.confirmations.check(site.token(), ASKED, Channel.ARGUMENT)
    report = await site.one.create(Things(), b"a", confirmed=confirmed)
    assert isinstance(report.results[0], Written)
    assert site.store.writes() == 2
    things = Things()
    with pytest.raises(ConfirmRefused) as error:
        await site.two.create(things, b"b", confirmed=confirmed)
    assert error.value.fault is ConfirmFault.USED
    assert things.writes == 0


async def test_repeated_confirmed_call_gets_the_first_answer(site: Site) -> None:
    things = Things()
    confirmed = await site.one.confirmations.check(site.token(), ASKED, Channel.ARGUMENT)
    await site.one.create(things, b"a", confirmed=confirmed)
    [known] = (await site.two.create(things, b"a", confirmed=confirmed)).results
    assert isinstance(known, Known)
    assert things.writes == 1


async def test_token_whose_call_was_refused_or_lost_is_used_up(site: Site) -> None:
    for refuse in (lost, lambda _: NotWritten(ValueError())):
        confirmed = await site.one.confirmations.check(site.token(), ASKED, Channel.ARGUMENT)
        await site.one.create(Things(refuse=refuse), b"a" * 3, confirmed=confirmed)
        with pytest.raises(ConfirmRefused):
            await site.two.create(Things(), b"b", confirmed=confirmed)
        site.clock.forward(60)


# --- the canonical form

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON, JSON)
def test_values_have_one_form_exactly_if_they_are_the_same(one: object, other: object) -> None:
    same = repr(_sorted(one)) == repr(_sorted(other))
    assert (canonical(one) == canonical(other)) == same


def _sorted(value: object) -> object:
    match value:
        case dict():
            return {key: _sorted(value[key]) for key in sorted(value)}
        case list():
            return [_sorted(one) for one in value]
    return value


def test_what_is_not_json_has_no_form() -> None:
    for value in (float("nan"), {1, 2}, b"bytes"):
        with pytest.raises((TypeError, ValueError)):
            canonical(value)
