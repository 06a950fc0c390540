"""Grants as Secrets of a namespace of their own.

Secrets of two types: grants, and the binding of a person to an upstream subject. The API server
provides compare-and-swap: create with a derived name, replace with resourceVersion, delete with
preconditions. Reads name no resourceVersion, so they are quorum reads.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, TypeVar

from productive_contract.names import LABEL_USER_UID
from productive_gateway.errors import Unavailable
from productive_gateway.grants.config import DAY
from productive_gateway.grants.errors import Changed, Exists, Immutable, Missing, StoreFull
from productive_gateway.grants.record import Record, RecordKind
from productive_kube.client import KubeClient, Query
from productive_kube.collection import Collection, number_of, secret_data
from productive_kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    NotFound,
    QuotaExceeded,
    Refused,
)

_ATTACHED: Final = ("annotations", "finalizers", "ownerReferences")
_QUOTAS: Final = ("count/secrets", "secrets")
_INVALID: Final = 422
_REASONS: Final = {Forbidden: "grants_forbidden", Refused: "grants_refused"}
RETRY_AFTER: Final = 5
"""Seconds that a client is told to wait when the API server names none."""

Item = TypeVar("Item")


class KubernetesGrantStore:
    """A GrantStore in one namespace of a cluster."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use the Secrets of `namespace`; nothing else may live there.

        Args:
            client: the API server.
            namespace: of the Secrets.
            monotonic: seconds from any origin.
        """
        self._client = client
        self._path = f"/api/v1/namespaces/{namespace}/secrets"
        self._namespace = namespace
        self._monotonic = monotonic
        self._quota: tuple[int, float] | None = None
        """Secrets that it allows, and when it was last met."""

    @property
    def capacity(self) -> int | None:
        """How many Secrets the namespace's quota allows, for a day after it was met.

        Nothing gives us the right to read it: we learn of it when it refuses a Secret. It may be
        raised later without our knowledge, hence the day.
        """
        if self._quota is None or self._monotonic() - self._quota[1] > DAY:
            return None
        return self._quota[0]

    async def create(self, record: Record) -> Record:
        """Create the Secret."""
        try:
            with _translated():
                return _record(await self._create(self._secret(record)))
        except (Missing, Changed) as error:
            # The namespace does not exist; or many creations at once met at its ResourceQuota,
            # whose 409 is about the quota. Neither says anything about the record.
            raise _away("grants_not_created") from error

    async def get(self, name: str) -> Record | None:
        """Read the Secret."""
        try:
            with _translated():
                return _record(await self._client.get(f"{self._path}/{name}"))
        except Missing:
            return None

    async def update(self, record: Record) -> Record:
        """Replace the Secret."""
        with _translated():
            path = f"{self._path}/{record.name}"
            try:
                return _record(await self._client.replace(path, self._secret(record)))
            except Refused as error:
                # An admission policy answers 422 as well, which says nothing about the record.
                if error.status == _INVALID and record.immutable:
                    raise Immutable from error
                raise

    async def delete(self, record: Record) -> None:
        """Delete the Secret."""
        with _translated():
            await self._client.delete(
                f"{self._path}/{record.name}", uid=record.uid, resource_version=record.version
            )

    async def list(
        self, kind: RecordKind, decode: Callable[[Record], Item], *, user_uid: str | None = None
    ) -> list[Item]:
        """List the Secrets of the kind."""
        query = list(_of_kind(kind))
        if user_uid is not None:
            query.append(("labelSelector", f"{LABEL_USER_UID}={user_uid}"))
        with _translated():
            listed = await self._client.list(self._path, _decoder(decode), query=query)
        return listed.items

    def grants(self, decode: Callable[[Record], Item]) -> Collection[Item]:
        """Return the Secrets that are grants."""
        return Collection(self._client, self._path, _decoder(decode), _of_kind(RecordKind.GRANT))

    async def _create(self, secret: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self._client.create(self._path, secret)
        except QuotaExceeded as error:
            limits = [error.limits[name] for name in _QUOTAS if name in error.limits]
            if limits:
                self._quota = min(limits), self._monotonic()
            raise

    def _secret(self, record: Record) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            **record.attached,
            "name": record.name,
            "namespace": self._namespace,
            "labels": dict(record.labels),
        }
        if record.uid:
            metadata |= {"uid": record.uid, "resourceVersion": record.version}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": record.kind.value,
            # Without it not even labels could be changed.
            **({"immutable": True} if record.immutable else {}),
            "metadata": metadata,
            "data": {name: base64.b64encode(value).decode() for name, value in record.data.items()},
        }


def _of_kind(kind: RecordKind) -> Query:
    return (("fieldSelector", f"type={kind.value}"),)


def _decoder(decode: Callable[[Record], Item]) -> Callable[[dict[str, Any]], Item]:
    return lambda secret: decode(_record(secret))


def _record(secret: dict[str, Any]) -> Record:
    metadata = secret["metadata"]
    number_of(metadata["resourceVersion"], "read a grant")  # versions are compared
    # A Secret of another type is not ours: without data it is refused.
    kind = str(secret.get("type"))
    ours = kind in set(RecordKind)
    return Record(
        kind=RecordKind(kind) if ours else RecordKind.GRANT,
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        data=secret_data(secret) if ours else {},
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        created=datetime.fromisoformat(metadata["creationTimestamp"]).timestamp(),
        attached={name: metadata[name] for name in _ATTACHED if name in metadata},
        deleting="deletionTimestamp" in metadata,
        immutable=secret.get("immutable") is True,
    )


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the API's errors into those of the port."""
    try:
        yield
    except NotFound as error:
        raise Missing from error
    except AlreadyExists as error:
        raise Exists from error
    except Conflict as error:
        raise Changed from error
    except QuotaExceeded as error:
        raise StoreFull from error
    except ApiError as error:
        raise _away(_REASONS.get(type(error), "grants_away"), error.retry_after) from error


def _away(reason: str, retry_after: int | None = None) -> Unavailable:
    return Unavailable(
        "The store of sign-ins cannot be reached at the moment. Try again shortly.",
        reason=reason,
        retry_after=retry_after or RETRY_AFTER,
    )
