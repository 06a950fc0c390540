"""Clients whose client_id is the address of a document about them (CIMD): fetched and kept.

Anybody may name any address, so the fetch is guarded (`outbound/guarded`), and bounded in number.
What is kept:

* A document is used as long as its answer allows, but at least a minute and at most a day; then
  its host is asked again. One fetch at a time serves everybody who waits for the same address.
* A failure is kept for half a minute. Two kinds differ. *Refused*: the host answers something that
  breaks a rule; the document is dropped at once. *Unavailable*: the host, its name server or our
  own bounds; the last good document serves for a day since its host last confirmed it.
* At /token and /revoke whatever is wrong with a document is 503: an app must not lose its sign-ins
  because of a broken file. Only the rules of this server end them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Final, Literal

from productive_contract.clock import Clock, system_clock
from productive_gateway.errors import GatewayError, Unavailable
from productive_gateway.oauth.clients.client import Client, ClientKind, client_label
from productive_gateway.oauth.clients.document_cache import (
    STALE,
    DocumentCache,
    Failure,
    FetchBudget,
    Held,
    fresh_for,
)
from productive_gateway.oauth.clients.document_errors import (
    RETRY_SECONDS,
    DocumentNotAllowed,
    DocumentRefused,
    document_unavailable,
)
from productive_gateway.oauth.clients.document_url import (
    DocumentUrl,
    DocumentUrlError,
    parse_document_url,
)
from productive_gateway.oauth.clients.metadata_document import (
    MAX_BYTES,
    MetadataDocumentError,
    read_document,
)
from productive_gateway.observability.audit import Event, audit
from productive_gateway.observability.metrics import CLIENT_DOCUMENTS, CacheCounters
from productive_gateway.outbound.cache_control import freshness
from productive_gateway.outbound.errors import FetchFailed, FetchRefused
from productive_gateway.outbound.guarded import Fetched, GuardedClient
from productive_gateway.web.caller_address import CALLER
from productive_gateway.web.limits import Limit

Hosts = Sequence[str] | Literal["*"]
"""Hosts whose documents are fetched; `*` is any."""

PER_MINUTE: Final = 60
"""Addresses without a good document here that are fetched in a minute."""
PARALLEL: Final = 16
"""Fetches at a time."""
PARALLEL_UNKNOWN: Final = 12
"""Of them for addresses without a good document: strangers do not keep known clients out."""
_ETAG = re.compile(r"(?:W/)?\"[!#-~]{0,128}\"")
_COUNTERS: Final = CacheCounters("client_documents")
_NOT_PUBLIC: Final = "document_address_not_public"
_TRANSIENT: Final = frozenset({408, 425, 429})


class MetadataDocuments:
    """All clients that describe themselves in a document."""

    def __init__(
        self,
        http: GuardedClient,
        *,
        own_host: str,
        hosts: Hosts = "*",
        admin_contact: str | None = None,
        unknown: Limit | None = None,
        clock: Clock = system_clock,
    ) -> None:
        """Hold nothing yet.

        Args:
            http: fetches the documents.
            own_host: host of this server, which describes no client.
            hosts: whose documents are fetched.
            admin_contact: whom people are told to ask to allow another host.
            unknown: how many addresses that are not known yet one caller may name; by default any.
            clock: the time.
        """
        self._http = http
        self._own_host = own_host
        self._hosts = hosts
        self._admin_contact = admin_contact
        self._unknown = unknown or Limit("client_documents", 0)
        self._clock = clock
        self._cache = DocumentCache()
        self._budget = FetchBudget(PER_MINUTE)
        self._attempts: dict[str, asyncio.Task[Held | Failure]] = {}
        self._under_way = 0
        """Fetches; not attempts, which are refused when there are too many of them."""

    async def find(self, client_id: str) -> Client:
        """Return the client that the document at this address describes.

        Raises:
            DocumentNotAllowed: no document is fetched from there.
            DocumentRefused: the document breaks a rule.
            TooManyRequests: this caller names too many addresses that are not known yet.
            Unavailable: it cannot be fetched now.
        """
        url = self._admitted(client_id)
        now = self._clock()
        held = self._cache.held(client_id)
        if held is not None and now < held.fresh_until:
            _COUNTERS.hit.inc()
            return held.client
        failure = self._cache.failure(client_id, now)
        _count_lookup(known=failure is not None, under_way=client_id in self._attempts)
        if failure is None and held is None and client_id not in self._attempts:
            self._count_unknown()
        outcome = failure or await self._shared_attempt(url)
        if isinstance(outcome, Held):
            return outcome.client
        return _stale(self._cache.held(client_id), outcome.error, now)

    def _count_unknown(self) -> None:
        address = CALLER.get()
        self._unknown.take(address, **({} if address is None else {"address": address}))

    async def aclose(self) -> None:
        """Stop all fetches."""
        attempts = list(self._attempts.values())
        for attempt in attempts:
            attempt.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)

    def _admitted(self, client_id: str) -> DocumentUrl:
        try:
            url = parse_document_url(client_id)
        except DocumentUrlError as error:
            _audit_refused(client_id, "document_url")
            raise DocumentNotAllowed(
                f"The client_id of this app is no address of a description: {error}. Update the "
                "app and connect it again, or tell its maker.",
                reason="document_url",
            ) from error
        if url.host == self._own_host or (self._hosts != "*" and url.host not in self._hosts):
            _audit_refused(client_id, "document_host", url.host)
            contact = self._admin_contact or "your administrator"
            raise DocumentNotAllowed(
                f"This app describes itself at {url.host}, which is not allowed here. Ask "
                f"{contact} to add this host to CLIENT_DOCUMENT_HOSTS if you trust it.",
                reason="document_host",
            )
        return url

    async def _shared_attempt(self, url: DocumentUrl) -> Held | Failure:
        attempt = self._attempts.get(url.text)
        if attempt is None:
            attempt = asyncio.create_task(self._attempt(url))
            self._attempts[url.text] = attempt
            attempt.add_done_callback(lambda _: self._attempts.pop(url.text, None))
        # A caller that gives up waiting does not end it for the others.
        return await asyncio.shield(attempt)

    async def _attempt(self, url: DocumentUrl) -> Held | Failure:
        known = self._cache.held(url.text)
        if not self._has_room(known):
            return self._too_many(url)
        self._under_way += 1
        try:
            held = await self._fetch(url, known)
        except (FetchRefused, MetadataDocumentError) as error:
            return self._refused(url, _slug(error))
        except FetchFailed as error:
            reason = _slug(error)
            _audit_refused(url.text, reason, url.host)
            CLIENT_DOCUMENTS.labels(outcome="unavailable").inc()
            unavailable = document_unavailable(url.host, reason=reason)
            return self._cache.fail(url.text, unavailable, self._clock())
        finally:
            self._under_way -= 1
        self._cache.keep(url.text, held)
        return held

    def _has_room(self, known: Held | None) -> bool:
        if known is not None:
            return self._under_way < PARALLEL
        return self._under_way < PARALLEL_UNKNOWN and self._budget.take(self._clock())

    async def _fetch(self, url: DocumentUrl, known: Held | None) -> Held:
        headers = [("Accept", "application/json")]
        if known is not None and known.etag is not None:
            headers.append(("If-None-Match", known.etag))
        answer = await self._http.get(url.host, url.target, limit=MAX_BYTES, headers=headers)
        if known is not None and known.etag is not None and answer.status == 304:
            CLIENT_DOCUMENTS.labels(outcome="unchanged").inc()
            return self._held(known.client, answer, known.etag)
        _check_status(answer.status)
        content_type = answer.single("content-type") or ""
        registration = read_document(answer.body, content_type, url.text)
        client = Client(url.text, registration, kind=ClientKind.METADATA_DOCUMENT)
        etag = answer.single("etag") or ""
        CLIENT_DOCUMENTS.labels(outcome="fetched").inc()
        return self._held(client, answer, etag if _ETAG.fullmatch(etag) else None)

    def _held(self, client: Client, answer: Fetched, etag: str | None) -> Held:
        now = self._clock()
        allowed = freshness(answer.values("cache-control"), answer.single("age"))
        return Held(client, now, now + fresh_for(allowed), etag)

    def _refused(self, url: DocumentUrl, reason: str) -> Failure:
        _audit_refused(url.text, reason, url.host)
        CLIENT_DOCUMENTS.labels(outcome="refused").inc()
        self._cache.withdraw(url.text)
        # A name with an address of the company's own is answered like one that does not exist: else
        # anybody could ask here which names the company's DNS has.
        error = (
            document_unavailable(url.host, reason=reason)
            if reason == _NOT_PUBLIC
            else DocumentRefused(url.host, reason=reason)
        )
        return self._cache.fail(url.text, error, self._clock())

    def _too_many(self, url: DocumentUrl) -> Failure:
        reason = "documents_busy"
        _audit_refused(url.text, reason, url.host)
        CLIENT_DOCUMENTS.labels(outcome="busy").inc()
        error = Unavailable(
            "This server is fetching the descriptions of too many apps at the moment.",
            reason=reason,
            retry_after=RETRY_SECONDS,
        )
        # Not kept: it says nothing about this address.
        return Failure(error, self._clock())


def _count_lookup(*, known: bool, under_way: bool) -> None:
    if known:
        _COUNTERS.hit.inc()
    elif under_way:
        _COUNTERS.shared.inc()
    else:
        _COUNTERS.miss.inc()


def _stale(held: Held | None, error: GatewayError, now: float) -> Client:
    """Return an older document where the newer one cannot be fetched; else raise the error."""
    if held is not None and isinstance(error, Unavailable) and now < held.confirmed + STALE:
        return held.client
    # One error serves many callers; each would lengthen its traceback.
    raise error.with_traceback(None)


def _check_status(status: int) -> None:
    if status == 200:
        return
    if status >= 500 or status in _TRANSIENT:
        raise FetchFailed("status")
    raise FetchRefused("redirected" if 300 <= status < 400 else "status")


def _slug(error: FetchRefused | FetchFailed | MetadataDocumentError) -> str:
    return error.reason if isinstance(error, MetadataDocumentError) else f"document_{error.reason}"


def _audit_refused(client_id: str, reason: str, host: str = "") -> None:
    facts = {"client_host": host} if host else {}
    audit(Event.CLIENT_DOCUMENT_REFUSED, reason=reason, client=client_label(client_id), **facts)
