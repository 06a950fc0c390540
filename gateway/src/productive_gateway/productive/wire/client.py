"""The client of Productive's API: shared by all people, each request with its person's own token.

A read is repeated on 429, 502, 503, 504 and broken connections, twice, with growing pauses. A write
is never repeated (design invariant 14): a lost answer is `StateUnknown`. Only after a 429, by which
Productive did nothing, is it sent again. Requests go straight to a transport: nothing on the way
follows a redirect or keeps a cookie, so nothing passes from one person's request to another's.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode

import anyio
import anyio.lowlevel
import httpx

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_contract.secret import Secret
from productive_gateway.observability.audit import Event, audit
from productive_gateway.observability.metrics import BUDGET_REFUSED, BUDGET_WAIT_SECONDS
from productive_gateway.observability.outgoing import ProductiveRequest
from productive_gateway.people.principal import Principal
from productive_gateway.productive import identity as who
from productive_gateway.productive.wire.cache import Cache, Key, T
from productive_gateway.productive.wire.errors import (
    ProductiveError,
    RateLimited,
    StateUnknown,
    TokenRejected,
    Unreachable,
    WrongOrganization,
    WrongTokenOwner,
    error_of,
)
from productive_gateway.productive.wire.jsonapi import Document, DocumentError, decode
from productive_gateway.productive.wire.limiter import Limiter, Sender
from productive_gateway.productive.wire.request_slots import RequestSlots

MEDIA_TYPE: Final = "application/vnd.api+json"
BULK_TYPE: Final = "application/vnd.api+json; ext=bulk"
TIMEOUT: Final = httpx.Timeout(connect=5, read=25, write=10, pool=10)
_EXTENSIONS: Final = {"timeout": TIMEOUT.as_dict()}
RETRIES: Final = 2
RETRIED: Final = frozenset({429, 502, 503, 504})
LONGEST_WAIT: Final = 8.0
"""Seconds that a request waits for a rate limit; a longer wait is reported to the caller."""
LONGEST_GRACE = 5.0
"""Seconds after the deadline of a call for which a write that was sent waits for its answer."""
_DEFAULT_RESET: Final = 10.0
"""Seconds to wait after a 429 that names no time: the length of Productive's window."""
_LARGEST_ANSWER: Final = 16 * 1024 * 1024
_IDENTITY_LIFETIME: Final = 15 * 60
PAGE: Final = 200
"""Records of the largest page that Productive gives."""

_NOTHING_SENT: Final = (
    *(httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout),
    httpx.ProxyError,  # the proxy refused the tunnel
)

_WITH_BODY: Final = frozenset({"POST", "PATCH"})
"""Productive asks for the content type of these even where an action has no body."""

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    reset: float
    """Seconds to wait before the next request, for a 429."""


class ProductiveApi:
    """What all sessions share: address, connections, limits, cache."""

    def __init__(
        self,
        base_url: str,
        transport: httpx.AsyncBaseTransport,
        default_organization: str | None,
        *,
        clock: Clock = system_clock,
        entropy: Entropy = system_entropy,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        limiter: Limiter | None = None,
        slots: RequestSlots | None = None,
    ) -> None:
        """Create the client.

        Args:
            base_url: of the API, with its version (`…/api/v2`).
            transport: the connections.
            default_organization: id for people whose ProductiveUser sets none.
            clock: the present time.
            entropy: for the jitter of pauses.
            sleep: waits for a number of seconds.
            limiter: limits the requests of each token and organization.
            slots: shares the connections between people.
        """
        self.base_url = base_url.rstrip("/")
        self.transport = transport
        self.default_organization = default_organization
        self.clock = clock
        self.sleep = sleep
        self.limiter = limiter or Limiter(clock=clock)
        self.cache = Cache(clock=clock)
        self.slots = slots or RequestSlots()
        self._entropy = entropy

    def session(self, principal: Principal, *, deadline: float = math.inf) -> ProductiveSession:
        """Return the API as one person sees it.

        Args:
            principal: the person.
            deadline: when the call ends, by the clock of the event loop.

        Raises:
            TokenRejected: the person has no token.
            WrongOrganization: neither the person nor the gateway has an organization.
        """
        token = principal.person.api_token
        organization = principal.person.organization_id or self.default_organization
        if not token:
            raise TokenRejected("there is no token")
        if not organization:
            raise WrongOrganization("no organization is configured")
        return ProductiveSession(self, principal, token, organization, deadline)

    def pause(self, attempt: int) -> float:
        """Return the seconds before retry `attempt` (0, 1): about 0.3 and 0.9, with jitter."""
        return 0.2 * 3.0**attempt * (1 + self._entropy(1)[0] / 255)


class ProductiveSession:
    """The requests of one person; each first makes sure that the token is this person's."""

    def __init__(
        self,
        api: ProductiveApi,
        principal: Principal,
        token: Secret,
        organization: str,
        deadline: float,
    ) -> None:
        self.organization = organization
        self.writes = 0
        """Writes that Productive confirmed; for the audit line."""
        self.requests = 0
        """Requests that were sent."""
        self.seconds = 0.0
        """What they took, added up."""
        self._api = api
        self._principal = principal
        self._token = token
        self._deadline = deadline
        self._fingerprint = hashlib.sha256(token.reveal().encode()).hexdigest()[:32]
        self._sender = Sender(self._fingerprint, organization, principal.person.uid)

    async def identity(self) -> who.Identity:
        """Return who the token belongs to.

        Raises:
            WrongTokenOwner: to somebody other than the person in the mapping.
            ProductiveError: it could not be found out.
        """
        person = self._principal.person
        key = self._key(("identity", str(person.user_id)))
        verdict = await self._api.cache.remember(key, _IDENTITY_LIFETIME, self._ask_who)
        if isinstance(verdict, who.Identity):
            return verdict
        raise WrongTokenOwner(verdict.write_instead)

    async def get(self, path: str, query: Query = ()) -> Document:
        """Read one document.

        Raises:
            ProductiveError: see `errors`.
        """
        await self.identity()
        return await self._read(path, query)

    async def pages(self, path: str, query: Query, *, most: int = 10) -> tuple[Document, bool]:
        """Read a collection page by page; the second value says whether it is complete.

        Args:
            path: of the collection.
            query: filters, includes, fields.
            most: pages of 200 that are read at most.

        Raises:
            ProductiveError: see `errors`.
        """
        first = await self.get(path, (*query, *page(1, PAGE)))
        last = min(first.total_pages or 0, most)
        # The first page says how many there are; the others do not depend on each other.
        rest = await asyncio.gather(
            *(self.get(path, (*query, *page(number, PAGE))) for number in range(2, last + 1))
        )
        records: list[Any] = []
        included: dict[Any, Any] = {}
        for document in (first, *rest):
            records.extend(document.records)
            included.update(document.included)
        complete = (first.total_pages or 0) <= most
        return Document(tuple(records), included, total_count=first.total_count), complete

    async def write(
        self, method: str, path: str, body: Any = None, query: Query = (), *, bulk: bool = False
    ) -> Document | None:
        """Send one write. It takes effect once, and finishes even if the caller is cancelled.

        After the caller's deadline it waits a few seconds for the answer, and no longer.

        Args:
            method: POST, PATCH or DELETE.
            path: of the collection, the record or an action.
            body: the JSON:API document; None for none.
            query: includes and fields of the answer.
            bulk: the body holds several records.

        Returns:
            The answer's document; None if it has none (204).

        Raises:
            StateUnknown: the request was sent and no usable answer came back.
            ProductiveError: nothing was changed; see `errors`.
        """
        await self.identity()
        content = None
        if body is not None:
            content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        for attempt in range(RETRIES + 1):
            await self._admit()
            try:
                async with self._slot():
                    await anyio.lowlevel.checkpoint_if_cancelled()
                    until = self._deadline + LONGEST_GRACE
                    with anyio.CancelScope(shield=True, deadline=until):
                        document = await self._write(method, path, query, content, bulk=bulk)
                        self.writes += 1
                        return document
                    raise StateUnknown("no answer in time")
            except RateLimited as limited:
                # Productive did nothing with it, so sending it again is no repetition.
                self._api.limiter.pause(self._sender, limited)
                if attempt == RETRIES:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def remember(self, what: Key, lifetime: float, read: Callable[[], Awaitable[T]]) -> T:
        """Return what this person read under the key `what` in the last `lifetime` seconds."""
        return await self._api.cache.remember(self._key(what), lifetime, read)

    def forget(self, what: Key, *, older_than: float = 0) -> None:
        """Drop what this person read under the key `what` more than some seconds ago."""
        self._api.cache.forget(self._key(what), older_than=older_than)

    def forget_under(self, what: Key) -> None:
        """Drop all that this person read under keys that begin so."""
        self._api.cache.forget_under(self._key(what))

    def requests_left(self) -> int:
        """Return how many requests this person may send in the present ten seconds."""
        return self._api.limiter.requests_left(self._sender)

    def _slot(self) -> AbstractAsyncContextManager[None]:
        return self._api.slots.slot(self._principal.person.uid)

    def _key(self, what: Key) -> Key:
        return (self.organization, self._fingerprint, *what)

    async def _ask_who(self) -> who.Identity | WrongTokenOwner:
        person = self._principal.person
        document = await self._read(who.PATH, who.QUERY)
        try:
            return who.identity_of(document, organization=self.organization, user_id=person.user_id)
        except WrongTokenOwner as wrong:
            audit(
                Event.WRONG_TOKEN_OWNER,
                reason="user_id_is_not_person_id" if wrong.write_instead else "other_person",
                email=person.email,
                user=person.user,
                grant=self._principal.grant,
                client=self._principal.client,
            )
            return wrong

    async def _read(self, path: str, query: Query) -> Document:
        for attempt in range(RETRIES + 1):
            await self._admit()
            error: ProductiveError
            try:
                async with self._slot():
                    answer = await self._send("GET", path, query, None)
            except httpx.HTTPError as failure:
                error = Unreachable(type(failure).__name__)
            else:
                if answer.status == 200:
                    return _document(answer.body)
                error = error_of(answer.status, answer.body, answer.reset)
                if answer.status not in RETRIED:
                    raise error
            if isinstance(error, RateLimited):
                self._api.limiter.pause(self._sender, error)
            if attempt == RETRIES:
                raise error
            # The end of a rate limit is waited for where the next attempt begins.
            if not isinstance(error, RateLimited):
                wait = self._api.pause(attempt)
                if wait > self._seconds_left():
                    raise error
                await self._api.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    async def _write(
        self, method: str, path: str, query: Query, content: bytes | None, *, bulk: bool
    ) -> Document | None:
        try:
            answer = await self._send(method, path, query, content, bulk=bulk)
        except _NOTHING_SENT as failure:
            raise Unreachable(type(failure).__name__) from failure
        except httpx.HTTPError as failure:
            raise StateUnknown(type(failure).__name__) from failure
        if answer.status == 501:
            raise error_of(answer.status, answer.body, answer.reset)
        if answer.status >= 500 or 300 <= answer.status < 400:
            raise StateUnknown(f"status {answer.status}")
        if answer.status >= 400:
            raise error_of(answer.status, answer.body, answer.reset)
        if not answer.body:
            return None
        try:
            return decode(answer.body)
        except DocumentError as error:
            raise StateUnknown("unreadable answer") from error

    async def _admit(self) -> None:
        """Wait until the request is within all limits, if the wait is short.

        Raises:
            RateLimited: the wait would be too long.
        """
        waited = 0.0
        while True:
            try:
                self._api.limiter.take(self._sender)
            except RateLimited as full:
                if full.retry_after > min(LONGEST_WAIT - waited, self._seconds_left()):
                    BUDGET_REFUSED.labels(limit=full.limit.value).inc()
                    raise
                await self._api.sleep(full.retry_after)
                # Others may have been faster, so the wait may go on.
                waited += full.retry_after
            else:
                break
        if waited:
            BUDGET_WAIT_SECONDS.observe(waited)

    def _seconds_left(self) -> float:
        """Return the seconds until the deadline of the call."""
        return self._deadline - asyncio.get_running_loop().time()

    async def _send(
        self,
        method: str,
        path: str,
        query: Query,
        content: bytes | None,
        *,
        bulk: bool = False,
    ) -> _Answer:
        media_type = BULK_TYPE if bulk else MEDIA_TYPE
        headers = {
            "Accept": media_type,
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": "productive-mcp",
            "X-Auth-Token": self._token.reveal(),
            "X-Organization-Id": self.organization,
        }
        if content is not None or method in _WITH_BODY:
            headers["Content-Type"] = media_type
        url = _url(self._api.base_url, path, tuple(query))
        request = httpx.Request(
            method, url, headers=headers, content=content, extensions=_EXTENSIONS
        )
        self.requests += 1
        sent = ProductiveRequest(method, self._api.base_url, path)
        try:
            with sent:
                response = await self._api.transport.handle_async_request(request)
                sent.status = response.status_code
                try:
                    body = await _bounded(response)
                finally:
                    await response.aclose()
        finally:
            self.seconds += sent.seconds
        return _Answer(response.status_code, body, _reset(response.headers))


def page(number: int, size: int) -> Query:
    """Return the parameters of one page."""
    return (("page[number]", str(number)), ("page[size]", str(size)))


@lru_cache(maxsize=256)
def _url(base: str, path: str, query: tuple[tuple[str, str], ...]) -> httpx.URL:
    """Return an address; kept, because httpx looks at each character of it several times.

    Most of it names the fields of a record, and people ask for the same records again.
    """
    return httpx.URL(f"{base}{path}?{urlencode(query)}" if query else f"{base}{path}")


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body.extend(chunk)
        if len(body) > _LARGEST_ANSWER:
            raise httpx.DecodingError("the answer is too large")
    return bytes(body)


def _document(body: bytes) -> Document:
    try:
        return decode(body)
    except DocumentError as error:
        raise Unreachable("unreadable answer") from error


def _reset(headers: httpx.Headers) -> float:
    try:
        seconds = float(headers["x-ratelimit-reset"])
    except (KeyError, ValueError):
        return _DEFAULT_RESET
    return seconds if 0 <= seconds <= 24 * 3600 else _DEFAULT_RESET
