"""Keys and endpoints of the provider are fetched rarely and kept through its bad hours."""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest

from harness.grantkit import HeldClock
from harness.oidcstub import ISSUER, jwk
from productive_contract.secret import Secret
from productive_gateway.upstream.config import UpstreamConfig
from productive_gateway.upstream.document import MAX_BYTES, fetch_object
from productive_gateway.upstream.errors import UpstreamRefused, UpstreamUnavailable
from productive_gateway.upstream.jwks import cached_keys
from productive_gateway.upstream.provider import ProviderEndpoints, read_discovery


class Source:
    """A key set that a test changes and counts."""

    def __init__(self) -> None:
        self.document: dict[str, Any] | Exception = {"keys": [jwk(1)]}
        self.fetches = 0

    async def __call__(self) -> dict[str, Any]:
        self.fetches += 1
        await asyncio.sleep(0)
        if isinstance(self.document, Exception):
            raise self.document
        return self.document


def ids(keys: Any) -> list[str]:
    return [key.key_id for key in keys]


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


AWAY = UpstreamUnavailable("The provider is away. Try again.", reason="jwks_unreachable")


async def test_keys_are_fetched_once_an_hour(clock: HeldClock) -> None:
    source = Source()
    jwks = cached_keys(source, clock=clock)
    for _ in range(3):
        await jwks.get()
    assert source.fetches == 1
    clock.forward(3601)
    await jwks.get()
    assert source.fetches == 2


@pytest.mark.attack("I-13")
async def test_many_unknown_key_ids_make_one_fetch_in_thirty_seconds(clock: HeldClock) -> None:
    source = Source()
    jwks = cached_keys(source, clock=clock)
    await jwks.get()
    clock.forward(31)
    source.document = {"keys": [jwk(2)]}
    found = await asyncio.gather(*(jwks.newer() for _ in range(1000)))
    assert source.fetches == 2
    assert all(ids(keys) == ["key-2"] for keys in found)
    clock.forward(29)
    await jwks.newer()
    assert source.fetches == 2
    clock.forward(2)
    await jwks.newer()
    assert source.fetches == 3


@pytest.mark.attack("I-13")
async def test_parallel_first_sign_ins_share_one_fetch(clock: HeldClock) -> None:
    source = Source()
    jwks = cached_keys(source, clock=clock)
    await asyncio.gather(*(jwks.get() for _ in range(50)))
    assert source.fetches == 1


@pytest.mark.attack("I-13")
async def test_callers_that_wait_for_keys_share_one_failure(clock: HeldClock) -> None:
    source = Source()
    source.document = AWAY
    jwks = cached_keys(source, clock=clock)
    failures = await asyncio.gather(*(jwks.get() for _ in range(20)), return_exceptions=True)
    assert all(isinstance(failure, UpstreamUnavailable) for failure in failures)
    assert source.fetches == 1


@pytest.mark.attack("I-13")
@pytest.mark.parametrize(
    "broken",
    [AWAY, UpstreamRefused("Too large.", reason="jwks_too_large"), {"keys": []}, {"keys": "x"}],
    ids=["away", "too large", "empty", "malformed"],
)
async def test_old_keys_serve_for_a_day_while_new_ones_cannot_be_fetched(
    clock: HeldClock, broken: Any
) -> None:
    source = Source()
    jwks = cached_keys(source, clock=clock)
    await jwks.get()
    source.document = broken
    clock.forward(3601)
    assert ids(await jwks.get()) == ["key-1"]
    assert ids(await jwks.newer()) == ["key-1"]
    assert source.fetches == 2
    clock.forward(24 * 3600)
    with pytest.raises(UpstreamUnavailable if broken is AWAY else UpstreamRefused):
        await jwks.get()


@pytest.mark.attack("I-13")
@pytest.mark.parametrize("broken", [AWAY, {"keys": []}, {}], ids=["away", "empty", "no list"])
async def test_only_keys_that_cannot_be_fetched_are_an_outage(
    clock: HeldClock, broken: Any
) -> None:
    source = Source()
    source.document = broken
    jwks = cached_keys(source, clock=clock)
    with pytest.raises(UpstreamUnavailable if broken is AWAY else UpstreamRefused):
        await jwks.get()
    source.document = {"keys": [jwk(1)]}
    assert ids(await jwks.get()) == ["key-1"]


BASIC: Final = "client_secret_basic"
POST: Final = "client_secret_post"

DOCUMENT: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
}


@pytest.mark.parametrize(
    ("supported", "methods"),
    [
        (None, (BASIC, POST)),
        ([POST, BASIC], (BASIC, POST)),
        ([BASIC], (BASIC,)),
        ([POST], (POST,)),
        (["private_key_jwt", POST], (POST,)),
    ],
)
def test_the_authentication_methods_follow_the_metadata(
    supported: Any, methods: tuple[str, ...]
) -> None:
    changed = (
        DOCUMENT
        if supported is None
        else DOCUMENT | {"token_endpoint_auth_methods_supported": supported}
    )
    assert read_discovery(changed, ISSUER).auth_methods == methods
    assert read_discovery(changed, ISSUER, auth_method=POST).auth_methods == (POST,)


@pytest.mark.attack("I-14")
@pytest.mark.parametrize(
    "change",
    [
        {"issuer": ISSUER + "/"},
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"authorization_endpoint": "http://idp.example.test/authorize"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https:///jwks"},
        {"jwks_uri": "https://[/jwks"},
        {"userinfo_endpoint": "http://evil.example/userinfo"},
        {"token_endpoint_auth_methods_supported": ["none"]},
        {"token_endpoint_auth_methods_supported": "client_secret_post"},
    ],
)
def test_an_unsafe_discovery_document_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        read_discovery(DOCUMENT | change, ISSUER)
    assert caught.value.reason.startswith("discovery_")


def test_plain_http_endpoints_need_a_plain_http_issuer_on_the_same_host() -> None:
    issuer = "http://127.0.0.1:9400/x"
    local = {name: value.replace(ISSUER, issuer) for name, value in DOCUMENT.items()}
    assert read_discovery(local, issuer).token_url == f"{issuer}/token"
    with pytest.raises(UpstreamRefused):
        read_discovery(local | {"jwks_uri": "http://127.0.0.1:9401/jwks"}, issuer)


JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """What comes over the network."""

    status: int
    content: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: JSON)


class Answers(httpx.AsyncBaseTransport):
    """Gives its answers in turn, the last one for ever, and remembers the addresses."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.urls: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.urls.append(str(request.url))
        await asyncio.sleep(0)  # others get a turn, as they do over a network
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        stream = httpx.ByteStream(answer.content)
        return httpx.Response(answer.status, headers=answer.headers, stream=stream)


def config(**changes: Any) -> UpstreamConfig:
    settings: dict[str, Any] = {
        "issuer": ISSUER,
        "client_id": "c",
        "client_secret": Secret("s"),
    } | changes
    return UpstreamConfig(**settings)


async def test_discovery_is_fetched_below_the_issuer_once_an_hour(clock: HeldClock) -> None:
    transport = Answers(Answer(200, json.dumps(DOCUMENT).encode()))
    async with httpx.AsyncClient(transport=transport) as http:
        endpoints = ProviderEndpoints(config(), http, clock=clock)
        await asyncio.gather(*(endpoints.get() for _ in range(5)))
        assert transport.urls == [f"{ISSUER}/.well-known/openid-configuration"]
        clock.forward(3601)
        await endpoints.get()
        assert len(transport.urls) == 2
        assert endpoints.problem is None


@pytest.mark.attack("I-14")
async def test_a_redirected_discovery_document_is_refused(clock: HeldClock) -> None:
    redirect = Answer(302, b"", {"location": "https://evil.example/"})
    transport = Answers(redirect)
    async with httpx.AsyncClient(transport=transport) as http:
        endpoints = ProviderEndpoints(config(), http, clock=clock)
        with pytest.raises(UpstreamRefused):
            await endpoints.get()
        assert len(transport.urls) == 1
        assert endpoints.problem


async def test_an_old_discovery_document_serves_while_a_new_one_cannot_be_fetched(
    clock: HeldClock,
) -> None:
    transport = Answers(Answer(200, json.dumps(DOCUMENT).encode()), Answer(503))
    async with httpx.AsyncClient(transport=transport) as http:
        endpoints = ProviderEndpoints(config(), http, clock=clock)
        await endpoints.get()
        clock.forward(3601)
        assert (await endpoints.get()).jwks_url == f"{ISSUER}/jwks"
        assert endpoints.problem
        clock.forward(24 * 3600)
        with pytest.raises(UpstreamUnavailable):
            await endpoints.get()


async def test_with_an_old_document_a_failed_fetch_is_not_repeated_at_once(
    clock: HeldClock,
) -> None:
    transport = Answers(Answer(200, json.dumps(DOCUMENT).encode()), Answer(503))
    async with httpx.AsyncClient(transport=transport) as http:
        endpoints = ProviderEndpoints(config(), http, clock=clock)
        await endpoints.get()
        clock.forward(3601)
        for _ in range(5):
            await endpoints.get()
        assert len(transport.urls) == 2
        clock.forward(30)
        await endpoints.get()
        assert len(transport.urls) == 3


async def test_callers_that_wait_share_a_failed_discovery(
    clock: HeldClock,
) -> None:
    transport = Answers(Answer(503))
    async with httpx.AsyncClient(transport=transport) as http:
        endpoints = ProviderEndpoints(config(), http, clock=clock)
        waiting = (endpoints.get() for _ in range(20))
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(answer, UpstreamUnavailable) for answer in answers)
        assert len(transport.urls) == 1
        with pytest.raises(UpstreamUnavailable):
            await endpoints.get()
        assert len(transport.urls) == 2


async def test_endpoints_that_are_configured_are_not_discovered(clock: HeldClock) -> None:
    transport = Answers(Answer(500))
    urls = {
        "authorization_url": "https://a.example/authorization",
        "token_url": "https://a.example/token",
        "jwks_url": "https://a.example/jwks",
    }
    async with httpx.AsyncClient(transport=transport) as http:
        provider = await ProviderEndpoints(config(**urls), http, clock=clock).get()
    assert transport.urls == []
    assert provider.auth_methods == (POST,)
    assert provider.token_url == "https://a.example/token"


def test_half_a_set_of_endpoints_is_refused() -> None:
    with pytest.raises(ValueError, match="all three"):
        config(token_url="https://a.example/token")


@pytest.mark.attack("I-13", "I-14")
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(200, b"{" + b" " * MAX_BYTES + b"}"), UpstreamRefused),
        (Answer(200, b"[]"), UpstreamRefused),
        (Answer(200, b'{"a":1,"a":2}'), UpstreamRefused),
        (Answer(200, gzip.compress(b"{}"), JSON | {"content-encoding": "gzip"}), UpstreamRefused),
        (Answer(404), UpstreamRefused),
        (Answer(301, b"", {"location": "/x"}), UpstreamRefused),
        (Answer(429), UpstreamUnavailable),
        (Answer(502), UpstreamUnavailable),
    ],
)
async def test_a_document_is_bounded_and_strict(answer: Answer, kind: type[Exception]) -> None:
    async with httpx.AsyncClient(transport=Answers(answer)) as http:
        with pytest.raises(kind):
            await fetch_object(http, "https://a.example/", what="jwks")


async def test_an_html_page_is_not_accepted_as_a_document() -> None:
    page = Answer(200, b"{}", {"content-type": "text/html"})
    async with httpx.AsyncClient(transport=Answers(page)) as http:
        with pytest.raises(UpstreamRefused):
            await fetch_object(http, "https://a.example/", what="jwks")


async def test_a_provider_that_does_not_answer_is_unavailable() -> None:
    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("no route")

    async with httpx.AsyncClient(transport=Broken()) as http:
        with pytest.raises(UpstreamUnavailable):
            await fetch_object(http, "https://a.example/", what="jwks")


@pytest.mark.attack("I-13")
async def test_keys_that_change_right_after_the_first_fetch_are_found(clock: HeldClock) -> None:
    source = Source()
    jwks = cached_keys(source, clock=clock)
    await jwks.get()
    source.document = {"keys": [jwk(2)]}
    assert ids((await jwks.newer()).keys) == [jwk(2)["kid"]]
    await jwks.newer()
    assert source.fetches == 2, "a second unknown key within 30 s is not looked for"
    clock.forward(30)
    await jwks.newer()
    assert source.fetches == 3
