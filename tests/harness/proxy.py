"""A proxy in front of the API server that records every request and injects faults.

It runs in a thread of its own, so it works for programs in processes and for synchronous and
asynchronous tests. Its TLS certificate comes from the plane's authority or from another, so that a
kubeconfig differs only in the address and the authority of the server. It forwards bearer tokens;
it cannot forward a client certificate.
"""

from __future__ import annotations

import asyncio
import io
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

from harness.background import BackgroundLoop
from harness.certificates import Authority
from harness.faults import (
    Answer,
    CutAfter,
    CutBefore,
    Delay,
    Fault,
    HalfOpen,
    Hold,
    Page,
    Predicate,
    Rule,
    Seen,
)
from harness.forwarding import end_to_end, new_client, start_server
from harness.kube import Identity
from harness.plane import Plane
from harness.processes import free_port

WAIT_SECONDS = 15.0
LOOK_SECONDS = 0.02


class RecordingProxy:
    """A proxy for one program, or for one replica of it."""

    def __init__(
        self, plane: Plane, *, port: int | None = None, authority: Authority | None = None
    ) -> None:
        self.port = port or free_port()
        self.server = f"https://127.0.0.1:{self.port}"
        self.requests: list[Seen] = []
        self._plane = plane
        self._authority = authority or plane.authority
        self._changed = threading.Condition()
        self._rules: list[Rule] = []
        self._open: set[asyncio.Transport] = set()
        self._background = BackgroundLoop("recording-proxy")
        self._background.run(self._start())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for rule in self._rules:
            rule.remove()
        self._background.run(self._end())
        self._background.close()

    def identity(self, identity: Identity) -> Identity:
        """Return the identity with this proxy as its server."""
        assert identity.pair is None, "a proxy cannot forward a client certificate; use a token"
        return identity.through(self.server, self._authority.certificate)

    def rule(self, predicate: Predicate, fault: Fault, *, times: int | None = 1) -> Rule:
        """Apply a fault to the next `times` requests (None: all) that match the predicate.

        If several rules match, the oldest one applies.
        """
        rule = Rule(predicate, fault, times)
        self._rules.append(rule)
        return rule

    @contextmanager
    def outage(self, fault: Fault | None = None) -> Iterator[Rule]:
        """Let no request through during the block, and cut the open streams."""
        rule = Rule(lambda _: True, fault or CutBefore(), None)
        self._rules.insert(0, rule)
        if not isinstance(rule.fault, HalfOpen):
            self.cut()
        try:
            yield rule
        finally:
            rule.remove()

    def connections(self) -> frozenset[int]:
        """Return the connections over which any request came so far, also those that are closed."""
        with self._changed:
            return frozenset(request.connection for request in self.requests)

    def cut(self) -> None:
        """Cut every open connection."""
        self._background.run(self._cut())

    def seen(self, predicate: Predicate) -> list[Seen]:
        """Return the requests so far that match the predicate."""
        with self._changed:
            return [request for request in self.requests if predicate(request)]

    def wait_for(
        self, predicate: Predicate, seconds: float = WAIT_SECONDS, *, count: int = 1, since: int = 0
    ) -> list[Seen]:
        """Wait until `count` requests match, from number `since` on, and return them.

        The predicate is evaluated again whenever a request changes, so it may check the status.

        Raises:
            AssertionError: too few came in time; the message lists all requests.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                found = [r for r in self.requests[since:] if predicate(r)]
                if len(found) >= count:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(
                        f"{len(found)} of {count} matched; all requests:\n{self.transcript()}"
                    )
                self._changed.wait(left)

    async def wait(
        self, predicate: Predicate, seconds: float = WAIT_SECONDS, *, count: int = 1, since: int = 0
    ) -> list[Seen]:
        """Like `wait_for`, without blocking the caller's event loop."""
        return await asyncio.to_thread(self.wait_for, predicate, seconds, count=count, since=since)

    def transcript(self) -> str:
        """Return the requests as lines, for the message of a failing test."""
        with self._changed:
            return "\n".join(
                f"{r.number:4} {r.method:6} {r.status or '-'} {r.path} {r.query}"
                for r in self.requests
            )

    # All methods below run in the background loop.

    async def _start(self) -> None:
        pair = self._authority.server("recording-proxy", hosts=["127.0.0.1", "localhost"])
        upstream = ssl.create_default_context(cadata=self._plane.authority.certificate.decode())
        self._upstream = new_client(upstream)
        self._runner = await start_server(self._handle, self.port, pair.server_tls())

    async def _end(self) -> None:
        await self._cut()
        await self._runner.cleanup()
        await self._upstream.close()

    async def _cut(self) -> None:
        for transport in list(self._open):
            transport.abort()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        self._open.add(transport)
        try:
            port = transport.get_extra_info("peername")[1]
            seen = self._record(request, await request.content.read(), connection=port)
            return await self._answer(request, seen)
        except (_Cut, aiohttp.ClientError):
            # This looks like an API server that dies: the connection ends in the middle.
            transport.abort()
            raise ConnectionResetError from None
        finally:
            self._open.discard(transport)

    def _record(self, request: web.BaseRequest, body: bytes, *, connection: int) -> Seen:
        with self._changed:
            seen = Seen(
                number=len(self.requests),
                method=request.method,
                target=request.raw_path,
                path=request.path,
                query=dict(request.query),
                user_agent=request.headers.get("User-Agent", ""),
                body=body,
                connection=connection,
            )
            self.requests.append(seen)
            self._changed.notify_all()
        return seen

    def _note(self, seen: Seen, *, status: int | None = None, upstream: int | None = None) -> None:
        with self._changed:
            seen.status = status or seen.status
            seen.upstream_status = upstream or seen.upstream_status
            self._changed.notify_all()

    def _fault_for(self, seen: Seen) -> Fault | None:
        for rule in self._rules:
            if rule.matches(seen):
                rule.hits.append(seen)
                return rule.fault
        return None

    async def _answer(self, request: web.BaseRequest, seen: Seen) -> web.StreamResponse:
        fault = self._fault_for(seen)
        match fault:
            case CutBefore():
                raise _Cut
            case Answer():
                self._note(seen, status=fault.status)
                return _status_response(fault)
            case Page():
                self._note(seen, status=fault.status)
                return _page(fault)
            case Delay():
                await asyncio.sleep(fault.seconds)
            case HalfOpen(after=0):
                await self._silence(seen)
            case HalfOpen():
                return await self._begin(request, seen, fault.after)
            case Hold(at="before"):
                await fault.released()
            case _:
                pass
        if seen.watch:
            return await self._stream(request, seen)
        # The API server completes a request even if the client disconnects.
        exchange = asyncio.ensure_future(self._exchange(seen, request.headers, fault))
        exchange.add_done_callback(_retrieve_exception)
        return await asyncio.shield(exchange)

    async def _exchange(
        self, seen: Seen, headers: Mapping[str, str], fault: Fault | None
    ) -> web.StreamResponse:
        async with self._send(seen, headers) as answer:
            body = await answer.read()
        self._note(seen, upstream=answer.status)
        if isinstance(fault, CutAfter):
            raise _Cut
        if isinstance(fault, Hold) and fault.at == "after":
            await fault.released()
        self._note(seen, status=answer.status)
        return web.Response(status=answer.status, headers=end_to_end(answer.headers), body=body)

    async def _begin(self, request: web.BaseRequest, seen: Seen, count: int) -> web.StreamResponse:
        """Pass on so many bytes of the answer, then fall silent."""
        async with self._send(seen, request.headers) as answer:
            response = web.StreamResponse(status=answer.status, headers=end_to_end(answer.headers))
            await response.prepare(request)
            await response.write((await answer.read())[:count])
        await self._silence(seen)
        return response

    async def _stream(self, request: web.BaseRequest, seen: Seen) -> web.StreamResponse:
        async with self._send(seen, request.headers) as answer:
            response = web.StreamResponse(status=answer.status, headers=end_to_end(answer.headers))
            await response.prepare(request)
            self._note(seen, status=answer.status, upstream=answer.status)
            async for chunk in answer.content.iter_any():
                await self._silence(seen)
                await response.write(chunk)
            # The end of a window must not be noticed either while the peer is silent.
            await self._silence(seen)
        await response.write_eof()
        return response

    async def _silence(self, seen: Seen) -> None:
        """Send nothing while a half-open rule applies, then cut."""
        silent = False
        while self._silenced(seen):
            silent = True
            await asyncio.sleep(LOOK_SECONDS)
        if silent:
            raise _Cut

    def _silenced(self, seen: Seen) -> bool:
        for rule in self._rules:
            if isinstance(rule.fault, HalfOpen) and not rule.removed:
                if seen in rule.hits:
                    return True
                if rule.matches(seen):
                    rule.hits.append(seen)
                    return True
        return False

    def _send(
        self, seen: Seen, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._upstream.request(
            seen.method,
            URL(self._plane.admin.server + seen.target, encoded=True),
            headers=end_to_end(headers, without=("host", "content-length")),
            data=io.BytesIO(seen.body) if seen.body else None,
            allow_redirects=False,
        )


class _Cut(Exception):
    """Cut the connection instead of answering."""


def _retrieve_exception(task: asyncio.Future[web.StreamResponse]) -> None:
    """Mark the exception of a task as retrieved if nobody awaits the task any more."""
    if not task.cancelled():
        task.exception()


def _page(page: Page) -> web.Response:
    headers = {} if page.location is None else {"Location": page.location}
    return web.Response(
        status=page.status, text=page.text, content_type="text/html", headers=headers
    )


def _status_response(answer: Answer) -> web.Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": answer.message,
        "reason": answer.reason,
        "code": answer.status,
    }
    if answer.retry_after is not None:
        body["details"] = {"retryAfterSeconds": answer.retry_after}
    response = web.Response(
        status=answer.status, body=json.dumps(body), content_type="application/json"
    )
    if answer.retry_after is not None:
        response.headers["Retry-After"] = str(answer.retry_after)
    return response
