"""All settings, typed. The alias of a field is its name in capitals: the variable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from productive_contract.secret import Secret
from productive_gateway.networks import Network
from productive_gateway.oauth.clients.client import ALL_KINDS, ClientKind
from productive_gateway.oauth.clients.deny_list import NOBODY, DenyList, read_deny_list
from productive_gateway.oauth.clients.redirect_policy import RedirectPolicy
from productive_gateway.observability.audit import EmailStyle
from productive_gateway.outbound.proxy import Proxy
from productive_gateway.productive.wire.limiter import ORGANIZATION_REQUESTS
from productive_gateway.sealing.keys import KeyRing, ring_of_cookie_key
from productive_gateway.settings import values
from productive_gateway.settings.provider import derived_issuer
from productive_gateway.settings.values import SecretRef
from productive_gateway.upstream.config import AuthMethod, UpstreamConfig
from productive_gateway.web.limits import UNLIMITED, PerMinute
from productive_gateway.web.listening import ALL_INTERFACES, THIS_MACHINE
from productive_gateway.web.loopback import LOOPBACK

T = TypeVar("T")

CURSOR: Final = "cursor://anysphere.cursor-mcp/oauth/callback"
"""The private-use redirect URI that Cursor registers and prefers."""

_URL: Final = BeforeValidator(values.service_url)
_SECRET: Final = BeforeValidator(values.secret)
_CREDENTIAL: Final = BeforeValidator(values.credential)
_SECRET_REF: Final = BeforeValidator(values.secret_ref)
_PORT: Final = BeforeValidator(values.port)
_PER_MINUTE: Final = BeforeValidator(values.per_minute)


class Settings(BaseModel):
    """The settings; made by `load_settings`, which also checks one against another."""

    model_config = ConfigDict(
        alias_generator=str.upper,
        arbitrary_types_allowed=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    public_url: Annotated[str, BeforeValidator(values.public_url)]
    """URL of the gateway for browsers and clients; on localhost it runs in local mode."""
    port: Annotated[int, _PORT] = 8787
    """TCP port of everything public."""
    internal_port: Annotated[int, _PORT] = 9090
    """TCP port of health and metrics."""
    keep_alive_seconds: Annotated[int, BeforeValidator(values.keep_alive)] = 75
    """How long a connection without a request is kept. A load balancer in front must give up its
    connections earlier, or it sends requests into closed ones: 60 s is usual, some need 600."""
    max_connections: Annotated[int, BeforeValidator(values.connections)] = 1000
    """Open connections of each port. Above that, the one that has waited longest for its client is
    closed."""
    log_level: Annotated[str, BeforeValidator(values.level)] = "info"
    """debug, info, warning or error; audit lines are written at every level."""
    audit_emails: Annotated[EmailStyle, BeforeValidator(values.email_style)] = EmailStyle.FULL
    """How audit lines name people's addresses."""
    otel_exporter_otlp_endpoint: Annotated[str | None, BeforeValidator(values.collector)] = None
    """Base address of a collector of OpenTelemetry, which gets traces by OTLP over HTTP; without it
    nothing is traced."""
    otel_exporter_otlp_traces_endpoint: Annotated[str | None, BeforeValidator(values.collector)] = (
        None
    )
    """The whole address for traces, if it is another one."""
    otel_traces_sampler: Annotated[str, BeforeValidator(str.lower)] = "parentbased_traceidratio"
    """How it is decided which traces are recorded, by its name in OpenTelemetry; of another one
    than the six of every SDK nothing is taken up."""
    otel_traces_sampler_arg: Annotated[float, BeforeValidator(values.share)] = 1.0
    """Share of the traces that a sampler by ratio records: by default, of those that begin here."""

    productive_org_id: Annotated[str, BeforeValidator(values.organization)]
    """Organization of people whose entry names none."""
    productive_api_base_url: Annotated[str, _URL] = "https://api.productive.io/api/v2"
    """Productive's API."""
    productive_requests_per_30_min: Annotated[
        int, BeforeValidator(values.requests_per_half_hour)
    ] = ORGANIZATION_REQUESTS
    """Requests that Productive allows an organization in 30 minutes; all replicas together use
    nine tenths of them."""
    gateway_service: Annotated[str | None, BeforeValidator(values.service_name)] = None
    """The Service in front of all replicas: they share the organization's requests by its ready
    endpoints. Without it a gateway is the only one."""
    read_only: Annotated[bool, BeforeValidator(values.flag)] = False
    """Whether no tool may change anything, for anybody."""
    toolsets: Annotated[tuple[str, ...] | None, BeforeValidator(values.toolsets)] = None
    """Groups of tools that may be used here, by anybody; all by default."""

    given_mapping: Annotated[Secret | Path | None, BeforeValidator(values.mapping)] = Field(
        default=None, alias="USER_MAPPING"
    )
    """The mapping as JSON, a file, or the folder where its Secret is mounted."""
    mapping_secret: Annotated[SecretRef | None, _SECRET_REF] = None
    """The mapping Secret, to be watched: name, or namespace/name."""

    cookie_encryption_key: Annotated[Secret | None, _SECRET] = None
    """One key instead of a key ring: 64 hexadecimal digits."""
    cookie_encryption_key_previous: Annotated[
        tuple[Secret, ...], BeforeValidator(values.secrets)
    ] = ()
    """Older keys that still open what they sealed."""
    key_ring_secret: Annotated[SecretRef | None, _SECRET_REF] = None
    """The key ring Secret, to be watched: name, or namespace/name."""
    key_ring: Path | None = None
    """The folder where the key ring Secret is mounted, for a start without the API server."""
    given_grants: Annotated[str | None, BeforeValidator(values.grants)] = Field(
        default=None, alias="GRANTS"
    )
    """`kubernetes://<namespace>`, or `memory:` in local mode (its default)."""

    access_token_seconds: Annotated[int, BeforeValidator(values.access_life)] = 3600
    """How long an access token is good. Clients refresh it by themselves; with a short life more of
    them ask at once."""

    oidc_issuer: Annotated[str | None, _URL] = None
    """Issuer of the sign-in provider, exactly as the provider writes it."""
    oidc_client_id: Annotated[str | None, _CREDENTIAL] = None
    """Our client there."""
    oidc_client_secret: Annotated[Secret | None, _SECRET] = None
    """The secret of that client."""
    oidc_email_trust: Literal["claim", "issuer"] | None = None
    """claim: `email_verified` must be true; issuer: the provider verifies all its addresses."""
    oidc_required_claims: Annotated[
        Mapping[str, tuple[str, ...]], BeforeValidator(values.required_claims)
    ] = Field(default_factory=dict)
    """JSON: claims that the ID token must have, with the value or a list of accepted values."""
    oidc_token_endpoint_auth_method: AuthMethod | None = None
    """How the client secret is sent; by default as the provider's metadata allow, Basic first, and
    in the body with the ACCESS_* form."""
    oidc_offline: Annotated[bool, BeforeValidator(values.flag)] = False
    """Whether to ask the provider for a refresh token (`offline_access`), with either form."""
    access_client_id: Annotated[str | None, _CREDENTIAL] = None
    """The same for Cloudflare Access, in the Worker's form: all five or none."""
    access_client_secret: Annotated[Secret | None, _SECRET] = None
    access_authorization_url: Annotated[str | None, _URL] = None
    access_token_url: Annotated[str | None, _URL] = None
    access_jwks_url: Annotated[str | None, _URL] = None

    given_redirect_hosts: Annotated[
        tuple[str, ...] | Literal["*"] | None, BeforeValidator(values.redirect_hosts)
    ] = Field(default=None, alias="REDIRECT_HOSTS")
    """What https redirect URIs of clients may lead to: hosts, each with a path where it is known; a
    path that ends in a slash allows those below. `*` in local mode (its default)."""
    client_kinds: Annotated[frozenset[ClientKind], BeforeValidator(values.client_kinds)] = ALL_KINDS
    """Which clients may connect: those that register themselves, those with a metadata document,
    and pre-registered ones; all by default."""
    preregistered_clients: Annotated[
        Secret | Path | None, BeforeValidator(values.preregistered_clients)
    ] = None
    """Clients that the administrator names: JSON, a file, or the folder where its Secret is
    mounted."""
    denied_clients: Annotated[DenyList, BeforeValidator(read_deny_list)] = NOBODY
    """JSON: clients that may not connect, by id, by redirect host and by name."""
    given_redirect_schemes: Annotated[
        tuple[str, ...] | None, BeforeValidator(values.redirect_schemes)
    ] = Field(default=None, alias="REDIRECT_SCHEMES")
    """Private-use redirect URIs that clients may use: schemes, or whole URIs; Cursor's in local
    mode."""
    client_document_hosts: Annotated[
        tuple[str, ...] | Literal["*"], BeforeValidator(values.document_hosts)
    ] = "*"
    """Hosts that may describe clients in a document; `*` is any public one."""
    denied_addresses: Annotated[tuple[Network, ...], BeforeValidator(values.networks)] = ()
    """Networks that no such document comes from, besides all that are not public."""
    allowed_origins: Annotated[tuple[str, ...], BeforeValidator(values.origins)] = ()
    """Origins of web pages that may call /mcp, besides the gateway's own."""

    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(values.proxies)] = ()
    """Addresses or ranges of the ingress, whose X-Forwarded-For and X-Forwarded-Proto are believed.
    Without them nobody's address is known, and limits per address are off."""
    limit_register: Annotated[int | None, _PER_MINUTE] = None
    """Registrations of one address in a minute; 0 is no limit, as it is for each in local mode."""
    limit_authorize: Annotated[int | None, _PER_MINUTE] = None
    """Requests to /authorize, and as many to /callback, of one address in a minute."""
    limit_token: Annotated[int | None, _PER_MINUTE] = None
    """Requests to /token that are refused, and requests to /revoke, of one client and address in a
    minute; and tokens of one sign-in."""
    limit_failed_tokens: Annotated[int | None, _PER_MINUTE] = None
    """Access tokens of one address that /mcp refuses in a minute; good ones always pass."""
    limit_sign_ins: Annotated[int | None, _PER_MINUTE] = None
    """Sign-ins of one person in a minute."""
    limit_client_documents: Annotated[int | None, _PER_MINUTE] = None
    """Documents of clients that are fetched for one address in a minute."""

    admin_contact: Annotated[str | None, BeforeValidator(values.contact)] = None
    """Whom people are told to ask for help."""
    https_proxy: Annotated[Secret | None, BeforeValidator(values.proxy)] = None
    """Proxy for HTTPS to the provider and to Productive: http://host:port, with user:password@
    where it wants that. Never for the API server, never for plain HTTP."""
    no_proxy: Annotated[tuple[str, ...], BeforeValidator(values.words)] = ()
    """Hosts that are reached without the proxy."""
    ca_bundle: Annotated[Path | None, BeforeValidator(values.ca_bundle)] = None
    """PEM file of authorities to trust besides the public ones."""

    @property
    def local(self) -> bool:
        """Whether this is one person's own machine."""
        return urlsplit(self.public_url).hostname in LOOPBACK

    @property
    def hosts(self) -> tuple[str, ...]:
        """Addresses to listen on: in local mode no other machine can connect."""
        return THIS_MACHINE if self.local else ALL_INTERFACES

    @property
    def resource(self) -> str:
        """URL of the MCP endpoint: the audience of every access token."""
        return f"{self.public_url}/mcp"

    @property
    def callback_url(self) -> str:
        """The redirect URI that is registered at the provider."""
        return f"{self.public_url}/callback"

    @property
    def traces_url(self) -> str | None:
        """Where traces are sent; None if nothing is traced.

        Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
        """
        base = self.otel_exporter_otlp_endpoint
        return self.otel_exporter_otlp_traces_endpoint or (base and f"{base.rstrip('/')}/v1/traces")

    @property
    def redirect_hosts(self) -> tuple[str, ...] | Literal["*"]:
        """What https redirect URIs of clients may lead to."""
        if self.given_redirect_hosts is None:
            return "*" if self.local else ()
        return self.given_redirect_hosts

    @property
    def limits(self) -> PerMinute:
        """What callers may do in a minute."""
        defaults = UNLIMITED if self.local else PerMinute()
        given = {
            "register": self.limit_register,
            "authorize": self.limit_authorize,
            "token": self.limit_token,
            "failed_tokens": self.limit_failed_tokens,
            "sign_ins": self.limit_sign_ins,
            "client_documents": self.limit_client_documents,
        }
        return replace(
            defaults, **{name: count for name, count in given.items() if count is not None}
        )

    @property
    def redirects(self) -> RedirectPolicy:
        """Where codes may be sent to."""
        return RedirectPolicy(self.redirect_hosts, self.public_url, self.redirect_schemes)

    @property
    def redirect_schemes(self) -> tuple[str, ...]:
        """Private-use redirect URIs that may be used."""
        if self.given_redirect_schemes is None:
            return (CURSOR,) if self.local else ()
        return self.given_redirect_schemes

    @property
    def grants_namespace(self) -> str | None:
        """Namespace of the grants; None if they are kept in memory."""
        return self.given_grants or None

    @property
    def needs_cluster(self) -> bool:
        """Whether anything is in Kubernetes."""
        return bool(self.mapping_secret or self.key_ring_secret or self.grants_namespace)

    @property
    def user_mapping(self) -> Secret | Path:
        """The mapping or its path, if there is no Secret to watch."""
        if self.given_mapping is None:
            raise ValueError("USER_MAPPING was not given")
        return self.given_mapping

    @property
    def mapping_mount(self) -> Path | None:
        """Where the mapping Secret is mounted, if it is also watched."""
        return self.given_mapping if isinstance(self.given_mapping, Path) else None

    @property
    def cookie_ring(self) -> KeyRing:
        """The ring of COOKIE_ENCRYPTION_KEY, if there is no Secret to watch.

        Raises:
            KeyRingError: a key is malformed or weak.
        """
        return ring_of_cookie_key(
            _given(self.cookie_encryption_key).reveal(),
            [key.reveal() for key in self.cookie_encryption_key_previous],
        )

    @property
    def proxy(self) -> Proxy | None:
        """The proxy for HTTPS."""
        return None if self.https_proxy is None else Proxy(self.https_proxy, self.no_proxy)

    @property
    def upstream(self) -> UpstreamConfig:
        """The sign-in provider.

        Raises:
            ValueError: the three URLs of the ACCESS_* form have no common issuer.
        """
        if self.oidc_issuer is not None:
            return UpstreamConfig(
                issuer=self.oidc_issuer,
                client_id=_given(self.oidc_client_id),
                client_secret=_given(self.oidc_client_secret),
                email_trust=self.oidc_email_trust or "claim",
                required_claims=self.oidc_required_claims,
                auth_method=self.oidc_token_endpoint_auth_method,
                offline=self.oidc_offline,
            )
        urls = (
            _given(self.access_authorization_url),
            _given(self.access_token_url),
            _given(self.access_jwks_url),
        )
        return UpstreamConfig(
            issuer=derived_issuer(*urls),
            client_id=_given(self.access_client_id),
            client_secret=_given(self.access_client_secret),
            authorization_url=urls[0],
            token_url=urls[1],
            jwks_url=urls[2],
            # Access verifies the addresses by which people sign in, and sends no claim about it.
            email_trust=self.oidc_email_trust or "issuer",
            required_claims=self.oidc_required_claims,
            auth_method=self.oidc_token_endpoint_auth_method,
            offline=self.oidc_offline,
        )


def _given(value: T | None) -> T:
    if value is None:
        raise ValueError("this setting was not given")
    return value


def variables() -> frozenset[str]:
    """Return the names of all variables."""
    return frozenset(field.alias or name for name, field in Settings.model_fields.items())
