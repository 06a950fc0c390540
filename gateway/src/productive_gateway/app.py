"""The composition root: settings in, a gateway that can be served out.

The only module that knows all parts. `compose` connects and yields; `serving` runs what it made.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from productive_gateway import USER_AGENT, __version__
from productive_gateway.grants.config import GrantConfig
from productive_gateway.grants.index import GrantIndex
from productive_gateway.grants.ledger import PersonLedgers
from productive_gateway.grants.service import Grants
from productive_gateway.grants.store import GrantStore
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.grants.sweeper import Sweeper
from productive_gateway.mcp.authentication import Authenticator
from productive_gateway.mcp.config import McpConfig
from productive_gateway.mcp.endpoint import McpEndpoint
from productive_gateway.mcp.failed_tokens import FailedTokens
from productive_gateway.oauth.clients.directory import Clients
from productive_gateway.oauth.clients.metadata_documents import MetadataDocuments
from productive_gateway.oauth.clients.preregistered_file import PreregisteredClients
from productive_gateway.oauth.config import OAuthConfig
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.metadata import resource_metadata_url
from productive_gateway.oauth.provider_check import ProviderCheck
from productive_gateway.oauth.routes import oauth_routes
from productive_gateway.observability.audit import (
    DescribeEmail,
    EmailStyle,
    describing_emails,
    in_full,
    left_out,
)
from productive_gateway.observability.metrics import count_kubernetes_request
from productive_gateway.outbound.addresses import AddressPolicy
from productive_gateway.outbound.client import Outbound, trusted
from productive_gateway.outbound.guarded import Connect, GuardedClient, connect_directly
from productive_gateway.outbound.resolver import Resolve, SystemResolver
from productive_gateway.productive.wire.client import LIMITS, ProductiveApi
from productive_gateway.sealing.email_label import email_label
from productive_gateway.sealing.keys import FixedKeys, Keys
from productive_gateway.settings import Settings
from productive_gateway.tools.registry import TOOLS, ToolRegistry
from productive_gateway.tools.writes.writes import Writes
from productive_gateway.upstream.client import UpstreamClient
from productive_gateway.watched.key_ring import KeyRingSource
from productive_gateway.watched.mapping import MappingSource
from productive_gateway.watched.mapping_file import LocalMapping
from productive_gateway.web.caller_address import CallerAddresses
from productive_gateway.web.endpoint import NotFound
from productive_gateway.web.https_only import HttpsOnly
from productive_gateway.web.limits import Limit, Limits
from productive_gateway.web.pages import connect_page
from productive_gateway.web.probes import Readiness, internal_app
from productive_gateway.web.request_log import RequestLog
from productive_kube.client import KubeClient

Task = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Gateway:
    """What is served, and what has to run meanwhile."""

    public: ASGIApp
    internal: ASGIApp
    readiness: Readiness
    tasks: tuple[Task, ...]
    """Each runs until cancelled; one that ends by itself ends the process."""
    writes: Writes
    """What tools create, undo and confirm with."""


@asynccontextmanager
async def compose(
    settings: Settings, *, resolve: Resolve | None = None, connect: Connect = connect_directly
) -> AsyncIterator[Gateway]:
    """Connect everything; all connections close at the end.

    Args:
        settings: of this gateway.
        resolve: replaces the machine's resolver where client documents are fetched.
        connect: replaces the network there. No setting leads around the check of addresses.

    Raises:
        NoCluster: the settings ask for Kubernetes and there is no way to it.
    """
    async with AsyncExitStack() as stack:
        tasks: list[Task] = []
        cluster = (
            await stack.enter_async_context(
                await KubeClient.connect(user_agent=USER_AGENT, observe=count_kubernetes_request)
            )
            if settings.needs_cluster
            else None
        )
        people = _people(settings, cluster)
        keys = _keys(settings, cluster)
        tasks.append(people.run)
        stack.enter_context(describing_emails(_describe_email(settings.audit_emails, keys)))
        # What is in a file or a setting has no watch.
        watches: dict[str, Callable[[], bool]] = {}
        if isinstance(people, MappingSource):
            watches["watch_mapping"] = lambda: people.healthy
        if isinstance(keys, KeyRingSource):
            tasks.append(keys.run)
            watches["watch_key_ring"] = lambda: keys.healthy

        config = GrantConfig(settings.resource, access_life=settings.access_token_seconds)
        limits = Limits.of(settings.limits)
        addresses = CallerAddresses(settings.trusted_proxies)
        preregistered = _preregistered(settings)
        if preregistered is not None:
            tasks.append(preregistered.run)

        store = _store(settings, cluster)
        writes = Writes.over(PersonLedgers(store, keys), keys)
        index = GrantIndex(store, keys, config)
        watches["watch_grants"] = lambda: index.healthy
        oauth_config = _oauth_config(settings)
        outbound = Outbound(trusted(settings.ca_bundle), settings.proxy)
        upstream = UpstreamClient(settings.upstream, outbound, redirect_uri=settings.callback_url)
        stack.push_async_callback(upstream.aclose)
        grants = Grants(
            store,
            index,
            people,
            keys,
            config,
            ask=ProviderCheck(upstream).ask,
            issued=limits.issued,
        )
        tasks += [index.run, Sweeper(store, people, keys, config).run]

        http = await stack.enter_async_context(outbound.client(limits=LIMITS))
        registry = ToolRegistry(
            TOOLS,
            ProductiveApi(settings.productive_api_base_url, http, settings.productive_org_id),
            keys,
            writes,
            toolsets=settings.toolsets,
            read_only=settings.read_only,
            admin_contact=settings.admin_contact,
        )
        endpoint = McpEndpoint(
            _mcp_config(settings),
            Authenticator(
                grants,
                people,
                denied=settings.denied_clients.labels,
                admin_contact=settings.admin_contact,
            ).authenticate,
            registry,
            connect_page=partial(
                connect_page,
                settings.resource,
                connections=oauth_config.connections_url,
                admin_contact=settings.admin_contact,
            ),
            failed_tokens=FailedTokens(limits.failed_tokens, addresses),
        )
        await stack.enter_async_context(endpoint.run())
        if resolve is None:
            resolver = SystemResolver()
            stack.callback(resolver.close)
            resolve = resolver.resolve
        documents = _documents(settings, outbound, resolve, connect, limits.client_documents)
        stack.push_async_callback(documents.aclose)
        oauth = oauth_routes(
            OAuthContext(
                config=oauth_config,
                keys=keys,
                clients=Clients(
                    keys,
                    settings.public_url,
                    documents=documents,
                    kinds=settings.client_kinds,
                    preregistered=preregistered,
                    denied=settings.denied_clients,
                ),
                grants=grants,
                people=people,
                upstream=upstream,
                addresses=addresses,
                limits=limits,
            ),
            parts=(
                ("Sign-in", settings.upstream.issuer),
                ("Productive", settings.productive_api_base_url),
            ),
        )
        readiness = Readiness(
            needed={"mapping": people.snapshot, "key_ring": keys.ring},
            watches=watches,
            problems={
                "published_mapping": lambda: people.problem,
                "published_key_ring": lambda: (
                    keys.problem if isinstance(keys, KeyRingSource) else None
                ),
                "provider": lambda: upstream.problem,
                "preregistered_clients": lambda: (
                    None if preregistered is None else preregistered.problem
                ),
            },
        )
        yield Gateway(
            public=public_app(
                [*oauth, *mcp_routes(endpoint)], resource=settings.resource, addresses=addresses
            ),
            internal=internal_app(readiness),
            readiness=readiness,
            tasks=tuple(tasks),
            writes=writes,
        )


def mcp_routes(endpoint: ASGIApp) -> list[Route]:
    """Return the routes of the MCP endpoint; `Route` leaves the methods to an ASGI application."""
    # People add a slash. A redirect would make some clients send their token twice, and others die.
    return [Route("/mcp", endpoint), Route("/mcp/", endpoint)]


def public_app(
    routes: Sequence[Route], *, resource: str, addresses: CallerAddresses | None = None
) -> ASGIApp:
    """Return the application of the public port.

    Args:
        routes: all its paths.
        resource: URL of the MCP endpoint, for those who use another path.
        addresses: which proxies are believed about how a request came; by default none.
    """
    # A bare router: an application of Starlette answers errors itself before `RequestLog` can.
    app: ASGIApp = Router(routes=routes, redirect_slashes=False, default=NotFound(resource))
    if addresses is not None and addresses.trusted and resource.startswith("https:"):
        app = HttpsOnly(app, addresses, public_url=resource.removesuffix("/mcp"))
    labels = {route.path: route.path.rstrip("/") or "/" for route in routes}
    return RequestLog(app, routes=labels)


def _people(settings: Settings, cluster: KubeClient | None) -> MappingSource | LocalMapping:
    secret = settings.mapping_secret
    if cluster is None or secret is None:
        return LocalMapping(settings.user_mapping)
    return MappingSource(
        cluster, secret.namespace or cluster.namespace, secret.name, mount=settings.mapping_mount
    )


def _keys(settings: Settings, cluster: KubeClient | None) -> KeyRingSource | FixedKeys:
    secret = settings.key_ring_secret
    if cluster is None or secret is None:
        return FixedKeys(settings.cookie_ring)
    return KeyRingSource(
        cluster, secret.namespace or cluster.namespace, secret.name, mount=settings.key_ring
    )


def _preregistered(settings: Settings) -> PreregisteredClients | None:
    given = settings.preregistered_clients
    return None if given is None else PreregisteredClients(given, settings.redirects)


def _store(settings: Settings, cluster: KubeClient | None) -> GrantStore:
    if cluster is None or settings.grants_namespace is None:
        return MemoryGrantStore()
    return KubernetesGrantStore(cluster, settings.grants_namespace)


def _describe_email(style: EmailStyle, keys: Keys) -> DescribeEmail:
    """Return how audit lines name people's addresses."""
    match style:
        case EmailStyle.FULL:
            return in_full
        case EmailStyle.NONE:
            return left_out
        case EmailStyle.HASHED:
            return partial(_hashed, keys)


def _hashed(keys: Keys, email: str) -> dict[str, str]:
    label = email_label(keys, email)
    return {} if label is None else {"email_hash": label}


def _documents(
    settings: Settings, outbound: Outbound, resolve: Resolve, connect: Connect, unknown: Limit
) -> MetadataDocuments:
    http = GuardedClient(
        outbound.tls,
        AddressPolicy(settings.denied_addresses),
        resolve,
        USER_AGENT,
        outbound.proxy,
        connect,
    )
    return MetadataDocuments(
        http,
        own_host=urlsplit(settings.public_url).hostname or "",
        hosts=settings.client_document_hosts,
        admin_contact=settings.admin_contact,
        unknown=unknown,
    )


def _oauth_config(settings: Settings) -> OAuthConfig:
    return OAuthConfig(
        public_url=settings.public_url,
        resource=settings.resource,
        redirects=settings.redirects,
        admin_contact=settings.admin_contact,
        local=settings.local,
    )


def _mcp_config(settings: Settings) -> McpConfig:
    return McpConfig(
        public_url=settings.public_url,
        resource=settings.resource,
        resource_metadata_url=resource_metadata_url(_oauth_config(settings)),
        allowed_origins=settings.allowed_origins,
        local=settings.local,
        server_version=__version__,
    )
