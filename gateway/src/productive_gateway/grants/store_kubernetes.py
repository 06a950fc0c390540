"""Grants as Secrets of a namespace of their own.

Secrets of two types: grants, and the binding of a person to an upstream subject. Compare-and-swap
is the API server's: create with a derived name, replace with resourceVersion, delete with
preconditions. Reads name no resourceVersion, so they are quorum reads.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from datetime import datetime
from typing import Any, Final

from productive_contract.names import LABEL_USER_UID
from productive_gateway.errors import Unavailable
from productive_gateway.grants.errors import Conflict, Exists, Expired, Missing, StoreFull
from productive_gateway.grants.store import Change, Kind, Page, Record
from productive_kube.client import KubeClient
from productive_kube.errors import (
    AlreadyExists,
    ApiError,
    Forbidden,
    Gone,
    NotFound,
    QuotaExceeded,
)
from productive_kube.errors import Conflict as ApiConflict

RETRY_AFTER: Final = 5
"""Seconds that a client is told to wait when the API server names none."""


class KubernetesGrantStore:
    """A GrantStore in one namespace of a cluster."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        """Use the Secrets of `namespace`; nothing else may live there."""
        self._client = client
        self._path = f"/api/v1/namespaces/{namespace}/secrets"
        self._namespace = namespace

    async def create(self, record: Record) -> Record:
        """Create the Secret."""
        try:
            with _translated():
                return _record(await self._client.create(self._path, self._secret(record)))
        except (Missing, Conflict) as error:
            # The namespace is not there; or many creations at once met at its ResourceQuota, whose
            # 409 is about the quota. Neither says anything about the record.
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
            return _record(await self._client.replace(path, self._secret(record)))

    async def delete(self, record: Record) -> None:
        """Delete the Secret."""
        with _translated():
            await self._client.delete(
                f"{self._path}/{record.name}", uid=record.uid, resource_version=record.version
            )

    async def pages(self, kind: Kind, *, user_uid: str | None = None) -> AsyncIterator[Page]:
        """List Secrets of the kind."""
        query = [("fieldSelector", f"type={kind.value}")]
        if user_uid is not None:
            query.append(("labelSelector", f"{LABEL_USER_UID}={user_uid}"))
        with _translated():
            listed = await self._client.list(self._path, _record, query=query)
        yield Page(tuple(listed.items), listed.version)

    async def version(self) -> str:
        """Read the version of a list that is as short as can be."""
        query = [("fieldSelector", f"type={Kind.GRANT.value}"), ("limit", "1")]
        with _translated():
            answer = await self._client.get(self._path, query=query)
        return str(answer["metadata"]["resourceVersion"])

    async def watch(self, version: str, *, seconds: float) -> AsyncIterator[Change]:
        """Watch Secrets that are grants, for one window."""
        query = [("fieldSelector", f"type={Kind.GRANT.value}")]
        events = self._client.watch(
            self._path, query=query, resource_version=version, seconds=int(seconds)
        )
        with _translated():
            async with aclosing(events):
                async for event in events:
                    yield _change(event)

    def _secret(self, record: Record) -> dict[str, Any]:
        metadata: dict[str, Any] = {
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
            "metadata": metadata,
            "data": {name: base64.b64encode(value).decode() for name, value in record.data.items()},
        }


def _change(event: dict[str, Any]) -> Change:
    kind, item = event["type"], event["object"]
    version = item["metadata"]["resourceVersion"]
    if kind == "BOOKMARK":
        return Change(version)
    return Change(version, _record(item), deleted=kind == "DELETED")


def _record(item: dict[str, Any]) -> Record:
    metadata = item["metadata"]
    # Another type under one of our names is none of our records: without data it is refused.
    kind = str(item.get("type"))
    ours = kind in set(Kind)
    data = (item.get("data") or {}) if ours else {}
    return Record(
        kind=Kind(kind) if ours else Kind.GRANT,
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        data={name: base64.b64decode(text) for name, text in data.items()},
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        created=datetime.fromisoformat(metadata["creationTimestamp"]).timestamp(),
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
    except ApiConflict as error:
        raise Conflict from error
    except QuotaExceeded as error:
        raise StoreFull from error
    except Gone as error:
        raise Expired from error
    except ApiError as error:
        reason = "grants_forbidden" if isinstance(error, Forbidden) else "grants_away"
        raise _away(reason, error.retry_after) from error


def _away(reason: str, retry_after: int | None = None) -> Unavailable:
    return Unavailable(
        "The store of sign-ins cannot be reached just now. Try again in a moment.",
        reason=reason,
        retry_after=retry_after or RETRY_AFTER,
    )
