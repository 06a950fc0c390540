"""The composition root: settings in, a gateway that can be served out.

The only module that knows all parts. `compose` connects and yields; `serving` runs what it made.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

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
from productive_gateway.oauth.clients.directory import Clients
from productive_gateway.oauth.config import OAuthConfig
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.metadata import resource_metadata_url
from productive_gateway.oauth.provider_check import ProviderCheck
from productive_gateway.oauth.routes import oauth_routes
from productive_gateway.observability.metrics import count_kubernetes_request
from productive_gateway.outbound.client import Outbound, trusted
from productive_gateway.productive.wire.client import LIMITS, ProductiveApi
from productive_gateway.sealing.keys import FixedKeys
from productive_gateway.settings import Settings
from productive_gateway.tools.registry import TOOLS, ToolRegistry
from productive_gateway.tools.writes.writes import Writes
from productive_gateway.upstream.client import UpstreamClient
from productive_gateway.watched.key_ring import KeyRingSource
from productive_gateway.watched.mapping import MappingSource
from productive_gateway.watched.mapping_file import LocalMapping
from productive_gateway.web.endpoint import NotFound
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
async def compose(settings: Settings) -> AsyncIterator[Gateway]:
    """Connect everything; all connections close at the end.

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
        # What is in a file or a setting has no watch.
        watches: dict[str, Callable[[], bool]] = {}
        if isinstance(people, MappingSource):
            watches["watch_mapping"] = lambda: people.healthy
        if isinstance(keys, KeyRingSource):
            tasks.append(keys.run)
            watches["watch_key_ring"] = lambda: keys.healthy

        config = GrantConfig(resource=settings.resource)
        store = _store(settings, cluster)
        writes = Writes.over(PersonLedgers(store, keys), keys)
        index = GrantIndex(store, keys, config)
        watches["watch_grants"] = lambda: index.healthy
        outbound = Outbound(trusted(settings.ca_bundle), settings.proxy)
        upstream = UpstreamClient(settings.upstream, outbound, redirect_uri=settings.callback_url)
        stack.push_async_callback(upstream.aclose)
        grants = Grants(store, index, people, keys, config, ask=ProviderCheck(upstream).ask)
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
            Authenticator(grants, people, admin_contact=settings.admin_contact).authenticate,
            registry,
            connect_page=partial(
                connect_page, settings.resource, admin_contact=settings.admin_contact
            ),
        )
        await stack.enter_async_context(endpoint.run())
        oauth = oauth_routes(
            OAuthContext(
                config=_oauth_config(settings),
                keys=keys,
                clients=Clients(keys, settings.public_url),
                grants=grants,
                people=people,
                upstream=upstream,
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
            },
        )
        yield Gateway(
            public=public_app([*oauth, *mcp_routes(endpoint)], resource=settings.resource),
            internal=internal_app(readiness),
            readiness=readiness,
            tasks=tuple(tasks),
            writes=writes,
        )


def mcp_routes(endpoint: ASGIApp) -> list[Route]:
    """Return the routes of the MCP endpoint; `Route` leaves the methods to an ASGI application."""
    # People add a slash. A redirect would make some clients send their token twice, and others die.
    return [Route("/mcp", endpoint), Route("/mcp/", endpoint)]


def public_app(routes: Sequence[Route], *, resource: str) -> ASGIApp:
    """Return the application of the public port.

    Args:
        routes: all its paths.
        resource: URL of the MCP endpoint, for those who use another path.
    """
    # A bare router: an application of Starlette answers errors itself before `RequestLog` can.
    router = Router(routes=routes, redirect_slashes=False, default=NotFound(resource))
    labels = {route.path: route.path.rstrip("/") or "/" for route in routes}
    return RequestLog(router, routes=labels)


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


def _store(settings: Settings, cluster: KubeClient | None) -> GrantStore:
    if cluster is None or settings.grants_namespace is None:
        return MemoryGrantStore()
    return KubernetesGrantStore(cluster, settings.grants_namespace)


def _oauth_config(settings: Settings) -> OAuthConfig:
    return OAuthConfig(
        public_url=settings.public_url,
        resource=settings.resource,
        redirect_hosts=settings.redirect_hosts,
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
