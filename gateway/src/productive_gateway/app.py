"""The composition root: settings in, a gateway that can be served out.

The only module that knows all parts. `compose` connects and yields; `serving` runs what it made.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import httpx
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
from productive_gateway.mcp.server_card import discovery_routes
from productive_gateway.oauth.clients.directory import Clients
from productive_gateway.oauth.clients.metadata_documents import MetadataDocuments
from productive_gateway.oauth.clients.preregistered_file import PreregisteredClients
from productive_gateway.oauth.config import OAuthConfig
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.metadata import resource_metadata_url
from productive_gateway.oauth.provider_check import ProviderCheck
from productive_gateway.oauth.routes import oauth_routes
from productive_gateway.observability.audit import describing_emails
from productive_gateway.observability.event_loop import watch_event_loop
from productive_gateway.observability.metrics import count_kubernetes_request
from productive_gateway.outbound.addresses import AddressPolicy
from productive_gateway.outbound.client import Outbound, trusted
from productive_gateway.outbound.guarded import Connect, GuardedClient, connect_directly
from productive_gateway.outbound.resolver import Resolve, SystemResolver
from productive_gateway.people.snapshot import People
from productive_gateway.productive.wire.client import ProductiveApi
from productive_gateway.productive.wire.limiter import Limiter
from productive_gateway.productive.wire.replica_count import ASSUMED
from productive_gateway.sealing.email_label import email_description
from productive_gateway.sealing.keys import FixedKeys, Keys
from productive_gateway.settings import Settings, SettingsError
from productive_gateway.tools.kit.declare import Tool
from productive_gateway.tools.registry import TOOLS, ToolRegistry
from productive_gateway.tools.writes.writes import Writes
from productive_gateway.upstream.client import UpstreamClient
from productive_gateway.watched.key_ring import KeyRingSource
from productive_gateway.watched.mapping import MappingSource
from productive_gateway.watched.mapping_file import LocalMapping
from productive_gateway.watched.replicas import ReplicaWatch
from productive_gateway.web.caller_address import CallerAddresses
from productive_gateway.web.endpoint import ExactPaths, NotFound
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
    close_streams: Callable[[], None]
    """Ends the streams that would otherwise last as long as their clients."""


@asynccontextmanager
async def compose(
    settings: Settings,
    *,
    resolve: Resolve | None = None,
    connect: Connect = connect_directly,
    tools: Sequence[Tool] | None = None,
    make_endpoint: Callable[..., McpEndpoint] = McpEndpoint,
) -> AsyncIterator[Gateway]:
    """Connect everything; all connections close at the end.

    Args:
        settings: of this gateway.
        resolve: replaces the machine's resolver where client documents are fetched.
        connect: replaces the network there. No setting leads around the check of addresses.
        tools: of the registry; by default all.
        make_endpoint: makes the MCP endpoint from the arguments of `McpEndpoint`.

    Raises:
        NoCluster: the settings ask for Kubernetes and there is no way to it.
    """
    async with AsyncExitStack() as stack:
        cluster = await _cluster(settings, stack)
        people, keys = _people(settings, cluster), _keys(settings, cluster)
        stack.enter_context(describing_emails(email_description(settings.audit_emails, keys)))
        limits = Limits.of(settings.limits)
        addresses = CallerAddresses(settings.trusted_proxies)
        outbound = Outbound(trusted(settings.ca_bundle), settings.proxy)
        await _trace(settings, outbound, stack)
        upstream = UpstreamClient(settings.upstream, outbound, redirect_uri=settings.callback_url)
        stack.push_async_callback(upstream.aclose)

        lives = GrantConfig(settings.resource, access_life=settings.access_token_seconds)
        store = _store(settings, cluster)
        index = GrantIndex(store, keys, lives)
        ask = ProviderCheck(upstream).ask
        grants = Grants(store, index, people, keys, lives, ask=ask, issued=limits.issued)
        writes = Writes.over(PersonLedgers(store, keys), keys)

        connections = await stack.enter_async_context(outbound.reused_connections())
        oauth_config = _oauth_config(settings)
        limiter = _limiter(settings)
        replicas = _replicas(settings, cluster, limiter)
        mcp_config = _mcp_config(settings, oauth_config)
        endpoint = make_endpoint(
            mcp_config,
            _authenticator(settings, grants, people).authenticate,
            _registry(
                settings,
                connections,
                limiter,
                keys,
                writes,
                tools=TOOLS if tools is None else tools,
            ),
            connect_page=partial(
                connect_page,
                settings.resource,
                connections=oauth_config.connections_url,
                admin_contact=settings.admin_contact,
            ),
            failed_tokens=FailedTokens(limits.failed_tokens, addresses),
        )
        people.follow(endpoint.subscriptions.take)
        await stack.enter_async_context(endpoint.run())

        guarded = _guarded_client(settings, outbound, stack, resolve, connect)
        documents = _documents(settings, guarded, limits.client_documents)
        stack.push_async_callback(documents.aclose)
        preregistered = _preregistered(settings)
        context = OAuthContext(
            config=oauth_config,
            keys=keys,
            clients=_clients(settings, keys, documents, preregistered),
            grants=grants,
            people=people,
            upstream=upstream,
            addresses=addresses,
            limits=limits,
        )
        services = (
            ("Sign-in", settings.upstream.issuer),
            ("Productive", settings.productive_api_base_url),
        )
        routes = [
            *oauth_routes(context, parts=services),
            *mcp_routes(endpoint),
            *discovery_routes(mcp_config),
        ]

        tasks: list[Task] = [people.run, watch_event_loop]
        if isinstance(keys, KeyRingSource):
            tasks.append(keys.run)
        if preregistered is not None:
            tasks.append(preregistered.run)
        if replicas is not None:
            tasks.append(replicas.run)
        tasks += [index.run, Sweeper(store, people, keys, lives).run]
        readiness = _readiness(
            people, keys, index, upstream, replicas=replicas, preregistered=preregistered
        )
        yield Gateway(
            public=public_app(routes, resource=settings.resource, addresses=addresses),
            internal=internal_app(readiness),
            readiness=readiness,
            tasks=tuple(tasks),
            writes=writes,
            close_streams=endpoint.subscriptions.close,
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
    app = ExactPaths(
        {one.path: one.app for one in routes if one.methods is None and "{" not in one.path}, app
    )
    if addresses is not None and addresses.trusted and resource.startswith("https:"):
        app = HttpsOnly(app, addresses, public_url=resource.removesuffix("/mcp"))
    labels = {route.path: route.path.rstrip("/") or "/" for route in routes}
    return RequestLog(app, routes=labels)


async def _cluster(settings: Settings, stack: AsyncExitStack) -> KubeClient | None:
    if not settings.needs_cluster:
        return None
    connecting = KubeClient.connect(user_agent=USER_AGENT, observe=count_kubernetes_request)
    return await stack.enter_async_context(await connecting)


async def _trace(settings: Settings, outbound: Outbound, stack: AsyncExitStack) -> None:
    url = settings.traces_url
    if url is None:
        return
    try:
        # Only here: importing the SDK of OpenTelemetry takes a tenth of the start.
        from productive_gateway.observability.collector import (
            SECONDS,
            Collector,
            sampler_named,
            tracing_to,
        )

        collector = Collector(url, outbound.blocking_client(url, timeout=SECONDS))
        sampler = sampler_named(settings.otel_traces_sampler, settings.otel_traces_sampler_arg)
        await stack.enter_async_context(tracing_to(collector, sampler))
    except ValueError as error:
        # The SDK reads its limits from the environment by itself, some as soon as it is imported.
        raise SettingsError([f"{error}. Correct it, or remove it."]) from error


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


def _authenticator(settings: Settings, grants: Grants, people: People) -> Authenticator:
    return Authenticator(
        grants,
        people,
        denied=settings.denied_clients.labels,
        admin_contact=settings.admin_contact,
    )


def _limiter(settings: Settings) -> Limiter:
    return Limiter(
        organization_requests=settings.productive_requests_per_30_min,
        replicas=1 if settings.gateway_service is None else ASSUMED,
        clock=time.monotonic,  # a clock that is set back would block everybody for as long
    )


def _replicas(
    settings: Settings, cluster: KubeClient | None, limiter: Limiter
) -> ReplicaWatch | None:
    service = settings.gateway_service
    if cluster is None or service is None:
        return None
    return ReplicaWatch(cluster, cluster.namespace, service, limiter.divide)


def _registry(
    settings: Settings,
    connections: httpx.AsyncBaseTransport,
    limiter: Limiter,
    keys: Keys,
    writes: Writes,
    *,
    tools: Sequence[Tool],
) -> ToolRegistry:
    base_url, organization = settings.productive_api_base_url, settings.productive_org_id
    return ToolRegistry(
        tools,
        ProductiveApi(base_url, connections, organization, limiter=limiter),
        keys,
        writes,
        toolsets=settings.toolsets,
        read_only=settings.read_only,
        admin_contact=settings.admin_contact,
    )


def _guarded_client(
    settings: Settings,
    outbound: Outbound,
    stack: AsyncExitStack,
    resolve: Resolve | None,
    connect: Connect,
) -> GuardedClient:
    if resolve is None:
        resolver = SystemResolver()
        stack.callback(resolver.close)
        resolve = resolver.resolve
    policy = AddressPolicy(settings.denied_addresses)
    return GuardedClient(outbound.tls, policy, resolve, USER_AGENT, outbound.proxy, connect)


def _documents(settings: Settings, http: GuardedClient, unknown: Limit) -> MetadataDocuments:
    return MetadataDocuments(
        http,
        own_host=urlsplit(settings.public_url).hostname or "",
        hosts=settings.client_document_hosts,
        admin_contact=settings.admin_contact,
        unknown=unknown,
    )


def _clients(
    settings: Settings,
    keys: Keys,
    documents: MetadataDocuments,
    preregistered: PreregisteredClients | None,
) -> Clients:
    return Clients(
        keys,
        settings.public_url,
        documents=documents,
        kinds=settings.client_kinds,
        preregistered=preregistered,
        denied=settings.denied_clients,
    )


def _readiness(
    people: MappingSource | LocalMapping,
    keys: KeyRingSource | FixedKeys,
    index: GrantIndex,
    upstream: UpstreamClient,
    *,
    replicas: ReplicaWatch | None,
    preregistered: PreregisteredClients | None,
) -> Readiness:
    # What is in a file or a setting has no watch.
    watches: dict[str, Callable[[], bool]] = {}
    if isinstance(people, MappingSource):
        watches["watch_mapping"] = lambda: people.healthy
    if isinstance(keys, KeyRingSource):
        watches["watch_key_ring"] = lambda: keys.healthy
    watches["watch_grants"] = lambda: index.healthy
    if replicas is not None:
        watches["watch_replicas"] = lambda: replicas.healthy
    return Readiness(
        needed={"mapping": people.snapshot, "key_ring": keys.ring},
        watches=watches,
        problems={
            "published_mapping": lambda: people.problem,
            "published_key_ring": lambda: keys.problem if isinstance(keys, KeyRingSource) else None,
            "provider": lambda: upstream.problem,
            "preregistered_clients": lambda: (
                None if preregistered is None else preregistered.problem
            ),
        },
    )


def _oauth_config(settings: Settings) -> OAuthConfig:
    return OAuthConfig(
        public_url=settings.public_url,
        resource=settings.resource,
        redirects=settings.redirects,
        admin_contact=settings.admin_contact,
        local=settings.local,
    )


def _mcp_config(settings: Settings, oauth: OAuthConfig) -> McpConfig:
    return McpConfig(
        public_url=settings.public_url,
        resource=settings.resource,
        resource_metadata_url=resource_metadata_url(oauth),
        allowed_origins=settings.allowed_origins,
        local=settings.local,
        server_version=__version__,
        most_requests=max(1, settings.max_connections // 4),
        most_streams=settings.max_connections // 2,
    )
