"""The provider is asked again at a refresh, where it gave a refresh token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from harness.grantfaults import FaultyStore
from harness.grantkit import NOW, HeldClock, HeldKeys, HeldPeople, ana, new_key
from harness.oauthkit import AuthorizationServer, Browser, audit_log, authorization_server
from harness.oidcstub import Person, StubProvider, signed
from productive_contract.mapping import State
from productive_gateway.grants.config import DAY, LEASE, SKEW
from productive_gateway.grants.grant import Grant
from productive_gateway.grants.provider import MAX_TOKEN, open_token
from productive_gateway.grants.record import RecordKind, decode
from productive_gateway.grants.retry_budget import RetryLimits
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.sealing.errors import BrokenSeal
from productive_gateway.sealing.keys import KeyRing

QUICK = RetryLimits(conflict_pauses=(0.001, 0.002), failure_pauses=(0.001, 0.002))
IMPATIENT = RetryLimits(failure_pauses=(60, 60))
"""The first wait would take longer than a request may."""


@dataclass
class SignedIn:
    """A client that signed in at the first of the replicas."""

    servers: tuple[AuthorizationServer, ...]
    client_id: str
    token: str

    @property
    def provider(self) -> StubProvider:
        return self.servers[0].provider

    @property
    def clock(self) -> HeldClock:
        return self.servers[0].clock

    def browser(self, replica: int = 0) -> Browser:
        return self.servers[replica].browser()

    async def refresh(self, replica: int = 0, token: str | None = None) -> httpx.Response:
        return await self.browser(replica).refresh(self.client_id, token or self.token)

    async def renewed(self, replica: int = 0) -> None:
        """Refresh, which has to work, and go on with the successor."""
        answer = await self.refresh(replica)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["refresh_token"]

    async def grant(self) -> Grant:
        [record] = await self.servers[0].store.list(RecordKind.GRANT, lambda record: record)
        return decode(record, self.servers[0].keys.ring())

    def sent(self) -> list[str]:
        """Return the refresh tokens that the provider was sent."""
        return [form["refresh_token"] for form in self.provider.seen if "refresh_token" in form]


@asynccontextmanager
async def signed_in(
    *, replicas: int = 1, retries: RetryLimits = QUICK, **upstream: Any
) -> AsyncIterator[SignedIn]:
    """Sign in at replicas that share the store, the keys, the provider and the clock."""
    clock, keys, people = HeldClock(), HeldKeys(), HeldPeople(ana())
    store: Any = FaultyStore(MemoryGrantStore(clock=clock))
    provider = StubProvider(clock, refresh_tokens=True)
    shared: dict[str, Any] = {
        "clock": clock,
        "keys": keys,
        "people": people,
        "store": store,
        "provider": provider,
        "retries": retries,
        "upstream": {"offline": True} | upstream,
    }
    async with authorization_server(**shared) as first, authorization_server(**shared) as second:
        client = (await first.register())["client_id"]
        browser = first.browser()
        tokens = await browser.redeem(client, await browser.code(client))
        store.calls.clear()
        yield SignedIn((first, second)[:replicas], client, tokens.json()["refresh_token"])


def ended(answer: httpx.Response) -> bool:
    return answer.status_code == 400 and answer.json()["error"] == "invalid_grant"


def unavailable(answer: httpx.Response) -> bool:
    return (
        answer.status_code == 503
        and answer.json()["error"] == "temporarily_unavailable"
        and int(answer.headers["retry-after"]) > 0
    )


# --- what is kept


@pytest.mark.attack("J-13")
async def test_a_grant_keeps_the_providers_token_sealed_and_lives_thirty_days() -> None:
    async with signed_in() as one:
        [record] = await one.servers[0].store.list(RecordKind.GRANT, lambda record: record)
        assert one.provider.asked["scope"] == "openid email offline_access"
        [token] = one.provider.refreshes
        assert token.encode() not in b"".join(record.data.values())
        grant, ring = await one.grant(), one.servers[0].keys.ring()
        assert token not in repr(grant)
        assert open_token(ring, grant).reveal() == token
        assert grant.absolute_end == NOW + 30 * DAY


@pytest.mark.attack("J-13")
async def test_a_token_that_is_moved_to_another_grant_does_not_open() -> None:
    async with signed_in() as one:
        moved = replace(await one.grant(), name="g-" + "b" * 26)
        with pytest.raises(BrokenSeal):
            open_token(one.servers[0].keys.ring(), moved)


@pytest.mark.attack("J-13")
@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ({"refresh_token": None}, "none"),
        ({"refresh_token": ""}, "none"),
        ({"refresh_token": 5}, "none"),
        ({"refresh_token": "t\u00f6ken"}, "none"),
        ({"refresh_token": "to\tken"}, "none"),
        ({"refresh_token": "x" * MAX_TOKEN}, "kept"),
        ({"refresh_token": "x" * (MAX_TOKEN + 1)}, "too_large"),
    ],
)
async def test_without_a_token_that_can_be_kept_a_grant_lives_seven_days(
    answer: dict[str, Any], kept: str
) -> None:
    provider = StubProvider(HeldClock(), token_answer=answer)
    async with authorization_server(provider=provider) as server:
        client, browser = (await server.register())["client_id"], server.browser()
        with audit_log() as log:
            token = (await browser.redeem(client, await browser.code(client))).json()
        assert [line["provider_token"] for line in log.lines if "provider_token" in line] == [kept]
        one = SignedIn((server,), client, token["refresh_token"])
        assert (await one.grant()).absolute_end == NOW + (30 if kept == "kept" else 7) * DAY
        if kept != "kept":
            await one.renewed()
            assert one.sent() == []


# --- the provider says yes


@pytest.mark.attack("J-01", "J-13")
async def test_each_refresh_asks_once_with_the_latest_token_and_writes_twice() -> None:
    async with signed_in() as one:
        store: Any = one.servers[0].store
        for turn in range(3):
            [latest] = one.provider.refreshes
            await one.renewed()
            assert one.sent()[turn:] == [latest]
        assert store.calls == ["get", "update", "update"] * 3
        assert (await one.grant()).generation == 4


@pytest.mark.attack("J-02")
async def test_a_repeated_refresh_does_not_ask_again() -> None:
    async with signed_in() as one:
        answers = [await one.refresh() for _ in range(3)]
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1
        assert len(one.sent()) == 1


async def test_a_repeated_refresh_does_not_lengthen_the_access() -> None:
    """It would put off the next question to the provider."""
    async with signed_in() as one:
        assert (await one.refresh()).json()["expires_in"] == 3600
        one.clock.forward(100)
        assert (await one.refresh()).json()["expires_in"] == 3500
        assert len(one.sent()) == 1


async def test_a_provider_that_does_not_rotate_is_asked_with_the_same_token() -> None:
    async with signed_in() as one:
        [token] = one.provider.refreshes
        one.provider.token_answer = {"refresh_token": None}
        for _ in range(2):
            await one.renewed()
            one.provider.refreshes = {token: Person()}
        assert one.sent() == [token, token]


async def test_a_suspended_person_is_refreshed_as_usual() -> None:
    async with signed_in() as one:
        one.servers[0].people.put(ana(state=State.SUSPENDED))
        await one.renewed()


async def test_an_answer_without_an_id_token_confirms_the_account() -> None:
    async with signed_in() as one:
        one.provider.token_answer = {"id_token": None}
        await one.renewed()


# --- the provider says no


@pytest.mark.attack("J-13")
async def test_an_account_that_the_provider_refuses_is_signed_out() -> None:
    async with signed_in() as one:
        one.provider.refreshes.clear()
        with audit_log() as log:
            assert ended(await one.refresh())
        assert log.reasons("grant_ended") == ["upstream_refused"]
        grant = await one.grant()
        assert (grant.state.value, grant.upstream, grant.lease) == ("gone", "", "")
        assert ended(await one.refresh())
        assert len(one.sent()) == 1


@pytest.mark.attack("J-13")
@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "another-subject"},
        {"email": "ben@example.com"},
        {"email": "no address"},
        {"email": None, "sub": "another-subject"},
        {"email_verified": False},
        {"hd": "other.example"},
        {"hd": None},
    ],
)
async def test_an_answer_about_somebody_else_ends_the_sign_in(claims: dict[str, Any]) -> None:
    person = Person(claims={"email_verified": True, "hd": "example.com"})
    async with signed_in_as(person, required_claims={"hd": ("example.com",)}) as one:
        await one.renewed()
        one.provider.claims = claims
        with audit_log() as log:
            assert ended(await one.refresh())
        assert log.reasons("grant_ended") == ["upstream_identity"]


@asynccontextmanager
async def signed_in_as(person: Person, **upstream: Any) -> AsyncIterator[SignedIn]:
    """Sign in as a person whom the provider describes in its own way."""
    provider = StubProvider(HeldClock(), refresh_tokens=True)
    async with authorization_server(provider=provider, upstream=upstream) as server:
        client, browser = (await server.register())["client_id"], server.browser()
        answer = await browser.sign_in(client, person=person)
        code = httpx.URL(answer.headers["location"]).params["code"]
        token = (await browser.redeem(client, code)).json()["refresh_token"]
        yield SignedIn((server,), client, token)


@pytest.mark.parametrize("claims", [{"email": None}, {"email": "Ana@Example.com"}])
async def test_an_address_that_is_absent_or_written_otherwise_changes_nothing(
    claims: dict[str, Any],
) -> None:
    async with signed_in() as one:
        one.provider.claims = claims | {"email_verified": None}
        await one.renewed()


# --- the provider says nothing


def refusal(error: str, status: int = 400) -> Callable[[], Response]:
    return lambda: JSONResponse({"error": error}, status)


@pytest.mark.attack("J-13")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: Response(status_code=500), "token_status_500"),
        (lambda: Response(status_code=503), "token_status_503"),
        (lambda: Response(status_code=429), "token_status_429"),
        (lambda: Response("<p>", 403, media_type="text/html"), "token_content_type"),
        (lambda: Response("[", media_type="application/json"), "token_malformed"),
        (refusal("invalid_client", 401), "token_invalid_client"),
        (refusal("unauthorized_client"), "token_unauthorized_client"),
        (refusal("invalid_request"), "token_invalid_request"),
        (refusal("interaction_required"), "token_error"),
    ],
)
async def test_an_outage_and_a_mistake_of_ours_cost_nobody_their_sign_in(
    answer: Callable[[], Response], reason: str
) -> None:
    async with signed_in() as one:
        one.provider.answers["/token"] = answer
        for _ in range(2):
            with audit_log() as log:
                assert unavailable(await one.refresh())
            assert log.reasons("token_refused") == [reason]
        assert (await one.grant()).generation == 1
        del one.provider.answers["/token"]
        await one.renewed()


@pytest.mark.attack("J-13")
async def test_a_new_token_is_kept_before_the_answer_is_verified() -> None:
    """The provider rotates its refresh token and its keys, and the new keys cannot be had."""
    async with signed_in() as one:
        one.provider.numbers = [2]
        one.provider.answers["/jwks"] = lambda: Response(status_code=500)
        one.clock.forward(60)
        with audit_log() as log:
            assert unavailable(await one.refresh())
        assert log.reasons("token_refused") == ["id_token_kid_unknown"]
        [latest] = one.provider.refreshes
        assert (await one.grant()).generation == 1
        del one.provider.answers["/jwks"]
        one.clock.forward(60)
        await one.renewed()
        assert one.sent()[1] == latest


@pytest.mark.parametrize(
    "claims", [{"iss": "https://evil.example"}, {"aud": "another-client"}, {"exp": 1}]
)
async def test_an_id_token_that_breaks_a_rule_confirms_nothing_and_ends_nothing(
    claims: dict[str, Any],
) -> None:
    async with signed_in() as one:
        one.provider.claims = claims
        assert unavailable(await one.refresh())
        [latest] = one.provider.refreshes
        one.provider.claims = {}
        await one.renewed()
        assert one.sent()[1] == latest


async def test_an_id_token_that_somebody_else_signed_confirms_nothing() -> None:
    def forged(claims: dict[str, Any]) -> str:
        return signed(claims, number=2, headers={"kid": "key-1"})

    async with signed_in() as one:
        one.provider.forge = forged
        with audit_log() as log:
            assert unavailable(await one.refresh())
        assert log.reasons("token_refused") == ["id_token_signature"]
        assert (await one.grant()).generation == 1


@pytest.mark.attack("J-13")
async def test_a_token_lost_after_its_use_ends_in_a_new_sign_in() -> None:
    async def lost() -> Response:
        return Response(status_code=502)

    async with signed_in() as one:
        one.provider.during_refresh = lost
        assert unavailable(await one.refresh())
        one.provider.during_refresh = None
        with audit_log() as log:
            assert ended(await one.refresh())
        assert log.reasons("grant_ended") == ["upstream_token_lost"]


# --- several replicas


@pytest.mark.attack("J-03", "J-13")
async def test_replicas_that_refresh_at_once_ask_once_and_get_one_successor() -> None:
    async with signed_in(replicas=2) as one:
        store: Any = one.servers[0].store
        store.hold_until_all_read(30)
        answers = await asyncio.gather(*(one.refresh(number % 2) for number in range(30)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1
        assert len(one.sent()) == 1
        assert (await one.grant()).generation == 2


async def test_a_request_that_waits_too_long_is_told_to_try_again() -> None:
    async with signed_in(replicas=2, retries=IMPATIENT) as one:
        others: list[httpx.Response] = []

        async def meanwhile() -> None:
            others.append(await one.refresh(1))

        one.provider.during_refresh = meanwhile
        with audit_log() as log:
            await one.renewed()
        assert [unavailable(answer) for answer in others] == [True]
        assert log.reasons("token_refused") == ["refresh_in_progress"]
        assert others[0].headers["retry-after"] == "2"


@pytest.mark.attack("J-03", "J-13")
async def test_an_outage_is_met_once_by_all_who_wait() -> None:
    async with signed_in(replicas=2) as one:
        one.provider.answers["/token"] = lambda: Response(status_code=500)
        store: Any = one.servers[0].store
        store.hold_until_all_read(10)
        asked = len(one.provider.seen)
        answers = await asyncio.gather(*(one.refresh(number % 2) for number in range(10)))
        assert all(unavailable(answer) for answer in answers)
        assert len(one.provider.seen) == asked + 1


async def test_a_grant_that_is_revoked_meanwhile_stays_revoked() -> None:
    async with signed_in(replicas=2) as one:

        async def meanwhile() -> None:
            form = {"token": one.token, "client_id": one.client_id}
            await one.browser(1).http.post("/revoke", data=form)

        one.provider.during_refresh = meanwhile
        assert ended(await one.refresh())
        assert (await one.grant()).state.value == "gone"


@pytest.mark.attack("J-06", "J-13")
@pytest.mark.parametrize("spent", [False, True])
async def test_a_lease_whose_holder_died_ends_and_its_token_is_tried_once_more(
    spent: bool,
) -> None:
    async with signed_in(replicas=2, retries=IMPATIENT) as one:
        asking = asyncio.Event()

        async def forever() -> None:
            asking.set()
            await asyncio.Event().wait()

        one.provider.during_refresh = forever
        [token] = one.provider.refreshes
        dying = asyncio.create_task(one.refresh(0))
        await asking.wait()
        dying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dying
        one.provider.during_refresh = None
        for waited in (0, LEASE + SKEW - 1):
            one.clock.forward(waited)
            assert unavailable(await one.refresh(1))
        one.clock.forward(1)
        if spent:
            with audit_log() as log:
                assert ended(await one.refresh(1))
            assert log.reasons("grant_ended") == ["upstream_token_lost"]
        else:
            one.provider.refreshes[token] = Person()
            await one.renewed(1)
        assert one.sent() == [token, token]


@pytest.mark.parametrize("skew", [-SKEW, SKEW])
async def test_a_replica_whose_clock_differs_respects_a_lease(skew: float) -> None:
    async with signed_in(replicas=2, retries=IMPATIENT) as one:

        async def meanwhile() -> None:
            one.clock.forward(skew)
            assert unavailable(await one.refresh(1))
            one.clock.forward(-skew)

        one.provider.during_refresh = meanwhile
        await one.renewed()
        assert len(one.sent()) == 1


@pytest.mark.attack("R-13")
@pytest.mark.parametrize("write", [1, 2])
async def test_a_write_whose_answer_is_lost_is_not_made_twice(write: int) -> None:
    async with signed_in() as one:
        store: Any = one.servers[0].store

        async def lose_the_second() -> None:
            store.fail("update", "lost")

        if write == 1:
            store.fail("update", "lost")
        else:
            one.provider.during_refresh = lose_the_second
        await one.renewed()
        assert len(one.sent()) == 1
        assert store.writes() == 2
        assert (await one.grant()).generation == 2


@pytest.mark.attack("R-07")
async def test_the_token_is_sealed_again_under_the_current_key_at_each_refresh() -> None:
    async with signed_in() as one:
        keys = one.servers[0].keys
        [old], newer = keys.ring().keys, new_key()
        keys.put(KeyRing((old, newer), newer.kid))
        one.provider.token_answer = {"refresh_token": None}
        await one.renewed()
        assert (await one.grant()).upstream.startswith(newer.kid + ".")
