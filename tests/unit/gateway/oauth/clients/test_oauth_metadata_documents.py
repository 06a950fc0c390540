"""Clients with documents: how long each is kept, and how many fetches strangers can cause."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.documenthost import (
    CLIENT_ID,
    HOST,
    OWN_HOST,
    PATH,
    DocumentHost,
    answer,
    described,
    document_host,
)
from harness.grantkit import HeldClock, eventually
from harness.oauthkit import audit_log
from productive_gateway.errors import Unavailable
from productive_gateway.oauth.clients.client import Client, ClientKind, UnknownClient
from productive_gateway.oauth.clients.document_cache import (
    DEFAULT_FRESH,
    MAX_ENTRIES,
    MAX_FRESH,
    MIN_FRESH,
    STALE,
    DocumentCache,
    FetchBudget,
    Held,
    fresh_for,
)
from productive_gateway.oauth.clients.document_errors import (
    RETRY_SECONDS,
    DocumentNotAllowed,
    DocumentRefused,
)
from productive_gateway.oauth.clients.metadata_document import read_document
from productive_gateway.oauth.clients.metadata_documents import (
    PARALLEL,
    PARALLEL_UNKNOWN,
    PER_MINUTE,
    MetadataDocuments,
)

REGISTRATION = read_document(json.dumps(described()).encode(), "application/json", CLIENT_ID)


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
async def host() -> AsyncIterator[DocumentHost]:
    async with document_host() as running:
        yield running


@pytest.fixture
async def documents(host: DocumentHost, clock: HeldClock) -> AsyncIterator[MetadataDocuments]:
    found = host.documents(clock)
    yield found
    await found.aclose()


async def refusal(documents: MetadataDocuments, client_id: str = CLIENT_ID) -> str:
    with pytest.raises(DocumentRefused) as refused:
        await documents.find(client_id)
    return refused.value.reason


async def unavailable(documents: MetadataDocuments, client_id: str = CLIENT_ID) -> str:
    with pytest.raises(Unavailable) as failed:
        await documents.find(client_id)
    return failed.value.reason


async def test_the_document_becomes_a_public_client(documents: MetadataDocuments) -> None:
    client = await documents.find(CLIENT_ID)
    assert client == Client(CLIENT_ID, REGISTRATION, kind=ClientKind.METADATA_DOCUMENT)
    assert client.described_by == HOST


@pytest.mark.attack("K-08")
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("max-age=315360000", MAX_FRESH),
        ("max-age=3600", 3600),
        ("max-age=0", MIN_FRESH),
        ("no-store", MIN_FRESH),
        ("max-age=nonsense", MIN_FRESH),
        ("public", DEFAULT_FRESH),
    ],
)
async def test_a_document_is_used_within_bounds(
    host: DocumentHost, documents: MetadataDocuments, clock: HeldClock, header: str, seconds: float
) -> None:
    host.publish(None, f"Cache-Control: {header}")
    await documents.find(CLIENT_ID)
    clock.forward(seconds - 1)
    await documents.find(CLIENT_ID)
    assert len(host.heads) == 1
    clock.forward(1)
    await documents.find(CLIENT_ID)
    assert len(host.heads) == 2


@given(st.none() | st.floats(0, 1e12))
def test_every_lifetime_is_between_a_minute_and_a_day(freshness: float | None) -> None:
    assert 60 <= fresh_for(freshness) <= 86400


@pytest.mark.attack("K-08")
async def test_an_unchanged_document_is_confirmed_by_its_etag(
    host: DocumentHost, documents: MetadataDocuments, clock: HeldClock
) -> None:
    host.publish(None, 'ETag: W/"7"', "Cache-Control: max-age=60")
    await documents.find(CLIENT_ID)
    assert "If-None-Match" not in host.heads[0]
    host.publish(None, "Cache-Control: max-age=600", status="304 Not Modified")
    clock.forward(60)
    assert (await documents.find(CLIENT_ID)).registration == REGISTRATION
    assert 'If-None-Match: W/"7"' in host.heads[1]
    clock.forward(599)
    await documents.find(CLIENT_ID)
    assert len(host.heads) == 2


async def test_an_answer_of_304_to_no_condition_is_refused(
    host: DocumentHost, documents: MetadataDocuments
) -> None:
    host.publish(None, status="304 Not Modified")
    assert await refusal(documents) == "document_redirected"


@pytest.mark.attack("K-08")
async def test_a_refused_document_is_asked_for_again_after_half_a_minute(
    host: DocumentHost, documents: MetadataDocuments, clock: HeldClock
) -> None:
    host.publish(described(client_name=None))
    assert await refusal(documents) == "document_name"
    host.publish()
    assert await refusal(documents) == "document_name", "the failure is kept"
    assert len(host.heads) == 1
    clock.forward(RETRY_SECONDS)
    assert (await documents.find(CLIENT_ID)).registration == REGISTRATION


@pytest.mark.attack("K-08")
@pytest.mark.parametrize(
    "poisoned",
    [
        answer(described(client_name=None)),
        answer(described(), "Cache-Control: max-age=315360000", kind="text/html"),
        answer(b"{}", status="404 Not Found"),
        answer(b"", "Location: https://assistant.example/", status="302 Found"),
    ],
    ids=["rule", "type", "gone", "moved"],
)
async def test_a_document_that_its_host_replaced_is_served_no_longer(
    host: DocumentHost, documents: MetadataDocuments, clock: HeldClock, poisoned: bytes
) -> None:
    await documents.find(CLIENT_ID)
    host.answers[PATH] = poisoned
    clock.forward(DEFAULT_FRESH)
    await refusal(documents)
    host.away = True
    clock.forward(RETRY_SECONDS)
    assert await unavailable(documents) == "document_connect", "the old one does not come back"


@pytest.mark.attack("K-08")
@pytest.mark.parametrize("status", ["500 Oops", "503 Busy", "429 Slow Down", "408 Timeout"])
async def test_an_outage_of_the_host_is_bridged_for_a_day(
    host: DocumentHost, documents: MetadataDocuments, clock: HeldClock, status: str
) -> None:
    await documents.find(CLIENT_ID)
    host.answers[PATH] = answer(b"", status=status)
    clock.forward(STALE - 1)
    assert (await documents.find(CLIENT_ID)).registration == REGISTRATION
    clock.forward(1)
    assert await unavailable(documents) == "document_status"


@pytest.mark.attack("K-08")
async def test_a_host_that_is_away_is_asked_twice_a_minute(
    host: DocumentHost, documents: MetadataDocuments, clock: HeldClock
) -> None:
    await documents.find(CLIENT_ID)
    host.away = True
    clock.forward(DEFAULT_FRESH)
    for _ in range(5):
        await documents.find(CLIENT_ID)
    assert len(host.connected) == 2
    clock.forward(RETRY_SECONDS)
    await documents.find(CLIENT_ID)
    assert len(host.connected) == 3


@pytest.mark.attack("K-09")
async def test_a_hundred_requests_at_once_are_one_fetch(
    host: DocumentHost, documents: MetadataDocuments
) -> None:
    host.released.clear()
    waiting = [asyncio.create_task(documents.find(CLIENT_ID)) for _ in range(100)]
    await eventually(lambda: bool(host.heads), what="the request arrives")
    waiting[0].cancel()
    host.released.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError), "its fetch goes on for the others"
    assert all(isinstance(one, Client) for one in found[1:])
    assert len(host.heads) == 1


@pytest.mark.attack("K-09")
async def test_a_thousand_addresses_in_a_minute_cause_sixty_fetches(
    host: DocumentHost, documents: MetadataDocuments, clock: HeldClock
) -> None:
    await documents.find(CLIENT_ID)
    reasons = []
    for number in range(1000):
        with pytest.raises((DocumentRefused, Unavailable)) as refused:
            await documents.find(f"https://{HOST}/{number}")
        reasons.append(refused.value.reason)
    assert len(host.heads) == PER_MINUTE
    assert reasons.count("documents_busy") == 1000 - (PER_MINUTE - 1)

    clock.forward(DEFAULT_FRESH)
    for number in range(PER_MINUTE):
        await refusal(documents, f"https://{HOST}/again/{number}")
    assert await unavailable(documents, f"https://{HOST}/more") == "documents_busy"
    await documents.find(CLIENT_ID)
    assert host.heads[-1].startswith(f"GET {PATH} "), "known clients are fetched all the same"


@pytest.mark.attack("K-09")
async def test_slow_hosts_of_strangers_leave_room_for_known_clients(
    host: DocumentHost, documents: MetadataDocuments, clock: HeldClock
) -> None:
    await documents.find(CLIENT_ID)
    clock.forward(DEFAULT_FRESH)
    host.released.clear()
    strangers = [
        asyncio.create_task(documents.find(f"https://{HOST}/{number}"))
        for number in range(PARALLEL + 4)
    ]
    await eventually(lambda: len(host.heads) == 1 + PARALLEL_UNKNOWN, what="strangers wait")
    known = asyncio.create_task(documents.find(CLIENT_ID))
    await eventually(lambda: len(host.heads) == 2 + PARALLEL_UNKNOWN, what="the client waits")
    host.released.set()
    assert isinstance(await known, Client)
    refused = await asyncio.gather(*strangers, return_exceptions=True)
    busy = [one for one in refused if isinstance(one, Unavailable)]
    assert len(busy) == PARALLEL + 4 - PARALLEL_UNKNOWN
    assert {one.retry_after for one in busy} == {RETRY_SECONDS}


@pytest.mark.attack("K-01")
@pytest.mark.parametrize(
    "client_id",
    [
        f"https://{HOST}/",
        "https://10.0.0.1/c.json",
        "https://metadata.internal/c",
        "https://a.svc/c",
    ],
)
async def test_nothing_is_fetched_from_an_address_that_is_not_allowed(
    host: DocumentHost, documents: MetadataDocuments, client_id: str
) -> None:
    with audit_log() as log, pytest.raises(DocumentNotAllowed) as refused:
        await documents.find(client_id)
    assert refused.value.reason == "document_url"
    assert log.reasons("client_document_refused") == ["document_url"]
    assert host.resolved == []


@pytest.mark.attack("K-12")
async def test_only_hosts_of_the_list_are_asked(host: DocumentHost, clock: HeldClock) -> None:
    documents = host.documents(clock, hosts=("claude.ai",))
    with pytest.raises(DocumentNotAllowed, match=r"it@example\.com to add this host") as refused:
        await documents.find(CLIENT_ID)
    assert refused.value.reason == "document_host"
    assert host.resolved == []
    assert (await host.documents(clock, hosts=(HOST,)).find(CLIENT_ID)).described_by == HOST


async def test_this_server_describes_no_client(
    host: DocumentHost, documents: MetadataDocuments
) -> None:
    with pytest.raises(DocumentNotAllowed):
        await documents.find(f"https://{OWN_HOST}/.well-known/oauth-authorization-server")
    assert host.resolved == []


@pytest.mark.attack("K-02", "K-11")
async def test_the_reason_is_in_the_audit_line_only(
    host: DocumentHost, documents: MetadataDocuments
) -> None:
    host.publish(kind="text/html")
    with audit_log() as log, pytest.raises(DocumentRefused) as refused:
        await documents.find(CLIENT_ID)
    assert log.reasons("client_document_refused") == ["document_media_type"]
    assert log.lines[0]["client_host"] == HOST
    assert "media" not in str(refused.value)
    assert "log" in str(refused.value)


@pytest.mark.attack("K-02")
async def test_a_name_of_the_companys_network_is_answered_like_one_that_does_not_exist(
    host: DocumentHost, documents: MetadataDocuments, clock: HeldClock
) -> None:
    host.addresses[HOST] = [("10.0.0.1",), ()]
    with audit_log() as log, pytest.raises(Unavailable) as inside:
        await documents.find(CLIENT_ID)
    clock.forward(RETRY_SECONDS)
    with pytest.raises(Unavailable) as nowhere:
        await documents.find(CLIENT_ID)
    assert str(inside.value) == str(nowhere.value)
    assert inside.value.retry_after == nowhere.value.retry_after
    assert log.reasons("client_document_refused") == ["document_address_not_public"]
    assert host.connected == []


async def test_a_good_document_does_not_outlive_the_move_of_its_name_to_the_companys_network(
    host: DocumentHost, documents: MetadataDocuments, clock: HeldClock
) -> None:
    await documents.find(CLIENT_ID)
    host.addresses[HOST] = [("10.0.0.1",)]
    clock.forward(DEFAULT_FRESH)
    assert await unavailable(documents) == "document_address_not_public"


async def test_a_client_that_needs_a_key_is_told_so(
    host: DocumentHost, documents: MetadataDocuments
) -> None:
    host.publish(described(token_endpoint_auth_method="private_key_jwt"))
    with pytest.raises(DocumentRefused, match="private_key_jwt"):
        await documents.find(CLIENT_ID)


async def test_fetches_end_with_the_gateway(
    host: DocumentHost, documents: MetadataDocuments
) -> None:
    host.released.clear()
    waiting = asyncio.create_task(documents.find(CLIENT_ID))
    await eventually(lambda: bool(host.heads), what="the request arrives")
    await documents.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.attack("K-08")
def test_the_number_of_documents_is_bounded_and_failures_push_none_out() -> None:
    cache = DocumentCache()

    def held(client_id: str) -> Held:
        client = Client(client_id, REGISTRATION, kind=ClientKind.METADATA_DOCUMENT)
        return Held(client, 0, 60, None)

    for number in range(MAX_ENTRIES):
        cache.keep(str(number), held(str(number)))
    for number in range(2 * MAX_ENTRIES):
        cache.fail(f"bad {number}", UnknownClient(), 0)
    assert len(cache) == MAX_ENTRIES
    assert cache.held("0") is not None, "this makes it the one that was used last"
    cache.keep("one more", held("one more"))
    assert len(cache) == MAX_ENTRIES
    assert cache.held("0") is not None
    assert cache.held("1") is None
    assert cache.failure("bad 0", 1) is None
    assert cache.failure(f"bad {2 * MAX_ENTRIES - 1}", RETRY_SECONDS - 1) is not None
    assert cache.failure(f"bad {2 * MAX_ENTRIES - 1}", RETRY_SECONDS) is None


@given(st.lists(st.floats(0, 300), max_size=60), st.integers(1, 10))
def test_no_minute_has_more_fetches_than_the_budget(times: list[float], most: int) -> None:
    budget = FetchBudget(most)
    taken = [now for now in sorted(times) if budget.take(now)]
    for start in taken:
        assert len([one for one in taken if start <= one < start + 60]) <= most
