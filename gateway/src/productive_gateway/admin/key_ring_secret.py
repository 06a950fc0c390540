"""The key ring Secret as commands read and change it: by compare-and-swap, never over another one.

Ages of keys decide what is safe, so they are measured by the API server's clock, and only if the
clock of this machine agrees with it.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from productive_contract.clock import Clock, system_clock
from productive_contract.names import KEY_RING_KEY, KEY_RING_TYPE
from productive_gateway.admin.errors import AdminError, explained
from productive_gateway.sealing.errors import KeyRingError
from productive_gateway.sealing.keys import KeyRing, encode_ring, parse_ring
from productive_kube.client import KubeClient
from productive_kube.collection import secret_data
from productive_kube.errors import ApiError, Conflict

TRIES: Final = 5
"""Writes that may lose against another one."""
MOST_SKEW: Final = 120.0
"""Seconds by which the two clocks may differ."""
_TYPE_IS: Final = (("fieldSelector", f"type={KEY_RING_TYPE}"),)
_REMEDY: Final = "name the key ring with --name and its namespace with --namespace"
_MARKS: Final = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "meta.helm.sh/release-name": "Helm",
    "reconcile.external-secrets.io/data-hash": "the External Secrets Operator",
}
"""Labels and annotations of those who would undo a change of the Secret."""


class HasRing(Protocol):
    """What a decision about a ring returns."""

    @property
    def ring(self) -> KeyRing:
        """The ring after it."""
        ...


Decision = TypeVar("Decision", bound=HasRing)


@dataclass(frozen=True, slots=True)
class KeyRingSecret:
    """A key ring Secret as it was read."""

    namespace: str
    name: str
    ring: KeyRing
    now: float
    """When it was read, by the API server's clock, Unix seconds."""
    found: dict[str, Any]
    """The Secret as the API server gave it."""

    @property
    def managed_by(self) -> str | None:
        """Who would undo a change of it; None if nobody is known."""
        metadata = self.found["metadata"]
        owners = metadata.get("ownerReferences") or []
        if owners:
            return f"the {owners[0].get('kind')} {owners[0].get('name')}"
        marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
        return next((who for mark, who in _MARKS.items() if mark in marks), None)


async def find_key_ring(client: KubeClient, namespace: str) -> str:
    """Return the name of the only key ring Secret of a namespace.

    Raises:
        AdminError: there is none, or there are several.
        ApiError: the API server cannot be reached.
    """
    path = f"/api/v1/namespaces/{namespace}/secrets"
    try:
        listed = await client.list(path, _name_of, query=_TYPE_IS)
    except ApiError as error:
        raise explained(error, f"the Secrets of {namespace}", _REMEDY) from error
    match listed.items:
        case [name]:
            return name
        case []:
            raise AdminError(f"the namespace {namespace} has no key ring; {_REMEDY}")
        case names:
            listed_names = ", ".join(sorted(names))
            raise AdminError(
                f"the namespace {namespace} has several key rings ({listed_names}); choose one "
                "with --name"
            )


async def read_key_ring(
    client: KubeClient, namespace: str, name: str, *, clock: Clock = system_clock
) -> KeyRingSecret:
    """Read the key ring Secret.

    Raises:
        AdminError: there is no such Secret, or no right to read it.
        ApiError: the API server cannot be reached.
        KeyRingError: the Secret holds no key ring that can be used.
    """
    what = f"the Secret {namespace}/{name}"
    try:
        found = await client.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    except ApiError as error:
        raise explained(error, what, _REMEDY) from error
    document = secret_data(found).get(KEY_RING_KEY)
    if document is None:
        raise KeyRingError(f"{what} has no {KEY_RING_KEY}, so it is not a key ring; {_REMEDY}")
    now = clock() if client.server_time is None else client.server_time
    return KeyRingSecret(namespace, name, parse_ring(document), now, found)


async def change_key_ring(
    client: KubeClient,
    namespace: str,
    name: str,
    decide: Callable[[KeyRingSecret], Decision],
    *,
    clock: Clock = system_clock,
) -> Decision:
    """Read the ring, decide, store the outcome; again from the start if it changed meanwhile.

    Raises:
        AdminError: it is somebody else's to change, or there is no right to do it.
        ApiError: the API server cannot be reached; the change may have been made.
        KeyRingError: there is no ring that can be used.
    """
    for _ in range(TRIES):
        read = await read_key_ring(client, namespace, name, clock=clock)
        decision = decide(read)
        if decision.ring == read.ring:
            return decision
        _check_changeable(read)
        _check_clocks(read, clock())
        body = copy.deepcopy(read.found)
        document = encode_ring(decision.ring)
        body["data"][KEY_RING_KEY] = base64.b64encode(document).decode()
        try:
            await client.replace(f"/api/v1/namespaces/{namespace}/secrets/{name}", body)
        except Conflict:
            continue
        except ApiError as error:
            raise explained(error, f"the Secret {namespace}/{name}", _REMEDY) from error
        return decision
    raise AdminError(
        f"others change the key ring {namespace}/{name} all the time, so nothing was changed; find "
        "out who writes it, and try again"
    )


def _check_changeable(read: KeyRingSecret) -> None:
    where = f"{read.namespace}/{read.name}"
    if read.found.get("immutable") is True:
        raise AdminError(
            f"the key ring {where} is immutable, so nothing was changed; print the next manifest "
            "with `productive-gateway keys rotate --print`, and replace the Secret with it"
        )
    if read.managed_by is not None:
        raise AdminError(
            f"the key ring {where} is managed by {read.managed_by}, which would undo the change "
            "and so end sign-ins; nothing was changed. Print the next manifest with "
            "`productive-gateway keys rotate --print`, and put it where the Secret comes from"
        )


def _check_clocks(read: KeyRingSecret, here: float) -> None:
    skew = abs(read.now - here)
    if skew > MOST_SKEW:
        raise AdminError(
            f"the clocks of this machine and of the API server differ by {skew:.0f} seconds, so "
            "nothing was changed: the ages of keys decide what is safe. Correct the clock"
        )


def _name_of(secret: dict[str, Any]) -> str:
    return str(secret["metadata"]["name"])
