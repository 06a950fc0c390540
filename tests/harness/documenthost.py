"""HTTPS hosts of client documents, at public addresses that exist only inside a test.

The guard refuses loopback, so its resolver and its connections are replaced: names resolve to what
the test says, and whatever address the guard then chooses leads to the server here, which notes it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpcore

from harness.certificates import Authority, KeyPair
from harness.grantkit import HeldClock
from productive_gateway.networks import Address, Network
from productive_gateway.oauth.clients.metadata_documents import Hosts, MetadataDocuments
from productive_gateway.outbound.addresses import AddressPolicy
from productive_gateway.outbound.errors import FetchFailed
from productive_gateway.outbound.guarded import GuardedClient, connect_directly
from productive_gateway.outbound.proxy import Proxy
from productive_gateway.web.limits import Limit

HOST = "assistant.example"
PATH = "/oauth/client.json"
CLIENT_ID = f"https://{HOST}{PATH}"
ADDRESS = "93.184.216.34"
"""Where every name resolves to unless the test says otherwise."""
OWN_HOST = "mcp.example.test"

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]
"""What is sent, or what sends it."""


def described(**changes: Any) -> dict[str, Any]:
    """Return a good document, with changes; None takes a member out."""
    document = {
        "client_id": CLIENT_ID,
        "client_name": "Assistant",
        "redirect_uris": ["https://assistant.example/callback", "http://localhost/callback"],
        "token_endpoint_auth_method": "none",
    } | changes
    return {name: value for name, value in document.items() if value is not None}


def answer(
    body: bytes | dict[str, Any], *headers: str, status: str = "200 OK", kind: str = ""
) -> bytes:
    """Return an HTTP answer, as bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind or 'application/json'}",
        f"Content-Length: {len(content)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class DocumentHost:
    """A server of documents, and the part of the internet around it."""

    def __init__(self, bundle: bytes, port: int) -> None:
        self.answers: dict[str, Answer] = {PATH: answer(described())}
        """By target; others are 404."""
        self.heads: list[str] = []
        """Requests that arrived."""
        self.names: list[str | None] = []
        """Server names that the clients sent in TLS."""
        self.connected: list[str] = []
        """Addresses that were connected to."""
        self.resolved: list[str] = []
        """Names that were looked up."""
        self.addresses: dict[str, list[Sequence[str]]] = {}
        """What a name resolves to, lookup by lookup; the last answer stays."""
        self.away = False
        """Whether nothing answers."""
        self.released = asyncio.Event()
        """Answers wait for it."""
        self.released.set()
        self.bundle = bundle
        self.tls = ssl.create_default_context(cadata=bundle.decode())
        self.port = port

    def publish(self, document: dict[str, Any] | None = None, *headers: str, **how: Any) -> None:
        """Answer with a document from now on."""
        self.answers[PATH] = answer(document or described(), *headers, **how)

    async def resolve(self, host: str) -> Sequence[Address]:
        """Resolve as the test says."""
        self.resolved.append(host)
        answers = self.addresses.get(host, [(ADDRESS,)])
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if not found:
            raise FetchFailed("dns")
        return [ipaddress.ip_address(one) for one in found]

    async def connect(
        self, address: Address, port: int, seconds: float
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the server here, whatever the address."""
        assert port == 443
        self.connected.append(str(address))
        if self.away:
            raise httpcore.ConnectError
        return await connect_directly(ipaddress.IPv4Address("127.0.0.1"), self.port, seconds)

    def client(
        self, *, denied: Sequence[Network] = (), proxy: Proxy | None = None
    ) -> GuardedClient:
        """Return the guarded client, in this internet."""
        return GuardedClient(
            self.tls, AddressPolicy(denied), self.resolve, "test", proxy, self.connect
        )

    def documents(
        self,
        clock: HeldClock,
        *,
        hosts: Hosts = "*",
        client: GuardedClient | None = None,
        unknown: Limit | None = None,
    ) -> MetadataDocuments:
        """Return the clients that describe themselves here."""
        return MetadataDocuments(
            client or self.client(),
            own_host=OWN_HOST,
            hosts=hosts,
            admin_contact="it@example.com",
            unknown=unknown,
            clock=clock,
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            await self.released.wait()
            target = head.split(" ", 2)[1]
            sent = self.answers.get(target, answer(b"{}", status="404 Not Found"))
            if isinstance(sent, bytes):
                writer.write(sent)
            else:
                await sent(writer)
            await writer.drain()
        writer.close()

    def note_name(self, _: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        self.names.append(name)


@asynccontextmanager
async def document_host(
    *hosts: str, authority: Authority | None = None, pair: KeyPair | None = None
) -> AsyncIterator[DocumentHost]:
    """Serve documents for the time of the block.

    Args:
        hosts: the names in its certificate, besides HOST.
        authority: whom the gateway trusts.
        pair: another certificate than one of that authority for these names.
    """
    authority = authority or Authority("Public CA")
    context = (pair or authority.server(HOST, hosts=[HOST, *hosts])).server_tls()
    running: list[DocumentHost] = []
    serving: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(running[0].serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    host = DocumentHost(authority.certificate, server.sockets[0].getsockname()[1])
    context.sni_callback = host.note_name
    running.append(host)
    try:
        yield host
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
