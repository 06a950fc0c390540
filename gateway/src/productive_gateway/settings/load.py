"""Reading the variables, and checking one against another."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from productive_contract.mapping import MappingError, decode
from productive_contract.names import MAPPING_KEY, MAPPING_KEY_GZIP
from productive_contract.secret import Secret
from productive_gateway.oauth.clients.client import ClientKind
from productive_gateway.oauth.clients.preregistered import PreregistrationError
from productive_gateway.oauth.clients.preregistered_file import check_preregistered
from productive_gateway.sealing.errors import KeyRingError
from productive_gateway.settings.model import Settings, variables
from productive_gateway.settings.names import PROXY_VARIABLES, is_service_link, near_misses
from productive_gateway.settings.provider import missing_of_provider
from productive_gateway.settings.values import is_plain_http


class SettingsError(Exception):
    """The settings cannot be used; `str()` says what to change before it can start."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"fix these settings before starting the gateway:{lines}")


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from an environment; an empty variable counts as not set.

    Raises:
        SettingsError: a setting is wrong, weak, missing or contradictory, or a name is misspelt.
    """
    own = {name: value for name, value in environ.items() if not is_service_link(name, value)}
    for name in PROXY_VARIABLES:
        # Other programs read these in lower case, too.
        own[name] = own.get(name) or own.get(name.lower(), "")
    known = variables()
    given = {name: own[name].strip() for name in known if own.get(name, "").strip()}
    if not given.get("OTEL_TRACES_SAMPLER", "traceidratio").lower().endswith("traceidratio"):
        # It belongs to a sampler that takes no ratio, such as one that asks a server.
        given.pop("OTEL_TRACES_SAMPLER_ARG", None)
    problems = [
        f"{name} is not a setting: did you mean {meant}? Rename it, or remove it."
        for name, meant in near_misses(own, known)
    ]
    problems += _missing(given)
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        raise SettingsError([*problems, *_unreadable(error)]) from None
    problems += [] if problems else _contradictions(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def _unreadable(error: ValidationError) -> Iterator[str]:
    """Yield which values cannot be read, without quoting one."""
    for problem in error.errors(include_url=False, include_input=False):
        variable = problem["loc"][0]
        match problem["type"]:
            case "missing":
                continue  # reported by _missing, which also says what to write
            case "literal_error":
                yield f"{variable}: write one of {problem['ctx']['expected']}."
            case _:
                yield f"{variable}: {problem['msg'].removeprefix('Value error, ')}."


def _missing(given: Collection[str]) -> Iterator[str]:
    if "PUBLIC_URL" not in given:
        yield "PUBLIC_URL is missing: set it to the https address of the gateway, as people use it."
    if "PRODUCTIVE_ORG_ID" not in given:
        yield (
            "PRODUCTIVE_ORG_ID is missing: set it to the number in the address of your Productive, "
            "as 1200 in https://app.productive.io/1200-company."
        )
    yield from missing_of_provider(given)
    if "MAPPING_SECRET" not in given and "USER_MAPPING" not in given:
        yield (
            "Nobody can sign in: set MAPPING_SECRET to the name of the mapping Secret, or "
            "USER_MAPPING to a JSON file of people."
        )
    yield from _missing_keys(given)


def _missing_keys(given: Collection[str]) -> Iterator[str]:
    ring, key = "KEY_RING_SECRET" in given, "COOKIE_ENCRYPTION_KEY" in given
    if ring and key:
        yield (
            "KEY_RING_SECRET and COOKIE_ENCRYPTION_KEY are two sets of keys: remove "
            "COOKIE_ENCRYPTION_KEY in a cluster, and KEY_RING_SECRET outside."
        )
    elif not ring and not key:
        yield (
            "There are no keys: set KEY_RING_SECRET to the name of the key ring Secret, or "
            "COOKIE_ENCRYPTION_KEY to the output of `openssl rand -hex 32`."
        )
    if "COOKIE_ENCRYPTION_KEY_PREVIOUS" in given and not key:
        yield "COOKIE_ENCRYPTION_KEY_PREVIOUS needs COOKIE_ENCRYPTION_KEY: set it, or remove both."
    if "KEY_RING" in given and not ring:
        yield "KEY_RING is the mount of KEY_RING_SECRET: set that too, or remove KEY_RING."


def _contradictions(settings: Settings) -> Iterator[str]:
    if settings.port == settings.internal_port:
        yield "INTERNAL_PORT is the same as PORT: choose another one, which must not be public."
    if settings.gateway_service is not None and not settings.needs_cluster:
        yield (
            "GATEWAY_SERVICE has no effect without Kubernetes: remove it, or set MAPPING_SECRET, "
            "KEY_RING_SECRET and GRANTS too."
        )
    yield from _bad_keys(settings)
    yield from _bad_provider(settings)
    yield from _bad_mapping(settings)
    yield from _bad_clients(settings)
    if not settings.local:
        yield from _only_local(settings)


def _only_local(settings: Settings) -> Iterator[str]:
    if settings.grants_namespace is None:
        yield (
            "GRANTS must be kubernetes:// and a namespace: in memory, every sign-in would be lost "
            "at a restart and unknown to a second replica."
        )
    if settings.given_redirect_hosts in {None, "*"}:
        yield (
            "REDIRECT_HOSTS must name the assistants that people may connect, such as "
            "claude.ai/api/mcp/auth_callback: otherwise any site could register as an assistant."
        )
    urls = {
        "PRODUCTIVE_API_BASE_URL": settings.productive_api_base_url,
        "OIDC_ISSUER": settings.oidc_issuer,
        "ACCESS_AUTHORIZATION_URL": settings.access_authorization_url,
        "ACCESS_TOKEN_URL": settings.access_token_url,
        "ACCESS_JWKS_URL": settings.access_jwks_url,
    }
    for variable, url in urls.items():
        if url is not None and is_plain_http(url):
            yield f"{variable} must be https: plain http is for PUBLIC_URL on localhost only."
    if any(is_plain_http(origin) for origin in settings.allowed_origins):
        yield "ALLOWED_ORIGINS must be https: plain http is for PUBLIC_URL on localhost only."


def _bad_keys(settings: Settings) -> Iterator[str]:
    if settings.key_ring_secret is None:
        try:
            _ = settings.cookie_ring
        except KeyRingError as error:
            yield f"{error}."


def _bad_provider(settings: Settings) -> Iterator[str]:
    try:
        _ = settings.upstream
    except ValueError as error:
        yield str(error)


def _bad_mapping(settings: Settings) -> Iterator[str]:
    given = settings.given_mapping
    if settings.mapping_secret is not None:
        if isinstance(given, Secret):
            yield (
                "MAPPING_SECRET and USER_MAPPING are two mappings: remove USER_MAPPING, or set it "
                "to the folder where the Secret is mounted."
            )
    elif isinstance(given, Path):
        yield from _bad_mapping_path(given)


def _bad_clients(settings: Settings) -> Iterator[str]:
    given, kinds = settings.preregistered_clients, settings.client_kinds
    if given is None:
        if kinds == {ClientKind.PREREGISTERED}:
            yield (
                "Nobody can connect: CLIENT_KINDS allows pre-registered clients only, so set "
                "PREREGISTERED_CLIENTS, or allow another kind."
            )
        return
    if ClientKind.PREREGISTERED not in kinds:
        yield (
            "PREREGISTERED_CLIENTS has no effect: add preregistered to CLIENT_KINDS, or remove it."
        )
    try:
        check_preregistered(given, settings.redirects)
    except PreregistrationError as error:
        yield f"PREREGISTERED_CLIENTS: {error}."


def _bad_mapping_path(path: Path) -> Iterator[str]:
    if path.is_dir():
        return
    key = MAPPING_KEY_GZIP if path.suffix == ".gz" else MAPPING_KEY
    try:
        decode({key: path.read_bytes()}).refuse_faults()
    except OSError:
        yield f"USER_MAPPING: {path} cannot be read; write the path of a JSON file of people."
    except MappingError as error:
        yield f"USER_MAPPING: {path} is not a mapping ({error}); fix the file."
