"""Finds the installation: from the Deployments of the chart, else from the operator's settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from productive_operator.doctor.reading import ClusterReader
from productive_operator.doctor.result import NotReadable

PROGRAMS: Final = ("operator", "gateway")
_APP: Final = "app.kubernetes.io"
OURS: Final = f"{_APP}/part-of=productive-mcp"
"""Label of every object of the chart."""
INSTANCE: Final = f"{_APP}/instance"
"""Label with the release."""
DEFAULT_PORT: Final = 9090
_EVERYWHERE: Final = "/apis/apps/v1/deployments"
_NOWHERE: Final = (
    "no installation of productive-mcp was found: install the chart, or say with --namespace and "
    "--release where it is"
)


class UnknownInstallation(Exception):
    """Which installation is meant cannot be told; `str()` says what to add to the command."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Where people sign in, as the gateway is told."""

    issuer: str | None = None
    """None: the endpoints are configured one by one, as for Cloudflare Access."""
    jwks_url: str | None = None
    endpoints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation; None is what could not be found out."""

    namespace: str
    """Of the release."""
    users_namespace: str
    mapping: tuple[str, str]
    """Namespace and name of the mapping Secret."""
    release: str | None = None
    grants_namespace: str | None = None
    key_ring: tuple[str, str] | None = None
    public_url: str | None = None
    provider: Provider | None = None
    accounts: Mapping[str, str] = field(default_factory=dict)
    """ServiceAccount of each program."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """Internal port of each program."""
    missing: str = ""
    """What would tell the rest."""

    def needs(self) -> NotReadable:
        """Return the error of a check whose setting is not known."""
        return NotReadable(self.missing or "the setting in the Deployment of the gateway")


async def find_installation(
    reader: ClusterReader,
    *,
    namespace: str | None,
    release: str | None,
    environment: Mapping[str, str],
) -> Installation:
    """Look for the Deployments of the chart, everywhere unless told where.

    Args:
        reader: the API server.
        namespace: of the release, if it is told.
        release: its name, if it is told.
        environment: the operator's settings, for a run in its own pod.

    Raises:
        UnknownInstallation: there is none, or more than one.
        ApiError: the API server gave no usable answer.
    """
    query = [("labelSelector", OURS + (f",{INSTANCE}={release}" if release else ""))]
    own = reader.client.namespace
    places = [namespace] if namespace else [None, own]
    missing = ""
    for place in places:
        path = f"/apis/apps/v1/namespaces/{place}/deployments" if place else _EVERYWHERE
        try:
            found = await reader.items(path, f"list deployments in {place or 'all'}", query=query)
        except NotReadable:
            missing = f"the right to list deployments in {place or own}"
            continue
        if found or namespace:
            return of_deployments(found)
        if place is None:
            raise UnknownInstallation(_NOWHERE)
    return of_settings(environment, namespace or own, missing)


def of_deployments(deployments: Iterable[Mapping[str, Any]]) -> Installation:
    """Return the one installation that these Deployments belong to.

    Raises:
        UnknownInstallation: there is none, more than one, or no operator.
    """
    found: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for one in deployments:
        metadata = one["metadata"]
        labels = metadata.get("labels") or {}
        key = (metadata["namespace"], labels.get(INSTANCE, ""))
        found.setdefault(key, {})[labels.get(f"{_APP}/component", "")] = one
    if not found:
        raise UnknownInstallation(_NOWHERE)
    if len(found) > 1:
        listed = ", ".join(f"--namespace {place} --release {name}" for place, name in sorted(found))
        raise UnknownInstallation(f"there is more than one installation; choose one: {listed}")
    [((namespace, release), programs)] = found.items()
    if "operator" not in programs:
        raise UnknownInstallation(
            f"release {release} in {namespace} has no Deployment of the operator: run helm upgrade"
        )
    settings = {name: _settings(programs.get(name)) for name in PROGRAMS}
    operator, gateway = settings["operator"], settings["gateway"]
    return Installation(
        namespace=namespace,
        release=release,
        users_namespace=operator.get("USERS_NAMESPACE", f"{release}-users"),
        mapping=_place(operator.get("MAPPING_SECRET", f"{release}-mapping"), namespace),
        grants_namespace=gateway.get("GRANTS", "").removeprefix("kubernetes://") or None,
        key_ring=_place(gateway["KEY_RING_SECRET"], namespace)
        if "KEY_RING_SECRET" in gateway
        else None,
        public_url=gateway.get("PUBLIC_URL", "").rstrip("/") or None,
        provider=_provider(gateway),
        accounts={name: _account(one) for name, one in programs.items() if name in PROGRAMS},
        ports={name: _port(values) for name, values in settings.items()},
        missing="" if "gateway" in programs else "a Deployment of the gateway, which is missing",
    )


def of_settings(environment: Mapping[str, str], namespace: str, missing: str) -> Installation:
    """Return what the operator's own settings tell.

    Raises:
        UnknownInstallation: there are none.
    """
    try:
        users, mapping = environment["USERS_NAMESPACE"], environment["MAPPING_SECRET"]
    except KeyError as error:
        raise UnknownInstallation(
            f"the installation cannot be found: it needs {missing}, or the settings of the operator"
        ) from error
    return Installation(
        namespace=namespace,
        users_namespace=users,
        mapping=_place(mapping, namespace),
        ports={"operator": _port(environment)},
        missing=missing,
    )


def _settings(deployment: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the variables that have a value in the manifest; of a repeated one the last counts."""
    if deployment is None:
        return {}
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return {one["name"]: one["value"] for one in container.get("env") or () if "value" in one}


def _provider(settings: Mapping[str, str]) -> Provider | None:
    if issuer := settings.get("OIDC_ISSUER"):
        return Provider(issuer=issuer)
    if jwks := settings.get("ACCESS_JWKS_URL"):
        names = ("ACCESS_AUTHORIZATION_URL", "ACCESS_TOKEN_URL", "ACCESS_JWKS_URL")
        return Provider(None, jwks, tuple(settings.get(name, "") for name in names))
    return None


def _place(text: str, namespace: str) -> tuple[str, str]:
    before, slash, name = text.partition("/")
    return (before, name) if slash else (namespace, text)


def _account(deployment: Mapping[str, Any]) -> str:
    return str(deployment["spec"]["template"]["spec"].get("serviceAccountName", "default"))


def _port(settings: Mapping[str, str]) -> int:
    text = settings.get("INTERNAL_PORT", "")
    return int(text) if text.isdecimal() else DEFAULT_PORT
