"""The operator's objects in the cluster: `view.ClusterView` over the API.

The paths and selectors here are all that the operator's Roles allow.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from productive_contract.mapping import format_time
from productive_contract.names import (
    GROUP,
    KIND,
    MAPPING_TYPE,
    OPERATOR_FIELD_MANAGER,
    PLURAL,
    TOKEN_TYPE,
    VERSION,
)
from productive_operator.cluster.api import Api
from productive_operator.cluster.errors import NotFound
from productive_operator.conditions import Status, decode_status, encode_status
from productive_operator.users import TokenSecret, User, decode_secret, decode_user
from productive_operator.view import ListedUser, OnMapping, StoredMapping

API_VERSION: Final = f"{GROUP}/{VERSION}"
WINDOW_SECONDS: Final = 10
"""Length of one window of the mapping's watch; a dead connection is noticed after it."""

_MAKER: Final = f"{OPERATOR_FIELD_MANAGER}-init"
"""Field manager of the empty mapping. It owns no data, so making it never takes any away that
another operator published in between."""
_MAX_MESSAGE: Final = 1000
"""Characters of an Event's message; Kubernetes takes 1,024 bytes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the operator works."""

    users_namespace: str
    mapping_namespace: str
    mapping_name: str


class ClusterObjects:
    """The objects of one place."""

    def __init__(self, api: Api, place: Place) -> None:
        self._api = api
        self._place = place
        namespace = place.users_namespace
        self._users = f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}"
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"
        self._events = f"/api/v1/namespaces/{namespace}/events"
        self._mappings = f"/api/v1/namespaces/{place.mapping_namespace}/secrets"
        self._mapping = f"{self._mappings}/{place.mapping_name}"
        self._by_name = (("fieldSelector", f"metadata.name={place.mapping_name}"),)

    async def serves_users(self) -> bool:
        """Tell whether the API server knows ProductiveUsers, that is, whether the CRD is there."""
        try:
            served = await self._api.get(f"/apis/{API_VERSION}")
        except NotFound:
            return False
        return any(resource.get("name") == PLURAL for resource in served.get("resources") or ())

    async def mapping(self) -> StoredMapping | None:
        try:
            return _stored(await self._api.get(self._mapping))
        except NotFound:
            return None

    async def make_mapping(self) -> StoredMapping:
        body = self._mapping_body({})
        return _stored(await self._api.apply(self._mapping, body, manager=_MAKER))

    async def users(self) -> list[ListedUser]:
        return await self._api.read_list(self._users, _listed)

    async def secrets(self) -> list[TokenSecret]:
        query = (("fieldSelector", f"type={TOKEN_TYPE}"),)
        return await self._api.read_list(self._secrets, decode_secret, query=query)

    async def publish(self, stored: StoredMapping, data: Mapping[str, bytes]) -> StoredMapping:
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        body = self._mapping_body(_precondition(stored)) | {"data": encoded}
        return _stored(await self._api.apply(self._mapping, body))

    async def drop_keys(self, stored: StoredMapping, keys: Collection[str]) -> StoredMapping:
        body = {"metadata": _precondition(stored), "data": dict.fromkeys(keys)}
        return _stored(await self._api.merge(self._mapping, body))

    async def set_status(self, user: User, status: Status) -> None:
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": user.name, "namespace": user.namespace, "uid": user.uid},
            "status": encode_status(status),
        }
        await self._api.apply(f"{self._users}/{user.name}/status", body)

    async def post_event(self, user: User, status: Status) -> None:
        await self._api.create(self._events, _event(user, status))

    async def list_mapping(self, on_mapping: OnMapping) -> str:
        listed = await self._api.get(self._mappings, query=self._by_name)
        on_mapping(_stored(listed["items"][0]) if listed["items"] else None)
        return str(listed["metadata"]["resourceVersion"])

    async def watch_mapping(self, version: str, on_mapping: OnMapping) -> str | None:
        reached: str | None = None
        async for event in self._api.watch(
            self._mappings, query=self._by_name, resource_version=version, seconds=WINDOW_SECONDS
        ):
            reached = str(event["object"]["metadata"]["resourceVersion"])
            if event["type"] != "BOOKMARK":
                on_mapping(None if event["type"] == "DELETED" else _stored(event["object"]))
        return reached

    def _mapping_body(self, precondition: Mapping[str, str]) -> dict[str, Any]:
        place = self._place
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": place.mapping_name,
                "namespace": place.mapping_namespace,
                **precondition,
            },
            "type": MAPPING_TYPE,
        }


def _listed(body: Mapping[str, Any]) -> ListedUser:
    return ListedUser(decode_user(body), decode_status(body))


def _precondition(stored: StoredMapping) -> dict[str, str]:
    # The uid matters: with a resourceVersion alone, server-side apply creates an object that was
    # deleted in between, from a view as old as that version.
    return {"uid": stored.uid, "resourceVersion": stored.resource_version}


def _stored(body: Mapping[str, Any]) -> StoredMapping:
    metadata = body["metadata"]
    return StoredMapping(
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        type=body.get("type", ""),
        data={
            key: base64.b64decode(value or "") for key, value in (body.get("data") or {}).items()
        },
    )


def _event(user: User, status: Status) -> dict[str, Any]:
    now = format_time(datetime.now(UTC))
    message = status.message
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "productiveuser-", "namespace": user.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": user.namespace,
            "name": user.name,
            "uid": user.uid,
        },
        "type": "Normal" if status.ready else "Warning",
        "reason": status.reason,
        "message": message if len(message) <= _MAX_MESSAGE else f"{message[: _MAX_MESSAGE - 1]}…",
        "source": {"component": OPERATOR_FIELD_MANAGER},
        "reportingComponent": OPERATOR_FIELD_MANAGER,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
